// The columns that a pass along an axis goes down: on the array's own memory where other axes lie
// inside of it, otherwise on tiles of as many rows as a vector has lanes, transposed there and back.
#pragma once

#include "norm/norm.hpp"
#include "runtime/memory.hpp"
#include "runtime/split.hpp"
#include "runtime/threads.hpp"

namespace fastconv {

// The arrays of a pass; `other` may be null.
template <class T>
struct ColumnArrays {
  const T *input, *other;
  T* output;
};

// Elements that a task takes, and operations that one of them is worth: on one thread or two, softmax
// takes 14 or 12 us for 32768 of them, and 103 or 58 for 262144 (float32).
constexpr std::int64_t kColumnTask = 1 << 14;
constexpr double kColumnWork = 20;

// Calls body(args) for all columns. `scratch` counts vectors.
template <class T, class Body>
void for_each_column(const Kernels<T>& kernels, const AxisShape& shape, std::int64_t scratch,
                     const ColumnArrays<T>& arrays, const Body& body) {
  const std::int64_t length = shape.length, lanes = kernels.lanes, inner = shape.inner;
  if (shape.count() == 0) return;
  const double work = kColumnWork * static_cast<double>(shape.count());
  if (inner > 1) {
    const Split blocks(inner, std::max(lanes, kColumnTask / length / lanes * lanes));
    const Split tasks(shape.outer * blocks.parts,
                      std::max<std::int64_t>(1, kColumnTask / (length * blocks.largest())));
    const int threads = threads_for(tasks.parts, work);
    const Buffer<T> workspace(static_cast<std::size_t>(threads * scratch * lanes));
    return parallel_for(tasks.parts, threads, [&](std::int64_t task, int thread) {
      for (std::int64_t i = tasks.begin(task); i < tasks.begin(task) + tasks.size(task); ++i) {
        const std::int64_t block = i % blocks.parts;
        const std::int64_t at = i / blocks.parts * length * inner + blocks.begin(block);
        body(ColumnArgs<T>{length, inner, blocks.size(block), arrays.input + at,
                           arrays.other ? arrays.other + at : nullptr, arrays.output + at,
                           workspace.data() + thread * scratch * lanes});
      }
    });
  }
  const std::int64_t tiles = (shape.outer + lanes - 1) / lanes, tile = length * lanes;
  const Split tasks(tiles, std::max<std::int64_t>(1, kColumnTask / tile));
  const int threads = threads_for(tasks.parts, work);
  const std::int64_t own = 2 * tile + scratch * lanes;
  const Buffer<T> workspace(static_cast<std::size_t>(threads * own));
  parallel_for(tasks.parts, threads, [&](std::int64_t task, int thread) {
    T* const first = workspace.data() + thread * own;
    T* const second = first + tile;
    for (std::int64_t i = tasks.begin(task); i < tasks.begin(task) + tasks.size(task); ++i) {
      const std::int64_t at = i * tile, rows = std::min(lanes, shape.outer - i * lanes);
      kernels.transpose({arrays.input + at, rows, length, 1, 0, length, 1, first, lanes});
      if (arrays.other)
        kernels.transpose({arrays.other + at, rows, length, 1, 0, length, 1, second, lanes});
      T* const out = arrays.other ? first : second;
      body(ColumnArgs<T>{length, lanes, lanes, first, arrays.other ? second : nullptr, out,
                         second + tile});
      kernels.store_channels({out, lanes, rows, 1, length, arrays.output + at, length, 0, 1,
                              nullptr, nullptr, {}});
    }
  });
}

}  // namespace fastconv
