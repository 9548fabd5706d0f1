// The register tile of grouped and depthwise convolution over rows: R output rows of OC channels,
// a vector of columns at a time, straight from the image. A row of the input, loaded once for each
// horizontal tap, meets all the output rows that see it.
#pragma once

#include "kernels/epilogue.hpp"
#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace fastconv::FASTCONV_ISA {
namespace {

// The vector of elements first, first + S, ... of a row; beyond its ends there are zeros.
template <class T, int S, bool Inside>
FASTCONV_INLINE Vec<T> load_row(const T* row, Index first, Index width) {
  constexpr Index N = kLanes<T>;
  if constexpr (S == 1) {
    if constexpr (Inside) return load(row + first);
    return load_between(row + first, -first, width - first);
  } else {
    if constexpr (Inside) return load_even<T, N>(row + first);
    const Vec<T> low = load_between(row + first, -first, width - first);
    const Vec<T> high = load_between(row + first + N, -first - N, width - first - N);
    Vec<Mask<T>> lane;
    FASTCONV_UNROLL
    for (Index i = 0; i < N; ++i) lane[i] = static_cast<Mask<T>>(2 * i);
    return shuffle<T>(low, high, lane);
  }
}

template <class T, int OC, int R, int KH, int S, bool Inside>
FASTCONV_INLINE void row_sums(const RowTileArgs<T>& args, Index first, Vec<T> (&sum)[OC][R]) {
  constexpr int J = (R - 1) * S + KH;
  const T* weight = args.weight;
  const T* const* rows = args.rows;
  for (Index p = 0; p < args.planes; ++p, rows += J)
    for (Index kw = 0; kw < args.taps; ++kw, weight += KH * OC) {
      Vec<T> w[KH][OC];
      FASTCONV_UNROLL
      for (int kh = 0; kh < KH; ++kh) {
        FASTCONV_UNROLL
        for (int o = 0; o < OC; ++o) w[kh][o] = broadcast(weight[kh * OC + o]);
      }
      FASTCONV_UNROLL
      for (int j = 0; j < J; ++j) {
        Vec<T> x = load_row<T, S, Inside>(rows[j], first + kw * args.dilation, args.width);
        FASTCONV_KEEP(x);
        FASTCONV_UNROLL
        for (int r = 0; r < R; ++r) {
          const int kh = j - r * S;
          if (kh >= 0 && kh < KH) {
            FASTCONV_UNROLL
            for (int o = 0; o < OC; ++o) sum[o][r] += w[kh][o] * x;
          }
        }
      }
    }
}

template <class T, int OC, int R, int KH, int S>
void row_tile(const RowTileArgs<T>& args) {
  constexpr Index N = kLanes<T>;
  const Index span = (N - 1) * S + (args.taps - 1) * args.dilation;
  for (Index column = 0; column < args.columns; column += N) {
    const Index first = column * S - args.pad;
    Vec<T> sum[OC][R] = {};
    if (first >= 0 && first + span < args.width)
      row_sums<T, OC, R, KH, S, true>(args, first, sum);
    else
      row_sums<T, OC, R, KH, S, false>(args, first, sum);
    FASTCONV_UNROLL
    for (int o = 0; o < OC; ++o) {
      FASTCONV_UNROLL
      for (int r = 0; r < R; ++r) {
        const Index at = o * args.channel_stride + r * args.row_stride + column;
        Vec<T> value = sum[o][r];
        if (args.bias) value += args.bias[o];
        if (args.residual) value += load_between(args.residual + at, 0, args.columns - column);
        store_first(args.target + at, activate<T, N>(value, args.epilogue), args.columns - column);
      }
    }
  }
}

// A table over what kRowTileChannels, kRowTileSizes and kRowTileKernels list; more channels than
// one go with kernels of 3 and with 1 or 4 rows.
template <class T, int OC, int R, int KH>
RowTile<T> with_stride(int stride) {
  return stride == 1 ? row_tile<T, OC, R, KH, 1> : stride == 2 ? row_tile<T, OC, R, KH, 2> : nullptr;
}

template <class T, int OC, int R>
RowTile<T> with_kernel(int kernel, int stride) {
  if (kernel == 3) return with_stride<T, OC, R, 3>(stride);
  if constexpr (OC == 1) {
    if (kernel == 5) return with_stride<T, OC, R, 5>(stride);
    if (kernel == 7) return with_stride<T, OC, R, 7>(stride);
  }
  return nullptr;
}

template <class T>
RowTile<T> row_tile_of(int channels, int rows, int kernel, int stride) {
  switch (channels * 10 + rows) {
    case 11: return with_kernel<T, 1, 1>(kernel, stride);
    case 12: return with_kernel<T, 1, 2>(kernel, stride);
    case 14: return with_kernel<T, 1, 4>(kernel, stride);
    case 17: return with_kernel<T, 1, 7>(kernel, stride);
    case 21: return with_kernel<T, 2, 1>(kernel, stride);
    case 24: return with_kernel<T, 2, 4>(kernel, stride);
    case 41: return with_kernel<T, 4, 1>(kernel, stride);
    case 44: return with_kernel<T, 4, 4>(kernel, stride);
    default: return nullptr;
  }
}

}  // namespace
}  // namespace fastconv::FASTCONV_ISA
