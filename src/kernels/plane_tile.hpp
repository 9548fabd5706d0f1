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
  const Bounds<T> bounds(args.epilogue);
  for_vectors<T>(args.channels, [&](const auto& part, Index c) FASTCONV_LAMBDA {
    Vec<T> sum[MR] = {};
    for (Index i = 0; i < args.taps; ++i) {
      const Index t = args.tap ? args.tap[i] : i;
      const Vec<T> weight = part.load(args.weight + t * args.channels + c);
      const T* pixels = args.pixels + args.offset[t] + c;
      FASTCONV_UNROLL
      for (int p = 0; p < MR; ++p) sum[p] += part.load(pixels + p * args.pixel_step) * weight;
    }
    FASTCONV_UNROLL
    for (int p = 0; p < MR; ++p) {
      const Index at = p * args.target_step + c;
      if (args.bias) sum[p] += part.load(args.bias + c);
      if (args.residual) sum[p] += part.load(args.residual + at);
      sum[p] = bounds.exact ? bounds(sum[p]) : activate_apart<T, kLanes<T>>(sum[p], args.epilogue);
      part.store(args.target + at, sum[p]);
    }
  });
}

}  // namespace
}  // namespace fastconv::FASTCONV_ISA
