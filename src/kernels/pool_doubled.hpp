// Windows of several neighbours down a strip as wide as a vector. What 2, 4, 8 ... neighbours hold
// is joined of two halves, and a window of some of these: the cost grows with the logarithm of the
// window, first along each row, in registers, then down the rows. Nothing is subtracted, so that an
// infinity or a NaN stays within the windows that hold it.
#pragma once

#include "kernels/pool_rows.hpp"

namespace fastconv::FASTCONV_ISA {
namespace {

// Powers of two that make a window, from its first element on: the largest one twice, or, of a sum,
// each of its bits.
struct Doubling {
  static constexpr int kMost = 5;
  struct Power {
    int level;  // 2^level neighbours
    Index first;
  };
  int levels = 0, powers = 0;
  Power power[kMost];

  Doubling(Index kernel, bool sum) {
    while (Index{2} << levels <= kernel) ++levels;
    const Index rest = kernel - (Index{1} << levels);
    Index first = 0;
    for (int l = 0; sum && l <= levels; ++l)
      if (kernel >> l & 1) power[powers++] = {l, first}, first += Index{1} << l;
    if (!sum) power[powers++] = {levels, 0};
    if (!sum && rest > 0) power[powers++] = {levels, rest};
  }
};

// The longest window, so that two vectors hold those of one. Not with AVX2, whose instructions move
// lanes by constants alone: it took 1.2 to 2 times as long as other ways.
template <class T>
constexpr Index kLongestDoubled = kEverySize<T> && kVectorBytes == 64 ? kLanes<T> + 1 : 0;

// V vectors of windows.
template <class Op, int V>
class DoubledStrip {
 public:
  using T = typename Op::Element;
  static constexpr Index N = kLanes<T>;
  using Item = typename Op::template Item<N>;
  static constexpr bool kPlaces = !std::is_same_v<Item, Vec<T>>;
  static constexpr int kRows = (kPlaces ? 2 : 4) / V;  // that are joined beside each other

  // From target column `first` on.
  DoubledStrip(const PoolAxis& width, const Doubling& doubling, Index first)
      : doubling_(doubling), column_(first - width.pad) {
    FASTCONV_UNROLL
    for (Index i = 0; i < N; ++i) lane_[i] = static_cast<Mask<T>>(i);
    for (int v = 0; v <= V; ++v)
      lanes_[v] = LaneRange<T>(-column_ - v * N, width.sources - column_ - v * N);
  }

  // The windows' part in each of some rows; a row's first element has the place `base`.
  FASTCONV_INLINE void along(const T* const (&row)[kRows], const Index (&base)[kRows],
                             Item (&all)[kRows][V]) const {
    Item part[kRows][V + 1];
    FASTCONV_UNROLL
    for (int r = 0; r < kRows; ++r) {
      FASTCONV_UNROLL
      for (int v = 0; v <= V; ++v)
        part[r][v] = item(load_lanes_or(row[r] + column_ + v * N, lanes_[v],
                                        broadcast(Op::identity())),
                          v, base[r]);
    }
    for (int l = 0, p = 0;; ++l) {
      for (; p < doubling_.powers && doubling_.power[p].level == l; ++p) {
        const Vec<Mask<T>> by = lane_ + static_cast<Mask<T>>(doubling_.power[p].first);
        FASTCONV_UNROLL
        for (int r = 0; r < kRows; ++r) {
          FASTCONV_UNROLL
          for (int v = 0; v < V; ++v)
            all[r][v] = p == 0 ? part[r][v]
                               : Op::template join<N>(all[r][v],
                                                      behind(part[r][v], part[r][v + 1], by));
        }
      }
      if (l == doubling_.levels) return;
      const Vec<Mask<T>> by = lane_ + static_cast<Mask<T>>(Index{1} << l);
      FASTCONV_UNROLL
      for (int r = 0; r < kRows; ++r) {
        FASTCONV_UNROLL
        for (int v = 0; v <= V; ++v)
          part[r][v] = Op::template join<N>(
              part[r][v], behind(part[r][v], part[r][v < V ? v + 1 : V], by));
      }
    }
  }
  // The same of a row that is not there, and never wins.
  FASTCONV_INLINE Item outside(int v, Index base) const {
    return item(broadcast(Op::identity()), v, base);
  }

 private:
  // What is left of a row has the place of its first element.
  FASTCONV_INLINE Item item(Vec<T> value, int v, Index base) const {
    if constexpr (kPlaces) {
      const Vec<Mask<T>> column = lane_ + static_cast<Mask<T>>(column_ + v * N);
      return {value, (column < 0 ? Vec<Mask<T>>{} : column) + static_cast<Mask<T>>(base)};
    } else {
      return value;
    }
  }
  static FASTCONV_INLINE Item behind(Item low, Item high, Vec<Mask<T>> lane) {
    if constexpr (kPlaces)
      return {shuffle<T>(low.value, high.value, lane),
              shuffle<Mask<T>>(low.place, high.place, lane)};
    else
      return shuffle<T>(low, high, lane);
  }

