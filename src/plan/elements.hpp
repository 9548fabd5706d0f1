// Loops over all elements of images that lie in memory in two orders.
#pragma once

#include "plan/shape.hpp"
#include "runtime/split.hpp"
#include "runtime/threads.hpp"

namespace fastconv {

struct Elements {
  std::int64_t n, c, size[3];

  std::int64_t count() const { return n * c * size[0] * size[1] * size[2]; }

  // The strides of new memory, in C order or with channels last.
  Strides packed(bool channels_last) const {
    const std::int64_t step = channels_last ? c : 1, plane = size[0] * size[1] * size[2];
    return {c * plane, channels_last ? 1 : plane, {size[1] * size[2] * step, size[2] * step, step}};
  }

  // Whether strides leave no gaps, so that all elements may be counted as one row.
  bool dense(const Strides& stride) const {
    const auto same = [&](const Strides& other) {
      bool all = (n <= 1 || stride.outer == other.outer) &&
                 (c == 1 || stride.channel == other.channel);
      for (int i = 0; i < 3; ++i) all &= size[i] == 1 || stride.axis[i] == other.axis[i];
      return all;
    };
    return same(packed(false)) || same(packed(true));
  }

  bool same(const Strides& a, const Strides& b) const {
    bool all = a.outer == b.outer && a.channel == b.channel;
    for (int i = 0; i < 3; ++i) all &= a.axis[i] == b.axis[i];
    return all;
  }
};

inline Elements inputs_of(const PoolShape& shape) {
  return {shape.n, shape.c, {shape.axis[0].input, shape.axis[1].input, shape.axis[2].input}};
}
inline Elements outputs_of(const PoolShape& shape) {
  return {shape.n, shape.c, {shape.axis[0].output, shape.axis[1].output, shape.axis[2].output}};
}

// Walks through all elements by rows of those that lie evenly in both orders: through all of them
// at once where the orders are the same and leave no gaps.
class Rows {
 public:
  struct Row {
    std::int64_t first, second;  // offsets in the two orders
  };

  Rows(const Elements& elements, const Strides& a, const Strides& b);

  Row at(std::int64_t row) const;

  std::int64_t rows, length;
  std::int64_t first_step = 1, second_step = 1;

 private:
  const Elements& elements_;
  const Strides &a_, &b_;
};

// Calls body(offset in a, offset in b) for each element, which costs about `cost` operations.
template <class Body>
void for_elements(const Elements& elements, const Strides& a, const Strides& b, double cost,
                  const Body& body) {
  constexpr std::int64_t kTask = 8192;
  const Rows all(elements, a, b);
  // A task is some rows, or a part of the only one.
  const Split parts(all.rows == 1 ? all.length : all.rows,
                    all.rows == 1 ? kTask : kTask / all.length);
  const double work = cost * static_cast<double>(elements.count());
  parallel_for(parts.parts, threads_for(parts.parts, work), [&](std::int64_t part, int) {
    std::int64_t row = parts.begin(part), rows = parts.size(part), x = 0, length = all.length;
    if (all.rows == 1) x = row, length = rows, row = 0, rows = 1;
    for (; rows > 0; --rows, ++row) {
      const Rows::Row start = all.at(row);
      std::int64_t first = start.first + x * all.first_step;
      std::int64_t second = start.second + x * all.second_step;
      for (std::int64_t i = 0; i < length; ++i) {
        body(first, second);
        first += all.first_step;
        second += all.second_step;
      }
    }
  });
}

}  // namespace fastconv
