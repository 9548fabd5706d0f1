// The gradient of means whose windows do not touch: each element is divided and repeated over its
// window, and what no window took is zero.
#pragma once

#include "kernels/permute.hpp"
#include "kernels/pool_rows.hpp"

namespace fastconv::FASTCONV_ISA {
namespace {

// `count` elements over the product of their divisors, each `Times` times.
template <int Times, class T>
FASTCONV_INLINE void repeat_row(const T* source, const T* columns, T rows, Index count,
                                T* target) {
  for_vectors<T>(count, [&](auto part, Index i) FASTCONV_LAMBDA {
    const Vec<T> one = part.load(source + i) / (part.load(columns + i) * rows);
    Vec<T> all[Times];
    FASTCONV_UNROLL
    for (int t = 0; t < Times; ++t) all[t] = one;
    zip_all<T, kLanes<T>, Times>(all);
    FASTCONV_UNROLL
    for (int t = 0; t < Times; ++t) {
      const Index rest = part.count * Times - t * kLanes<T>;
      if (rest > 0) store_first(target + i * Times + t * kLanes<T>, all[t], rest);
    }
  });
}

template <class T>
void repeat_any(const T* source, const T* columns, T rows, Index count, Index times, T* target) {
  for (Index i = 0; i < count; ++i, target += times) {
    const T one = source[i] / (columns[i] * rows);
    for_vectors<T>(times, [&](auto part, Index t) FASTCONV_LAMBDA {
      part.store(target + t, broadcast(one));
    });
  }
}

template <class T>
FASTCONV_INLINE void repeat_all(const PoolArgs<T>& args, const T* source, T rows, T* target) {
  const PoolAxis& width = args.axis[2];
  const Index count = width.sources, times = width.kernel;
  if (times == 1) return repeat_row<1>(source, args.divisor[2], rows, count, target);
  if (times == 2) return repeat_row<2>(source, args.divisor[2], rows, count, target);
  if (times == 4) return repeat_row<4>(source, args.divisor[2], rows, count, target);
  repeat_any(source, args.divisor[2], rows, count, times, target);
}

// Targets are the elements of the pooling's input: axis.spread of them share a source.
template <class T>
void repeat(const PoolArgs<T>& args) {
  const PoolAxis &depth = args.axis[0], &height = args.axis[1], &width = args.axis[2];
  const Index used = width.sources * width.kernel, row_end = args.row + args.rows;
  for (Index plane = 0; plane < args.planes; ++plane)
    for (Index z = args.depth; z < args.depth + args.depths; ++z)
      for (Index y = args.row; y < row_end; ++y) {
        const Index od = z / depth.kernel, oh = y / height.kernel;
        T* target = args.target + plane * args.target_plane + z * args.target_stride[0] +
                    y * args.target_stride[1];
        if (od >= depth.sources || oh >= height.sources) {
          fill_run(target, width.targets, T{0});
          continue;
        }
        repeat_all(args,
                   args.source + plane * args.source_plane + od * args.source_stride[0] +
                       oh * args.source_stride[1],
                   args.divisor[0][od] * args.divisor[1][oh], target);
        fill_run(target + used, width.targets - used, T{0});
      }
}

}  // namespace
}  // namespace fastconv::FASTCONV_ISA
