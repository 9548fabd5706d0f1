// The weight gradient by outer products: MR taps x NV vectors of output channels, one pixel's
// product added to them after the other.
#pragma once

#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace fastconv::FASTCONV_ISA {
namespace {

// The accumulators, NV vectors of the gradient and one broadcast pixel.
constexpr int outer_rows(int vectors) {
  const int most = (kRegisters - 1) / vectors - 1;
  return most < kMaxOuterRows ? most : kMaxOuterRows;
}

template <class T, int MR, int NV>
void outer(const OuterArgs<T>& args) {
  Vec<T> sum[MR][NV] = {};
  const T* grad = args.grad;
  for (Index row = 0; row < args.rows; ++row) {
    const T* pixels = args.strip + row * args.pitch;
    for (Index column = 0; column < args.columns; ++column, grad += args.grad_stride) {
      Vec<T> channels[NV];
      FASTCONV_UNROLL
      for (int v = 0; v < NV; ++v) channels[v] = load(grad + v * kLanes<T>);
      FASTCONV_UNROLL
      for (int m = 0; m < MR; ++m) {
        const Vec<T> pixel = broadcast(pixels[args.offset[m] + column]);
        FASTCONV_UNROLL
        for (int v = 0; v < NV; ++v) sum[m][v] += pixel * channels[v];
      }
    }
  }
  FASTCONV_UNROLL
  for (int m = 0; m < MR; ++m) {
    FASTCONV_UNROLL
    for (int v = 0; v < NV; ++v) {
      T* target = args.sum + m * args.sum_stride + v * kLanes<T>;
      store(target, args.accumulate ? load(target) + sum[m][v] : sum[m][v]);
    }
  }
}

// A few pixels of all channels at a time, so that what is written to stays in the first cache.
template <class T>
void transpose(const TransposeArgs<T>& args) {
  constexpr Index kPixels = 16;
  for (Index row = 0; row < args.rows; ++row)
    for (Index first = 0; first < args.columns; first += kPixels) {
      const Index pixels = args.columns - first < kPixels ? args.columns - first : kPixels;
      const T* source = args.source + row * args.row_stride + first * args.column_stride;
      T* target = args.target + (row * args.columns + first) * args.width;
      for (Index c = 0; c < args.channels; ++c)
        for (Index p = 0; p < pixels; ++p)
          target[p * args.width + c] = source[c * args.channel_stride + p * args.column_stride];
      for (Index c = args.channels; c < args.width; ++c)
        for (Index p = 0; p < pixels; ++p) target[p * args.width + c] = 0;
    }
}

}  // namespace
}  // namespace fastconv::FASTCONV_ISA
