// Windows of a few columns that share none: row after row, in the order of memory. It takes half the
// time of going down strips: 2 x 2 over 64 planes of 224 x 224 0.23 ms in place of 0.44.
#pragma once

#include "kernels/pool_strip.hpp"

namespace fastconv::FASTCONV_ISA {
namespace {

// Rows of targets, each of `lines` rows of sources in each of `depths` planes.
template <class T>
struct ApartRows {
  Index rows, lines, depths;
  const T* source;
  T* target;
  std::int64_t* index;  // or null
  Index place;          // of the first source
  T divisor;            // of the depth
  const T* divisors;    // of the rows, or null
};

// The strips of a row: whole ones from `first` on, the last one at `last`, where it may overlap the
// one before; and those at its ends that meet padding, or are not as wide as a vector.
template <class Op, int K>
struct ApartStrips {
  using T = typename Op::Element;
  static constexpr Index N = kLanes<T>;

  ApartStrips(const PoolAxis& width, const T* divisors)
      : narrow(width.targets < N),
        left(narrow || width.pad > 0),
        right(!narrow && width.targets * K - width.pad > width.sources),
        rest(narrow ? 0 : width.targets - N),
        left_edge(width, divisors, 0, narrow ? width.targets : N),
        right_edge(width, divisors, rest, narrow ? width.targets : N),
        first(left ? N : 0),
        last(right ? (width.sources + width.pad) / K - N : rest) {
    if (last < 0) first = last + N;
  }

  bool narrow, left, right;
  Index rest;
  Strip<Op, K, K, false> left_edge, right_edge;
  Index first, last;
};

// `Lines` and `Depths` of the rows, or 0 for any.
template <class Op, bool Mean, int K, int Lines, int Depths, class T>
__attribute__((noinline)) void apart_rows(const PoolArgs<T>& args,
                                          const ApartStrips<Op, K>& strips, ApartRows<T> at) {
  constexpr Index N = kLanes<T>;
  const PoolAxis height = args.axis[1], width = args.axis[2];
  const T* const divisors = args.divisor[2];
  const Index first = strips.first, last = strips.last;
  const Index lines = Lines ? Lines : at.lines, depths = Depths ? Depths : at.depths;
  const Index depth = args.source_stride[0], line = args.source_stride[1];
  const Index depth_place = height.sources * width.sources;
  const Index target_step = args.target_stride[1], index_step = args.index_stride[1];
  for (Index r = 0; r < at.rows; ++r) {
    const T divisor = Mean ? at.divisor * at.divisors[r] : T{1};
    const auto store = [&](const auto& strip, Index o) FASTCONV_LAMBDA {
      auto all = strip.along(at.source, at.place);
      for (Index z = 0; z < depths; ++z)
        for (Index y = z == 0; y < lines; ++y)
          all = strip.join(all, strip.along(at.source + z * depth + y * line,
                                            at.place + z * depth_place + y * width.sources));
      store_targets<Mean>(strip, strip.across(all), divisor, at.target + o,
                          at.index ? at.index + o : nullptr);
    };
    for (Index o = first; o < last + N; o += N) {
      const Index whole = o < last ? o : last;
      store(Strip<Op, K, K, true>(width, divisors, whole, N), whole);
    }
    if (strips.left) store(strips.left_edge, 0);
    if (strips.right) store(strips.right_edge, strips.rest);
    at.source += height.stride * line;
    at.place += height.stride * width.sources;
    at.target += target_step;
    if (at.index) at.index += index_step;
  }
}

template <class Op, bool Mean, int K, class T>
void apart(const PoolArgs<T>& args) {
  const PoolAxis &height = args.axis[1], &width = args.axis[2];
  const ApartStrips<Op, K> strips(width, args.divisor[2]);
  // Targets from there on are clipped, as are some at the beginning.
  const Index clipped = (height.sources + height.pad - height.kernel) / height.stride + 1;
  const Index end = args.row + args.rows;
  for (Index plane = 0; plane < args.planes; ++plane)
    for (Index od = args.depth; od < args.depth + args.depths; ++od) {
      const Reach z = reach(args.axis[0], od);
      for (Index oh = args.row, rows; oh < end; oh += rows) {
        const Reach y = reach(height, oh);
        rows = y.count < height.kernel ? 1 : (end < clipped ? end : clipped) - oh;
        const ApartRows<T> at{
            rows, y.count, z.count,
            args.source + plane * args.source_plane + z.first * args.source_stride[0] +
                y.first * args.source_stride[1],
            args.target + plane * args.target_plane + od * args.target_stride[0] +
                oh * args.target_stride[1],
            args.index ? args.index + plane * args.index_plane + od * args.index_stride[0] +
                             oh * args.index_stride[1]
                       : nullptr,
            (z.first * height.sources + y.first) * width.sources,
            Mean ? args.divisor[0][od] : T{1},
            Mean ? args.divisor[1] + oh : nullptr};
        if constexpr (kEverySize<T>) {
          if (y.count == K && z.count == 1) {
            apart_rows<Op, Mean, K, K, 1>(args, strips, at);
            continue;
          }
          if (y.count == K && z.count == K) {
            apart_rows<Op, Mean, K, K, K>(args, strips, at);
            continue;
          }
        }
        apart_rows<Op, Mean, K, 0, 0>(args, strips, at);
      }
    }
}

}  // namespace
}  // namespace fastconv::FASTCONV_ISA
