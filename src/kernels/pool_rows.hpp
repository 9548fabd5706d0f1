// What the ways of pooling share of rows: their sources, their memory, what is stored of them.
#pragma once

#include "kernels/pool_line.hpp"

namespace fastconv::FASTCONV_ISA {
namespace {

// Out of line, as is `spread_row`: inline, the wheel is 10 KB larger.
template <class T>
__attribute__((noinline)) void fill_run(T* target, Index count, T value) {
  for_vectors<T>(count, [&](auto part, Index i) FASTCONV_LAMBDA {
    part.store(target + i, broadcast(value));
  });
}

// index[i] = base + place[i]
template <class T, Index N>
FASTCONV_INLINE void store_index(std::int64_t* index, std::int64_t base,
                                 Part<Mask<T>, N> place) {
  if constexpr (N == kLanes<T>) {
    store_places<T>(index, base, place, N);
  } else {
    Mask<T> lane[N];
    store(lane, place);
    FASTCONV_UNROLL
    for (Index i = 0; i < N; ++i) index[i] = base + lane[i];
  }
}

// A row of results into memory where groups may stand apart.
template <class V>
__attribute__((noinline)) void spread_row(const V* row, Index pixels, Index group, V* target,
                                          Index step) {
  const Index runs = step == group ? 1 : pixels, run = step == group ? pixels * group : group;
  for (Index o = 0; o < runs; ++o)
    for_vectors<V>(run, [&](auto part, Index i) FASTCONV_LAMBDA {
      part.store(target + o * step + i, part.load(row + o * group + i));
    });
}

// Rows of the source that targets [begin, begin + count) take.
struct Span {
  Index begin, end;
  Index size() const { return end - begin; }
  Span(const PoolAxis& axis, Index first, Index count) {
    const Index low = first * axis.stride - axis.pad;
    const Index high = (first + count - 1) * axis.stride - axis.pad +
                       (axis.kernel - 1) * axis.dilation;
    begin = ceil_div(low, axis.spread);
    end = high < 0 ? 0 : high / axis.spread + 1;
    if (end > axis.sources) end = axis.sources;
    if (begin > end) begin = end;
  }
};

template <class T>
FASTCONV_INLINE Index pitch_of(Index elements) {
  return (elements + kLanes<T> - 1) / kLanes<T> * kLanes<T>;
}

// What becomes of a row of joined windows.
template <class Op>
struct StoreRows {
  typename Op::Target target;
  Index step;
  FASTCONV_INLINE StoreRows row(Index r) const { return {target + r * step, step}; }
  template <class Lanes, class Item>
  FASTCONV_INLINE void operator()(Lanes, Index i, Item item) const {
    Op::template store<Lanes::value>(target + i, item);
  }
};
template <class T>
struct StoreMeans {
  T* target;
  Index step;
  const T *columns, *rows;  // divisors
  T divisor;                // of the depth; of a row, the product of both
  FASTCONV_INLINE StoreMeans row(Index r) const {
    return {target + r * step, step, columns, rows, divisor * rows[r]};
  }
  template <class Lanes, class Item>
  FASTCONV_INLINE void operator()(Lanes, Index i, Item item) const {
    store(target + i, item / (load<T, Lanes::value>(columns + i) * divisor));
  }
};

}  // namespace
}  // namespace fastconv::FASTCONV_ISA