  const Doubling& doubling_;
  Index column_;
  Vec<Mask<T>> lane_;
  LaneRange<T> lanes_[V + 1];
};

// Rows that are joined at once: they stay near.
constexpr Index kDoubledRows = 128;

// Items of rows of V: item r becomes that of the windows' rows from r on.
template <class Op, bool Mean, int V, class Item, class Finish>
FASTCONV_INLINE void join_down(const Doubling& down, Item* item, Index read, Index rows,
                               const Finish& finish) {
  constexpr Index N = kLanes<typename Op::Element>;
  Item sum[Mean ? V * kDoubledRows : 1];
  int p = 0;
  for (int l = 0; l < down.levels; ++l) {
    const Index step = V * (Index{1} << l);
    for (; Mean && down.power[p].level == l; ++p) {
      const Item* const some = item + V * down.power[p].first;
      for (Index i = 0; i < V * rows; ++i)
        sum[i] = p == 0 ? some[i] : Op::template join<N>(sum[i], some[i]);
    }
    for (Index i = 0; i + step < V * read; ++i)
      item[i] = Op::template join<N>(item[i], item[i + step]);
  }
  const Item* const last = item + V * down.power[down.powers - 1].first;
  if (down.powers == 1) {
    for (Index i = 0; i < V * rows; ++i) finish(i, last[i]);
  } else {
    const Item* const first = Mean ? sum : item;
    for (Index i = 0; i < V * rows; ++i) finish(i, Op::template join<N>(first[i], last[i]));
  }
}

template <class Op, bool Mean, int V, class T>
void doubled_by(const PoolArgs<T>& args) {
  using Strip = DoubledStrip<Op, V>;
  using Item = typename Strip::Item;
  constexpr Index N = kLanes<T>;
  constexpr int R = Strip::kRows;
  const PoolAxis &height = args.axis[1], &width = args.axis[2];
  const Doubling across(width.kernel, Mean), down(height.kernel, Mean);
  const Index most = kDoubledRows - height.kernel + 1;
  Item item[kDoubledRows][V];

  // Of a strip's windows, those of `rows` rows from `begin` on.
  const auto run = [&](const Strip& strip, const T* source, Index base, Index begin, Index rows,
                       const auto& finish) FASTCONV_LAMBDA {
    const Index top = begin - height.pad, read = rows + height.kernel - 1;
    const Index first = top < 0 ? -top : 0;
    const Index end = top + read > height.sources ? height.sources - top : read;
    for (Index r = first > 0 ? 0 : end; r < read; r = r + 1 == first ? end : r + 1)
      for (int v = 0; v < V; ++v) item[r][v] = strip.outside(v, base);
    for (Index r = first; r < end; r += R) {
      const T* row[R];
      Index place[R];
      FASTCONV_UNROLL
      for (int i = 0; i < R; ++i) {
        const Index y = top + (r + i < end ? r + i : end - 1);
        row[i] = source + y * args.source_stride[1];
        place[i] = base + y * width.sources;
      }
      Item all[R][V] = {};
      strip.along(row, place, all);
      FASTCONV_UNROLL
      for (int i = 0; i < R; ++i) {
        FASTCONV_UNROLL
        for (int v = 0; v < V; ++v) item[r + i < end ? r + i : end - 1][v] = all[i][v];
      }
    }
    join_down<Op, Mean, V>(down, item[0], read, rows, finish);
  };

  for (Index plane = 0; plane < args.planes; ++plane)
    for (Index od = args.depth; od < args.depth + args.depths; ++od) {
      const Index z = od * args.axis[0].stride;
      const T* const source =
          args.source + plane * args.source_plane + z * args.source_stride[0];
      for (Index o = 0; o < width.targets; o += V * N) {
        if (o + V * N > width.targets && width.targets > V * N) o = width.targets - V * N;
        const Index count = width.targets - o;
        const Strip strip(width, across, o);
        Vec<T> divisor[V];
        for (int v = 0; v < V && Mean; ++v)
          divisor[v] = load_lanes_or(args.divisor[2] + o + v * N, LaneRange<T>(0, count - v * N),
                                     broadcast(T{1})) *
                       args.divisor[0][od];
        for (Index begin = args.row; begin < args.row + args.rows; begin += most) {
          const Index rest = args.row + args.rows - begin;
          T* const target = args.target + plane * args.target_plane +
                            od * args.target_stride[0] + begin * args.target_stride[1] + o;
          std::int64_t* const index =
              args.index ? args.index + plane * args.index_plane + od * args.index_stride[0] +
                               begin * args.index_stride[1] + o
                         : nullptr;
          run(strip, source, z * height.sources * width.sources, begin, rest < most ? rest : most,
              [&](Index i, Item all) FASTCONV_LAMBDA {
                const Index r = i / V, v = i % V, left = count - v * N;
                if (left <= 0) return;
                T* const to = target + r * args.target_stride[1] + v * N;
                if constexpr (Strip::kPlaces) {
                  store_first(to, all.value, left);
                  store_places<T>(index + r * args.index_stride[1] + v * N, 0, all.place, left);
                } else if constexpr (Mean) {
                  store_first(to, all / (divisor[v] * args.divisor[1][begin + r]), left);
                } else {
                  store_first(to, all, left);
                }
              });
        }
      }
    }
}

template <class Op, bool Mean, class T>
void doubled(const PoolArgs<T>& args) {
  if (args.axis[2].targets > kLanes<T>) return doubled_by<Op, Mean, 2>(args);
  doubled_by<Op, Mean, 1>(args);
}

}  // namespace
}  // namespace fastconv::FASTCONV_ISA
