// Windows of a few columns, lanes being neighbours along a row: down a strip as wide as a vector, the
// columns of a row are joined as they are loaded, then the rows, of windows that overlap each row
// once. Where columns have to be dealt out and no places count, rows are joined before columns.
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
  static constexpr int kVectors = S == 1 ? K : S;
  static_assert(S == 1 || K == S || (S == 2 && K == 3));

  Strip(const PoolArgs<T>& args_, Index first, Index count_) : args(args_), some(count_) {
    const PoolAxis& width = args.axis[2];
    column = first * S - width.pad;
    FASTCONV_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      const Index from = column + (S == 1 ? v : v * N);
      if (!Whole) lanes[v] = LaneRange<T>(-from, width.sources - from);
    }
    beyond = column + 2 * N < width.sources;
    Vec<Mask<T>> lane;
    FASTCONV_UNROLL
    for (Index i = 0; i < N; ++i) lane[i] = static_cast<Mask<T>>(i * S);
    FASTCONV_UNROLL
    for (int t = 0; t < K; ++t) {
      const Vec<Mask<T>> at = lane + static_cast<Mask<T>>(column + t);
      if (kPlaces) place[t] = at < 0 ? Vec<Mask<T>>{} : at;  // before the row: of its first element
    }
    if (Whole && args.divisor[2])
      divisor = load(args.divisor[2] + first);
    else if (args.divisor[2])
      divisor = load_lanes_or(args.divisor[2] + first, LaneRange<T>(0, some), broadcast(T{1}));
  }

  // The windows' part in a row: their columns joined, or, of pairs without places, not yet.
  struct Pair {
    Vec<T> low, high;
  };
  static constexpr bool kRowsFirst = !kPlaces && K == 2 && S == 2;
  using Row = std::conditional_t<kRowsFirst, Pair, Item>;

  // `base` is the place of the row's first element.
  FASTCONV_INLINE Row along(const T* row, Index base) const {
    // Strips go down a band, so that the hardware does not see where memory is read next: 64 planes
    // of 224 x 224 take 1.6 ms in place of 3.3, and 3 x 3 at stride 1 over 32 images a fifth less.
    constexpr Index kAhead = 4096 / sizeof(T);
    __builtin_prefetch(row + column + kAhead);
    if constexpr (kRowsFirst) {
      return {part(row, 0), part(row, 1)};
    } else if constexpr (S == 1) {  // no array: it would stay in memory
      Item all = item(part(row, 0), 0, base);
      FASTCONV_UNROLL
      for (int t = 1; t < K; ++t) all = Op::template join<N>(all, item(part(row, t), t, base));
      return all;
    } else {
      Vec<T> tap[S];
      FASTCONV_UNROLL
      for (int v = 0; v < S; ++v) tap[v] = part(row, v);
      unzip_all<T, N, S>(tap);
      Item all = item(tap[0], 0, base);
      FASTCONV_UNROLL
      for (int t = 1; t < S && t < K; ++t) all = Op::template join<N>(all, item(tap[t], t, base));
      if constexpr (K > S) {
        Vec<Mask<T>> next;
        FASTCONV_UNROLL
        for (Index i = 0; i < N; ++i) next[i] = static_cast<Mask<T>>(i + 1);
        const T last = Whole || beyond ? row[column + 2 * N] : Op::identity();
        const Vec<T> third = shuffle<T>(tap[0], broadcast(last), next);
        all = Op::template join<N>(all, item(third, K - 1, base));
      }
      return all;
    }
  }
  FASTCONV_INLINE Vec<T> part(const T* row, int v) const {
    const T* from = row + column + (S == 1 ? v : v * N);
    return Whole ? load(from) : load_lanes_or(from, lanes[v], broadcast(Op::identity()));
  }

  static FASTCONV_INLINE Row join(Row a, Row b) {
    if constexpr (kRowsFirst)
      return {Op::template join<N>(a.low, b.low), Op::template join<N>(a.high, b.high)};
    else
      return Op::template join<N>(a, b);
  }

  // What rows give together, its columns joined. AVX2 moves lanes between its halves in a step of
  // its own: there pairs are joined within each half, and then put in order.
  FASTCONV_INLINE Item across(Row row) const {
    if constexpr (!kRowsFirst) {
      return row;
    } else {
      constexpr Index H = kVectorBytes == 32 ? N / 2 : N, Q = H / 2;
      Vec<Mask<T>> even, order;
      FASTCONV_UNROLL
      for (Index i = 0; i < N; ++i) {
        const Index half = i / H, pair = i % H;
        even[i] = static_cast<Mask<T>>((pair < Q ? 0 : N - H) + half * H + 2 * pair);
        order[i] = static_cast<Mask<T>>(i / H * Q + i % H / Q * H + i % Q);
      }
      const Vec<T> joined = Op::template join<N>(shuffle<T>(row.low, row.high, even),
                                                 shuffle<T>(row.low, row.high, even + 1));
      return H == N ? joined : shuffle<T>(joined, joined, order);
    }
  }

  // Tap t of the windows, with its place where places count.
  FASTCONV_INLINE Item item(Vec<T> value, int t, Index base) const {
    if constexpr (kPlaces)
      return {value, place[t] + static_cast<Mask<T>>(base)};
    else
      return value;
  }

  // The same of a row above the plane or below it, which never wins: above, the window's place is
  // the first row's until something does.
  FASTCONV_INLINE Row outside(Index base) const {
    if constexpr (kPlaces) {
      return {broadcast(Op::identity()), place[0] + static_cast<Mask<T>>(base)};
    } else if constexpr (kRowsFirst) {
      return {broadcast(Op::identity()), broadcast(Op::identity())};
    } else {
      return broadcast(Op::identity());
    }
  }

  FASTCONV_INLINE Index count() const { return Whole ? N : some; }

  const PoolArgs<T>& args;
  Index some, column;
  bool beyond;
  LaneRange<T> lanes[kVectors];
  Vec<Mask<T>> place[K];
  Vec<T> divisor;
};

