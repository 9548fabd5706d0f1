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
  FASTCONV_UNROLL
  for (int m = 0; m < MR; ++m) {
    const Vec<T> floor = broadcast(args.floor), ceiling = broadcast(args.ceiling);
    const Vec<T> bias = broadcast(args.bias ? args.bias[m] : T{0});
    FASTCONV_UNROLL
    for (int v = 0; v < NV; ++v) {
      const Index at = m * args.sum_stride + v * kLanes<T>;
      if (args.finish) {
        sum[m][v] += bias;
        if (args.residual) sum[m][v] += load(args.residual + at);
        sum[m][v] = sum[m][v] < floor ? floor : sum[m][v];
        sum[m][v] = sum[m][v] > ceiling ? ceiling : sum[m][v];
      }
      store(args.sum + at, sum[m][v]);
    }
  }
}

}  // namespace
}  // namespace fastconv::FASTCONV_ISA
