// Windows along a row whose elements stand side by side: lanes are neighbours.
//
// Long windows join partial results of 4, 16, 64 ... elements (PoolLine), each made from four of
// the last kind: the cost grows with the logarithm of the window, and nothing is ever subtracted,
// so that an infinity or a NaN stays within the windows that hold it.
#pragma once

#include "kernels/pool_fold.hpp"

namespace fastconv::FASTCONV_ISA {
namespace {

// All of `count` elements, at least one, in one item.
template <class Op, Index N>
FASTCONV_INLINE typename Op::template Item<1> fold_lanes(typename Op::template Item<N> all,
                                                         typename Op::Source rest, Index count) {
  if constexpr (N == 1) {
    return all;
  } else {
    constexpr Index H = N / 2;
    auto half = Op::template mix<H>(Op::template half<N>(all, false),
                                    Op::template half<N>(all, true));
    if (count >= H) {
      half = Op::template mix<H>(half, Op::template load<H>(rest, 0));
      rest = rest + H;
      count -= H;
    }
    return fold_lanes<Op, H>(half, rest, count);
  }
}

template <class Op, Index N = kLanes<typename Op::Element>>
FASTCONV_INLINE typename Op::template Item<1> fold_run(typename Op::Source source, Index count) {
  if constexpr (N > 1)
    if (count < N) return fold_run<Op, N / 2>(source, count);
  auto all = Op::template load<N>(source, 0);
  Index i = N;
  for (; i + N <= count; i += N)
    all = Op::template mix<N>(all, Op::template load<N>(source + i, 0));
  return fold_lanes<Op, N>(all, source + i, count - i);
}

// Rows of windows, one below the other: calls finish.row(r)(N, i, item) for the elements i of each.
template <class Op, class Finish>
struct FoldLines {
  using T = typename Op::Element;
  using Source = typename Op::Source;
  using Target = typename Op::Target;
  static constexpr bool kPlaces = !std::is_same_v<Target, T*>;
  template <Index N>
  using Item = typename Op::template Item<N>;

  const PoolLine& line;
  const PoolAxis& axis;
  Source source;
  Index source_step, rows;
  Target scratch;  // level l at (l - 1) * scratch_step, and behind the last one a row
  Index scratch_step;
  Finish finish;

  void operator()() const {
    if (line.alone) return each_alone();
    // Maxima of two and three columns have ways of their own, but where they are dilated, which
    // takes a tenth longer so.
    if constexpr (kEverySize<T> && std::is_same_v<Op, Sum<T>>) {
      const bool few = line.levels == 0;
      if (few && line.taps == 2) return windows<2>();
      if (few && line.taps == 3) return windows<3>();
    }
    windows<0>();
  }

 private:
  template <Index N>
  static FASTCONV_INLINE Item<N> at(Source from) {
    return Op::template load<N>(from, 0);
  }

  // Where the taps of a row's first window stand.
  template <Index Taps>
  struct TapsOf {
    Source row;
    Index step;
    static constexpr Index count = Taps;
    FASTCONV_INLINE Source operator()(Index t) const { return row + t * step; }
  };
  struct AnyTaps {
    const Source* tap;
    Index count;
    FASTCONV_INLINE Source operator()(Index t) const { return tap[t]; }
  };

  template <Index Taps>
  __attribute__((noinline)) void windows() const {
    const Index step = axis.dilation * line.group;
    const Shape shape{line.group, axis.targets, axis.stride, axis.dilation == 1 && line.levels == 0,
                      scratch + line.levels * scratch_step};
    const Finish to = finish;
    for (Index r = 0; r < rows; ++r) {
      const Source row = down(source, r * source_step);
      if constexpr (Taps > 0) {
        spread_out(shape, TapsOf<Taps>{row + line.first, step}, to.row(r));
      } else {
        Source level[PoolLine::kMostLevels + 1], tap[PoolLine::kMostTaps];
        level[0] = row;
        raise(level);
        for (Index t = 0; t < line.taps; ++t)
          tap[t] = level[line.tap[t].level] + line.tap[t].offset;
        spread_out(shape, AnyTaps{tap, line.taps}, to.row(r));
      }
    }
  }

  // The levels above the first.
  void raise(Source (&level)[PoolLine::kMostLevels + 1]) const {
    Index length = line.left + line.length + line.right, step = axis.dilation * line.group;
    for (Index l = 0; l < line.levels; ++l, step *= 4) {
      const Target target = scratch + l * scratch_step;
      const Source from = level[l];
      length -= 3 * step;
      cover<T, 4>(length, [&](auto lanes, Index i) FASTCONV_LAMBDA {
        constexpr Index N = decltype(lanes)::value;
        const auto low = Op::template join<N>(at<N>(from + i), at<N>(from + (i + step)));
        const auto high =
            Op::template join<N>(at<N>(from + (i + 2 * step)), at<N>(from + (i + 3 * step)));
        Op::template store<N>(target + i, Op::template join<N>(low, high));
      });
      level[l + 1] = target;
    }
  }