// Where the targets of a strip are stored, row after row.
template <class Strip>
struct StripRows {
  using T = typename Strip::T;
  static constexpr Index N = kLanes<T>;
  const Strip& strip;
  T* target;
  std::int64_t* index;
  T divisor;

  template <bool Mean>
  FASTCONV_INLINE void store_row(typename Strip::Item item, Index r) const {
    const PoolArgs<T>& args = strip.args;
    T* const to = target + r * args.target_stride[1];
    if constexpr (Strip::kPlaces) {
      store_first(to, item.value, strip.count());
      std::int64_t* const at = index + r * args.index_stride[1];
      if constexpr (sizeof(T) == 8) {
        store_first(at, item.place, strip.count());
      } else {
        using Half = Part<std::int64_t, N / 2>;
        const Part<Mask<T>, N> place = item.place;
        const auto low = half_of<Mask<T>, N>(place, false), high = half_of<Mask<T>, N>(place, true);
        const Index count = strip.count();
        store_first(at, __builtin_convertvector(low, Half), count < N / 2 ? count : N / 2);
        if (count > N / 2)
          store_first(at + N / 2, __builtin_convertvector(high, Half), count - N / 2);
      }
    } else if constexpr (Mean) {
      store_first(to, item / (strip.divisor * (divisor * args.divisor[1][args.row + r])),
                  strip.count());
    } else {
      store_first(to, item, strip.count());
    }
  }
};

// Rows [begin, begin + rows) of the block, of one depth.
template <class Op, bool Mean, int K, int S, class Strip>
FASTCONV_INLINE void down(const Strip& strip, const typename Op::Element* source, const Reach& z,
                          const StripRows<Strip>& to, Index begin, Index rows) {
  using T = typename Op::Element;
  using Row = typename Strip::Row;
  const PoolArgs<T>& args = strip.args;
  const PoolAxis& height = args.axis[1];
  const Index step = args.source_stride[1], columns = args.axis[2].sources;
  // The rows that a window shares with the one above, one or two, are kept by name: an array of them
  // would stay in memory.
  constexpr int kShared = K > S ? K - S : 0;
  if ((z.count == 1 || kShared == 0) && height.kernel == K && height.stride == S) {
    Index top = (args.row + begin) * S - height.pad;
    const auto line = [&](Index i, Index y) FASTCONV_LAMBDA {
      const Index base = (z.first + i * z.step) * height.sources * columns;
      return y < 0 || y >= height.sources
                 ? strip.outside(base)
                 : strip.along(source + i * z.step * args.source_stride[0] + y * step,
                               base + y * columns);
    };
    Row upper = strip.outside(0), lower = upper;
    if (kShared == 2) upper = line(0, top);
    if (kShared > 0) lower = line(0, top + kShared - 1);
    for (Index r = begin; r < begin + rows; ++r, top += S) {
      Row all = kShared == 0   ? line(0, top)
                : kShared == 1 ? lower
                               : Strip::join(upper, lower);
      upper = lower;
      FASTCONV_UNROLL
      for (int t = kShared > 0 ? kShared : 1; t < K; ++t) {
        lower = line(0, top + t);
        all = Strip::join(all, lower);
      }
      for (Index i = 1; i < z.count && kShared == 0; ++i)
        for (int t = 0; t < K; ++t) all = Strip::join(all, line(i, top + t));
      to.template store_row<Mean>(strip.across(all), r);
    }
    return;
  }
  for (Index r = begin; r < begin + rows; ++r) {
    const Reach y = reach(height, args.row + r);
    const auto line = [&](Index i, Index j) FASTCONV_LAMBDA {
      const Index at = y.first + j * y.step, depth = i * z.step;
      return strip.along(source + depth * args.source_stride[0] + at * step,
                         ((z.first + depth) * height.sources + at) * columns);
    };
    Row all = strip.outside(0);
    for (Index i = 0; i < z.count; ++i)
      for (Index j = 0; j < y.count; ++j) {
        const Row next = line(i, j);
        all = i + j == 0 ? next : Strip::join(all, next);
      }
    to.template store_row<Mean>(strip.across(all), r);
  }
}

