// Windows along the axes whose neighbours stand a stride apart: each lane is a window of its own.
//
// A box of sources is folded as it is; long windows along one axis by van Herk's method, which adds
// as well as it takes maxima: the axis is cut into blocks as long as a window, and a window is a
// suffix of one block and a prefix of the next (M. van Herk, Pattern Recognition Letters 13, 1992).
#pragma once

#include "kernels/pool_args.hpp"
#include "kernels/pool_op.hpp"

namespace fastconv::FASTCONV_ISA {
namespace {

// The sources of a target: `count` of them from `first` on, `step` apart.
struct Reach {
  Index first, count, step;
};

FASTCONV_INLINE Index ceil_div(Index a, Index b) { return a <= 0 ? 0 : (a - 1) / b + 1; }

// Without dilation and spread.
FASTCONV_INLINE Reach clipped(const PoolAxis& axis, Index target) {
  const Index start = target * axis.stride - axis.pad, end = start + axis.kernel;
  const Index first = start < 0 ? 0 : start;
  const Index count = (end < axis.sources ? end : axis.sources) - first;
  return {first, count < 0 ? 0 : count, 1};
}

inline Reach reach(const PoolAxis& axis, Index target) {
  if (axis.spread == 1 && axis.dilation == 1) return clipped(axis, target);
  const Index start = target * axis.stride - axis.pad;
  if (axis.dilation == 1) {
    const Index first = ceil_div(start, axis.spread);
    const Index last = (start + axis.kernel - 1) / axis.spread, end = axis.sources - 1;
    const Index count = (last < end ? last : end) - first + 1;
    return {first, count < 0 || start + axis.kernel <= 0 ? 0 : count, 1};
  }
  if (axis.spread == 1) {
    const Index tap = start < 0 ? (-start - 1) / axis.dilation + 1 : 0;
    const Index first = start + tap * axis.dilation;
    if (tap >= axis.kernel || first >= axis.sources) return {0, 0, 1};
    const Index rest = (axis.sources - 1 - first) / axis.dilation + 1;
    return {first, axis.kernel - tap < rest ? axis.kernel - tap : rest, axis.dilation};
  }
  // Sources at distance * dilation from the start: the first by trial, the others a step apart.
  Index step = 1;
  while (step < axis.sources && step * axis.spread % axis.dilation != 0) ++step;
  const Index tap_step = step * axis.spread / axis.dilation;
  for (Index i = ceil_div(start, axis.spread), end = i + step; i < end && i < axis.sources; ++i) {
    const Index distance = i * axis.spread - start;
    if (distance % axis.dilation != 0) continue;
    const Index taps = axis.kernel - distance / axis.dilation;
    if (taps <= 0) break;
    const Index rest = (axis.sources - 1 - i) / step + 1;
    const Index most = tap_step ? (taps - 1) / tap_step + 1 : rest;
    return {i, most < rest ? most : rest, step};
  }
  return {0, 0, 1};
}

// A box of sources: how many along each axis, how far apart, and how far their places.
struct Box {
  Index count[3], stride[3], place[3];
  Index total() const { return count[0] * count[1] * count[2]; }
};

// Every row of a box is joined by itself first: a sum of many is then one of partial sums.
template <class Op, Index N, Index U>
FASTCONV_INLINE void fold_box(const Box& box, typename Op::Source source, Index place,
                              typename Op::template Item<N> (&all)[U]) {
  const auto row = [&](Index z, Index y, typename Op::template Item<N>(&line)[U]) FASTCONV_LAMBDA {
    typename Op::Source from = source + (z * box.stride[0] + y * box.stride[1]);
    Index at = place + z * box.place[0] + y * box.place[1];
    FASTCONV_UNROLL
    for (Index u = 0; u < U; ++u) line[u] = Op::template load<N>(from + u * N, at);
    for (Index x = 1; x < box.count[2]; ++x) {
      from = from + box.stride[2];
      at += box.place[2];
      FASTCONV_UNROLL
      for (Index u = 0; u < U; ++u)
        line[u] = Op::template join<N>(line[u], Op::template load<N>(from + u * N, at));
    }
  };
  row(0, 0, all);
  typename Op::template Item<N> line[U];
  for (Index z = 0; z < box.count[0]; ++z)
    for (Index y = z == 0 ? 1 : 0; y < box.count[1]; ++y) {
      row(z, y, line);
      FASTCONV_UNROLL
      for (Index u = 0; u < U; ++u) all[u] = Op::template join<N>(all[u], line[u]);
    }
}

// Calls body(N, U, i) so that ranges of U times N lanes cover [0, count) as `cover` does.
template <class T, Index U, class Body>
FASTCONV_INLINE void cover_wide(Index count, const Body& body) {
  constexpr Index N = kLanes<T>;
  using One = std::integral_constant<Index, 1>;
  Index i = 0;
  for (; U > 1 && i + U * N <= count; i += U * N)
    body(std::integral_constant<Index, N>{}, std::integral_constant<Index, U>{}, i);
  if (count >= N)
    for (; i < count; i += N)
      body(std::integral_constant<Index, N>{}, One{}, i + N <= count ? i : count - N);
  else
    cover<T, 4, (N > 4 ? N / 4 : 1)>(
        count, [&](auto lanes, Index j) FASTCONV_LAMBDA { body(lanes, One{}, j); });
}

// Calls finish(N, i, item) with the box of each element i of `count` side by side: many at a time,
// so that a source far from the last one is worth its way.
template <class Op, class Finish>
FASTCONV_INLINE void fold(const Box& box, typename Op::Source source, Index place, Index count,
                          const Finish& finish) {
  cover_wide<typename Op::Element, kEverySize<typename Op::Element> ? kRegisters / 8 : 1>(
      count, [&](auto lanes, auto unroll, Index i) FASTCONV_LAMBDA {
        constexpr Index N = decltype(lanes)::value, U = decltype(unroll)::value;
        typename Op::template Item<N> all[U];
        fold_box<Op, N, U>(box, source + i, place, all);
        FASTCONV_UNROLL
        for (Index u = 0; u < U; ++u) finish(lanes, i + u * N, all[u]);
      });
}

// Rows of equal boxes, one below the other.
template <class Op>
struct FoldRows {
  Box box;
  typename Op::Source source;
  Index source_step;
  typename Op::Target target;
  Index target_step, rows, count;

