// Short windows of small planes: their rows are joined where they lie, what comes of them is turned
// so that planes are lanes (kernels/pool_turn.hpp), and joined along the row. Windows that step
// over rows leave fewer of them to turn.
#pragma once

#include "kernels/pool_fold.hpp"
#include "kernels/pool_turn.hpp"

namespace fastconv::FASTCONV_ISA {
namespace {

// line[i * lanes + p]: column i of plane p, `rows` rows joined of which one starts each `step`. Of
// rows narrower than a vector, what lies behind them is read too.
template <class Op, class T>
FASTCONV_INLINE void join_and_turn(const T* const (&plane)[kLanes<T>], Index rows, Index step,
                                   Index columns, T* line) {
  constexpr Index N = kLanes<T>;
  for (Index i = 0; i < columns; i += N) {
    if (i > 0 && i + N > columns) i = columns - N;
    Vec<T> square[N];
    FASTCONV_UNROLL
    for (Index p = 0; p < N; ++p) square[p] = load(plane[p] + i);
    for (Index row = 1, at = i + step; row < rows; ++row, at += step)
      FASTCONV_UNROLL
      for (Index p = 0; p < N; ++p)
        square[p] = Op::template join<N>(square[p], load(plane[p] + at));
    transpose_square<T>(square);
    FASTCONV_UNROLL
    for (Index p = 0; p < N; ++p) store(line + (i + p) * N, square[p]);
  }
}

template <class T>
const T* copied(const T* source, Index elements, T* target) {
  for_vectors<T>(elements, [&](auto part, Index i) FASTCONV_LAMBDA {
    part.store(target + i, part.load(source + i));
  });
  return target;
}

template <class Op, bool Mean, class T>
void joined(const PoolArgs<T>& args) {
  constexpr Index N = kLanes<T>;
  const PoolAxis &height = args.axis[1], &width = args.axis[2];
  const Index pitch = args.source_stride[1];
  const bool narrow = width.sources < N, forward = args.source_plane >= args.source_size;
  const Index share = (args.source_size - 1) / height.targets + 1;  // of the next planes, a row
  T* const line = args.workspace;
  T* const result = line + (narrow ? N : width.sources) * N;
  T* const copy = result + args.target_size * N;
  for (Index first = 0; first < args.planes; first += N) {
    const Index planes = args.planes - first < N ? args.planes - first : N;
    const T* plane[N];
    for (Index p = 0; p < N; ++p) {
      plane[p] = args.source + (first + (p < planes ? p : planes - 1)) * args.source_plane;
      if (narrow && (first + N >= args.planes || !forward))  // nothing may lie behind it
        plane[p] = copied(plane[p], args.source_size, copy + p * args.source_size);
    }
    for (Index oh = 0; oh < height.targets; ++oh) {
      const Reach y = clipped(height, oh);
      for (Index p = first + N; p < first + 2 * N; ++p)
        ask_for(args.source + p * args.source_plane + oh * share, share);
      const T* top[N];
      for (Index p = 0; p < N; ++p) top[p] = plane[p] + y.first * pitch;
      join_and_turn<Op>(top, y.count, pitch, width.sources, line);
      T* const target = result + oh * width.targets * N;
      const T divisor = Mean ? args.divisor[0][0] * args.divisor[1][oh] : T{1};
      for (Index ow = 0; ow < width.targets; ++ow) {
        const Reach x = clipped(width, ow);
        const T* from = line + x.first * N;
        Vec<T> all = load(from);
        for (Index t = 1; t < x.count; ++t) all = Op::template join<N>(all, load(from + t * N));
        store(target + ow * N, Mean ? all / (divisor * load(args.divisor[2] + ow * N)) : all);
      }
    }
    turn_out(result, N, planes, args.target_size, args.target + first * args.target_plane,
             args.target_plane);
  }
}

}  // namespace
}  // namespace fastconv::FASTCONV_ISA
