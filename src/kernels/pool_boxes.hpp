// Each pixel's window at once, lanes being channels: small windows of NHWC.
#pragma once

#include "kernels/pool_rows.hpp"

namespace fastconv::FASTCONV_ISA {
namespace {

template <class Op, bool Mean, class T>
void boxes(const PoolArgs<T>& args) {
  const PoolAxis &depth = args.axis[0], &height = args.axis[1], &width = args.axis[2];
  const Index group = args.line.group;
  for (Index plane = 0; plane < args.planes; ++plane)
    for (Index od = args.depth; od < args.depth + args.depths; ++od) {
      const Reach z = reach(depth, od);
      for (Index oh = args.row; oh < args.row + args.rows; ++oh) {
        const Reach y = reach(height, oh);
        const T rows = Mean ? args.divisor[0][od] * args.divisor[1][oh] : T{1};
        const T* row = args.source + plane * args.source_plane +
                       z.first * args.source_stride[0] + y.first * args.source_stride[1];
        T* target = args.target + plane * args.target_plane + od * args.target_stride[0] +
                    oh * args.target_stride[1];
        std::int64_t* index = args.index;
        if (index)
          index += plane * args.index_plane + od * args.index_stride[0] +
                   oh * args.index_stride[1];
        for (Index ow = 0; ow < width.targets; ++ow) {
          const Reach x = reach(width, ow);
          const Box box = {{z.count, y.count, x.count},
                           {z.step * args.source_stride[0], y.step * args.source_stride[1],
                            x.step * args.source_stride[2]},
                           {z.step * height.sources * width.sources, y.step * width.sources,
                            x.step}};
          const std::int64_t base =
              (z.first * height.sources + y.first) * width.sources + x.first;
          const T divisor = Mean ? rows * args.divisor[2][ow] : T{1};
          T* pixel = target + ow * args.target_stride[2];
          std::int64_t* place = index ? index + ow * args.index_stride[2] : nullptr;
          const auto finish = [&](auto lanes, Index i, auto item) FASTCONV_LAMBDA {
            constexpr Index N = decltype(lanes)::value;
            if constexpr (Mean) {
              store(pixel + i, item / divisor);
            } else if constexpr (std::is_same_v<Op, MaxFind<T>>) {
              store(pixel + i, item.value);
              store_index<T, N>(place + i, base, item.place);
            } else {
              store(pixel + i, item);
            }
          };
          if (box.total() > 0) {
            fold<Op>(box, row + x.first * args.source_stride[2], 0, group, finish);
          } else {
            fill_run(pixel, group, Op::identity());
            if (place) fill_run<std::int64_t>(place, group, -1);
          }
        }
      }
    }
}

}  // namespace
}  // namespace fastconv::FASTCONV_ISA