  void operator()() const {
    if constexpr (kEverySize<typename Op::Element>)
      if (box.count[0] == 1 && box.count[2] == 1) {
        if (box.count[1] == 1) return few<1>();
        if (box.count[1] == 2) return few<2>();
        if (box.count[1] == 3) return few<3>();
      }
    const Box own = box;
    typename Op::Source from = source;
    typename Op::Target to = target;
    for (Index r = 0; r < rows; ++r, from = from + source_step, to = to + target_step)
      fold<Op>(own, from, 0, count, [&](auto lanes, Index i, auto item) FASTCONV_LAMBDA {
        Op::template store<decltype(lanes)::value>(to + i, item);
      });
  }

 private:
  // Windows of two and three. Down a strip of columns, a row that two windows share is loaded once.
  template <Index Taps>
  void few() const {
    if (Taps == 3 && source_step == box.stride[1]) return shared<1>();
    if (Taps == 3 && source_step == 2 * box.stride[1]) return shared<2>();
    apart<Taps>();
  }

  // Three rows a window, the next one `Step` rows below.
  template <Index Step>
  __attribute__((noinline)) void shared() const {
    const Index step = box.stride[1], place = box.place[1], to_step = target_step, all = rows;
    cover_wide<typename Op::Element, 2>(
        count, [&](auto lanes, auto unroll, Index i) FASTCONV_LAMBDA {
          constexpr Index N = decltype(lanes)::value, U = decltype(unroll)::value;
          typename Op::template Item<N> row[3][U];
          typename Op::Source from = source + i;
          typename Op::Target to = target + i;
          const auto load = [&](Index r, Index u) FASTCONV_LAMBDA {
            return Op::template load<N>(from + (r * step + u * N), r * place);
          };
          FASTCONV_UNROLL
          for (Index u = 0; u < U; ++u) {
            row[0][u] = load(0, u);
            row[1][u] = load(1, u);
          }
          for (Index r = 0; r < all; ++r) {
            FASTCONV_UNROLL
            for (Index u = 0; u < U; ++u) {
              if (Step == 2 && r > 0) row[1][u] = load(1, u);
              row[2][u] = load(2, u);
              const auto two = Op::template join<N>(row[0][u], row[1][u]);
              Op::template store<N>(to + u * N, Op::template join<N>(two, row[2][u]));
              row[0][u] = Op::template lower<N>(row[Step][u], Step * place);
              if (Step == 1) row[1][u] = Op::template lower<N>(row[2][u], place);
            }
            from = from + Step * step;
            to = to + to_step;
          }
        });
  }

