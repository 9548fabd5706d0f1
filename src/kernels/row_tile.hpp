// The register tile of grouped and depthwise convolution over rows: R output rows of OC channels,
// a vector of columns at a time, straight from the image. A row of the input, loaded once for each
// horizontal tap, meets all the output rows that see it.
#pragma once

#include "kernels/epilogue.hpp"
#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace fastconv::FASTCONV_ISA {
namespace {

// N elements of a row from `first` on, or N more of them; what is beyond its ends counts as 0.
template <class T, bool Inside>
class RowLoader {
 public:
  RowLoader(Index first, Index width)
      : first_(first), low_(-first, width - first), high_(-first - N, width - first - N) {}

  FASTCONV_INLINE Vec<T> low(const T* row) const {
    if constexpr (Inside) return load(row + first_);
    return load_lanes(row + first_, low_);
  }
  FASTCONV_INLINE Vec<T> high(const T* row) const {
    if constexpr (Inside) return load(row + first_ + N);
    return load_lanes(row + first_ + N, high_);
  }

 private:
  static constexpr Index N = kLanes<T>;
  Index first_;
  LaneRange<T> low_, high_;
};

// Every second element of two neighbouring vectors, 16 bytes of each at a time, which is a cheaper
// shuffle than one across the whole vector; the sums are brought to their order in the end.
template <class T>
struct Halves {
  Halves() {
    FASTCONV_UNROLL
    for (Index i = 0; i < N; ++i) {
      const Index piece = i / L * L, place = i % L;
      const Index from = piece + 2 * (place % H) + (place < H ? 0 : N);
      even[i] = static_cast<Mask<T>>(from);
      odd[i] = static_cast<Mask<T>>(from + 1);
      const Index half = i % (N / 2);
      order[i] = static_cast<Mask<T>>(half / H * L + half % H + (i < N / 2 ? 0 : H));
    }
  }

  static constexpr Index N = kLanes<T>, L = 16 / static_cast<Index>(sizeof(T)), H = L / 2;
  Vec<Mask<T>> even, odd, order;
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

template <class T, int OC, int R, int KH, bool Inside>
FASTCONV_INLINE void row_sums(const RowTileArgs<T>& args, Index first, Vec<T> (&sum)[OC][R]) {
  constexpr int J = R - 1 + KH;
  const T* weight = args.weight;
  const T* const* rows = args.rows;
  for (Index p = 0; p < args.planes; ++p, rows += J)
    for (Index kw = 0; kw < args.taps; ++kw, weight += KH * OC) {
      const RowLoader<T, Inside> loader(first + kw * args.dilation, args.width);
      FASTCONV_UNROLL
      for (int j = 0; j < J; ++j) {
        Vec<T> x = loader.low(rows[j]);
        FASTCONV_KEEP(x);
        add_row<T, OC, R, KH, 1>(weight, j, x, sum);
      }
    }
}

template <class T, int OC, int R, int KH, bool Inside, bool Pair>
FASTCONV_INLINE void add_even_rows(const T* const* rows, const RowLoader<T, Inside>& loader,
                                   const Halves<T>& halves, const T* weight,
                                   Vec<T> (&sum)[OC][R]) {
  FASTCONV_UNROLL
  for (int j = 0; j < (R - 1) * 2 + KH; ++j) {
    const Vec<T> low = loader.low(rows[j]), high = loader.high(rows[j]);
    Vec<T> x = shuffle<T>(low, high, halves.even);
    FASTCONV_KEEP(x);
    add_row<T, OC, R, KH, 2>(weight, j, x, sum);
    if constexpr (Pair) {
      x = shuffle<T>(low, high, halves.odd);
      FASTCONV_KEEP(x);
      add_row<T, OC, R, KH, 2>(weight + KH * OC, j, x, sum);
    }
  }
}

// Stride 2: two neighbouring taps are the even and the odd elements of the same two vectors.
template <class T, int OC, int R, int KH, bool Inside>
FASTCONV_INLINE void row_sums_of_two(const RowTileArgs<T>& args, Index first,
                                     Vec<T> (&sum)[OC][R]) {
  const Halves<T> halves;
  const T* weight = args.weight;
  const T* const* rows = args.rows;
  for (Index p = 0; p < args.planes; ++p, rows += (R - 1) * 2 + KH)
    for (Index kw = 0; kw < args.taps;) {
      const RowLoader<T, Inside> loader(first + kw * args.dilation, args.width);
      if (args.dilation == 1 && kw + 1 < args.taps) {
        add_even_rows<T, OC, R, KH, Inside, true>(rows, loader, halves, weight, sum);
        kw += 2, weight += 2 * KH * OC;
      } else {
        add_even_rows<T, OC, R, KH, Inside, false>(rows, loader, halves, weight, sum);
        kw += 1, weight += KH * OC;
      }
    }
  FASTCONV_UNROLL
  for (int o = 0; o < OC; ++o) {
    FASTCONV_UNROLL
    for (int r = 0; r < R; ++r) sum[o][r] = shuffle<T>(sum[o][r], sum[o][r], halves.order);
  }
}

template <class T, int OC, int R, int KH, int S, bool Inside>
FASTCONV_INLINE void sums_at(const RowTileArgs<T>& args, Index first, Vec<T> (&sum)[OC][R]) {
  if constexpr (S == 1)
    row_sums<T, OC, R, KH, Inside>(args, first, sum);
  else
    row_sums_of_two<T, OC, R, KH, Inside>(args, first, sum);
}

template <class T, int OC, int R>
FASTCONV_INLINE void store_rows(const RowTileArgs<T>& args, Index column,
                                Vec<T> (&sum)[OC][R]) {
  constexpr Index N = kLanes<T>;
  const Index count = args.columns - column < N ? args.columns - column : N;
  const bool relu = args.epilogue.activation == Activation::relu;
  const bool quick = relu || args.epilogue.activation == Activation::none;
  const Vec<T> floor = broadcast(relu ? T{0} : static_cast<T>(-__builtin_inf()));
  FASTCONV_UNROLL
  for (int o = 0; o < OC; ++o) {
    const Vec<T> bias = broadcast(args.bias ? args.bias[o] : T{0});
    FASTCONV_UNROLL
    for (int r = 0; r < R; ++r) {
      const Index at = o * args.channel_stride + r * args.row_stride + column;
      sum[o][r] += bias;
      if (args.residual)
        sum[o][r] += load_lanes(args.residual + at, LaneRange<T>(0, count));
      sum[o][r] = quick ? (sum[o][r] < floor ? floor : sum[o][r])
                        : activate_apart<T>(sum[o][r], args.epilogue);
      store_first(args.target + at, sum[o][r], count);
    }
  }
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
    store_rows<T, OC, R>(args, column, sum);
  }
}

// A table over what kRowTileChannels and kRowTileSizes list, for kernels of 3, 5 and 7; more
// channels than one go with kernels of 3 and with 1 or 4 rows.
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
