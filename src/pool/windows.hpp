// How a pooling is computed: the way of its kernel, its blocks, and the loop over them.
#pragma once

#include <vector>

#include "kernels/table.hpp"
#include "plan/shape.hpp"
#include "runtime/memory.hpp"
#include "runtime/threads.hpp"

namespace fastconv {

enum class PoolKind { max, max_index, mean, mean_gradient };

// Where a kernel reads and writes.
template <class T>
struct PoolArrays {
  const T* source;
  Strides source_stride;
  T* target;
  Strides target_stride;
  std::int64_t* index;  // or null
  Strides index_stride;
};

// What divides each sum: a product of one count for each axis. In ceil mode it clips the window to
// the padded input, as in PyTorch (aten/native/cpu/AvgPoolKernel.cpp).
template <class T>
struct Divisors {
  explicit Divisors(const PoolShape& shape);
  bool uniform() const;
  std::vector<T> count[3];
};

// The pooling, or of a mean's gradient its reverse, block after block on all threads. `divisors`
// is null for maxima.
template <class T>
void run_pooling(const Kernels<T>& kernels, const PoolShape& shape, PoolKind kind,
                 const PoolArrays<T>& arrays, const Divisors<T>* divisors);

}  // namespace fastconv
