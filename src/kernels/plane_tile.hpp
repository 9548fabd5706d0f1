// The register tile of depthwise convolution on channels-last memory: MR pixels, a vector of
// channels at a time, each with its own weights.
#pragma once

#include "kernels/epilogue.hpp"
#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace fastconv::FASTCONV_ISA {
namespace {

template <class T, int MR>
void plane_tile(const PlaneTileArgs<T>& args) {
  cover<T>(args.channels, [&](auto lanes, Index c) {
    constexpr Index N = decltype(lanes)::value;
    Part<T, N> sum[MR] = {};
    for (Index i = 0; i < args.taps; ++i) {
      const Index t = args.tap ? args.tap[i] : i;
      const Part<T, N> weight = load<T, N>(args.weight + t * args.channels + c);
      const T* pixels = args.pixels + args.offset[t] + c;
      FASTCONV_UNROLL
      for (int p = 0; p < MR; ++p) sum[p] += load<T, N>(pixels + p * args.pixel_step) * weight;
    }
    FASTCONV_UNROLL
    for (int p = 0; p < MR; ++p) {
      const Index at = p * args.target_step + c;
      if (args.bias) sum[p] += load<T, N>(args.bias + c);
      store(args.target + at,
            finish<T, N>(sum[p], args.residual ? args.residual + at : nullptr, args.epilogue));
    }
  });
}

}  // namespace
}  // namespace fastconv::FASTCONV_ISA
