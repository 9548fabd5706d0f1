// The register tile of the direct convolution: MR output channels x NV vectors of pixels.
#pragma once

#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace fastconv::FASTCONV_ISA {
namespace {

// The accumulators, one vector of pixels for each of NV and one broadcast weight stay in
// registers.
template <class T>
constexpr int tile_vectors(int rows) {
  const int most = (kTileRegisters<T> - 1) / (rows + 1);
  return most < kMaxTileVectors ? most : kMaxTileVectors;
}

// 8 x 3 fills 32 registers. 16 hold 6 x 2, which loads fewer vectors that cross cache lines than 4 x 3
// (AVX2: first layers 5 to 8% less, LeNet's of 6 channels 23%), or, in float64, 4 x 3.
template <class T>
constexpr int kTileRows = kTileRegisters<T> == 32 ? 8 : kRegisters == 16 && kEverySize<T> ? 6 : 4;

template <class T, int MR, int NV>
void tile(const TileArgs<T>& args) {
  Vec<T> sum[MR][NV];
  FASTCONV_UNROLL
  for (int m = 0; m < MR; ++m) {
    FASTCONV_UNROLL
    for (int v = 0; v < NV; ++v) {
      sum[m][v] = args.accumulate ? load(args.sum + m * args.sum_stride + v * kLanes<T>)
                                  : Vec<T>{};
    }
  }
  const T* weight = args.weight;
  for (Index k = 0; k < args.depth; ++k, weight += MR) {
    const T* pixels = args.strip + args.offset[k];
    Vec<T> pixel[NV];
    FASTCONV_UNROLL
    for (int v = 0; v < NV; ++v) pixel[v] = load(pixels + v * kLanes<T>);
    FASTCONV_UNROLL
    for (int m = 0; m < MR; ++m) {
      const Vec<T> w = broadcast(weight[m]);
      FASTCONV_UNROLL
      for (int v = 0; v < NV; ++v) sum[m][v] += w * pixel[v];
    }
  }
  T* target = args.sum;
  const Index step = args.sum_stride;
  if (args.finish) {
    const T *const residual = args.residual, *const bias = args.bias;
    const Vec<T> floor = broadcast(args.floor), ceiling = broadcast(args.ceiling);
    FASTCONV_UNROLL
    for (int m = 0; m < MR; ++m) {
      const Vec<T> own = broadcast(bias ? bias[m] : T{0});
      FASTCONV_UNROLL
      for (int v = 0; v < NV; ++v) {
        sum[m][v] += own;
        if (residual) sum[m][v] += load(residual + m * step + v * kLanes<T>);
        sum[m][v] = sum[m][v] < floor ? floor : sum[m][v];
        sum[m][v] = sum[m][v] > ceiling ? ceiling : sum[m][v];
      }
    }
  }
  FASTCONV_UNROLL
  for (int m = 0; m < MR; ++m, target += step) {
    FASTCONV_UNROLL
    for (int v = 0; v < NV; ++v) store(target + v * kLanes<T>, sum[m][v]);
  }
}

}  // namespace
}  // namespace fastconv::FASTCONV_ISA
