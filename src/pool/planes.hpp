// The planes of an array, one for each image and channel, and the loop over them.
#pragma once

#include "plan/shape.hpp"
#include "runtime/split.hpp"
#include "runtime/threads.hpp"

namespace fastconv {

template <class T>
T* plane_of(const PoolShape& shape, T* array, const Strides& stride, std::int64_t plane) {
  return array + plane / shape.c * stride.outer + plane % shape.c * stride.channel;
}

// Sets every element of a plane with the input's shape to zero.
template <class T>
void clear_plane(const PoolShape& shape, const std::int64_t (&stride)[3], T* plane) {
  for (std::int64_t d = 0; d < shape.axis[0].input; ++d)
    for (std::int64_t h = 0; h < shape.axis[1].input; ++h) {
      T* row = plane + d * stride[0] + h * stride[1];
      if (stride[2] == 1)
        std::fill(row, row + shape.axis[2].input, T{0});
      else
        for (std::int64_t w = 0; w < shape.axis[2].input; ++w) row[w * stride[2]] = 0;
    }
}

// Calls body(item, thread) for each item, several items to a task: a plane of a small image costs
// less than handing it out.
template <class Body>
void for_each_item(std::int64_t items, int threads, const Body& body) {
  constexpr std::int64_t kTasks = 64;
  const Split tasks(items, (items + kTasks - 1) / kTasks);
  parallel_for(tasks.parts, threads, [&](std::int64_t task, int thread) {
    for (std::int64_t i = 0; i < tasks.size(task); ++i) body(tasks.begin(task) + i, thread);
  });
}

}  // namespace fastconv