// A part of a block: its first plane, depth and row, and how many of each.
struct PoolPart {
  Index plane, planes, depth, depths, row, rows;
};

template <class Op, bool Mean, int K, int S, bool Whole>
struct StripOf {
  using T = typename Op::Element;

  // Strips one beside the other, of which all but a single one are whole.
  static __attribute__((noinline)) void run(const PoolArgs<T>& args, Index first, Index count,
                                            Index strips, const PoolPart& part) {
    const Strip<Op, K, S, Whole> edge(args, first, count);
    for (Index plane = part.plane; plane < part.plane + part.planes; ++plane)
      for (Index od = part.depth; od < part.depth + part.depths; ++od) {
        const Reach z = reach(args.axis[0], od);
        const T* source = args.source + plane * args.source_plane + z.first * args.source_stride[0];
        T* const target = args.target + plane * args.target_plane + od * args.target_stride[0] +
                          args.row * args.target_stride[1];
        std::int64_t* const index =
            args.index ? args.index + plane * args.index_plane + od * args.index_stride[0] +
                             args.row * args.index_stride[1]
                       : nullptr;
        const T divisor = Mean ? args.divisor[0][od] : T{1};
        const auto rows_of = [&](const auto& strip, Index o) FASTCONV_LAMBDA {
          down<Op, Mean, K, S>(strip, source, z,
                               {strip, target + o, index ? index + o : nullptr, divisor}, part.row,
                               part.rows);
        };
        if constexpr (Whole)
          for (Index o = first; o < first + strips * kLanes<T>; o += kLanes<T>)
            rows_of(Strip<Op, K, S, true>(args, o, count), o);
        else
          rows_of(edge, first);
      }
  }
};

// Calls body(whole, first, count, strips) for strips of the targets of a row: for all of those
// together that lie side by side and are whole, and for each other one. `whole` is a constant.
template <int K, int S, class T, class Body>
FASTCONV_INLINE void for_strips(const PoolAxis& width, const Body& body) {
  constexpr Index N = kLanes<T>;
  const Index targets = width.targets;
  // Strides deal out whole vectors, even if no window takes their last elements.
  constexpr Index kElements = (N - 1) * S + (K > S ? K : S);
  const auto whole = [&](Index first) {
    const Index left = first * S - width.pad;
    return first + N <= targets && left >= 0 && left + kElements <= width.sources;
  };
  for (Index o = 0, strips; o < targets; o += strips * N) {
    const Index first = o + N > targets && targets >= N ? targets - N : o;
    strips = 1;
    if (whole(first)) {
      const Index right = (width.sources + width.pad - kElements) / S;  // the last that is whole
      const Index most = right < targets - N ? right : targets - N;
      strips = (most - first) / N + 1;
      body(std::true_type{}, first, N, strips);
    } else {
      body(std::false_type{}, first, targets - first < N ? targets - first : N, strips);
    }
  }
}

template <class Op, bool Mean, int K, int S, class T>
void windows_of(const PoolArgs<T>& args) {
  const PoolAxis& width = args.axis[2];
  const auto run = [&](const PoolPart& part) {
    for_strips<K, S, T>(
        width, [&](auto whole, Index first, Index count, Index strips) FASTCONV_LAMBDA {
          StripOf<Op, Mean, K, S, decltype(whole)::value>::run(args, first, count, strips, part);
        });
  };
  // Memory comes faster row after row: 224x224, 2x2, 13 ms an image against 24 down strips.
  constexpr Index kWideBytes = 512;
  if (K == S && width.sources * static_cast<Index>(sizeof(T)) > kWideBytes) {
    for (Index plane = 0; plane < args.planes; ++plane)
      for (Index od = args.depth; od < args.depth + args.depths; ++od)
        for (Index r = 0; r < args.rows; ++r) run({plane, 1, od, 1, r, 1});
    return;
  }
  for (Index begin = 0; begin < args.rows; begin += args.band)
    run({0, args.planes, args.depth, args.depths, begin,
         args.rows - begin < args.band ? args.rows - begin : args.band});
}

template <class T>
bool has_windows(Index kernel, Index stride) {
  const bool usual = (kernel == 2 && stride == 2) || (kernel == 3 && (stride == 1 || stride == 2));
  const bool rare = kernel == 2 && stride == 1;
  return (usual && !kSmallSet) || (rare && kEverySize<T>);
}

template <class Op, bool Mean, class T>
void windows(const PoolArgs<T>& args) {
  const PoolAxis& width = args.axis[2];
  const auto is = [&](Index kernel, Index stride) {
    return width.kernel == kernel && width.stride == stride;
  };
  if constexpr (!kSmallSet) {
    if (is(2, 2)) return windows_of<Op, Mean, 2, 2>(args);
    if (is(3, 2)) return windows_of<Op, Mean, 3, 2>(args);
    if (is(3, 1)) return windows_of<Op, Mean, 3, 1>(args);
  }
  if constexpr (kEverySize<T>)
    if (is(2, 1)) return windows_of<Op, Mean, 2, 1>(args);
}

}  // namespace
}  // namespace fastconv::FASTCONV_ISA
