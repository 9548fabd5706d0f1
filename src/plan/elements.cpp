#include "plan/elements.hpp"

namespace fastconv {

Rows::Rows(const Elements& elements, const Strides& a, const Strides& b)
    : elements_(elements), a_(a), b_(b) {
  const std::int64_t count = elements.count();
  if (elements.same(a, b) && elements.dense(a)) {
    rows = 1;
    length = count;
    return;
  }
  length = elements.size[2];
  rows = length ? count / length : 0;
  first_step = a.axis[2];
  second_step = b.axis[2];
}

Rows::Row Rows::at(std::int64_t row) const {
  if (rows == 1) return {0, 0};
  const auto& size = elements_.size;
  const std::int64_t y = row % size[1], z = (row /= size[1]) % size[0];
  const std::int64_t c = (row /= size[0]) % elements_.c, n = row / elements_.c;
  const auto offset = [&](const Strides& s) {
    return n * s.outer + c * s.channel + z * s.axis[0] + y * s.axis[1];
  };
  return {offset(a_), offset(b_)};
}

}  // namespace fastconv
