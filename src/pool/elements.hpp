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

// Calls body(offset in a, offset in b) for each element, which costs about `cost` operations.
template <class Body>
void for_elements(const Elements& elements, const Strides& a, const Strides& b, double cost,
                  const Body& body) {
  constexpr std::int64_t kTask = 8192;
  const std::int64_t count = elements.count();
  const double work = cost * static_cast<double>(count);
  if (elements.same(a, b) && elements.dense(a)) {
    const Split parts(count, kTask);
    parallel_for(parts.parts, threads_for(parts.parts, work), [&](std::int64_t part, int) {
      const std::int64_t first = parts.begin(part), end = first + parts.size(part);
      for (std::int64_t i = first; i < end; ++i) body(i, i);
    });
    return;
  }
  const auto& size = elements.size;
  const std::int64_t rows = count / size[2];
  const Split parts(rows, kTask / size[2]);
  parallel_for(parts.parts, threads_for(parts.parts, work), [&](std::int64_t part, int) {
    for (std::int64_t i = 0; i < parts.size(part); ++i) {
      std::int64_t row = parts.begin(part) + i;
      const std::int64_t y = row % size[1], z = (row /= size[1]) % size[0];
      const std::int64_t c = (row /= size[0]) % elements.c, n = row / elements.c;
      const auto at = [&](const Strides& s) {
        return n * s.outer + c * s.channel + z * s.axis[0] + y * s.axis[1];
      };
      const std::int64_t first = at(a), second = at(b);
      for (std::int64_t x = 0; x < size[2]; ++x)
        body(first + x * a.axis[2], second + x * b.axis[2]);
    }
  });
}

}  // namespace fastconv
