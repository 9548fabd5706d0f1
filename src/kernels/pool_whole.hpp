// One window over all of a plane whose elements stand side by side: as many planes as lanes are
// each joined to one vector, and those turned.
#pragma once

#include "kernels/permute.hpp"
#include "kernels/pool_rows.hpp"

namespace fastconv::FASTCONV_ISA {
namespace {

// Planes of at most so many vectors are one chain of sums.
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

// The same of P planes of few vectors and some lanes, `step` apart, all at once.
template <class Op, int P, class T>
FASTCONV_INLINE void join_small(const T* source, Index step, Index size, Vec<T>* all) {
  constexpr Index N = kLanes<T>;
  const Index whole = size / N * N;
  const LaneRange<T> rest(0, size - whole);
  const Vec<T> none = broadcast(Op::identity());
  FASTCONV_UNROLL
  for (int p = 0; p < P; ++p) all[p] = load_lanes_or(source + p * step + whole, rest, none);
  for (const T* const end = source + whole; source < end; source += N) {
    FASTCONV_UNROLL
    for (int p = 0; p < P; ++p) all[p] = Op::template join<N>(all[p], load(source + p * step));
  }
}

template <class Op, bool Mean, class T>
void whole(const PoolArgs<T>& args) {
  constexpr Index N = kLanes<T>;
  const T divisor = Mean ? args.divisor[0][0] * args.divisor[1][0] * args.divisor[2][0] : T{1};
  const Index size = args.source_size, step = args.source_plane;
  for (Index plane = 0; plane < args.planes; plane += N) {
    const Index count = args.planes - plane < N ? args.planes - plane : N;
    const T* source = args.source + plane * step;
    T* target = args.target + plane * args.target_plane;
    Vec<T> square[N];
    const bool few = size <= kFewVectors * N;
    if (few && count == N)
      join_small<Op, N>(source, step, size, square);
    else
      for (Index p = 0; p < N; ++p) {
        const T* const elements = source + (p < count ? p : 0) * step;
        if (few)
          join_small<Op, 1>(elements, step, size, square + p);
        else
          square[p] = join_plane<Op>(elements, size);
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