  struct Shape {
    Index group, targets, stride;
    bool dense;  // taps are neighbours
    Target row;
  };

  template <class Taps, class Row>
  static FASTCONV_INLINE void spread_out(const Shape& shape, const Taps taps, const Row to) {
    const Index group = shape.group, targets = shape.targets, stride = shape.stride;
    const auto join_at = [&](auto lanes, Index i) FASTCONV_LAMBDA {
      constexpr Index N = decltype(lanes)::value;
      auto all = at<N>(taps(0) + i);
      for (Index t = 1; t < taps.count; ++t) all = Op::template join<N>(all, at<N>(taps(t) + i));
      return all;
    };
    if (stride == 1) {
      cover<T, 4>(targets * group, [&](auto lanes, Index i) FASTCONV_LAMBDA {
        to(lanes, i, join_at(lanes, i));
      });
    } else if (group > 1) {
      for (Index o = 0; o < targets; ++o)
        cover<T, 4>(group, [&](auto lanes, Index i) FASTCONV_LAMBDA {
          to(lanes, o * group + i, join_at(lanes, o * stride * group + i));
        });
    } else if (stride == 2) {
      const bool dense = shape.dense && taps.count > 1;
      cover<T, 4>(targets, [&](auto lanes, Index i) FASTCONV_LAMBDA {
        constexpr Index N = decltype(lanes)::value;
        Item<N> all;
        if (dense) {
          Item<N> other;
          Op::template pairs<N>(taps(0) + 2 * i, all, other);
          all = Op::template join<N>(all, other);
        } else {
          all = Op::template even<N>(taps(0) + 2 * i);
        }
        for (Index t = dense ? 2 : 1; t < taps.count; ++t)
          all = Op::template join<N>(all, Op::template even<N>(taps(t) + 2 * i));
        to(lanes, i, all);
      });
    } else if (!kPlaces && stride == 4 && shape.dense && taps.count == 4) {
      cover<T, 4>(targets, [&](auto lanes, Index i) FASTCONV_LAMBDA {
        to(lanes, i, quads<decltype(lanes)::value>(taps(0) + 4 * i));
      });
    } else {
      const Target row = shape.row;
      cover<T, 4>((targets - 1) * stride + 1, [&](auto lanes, Index i) FASTCONV_LAMBDA {
        Op::template store<decltype(lanes)::value>(row + i, join_at(lanes, i));
      });
      cover<T, 4, kPlaces ? 1 : kLanes<T>>(targets, [&](auto lanes, Index o) FASTCONV_LAMBDA {
        constexpr Index N = decltype(lanes)::value;
        if constexpr (kPlaces)
          to(lanes, o, at<1>(row + o * stride));
        else
          to(lanes, o, load_each<T, N>(row + o * stride, stride));
      });
    }
  }

  // Four elements each, side by side: pairs joined, and pairs of these.
  template <Index N>
  static FASTCONV_INLINE Item<N> quads(Source from) {
    if constexpr (kPlaces) {
      return Op::template none<N>();
    } else {
      T pair[2 * N];
      Item<N> even, odd;
      for (Index i = 0; i < 2 * N; i += N) {
        Op::template pairs<N>(from + 2 * i, even, odd);
        Op::template store<N>(pair + i, Op::template join<N>(even, odd));
      }
      Op::template pairs<N>(pair, even, odd);
      return Op::template join<N>(even, odd);
    }
  }

  // Each window by itself, clipped to the row.
  __attribute__((noinline)) void each_alone() const {
    const Index group = line.group;
    const Finish all_rows = finish;
    for (Index r = 0; r < rows; ++r) {
      const Source row = down(source, r * source_step);
      const auto to = all_rows.row(r);
      for (Index o = 0; o < axis.targets; ++o) {
        const Reach columns = reach(axis, o);
        const Source from = row + columns.first * group;
        if (columns.count > 0 && columns.step == 1 && group == 1) {
          to(std::integral_constant<Index, 1>{}, o, fold_run<Op>(from, columns.count));
          continue;
        }
        cover<T, 4>(group, [&](auto lanes, Index i) FASTCONV_LAMBDA {
          constexpr Index N = decltype(lanes)::value;
          auto all = Op::template none<N>();
          for (Index t = 0; t < columns.count; ++t) {
            const auto item = at<N>(from + (t * columns.step * group + i));
            all = t == 0 ? item : Op::template join<N>(all, item);
          }
          to(lanes, o * group + i, all);
        });
      }
    }
  }
};

}  // namespace
}  // namespace fastconv::FASTCONV_ISA
