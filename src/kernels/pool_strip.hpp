// Windows of a few columns, a strip as wide as a vector of them: lanes are neighbours along a row.
// The columns of a row are joined as they are loaded; pairs without places after their rows.
#pragma once

#include "kernels/permute.hpp"
#include "kernels/pool_rows.hpp"

namespace fastconv::FASTCONV_ISA {
namespace {

// The windows of `count` targets side by side, K columns each, S apart. Those of a `Whole` strip
// fill a vector and lie within the row.
template <class Op, int K, int S, bool Whole>
struct Strip {
  using T = typename Op::Element;
  static constexpr Index N = kLanes<T>;
  using Item = typename Op::template Item<N>;
  static constexpr bool kPlaces = !std::is_same_v<Item, Vec<T>>;
  static constexpr int kVectors = S == 1 ? K : 2;
  static_assert(S == 1 || (S == 2 && (K == 2 || K == 3)));

  // `divisors` of all targets, or null.
  Strip(const PoolAxis& width, const T* divisors, Index first, Index count_) : some(count_) {
    column = first * S - width.pad;
    FASTCONV_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      const Index from = column + (S == 1 ? v : v * N);
      if (!Whole) lanes[v] = LaneRange<T>(-from, width.sources - from);
    }
    beyond = column + 2 * N < width.sources;
    FASTCONV_UNROLL
    for (Index i = 0; i < N; ++i) window[i] = static_cast<Mask<T>>(i * S);
    FASTCONV_UNROLL
    for (int t = 0; t < K && kPlaces; ++t) {
      place[t] = Vec<Mask<T>>{} + t;
      if (Whole) continue;
      const Vec<Mask<T>> from = (S == 1 ? window : halves.even) + static_cast<Mask<T>>(column);
      place[t] = from + t < 0 ? -from : place[t];  // before the row: of its first element
    }
    if (Whole && divisors)
      divisor = load(divisors + first);
    else if (divisors)
      divisor = load_lanes_or(divisors + first, LaneRange<T>(0, some), broadcast(T{1}));
  }

  // The windows' part in a row: their columns joined, or, of pairs without places, not yet.
  struct Pair {
    Vec<T> low, high;
  };
  static constexpr bool kRowsFirst = !kPlaces && K == 2 && S == 2;
  using Row = std::conditional_t<kRowsFirst, Pair, Item>;

  // `base` is the place of the row's first element.
  FASTCONV_INLINE Row along(const T* row, Index base) const {
    if constexpr (kRowsFirst) {
      return {part(row, 0), part(row, 1)};
    } else if constexpr (S == 1) {  // no array: it would stay in memory
      Item all = item(part(row, 0), 0);
      FASTCONV_UNROLL
      for (int t = 1; t < K; ++t) all = Op::template join<N>(all, item(part(row, t), t));
      return further(all, base);
    } else {
      const Vec<T> low = part(row, 0), high = part(row, 1);
      const Vec<T> even = shuffle<T>(low, high, halves.even);
      Item all = Op::template join<N>(item(even, 0), item(shuffle<T>(low, high, halves.odd), 1));
      if constexpr (K == 3) {
        const T last = Whole || beyond ? row[column + 2 * N] : Op::identity();
        all = Op::template join<N>(all, item(next_of(even, last), 2));
      }
      return further(all, base);
    }
  }
  FASTCONV_INLINE Vec<T> part(const T* row, int v) const {
    const T* from = row + column + (S == 1 ? v : v * N);
    return Whole ? load(from) : load_lanes_or(from, lanes[v], broadcast(Op::identity()));
  }
  // Of each even element the next one, `last` behind them all.
  FASTCONV_INLINE Vec<T> next_of(Vec<T> even, T last) const {
    Vec<Mask<T>> next;
    FASTCONV_UNROLL
    for (Index i = 0; i < N; ++i)
      next[Dealt::at(i)] = static_cast<Mask<T>>(i + 1 < N ? Dealt::at(i + 1) : N);
    return shuffle<T>(even, broadcast(last), next);
  }

  static FASTCONV_INLINE Row join(Row a, Row b) {
    if constexpr (kRowsFirst)
      return {Op::template join<N>(a.low, b.low), Op::template join<N>(a.high, b.high)};
    else
      return Op::template join<N>(a, b);
  }

  // What rows give together: columns joined, in order, places counted from the first element.
  FASTCONV_INLINE Item across(Row row) const {
    if constexpr (kRowsFirst)
      return in_order<T>(Op::template join<N>(shuffle<T>(row.low, row.high, halves.even),
                                              shuffle<T>(row.low, row.high, halves.odd)));
    else if constexpr (kPlaces)
      return {in_order<T>(row.value),
              in_order<Mask<T>>(row.place) + (window + static_cast<Mask<T>>(column))};
    else
      return in_order<T>(row);
  }
  template <class Element>
  FASTCONV_INLINE Vec<Element> in_order(Vec<Element> vector) const {
    return S == 1 ? vector : halves.template in_order<Element>(vector);
  }

  // Tap t of the windows; where places count, with its place behind the window's first column.
  FASTCONV_INLINE Item item(Vec<T> value, int t) const {
    if constexpr (kPlaces)
      return {value, place[t]};
    else
      return value;
  }
  static FASTCONV_INLINE Item further(Item all, Index base) {
    return Op::template lower<N>(all, -base);
  }

  // The same of a row above the plane or below it, which never wins: above, the window's place is
  // the first row's until something does.
  FASTCONV_INLINE Item outside(Index base) const {
    if constexpr (kPlaces)
      return {broadcast(Op::identity()), place[0] + static_cast<Mask<T>>(base)};
    else
      return broadcast(Op::identity());
  }

  FASTCONV_INLINE Index count() const { return Whole ? N : some; }

  using Dealt = Halves<T, kVectorBytes == 32 ? 16 : kVectorBytes>;
  Dealt halves;
  Index some, column;
  bool beyond;
  LaneRange<T> lanes[kVectors];
  Vec<Mask<T>> window, place[K];
  Vec<T> divisor;
};

// A row of a strip's targets. `divisor` is the row's, and the depth's.
template <bool Mean, class Strip, class T>
FASTCONV_INLINE void store_targets(const Strip& strip, typename Strip::Item item, T divisor,
                                   T* target, std::int64_t* index) {
  if constexpr (Strip::kPlaces) {
    store_first(target, item.value, strip.count());
    store_places<T>(index, 0, item.place, strip.count());
  } else if constexpr (Mean) {
    store_first(target, item / (strip.divisor * divisor), strip.count());
  } else {
    store_first(target, item, strip.count());
  }
}

}  // namespace
}  // namespace fastconv::FASTCONV_ISA
