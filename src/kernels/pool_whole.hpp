// One window over all of a plane whose elements stand side by side: as many planes as lanes are
// each joined to one vector, and those turned.
#pragma once

#include "kernels/permute.hpp"
#include "kernels/pool_rows.hpp"

namespace fastconv::FASTCONV_ISA {
namespace {

// Planes of at most so many vectors are one chain of sums: 7 x 7 takes 8 cycles then, and 25 cut up.
constexpr Index kFewVectors = 8;

// Runs are joined by themselves, so that a sum of many is one of partial sums.
template <class Op, class T>
FASTCONV_INLINE Vec<T> join_plane(const T* source, Index size) {
  constexpr Index N = kLanes<T>, kRun = 256 * N;
  const Vec<T> none = broadcast(Op::identity());
  Vec<T> total = none;
  const auto join = [](Vec<T>& all, Vec<T> one)
                        FASTCONV_LAMBDA { all = Op::template join<N>(all, one); };
  for (Index begin = 0; begin < size; begin += kRun) {
    const Index end = begin + kRun < size ? begin + kRun : size;
    Vec<T> all[4] = {none, none, none, none};
    Index i = begin;
    for (; i + 4 * N <= end; i += 4 * N) {
      FASTCONV_UNROLL
      for (Index u = 0; u < 4; ++u) join(all[u], load(source + i + u * N));
    }
    for (; i + N <= end; i += N) join(all[0], load(source + i));
    if (i < end) join(all[1], load_lanes_or(source + i, LaneRange<T>(0, end - i), none));
    join(all[0], all[2]);
    join(all[1], all[3]);
    join(all[0], all[1]);
    join(total, all[0]);
  }
  return total;
}

// The same of few vectors and some lanes.
template <class Op, class T>
FASTCONV_INLINE Vec<T> join_small(const T* source, Index vectors, const LaneRange<T>& rest) {
  constexpr Index N = kLanes<T>;
  Vec<T> all = load_lanes_or(source + vectors * N, rest, broadcast(Op::identity()));
  for (Index v = 0; v < vectors; ++v) all = Op::template join<N>(all, load(source + v * N));
  return all;
}

template <class Op, bool Mean, class T>
void whole(const PoolArgs<T>& args) {
  constexpr Index N = kLanes<T>;
  const T divisor = Mean ? args.divisor[0][0] * args.divisor[1][0] * args.divisor[2][0] : T{1};
  const Index vectors = args.source_size / N;
  const LaneRange<T> rest(0, args.source_size % N);
  for (Index plane = 0; plane < args.planes; plane += N) {
    const Index count = args.planes - plane < N ? args.planes - plane : N;
    const T* source = args.source + plane * args.source_plane;
    T* target = args.target + plane * args.target_plane;
    Vec<T> square[N];
    for (Index p = 0; p < N; ++p) {
      const T* const elements = source + (p < count ? p : 0) * args.source_plane;
      square[p] = vectors <= kFewVectors ? join_small<Op>(elements, vectors, rest)
                                         : join_plane<Op>(elements, args.source_size);
    }
    transpose_square<T>(square);
    FASTCONV_UNROLL
    for (Index half = N / 2; half > 0; half /= 2) {
      FASTCONV_UNROLL
      for (Index p = 0; p < half; ++p)
        square[p] = Op::template join<N>(square[p], square[p + half]);
    }
    if (Mean) square[0] /= divisor;
    if (args.target_plane == 1)
      store_first(target, square[0], count);
    else
      for (Index p = 0; p < count; ++p) target[p * args.target_plane] = square[0][p];
  }
}

}  // namespace
}  // namespace fastconv::FASTCONV_ISA