  template <Index Taps>
  __attribute__((noinline)) void apart() const {
    typename Op::Source from = source;
    typename Op::Target to = target;
    const Index length = count, step = box.stride[1], place = box.place[1];
    for (Index r = rows; r > 0; --r, from = from + source_step, to = to + target_step)
      cover_wide<typename Op::Element, 2>(
          length, [&](auto lanes, auto unroll, Index i) FASTCONV_LAMBDA {
            constexpr Index N = decltype(lanes)::value, U = decltype(unroll)::value;
            FASTCONV_UNROLL
            for (Index u = 0; u < U; ++u) {
              auto all = Op::template load<N>(from + (i + u * N), 0);
              FASTCONV_UNROLL
              for (Index t = 1; t < Taps; ++t)
                all = Op::template join<N>(
                    all, Op::template load<N>(from + (i + u * N + t * step), t * place));
              Op::template store<N>(to + (i + u * N), all);
            }
          });
  }
};

// Targets [begin, end) of `axis`, whose dilation and spread are 1, of rows of columns: row after
// row, for the elements of a column are often a multiple of a page apart, and down the columns it
// took up to four times as long. Row r of the sources stands at source + r * source_step, its places
// count place_step a row; a row is `runs` of `run` columns.
template <class Op>
struct Slide {
  using T = typename Op::Element;
  using Source = typename Op::Source;
  using Target = typename Op::Target;

  const PoolAxis& axis;
  Index begin, end;
  Source source;
  Index source_step, place_step;
  Target target;  // of target `begin`
  Index target_step;
  Target suffix, prefix;  // a row each
  Index runs, run, source_run, target_run;

  // Those whose windows share a row: what they have up to it, then what they have behind it.
  void operator()() const {
    for (Index o = begin, behind; o < end; o = behind) {
      const Index middle = high(o);
      for (behind = o + 1; behind < end && low(behind) <= middle;) ++behind;
      Target last = suffix;
      Index t = behind - 1;
      for (Index row = middle; row >= low(o); --row) {
        const Target to = low(t) == row ? at(t) : suffix;
        each([&](auto lanes, Index i, Index j) FASTCONV_LAMBDA {
          constexpr Index N = decltype(lanes)::value;
          auto item = load<N>(row, i);
          if (row < middle) item = Op::template join<N>(item, Op::template load<N>(last + j, 0));
          Op::template store<N>(to + j, item);
        });
        last = to;
        if (low(t) == row)
          for (--t; t >= o && low(t) == row; --t) copy(to, at(t));
      }
      for (t = o; t < behind && high(t) == middle;) ++t;
      for (Index row = middle + 1; t < behind; ++row) {
        each([&](auto lanes, Index i, Index j) FASTCONV_LAMBDA {
          constexpr Index N = decltype(lanes)::value;
          auto item = load<N>(row, i);
          if (row > middle + 1)
            item = Op::template join<N>(Op::template load<N>(prefix + j, 0), item);
          Op::template store<N>(prefix + j, item);
        });
        for (; t < behind && high(t) == row; ++t) add(at(t));
      }
    }
  }

 private:
  Index low(Index o) const {
    const Index start = o * axis.stride - axis.pad;
    return start < 0 ? 0 : start;
  }
  Index high(Index o) const {
    const Index last = o * axis.stride - axis.pad + axis.kernel - 1;
    return last < axis.sources ? last : axis.sources - 1;
  }
  Target at(Index o) const { return target + (o - begin) * target_step; }
  template <Index N>
  FASTCONV_INLINE typename Op::template Item<N> load(Index row, Index i) const {
    return Op::template load<N>(source + (row * source_step + i), row * place_step);
  }

  // Calls body(N, i, j) for the columns from i on of the sources, and from j on of the targets;
  // each is met once, for a sum may be where its terms are.
  template <class Body>
  FASTCONV_INLINE void each(const Body& body) const {
    constexpr Index N = kLanes<T>;
    for (Index r = 0; r < runs; ++r) {
      Index c = 0;
      for (; c + N <= run; c += N)
        body(std::integral_constant<Index, N>{}, r * source_run + c, r * target_run + c);
      for (; c < run; ++c)
        body(std::integral_constant<Index, 1>{}, r * source_run + c, r * target_run + c);
    }
  }
  void copy(Target from, Target to) const {
    each([&](auto lanes, Index, Index j) FASTCONV_LAMBDA {
      constexpr Index N = decltype(lanes)::value;
      Op::template store<N>(to + j, Op::template load<N>(from + j, 0));
    });
  }
  void add(Target to) const {
    each([&](auto lanes, Index, Index j) FASTCONV_LAMBDA {
      constexpr Index N = decltype(lanes)::value;
      Op::template store<N>(to + j, Op::template join<N>(Op::template load<N>(to + j, 0),
                                                         Op::template load<N>(prefix + j, 0)));
    });
  }
};

}  // namespace
}  // namespace fastconv::FASTCONV_ISA
