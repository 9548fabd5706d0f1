// The register tile of grouped and depthwise convolution over rows: R output rows of OC channels,
// a vector of columns at a time, straight from the image. A row of the input, loaded once for each
// horizontal tap, meets all the output rows that see it.
#pragma once

#include "kernels/epilogue.hpp"
#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace fastconv::FASTCONV_ISA {
namespace {

// Vectors of elements first, first + S, ... of rows; what is beyond their ends counts as 0.
template <class T, int S, bool Inside>
class RowLoader {
 public:
  RowLoader(Index first, Index width)
      : first_(first), low_(-first, width - first), high_(-first - N, width - first - N) {}

  FASTCONV_INLINE Vec<T> operator()(const T* row) const {
    if constexpr (S == 1) return piece(row, 0);
    Vec<Mask<T>> even;
    FASTCONV_UNROLL
    for (Index i = 0; i < N; ++i) even[i] = static_cast<Mask<T>>(2 * i);
    if constexpr (Inside) return load_even<T, N>(row + first_);
    return shuffle<T>(piece(row, 0), piece(row, 1), even);
  }

  // N elements on from first + N * part.
  FASTCONV_INLINE Vec<T> piece(const T* row, int part) const {
    if constexpr (Inside) return load(row + first_ + N * part);
    return load_lanes(row + first_ + N * part, part == 0 ? low_ : high_);
  }

 private:
  static constexpr Index N = kLanes<T>;
  Index first_;
  LaneRange<T> low_, high_;
};

template <class T, int OC, int R, int KH, int S>
FASTCONV_INLINE void add_row(const T* weight, int j, Vec<T> x, Vec<T> (&sum)[OC][R]) {
  FASTCONV_UNROLL
  for (int r = 0; r < R; ++r) {
    const int kh = j - r * S;
    if (kh >= 0 && kh < KH) {
      FASTCONV_UNROLL
      for (int o = 0; o < OC; ++o) sum[o][r] += broadcast(weight[kh * OC + o]) * x;
    }
  }
}

template <class T, int OC, int R, int KH, int S, bool Inside>
FASTCONV_INLINE void row_sums(const RowTileArgs<T>& args, Index first, Vec<T> (&sum)[OC][R]) {
  constexpr int J = (R - 1) * S + KH;
  const T* weight = args.weight;
  const T* const* rows = args.rows;
  for (Index p = 0; p < args.planes; ++p, rows += J)
    for (Index kw = 0; kw < args.taps; ++kw, weight += KH * OC) {
      const RowLoader<T, S, Inside> loader(first + kw * args.dilation, args.width);
      FASTCONV_UNROLL
      for (int j = 0; j < J; ++j) {
        Vec<T> x = loader(rows[j]);
        FASTCONV_KEEP(x);
        add_row<T, OC, R, KH, S>(weight, j, x, sum);
      }
    }
}

// Stride 2 and three neighbouring taps: two loads give the even elements and the odd ones, and the
// even ones of the third tap are the first's, moved by one lane.
template <class T, int OC, int R, int KH, bool Inside>
FASTCONV_INLINE void row_sums_of_three(const RowTileArgs<T>& args, Index first,
                                       Vec<T> (&sum)[OC][R]) {
  constexpr int J = (R - 1) * 2 + KH;
  constexpr Index N = kLanes<T>;
  Vec<Mask<T>> even, odd, next;
  FASTCONV_UNROLL
  for (Index i = 0; i < N; ++i) {
    even[i] = static_cast<Mask<T>>(2 * i);
    odd[i] = static_cast<Mask<T>>(2 * i + 1);
    next[i] = static_cast<Mask<T>>(i + 1);
  }
  const RowLoader<T, 1, Inside> loader(first, args.width);
  const bool has_last = first + 2 * N < args.width;
  const T* weight = args.weight;
  const T* const* rows = args.rows;
  for (Index p = 0; p < args.planes; ++p, rows += J, weight += 3 * KH * OC) {
    FASTCONV_UNROLL
    for (int j = 0; j < J; ++j) {
      const Vec<T> low = loader.piece(rows[j], 0), high = loader.piece(rows[j], 1);
      const Vec<T> last = broadcast(Inside || has_last ? rows[j][first + 2 * N] : T{0});
      Vec<T> x[3];
      x[0] = shuffle<T>(low, high, even);
      x[1] = shuffle<T>(low, high, odd);
      x[2] = shuffle<T>(x[0], last, next);
      FASTCONV_UNROLL
      for (int kw = 0; kw < 3; ++kw) {
        FASTCONV_KEEP(x[kw]);
        add_row<T, OC, R, KH, 2>(weight + kw * KH * OC, j, x[kw], sum);
      }
    }
  }
}

template <class T, int OC, int R, int KH, int S, bool Inside>
FASTCONV_INLINE void sums_at(const RowTileArgs<T>& args, Index first, Vec<T> (&sum)[OC][R]) {
  if constexpr (S == 2 && KH == 3)
    if (args.taps == 3 && args.dilation == 1)
      return row_sums_of_three<T, OC, R, KH, Inside>(args, first, sum);
  row_sums<T, OC, R, KH, S, Inside>(args, first, sum);
}

template <class T, int OC, int R, int KH, int S>
void row_tile(const RowTileArgs<T>& args) {
  constexpr Index N = kLanes<T>;
  const Index span = N * S + (args.taps - 1) * args.dilation;
  for (Index column = 0; column < args.columns; column += N) {
    const Index first = column * S - args.pad;
    Vec<T> sum[OC][R] = {};
    if (first >= 0 && first + span < args.width)
      sums_at<T, OC, R, KH, S, true>(args, first, sum);
    else
      sums_at<T, OC, R, KH, S, false>(args, first, sum);
    FASTCONV_UNROLL
    for (int o = 0; o < OC; ++o) {
      FASTCONV_UNROLL
      for (int r = 0; r < R; ++r) {
        const Index at = o * args.channel_stride + r * args.row_stride + column;
        Vec<T> value = sum[o][r];
        if (args.bias) value += args.bias[o];
        if (args.residual)
          value += load_lanes(args.residual + at, LaneRange<T>(0, args.columns - column));
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
