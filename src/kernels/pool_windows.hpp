// Windows of a few columns that overlap: down a strip as wide as a vector, so that each row is
// joined once for all the windows that hold it.
#pragma once

#include "kernels/pool_apart.hpp"

namespace fastconv::FASTCONV_ISA {
namespace {

// Rows [begin, begin + rows) of the block, of one depth.
template <class Op, bool Mean, int K, int S, class Strip>
FASTCONV_INLINE void down(const PoolArgs<typename Op::Element>& args, const Strip& strip,
                          const typename Op::Element* source, const Reach& z,
                          typename Op::Element divisor, typename Op::Element* target,
                          std::int64_t* index, Index begin, Index rows) {
  using T = typename Op::Element;
  using Row = typename Strip::Row;
  const PoolAxis& height = args.axis[1];
  const Index step = args.source_stride[1], columns = args.axis[2].sources;
  const auto along = [&](const T* row, Index base) FASTCONV_LAMBDA {
    // Strips go down a band, so that the hardware does not see where memory is read next: 3 x 3 at
    // stride 1 over 32 images takes a fifth less.
    constexpr Index kAhead = 4096 / sizeof(T), kLine = 64 / sizeof(T);
    FASTCONV_UNROLL
    for (Index i = 0; i < S * Strip::N; i += kLine)
      __builtin_prefetch(row + strip.column + kAhead + i);
    return strip.along(row, base);
  };
  const auto store = [&](Row all, Index r) FASTCONV_LAMBDA {
    store_targets<Mean>(strip, strip.across(all),
                        Mean ? divisor * args.divisor[1][args.row + r] : divisor,
                        target + r * args.target_stride[1],
                        index ? index + r * args.index_stride[1] : nullptr);
  };
  // The rows that a window shares with the one above, one or two, are kept by name: an array of
  // them would stay in memory.
  constexpr int kShared = K - S;
  static_assert(kShared == 1 || kShared == 2);
  if (z.count == 1 && height.kernel == K && height.stride == S) {
    Index top = (args.row + begin) * S - height.pad;
    const auto line = [&](Index y) FASTCONV_LAMBDA {
      const Index base = z.first * height.sources * columns;
      return y < 0 || y >= height.sources ? strip.outside(base)
                                          : along(source + y * step, base + y * columns);
    };
    Row upper = strip.outside(0);
    if (kShared == 2) upper = line(top);
    Row lower = line(top + kShared - 1);
    for (Index r = begin; r < begin + rows; ++r, top += S) {
      Row all = kShared == 1 ? lower : Strip::join(upper, lower);
      upper = lower;
      FASTCONV_UNROLL
      for (int t = kShared; t < K; ++t) {
        lower = line(top + t);
        all = Strip::join(all, lower);
      }
      store(all, r);
    }
    return;
  }
  for (Index r = begin; r < begin + rows; ++r) {
    const Reach y = reach(height, args.row + r);
    const auto line = [&](Index i, Index j) FASTCONV_LAMBDA {
      const Index at = y.first + j * y.step, depth = i * z.step;
      return along(source + depth * args.source_stride[0] + at * step,
                   ((z.first + depth) * height.sources + at) * columns);
    };
    Row all = strip.outside(0);
    for (Index i = 0; i < z.count; ++i)
      for (Index j = 0; j < y.count; ++j) {
        const Row next = line(i, j);
        all = i + j == 0 ? next : Strip::join(all, next);
      }
    store(all, r);
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
    const PoolAxis& width = args.axis[2];
    const T* const divisors = args.divisor[2];
    const Strip<Op, K, S, Whole> edge(width, divisors, first, count);
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
          down<Op, Mean, K, S>(args, strip, source, z, divisor, target + o,
                               index ? index + o : nullptr, part.row, part.rows);
        };
        if constexpr (Whole)
          for (Index o = first; o < first + strips * kLanes<T>; o += kLanes<T>)
            rows_of(Strip<Op, K, S, true>(width, divisors, o, count), o);
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
    if (is(2, 2)) return apart<Op, Mean, 2>(args);
    if (is(3, 2)) return windows_of<Op, Mean, 3, 2>(args);
    if (is(3, 1)) return windows_of<Op, Mean, 3, 1>(args);
  }
  if constexpr (kEverySize<T>)
    if (is(2, 1)) return windows_of<Op, Mean, 2, 1>(args);
}

}  // namespace
}  // namespace fastconv::FASTCONV_ISA
