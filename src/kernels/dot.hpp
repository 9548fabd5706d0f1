// The register tile of the weight gradient: MR output channels x NR taps, pixels are the sum.
#pragma once

#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace fastconv::FASTCONV_ISA {
namespace {

// The accumulators, MR vectors of the gradient, one of the strip and its mask.
template <class T>
constexpr int dot_columns(int rows) {
  const int most = (kTileRegisters<T> - rows - 2) / rows;
  return most < kMaxDotColumns ? most : kMaxDotColumns;
}

template <class T>
constexpr int kDotRows = kTileRegisters<T> == 32 ? 4 : 3;

template <class T, int MR, int NR>
void dot(const DotArgs<T>& args) {
  Vec<T> sum[MR][NR] = {};
  for (Index q = 0; q < args.vectors * kLanes<T>; q += kLanes<T>) {
    Vec<Mask<T>> valid;
    std::memcpy(&valid, args.valid + q, sizeof valid);
    Vec<T> grad[MR];
    FASTCONV_UNROLL
    for (int m = 0; m < MR; ++m) grad[m] = load(args.grad + m * args.grad_stride + q);
    FASTCONV_UNROLL
    for (int r = 0; r < NR; ++r) {
      const Vec<T> pixel = select<T>(valid, load(args.strip + args.offset[r] + q));
      FASTCONV_UNROLL
      for (int m = 0; m < MR; ++m) sum[m][r] += grad[m] * pixel;
    }
  }
  FASTCONV_UNROLL
  for (int m = 0; m < MR; ++m) {
    FASTCONV_UNROLL
    for (int r = 0; r < NR; ++r) {
      T* target = args.sum + m * args.sum_stride + r * kLanes<T>;
      store(target, args.accumulate ? load(target) + sum[m][r] : sum[m][r]);
    }
  }
}

}  // namespace
}  // namespace fastconv::FASTCONV_ISA
