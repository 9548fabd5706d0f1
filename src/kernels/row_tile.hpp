// The register tile of grouped and depthwise convolution over rows: R output rows of OC channels,
// a vector of columns at a time, straight from the image. A row of the input, loaded once for each
// horizontal tap, meets all the output rows that see it.
#pragma once

#include "kernels/epilogue.hpp"
#include "kernels/permute.hpp"
#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace fastconv::FASTCONV_ISA {
namespace {

// N elements of a row from `first` on, or with S = 2 N more of them; what is beyond its ends counts
// as 0.
template <class T, int S, bool Inside>
class RowLoader {
 public:
  RowLoader() = default;
  RowLoader(Index first, Index width) : first_(first) {
    low_ = LaneRange<T>(-first, width - first);
    if constexpr (S == 2) high_ = LaneRange<T>(-first - N, width - first - N);
  }

  FASTCONV_INLINE Vec<T> low(const T* row) const { return load_lanes(row + first_, low_); }
  FASTCONV_INLINE Vec<T> high(const T* row) const { return load_lanes(row + first_ + N, high_); }

 private:
  static constexpr Index N = kLanes<T>;
  Index first_;
  LaneRange<T> low_, high_;
};

template <class T, int S>
class RowLoader<T, S, true> {
 public:
  RowLoader() = default;
  explicit RowLoader(Index first, Index = 0) : first_(first) {}

  FASTCONV_INLINE Vec<T> low(const T* row) const { return load(row + first_); }
  FASTCONV_INLINE Vec<T> high(const T* row) const { return load(row + first_ + kLanes<T>); }

 private:
  Index first_;
};

// The loaders of all taps for the columns from `column` on.
template <class T, int S, bool Inside>
class RowLoaders {
 public:
  // Each tile has its own edges: out of line, what finds them is there once.
  __attribute__((noinline)) void find(const RowTaps<T>& taps, Index width, Index column) {
    for (Index kw = 0; kw < taps.count; ++kw)
      tap_[kw] = {column * S - taps.pad + kw * taps.dilation, width};
  }
  FASTCONV_INLINE const RowLoader<T, S, false>& operator[](Index kw) const { return tap_[kw]; }

 private:
  RowLoader<T, S, false> tap_[kMostRowTaps];
};

template <class T, int S>
class RowLoaders<T, S, true> {
 public:
  RowLoaders(const RowTaps<T>& taps, Index column)
      : first_(column * S - taps.pad), dilation_(taps.dilation) {}
  FASTCONV_INLINE RowLoader<T, S, true> operator[](Index kw) const {
    return RowLoader<T, S, true>(first_ + kw * dilation_);
  }

 private:
  Index first_, dilation_;
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

// The rows and weights of one group.
template <class T>
struct RowGroup {
  const T* const* rows;
  const T* weight;
};

template <class T, int OC, int R, int KH, bool Inside, bool Pair>
FASTCONV_INLINE void add_even_rows(const RowGroup<T>& group, const RowLoader<T, 2, Inside>& loader,
                                   const Halves<T>& halves, Vec<T> (&sum)[OC][R]) {
  FASTCONV_UNROLL
  for (int j = 0; j < (R - 1) * 2 + KH; ++j) {
    const Vec<T> low = loader.low(group.rows[j]), high = loader.high(group.rows[j]);
    Vec<T> x = shuffle<T>(low, high, halves.even);
    FASTCONV_KEEP(x);
    add_row<T, OC, R, KH, 2>(group.weight, j, x, sum);
    if constexpr (Pair) {
      x = shuffle<T>(low, high, halves.odd);
      FASTCONV_KEEP(x);
      add_row<T, OC, R, KH, 2>(group.weight + KH * OC, j, x, sum);
    }
  }
}

// With stride 2 two neighbouring taps are the even and the odd elements of the same two vectors.
template <class T, int OC, int R, int KH, int S, bool Inside>
FASTCONV_INLINE void row_sums(Index planes, const RowTaps<T>& taps, RowGroup<T> group,
                              const RowLoaders<T, S, Inside>& loader, Vec<T> (&sum)[OC][R]) {
  constexpr int J = (R - 1) * S + KH;
  if constexpr (S == 1) {
    for (Index p = 0; p < planes; ++p, group.rows += J)
      for (Index kw = 0; kw < taps.count; ++kw, group.weight += KH * OC) {
        FASTCONV_UNROLL
        for (int j = 0; j < J; ++j) {
          Vec<T> x = loader[kw].low(group.rows[j]);
          FASTCONV_KEEP(x);
          add_row<T, OC, R, KH, 1>(group.weight, j, x, sum);
        }
      }
  } else {
    const Halves<T> halves;
    for (Index p = 0; p < planes; ++p, group.rows += J)
      for (Index kw = 0; kw < taps.count;) {
        if (taps.dilation == 1 && kw + 1 < taps.count) {
          add_even_rows<T, OC, R, KH, Inside, true>(group, loader[kw], halves, sum);
          kw += 2, group.weight += 2 * KH * OC;
        } else {
          add_even_rows<T, OC, R, KH, Inside, false>(group, loader[kw], halves, sum);
          kw += 1, group.weight += KH * OC;
        }
      }
    FASTCONV_UNROLL
    for (int o = 0; o < OC; ++o) {
      FASTCONV_UNROLL
      for (int r = 0; r < R; ++r) sum[o][r] = shuffle<T>(sum[o][r], sum[o][r], halves.order);
    }
  }
}

// What a tile is made of.
struct RowShape {
  int channels, rows, kernel, stride;
};

// Sums of `rows` rows of each channel, whatever is to be done to them.
template <class T>
__attribute__((noinline)) void store_any_rows(const RowTileArgs<T>& args, Index at, Index count,
                                              const Vec<T>* sum, int channels, int rows) {
  const LaneRange<T> lanes(0, count);
  for (int o = 0; o < channels; ++o)
    for (int r = 0; r < rows; ++r) {
      const Index place = at + o * args.channel_stride + r * args.row_stride;
      Vec<T> x = *sum++;
      if (args.residual) x += load_lanes(args.residual + place, lanes);
      store_first(args.target + place, activate<T, kLanes<T>>(x, args.epilogue), count);
    }
}

// The first `count` columns of each row, from `at` of the target on.
template <class T, int OC, int R>
FASTCONV_INLINE void finish_rows(const RowTileArgs<T>& args, Index at, Index count, const T* bias,
                                 Vec<T> (&sum)[OC][R]) {
  const Bounds<T> bounds(args.epilogue);
  const bool quick = !args.residual && bounds.exact && (kStoresLanes || count >= kLanes<T>);
  const LaneRange<T> lanes(0, count);
  FASTCONV_UNROLL
  for (int o = 0; o < OC; ++o) {
    const Vec<T> add = broadcast(bias ? bias[o] : T{0});
    FASTCONV_UNROLL
    for (int r = 0; r < R; ++r) {
      sum[o][r] += add;
      if (quick) sum[o][r] = bounds(sum[o][r]);
    }
  }
  if (!quick) {
    Vec<T> stored[OC * R];  // a copy, so that the sums themselves have no address
    FASTCONV_UNROLL
    for (int i = 0; i < OC * R; ++i) stored[i] = sum[i / R][i % R];
    store_any_rows(args, at, count, stored, OC, R);
    return;
  }
  FASTCONV_UNROLL
  for (int o = 0; o < OC; ++o) {
    T* row = args.target + at + o * args.channel_stride;
    FASTCONV_UNROLL
    for (int r = 0; r < R; ++r, row += args.row_stride)
      if constexpr (kStoresLanes)
        store_lanes(row, sum[o][r], lanes);
      else
        store(row, sum[o][r]);
  }
}

// Calls body(g, rows) for each group.
template <class T, class Body>
FASTCONV_INLINE void for_each_group(const RowTileArgs<T>& args, Index rows_of_plane,
                                    const Body& body) {
  const T* rows[kMostRows];
  for (Index g = 0; g < args.groups; ++g) {
    if (g > 0)
      for (Index j = 0; j < args.planes * rows_of_plane; ++j)
        rows[j] = args.rows[j] + (g * args.row_step & args.moves[j]);
    body(g, g > 0 ? rows : args.rows);
  }
}

// Whether nothing beyond a row is loaded for a vector of columns from `column` on.
template <class T, int S>
FASTCONV_INLINE bool inside(const RowTaps<T>& taps, Index width, Index column) {
  const Index first = column * S - taps.pad;
  return first >= 0 && first + kLanes<T> * S + (taps.count - 1) * taps.dilation <= width;
}

// The sums of a vector of columns, element by element: in the small set, which has no instruction
// to load some lanes alone, and where doing without would be most of a tile's code.
template <class T>
__attribute__((noinline)) void edge_sums(const RowTileArgs<T>& args, const RowTaps<T>& taps,
                                         RowGroup<T> group, const RowShape& shape, Index column,
                                         Vec<T>* sum) {
  const Index read = (shape.rows - 1) * shape.stride + shape.kernel;
  for (Index p = 0; p < args.planes; ++p, group.rows += read)
    for (Index kw = 0; kw < taps.count; ++kw, group.weight += shape.kernel * shape.channels)
      for (Index i = 0; i < kLanes<T>; ++i) {
        const Index x = (column + i) * shape.stride - taps.pad + kw * taps.dilation;
        if (x < 0 || x >= args.width) continue;
        for (int r = 0; r < shape.rows; ++r)
          for (int kh = 0; kh < shape.kernel; ++kh)
            for (int o = 0; o < shape.channels; ++o)
              sum[o * shape.rows + r][i] += group.weight[kh * shape.channels + o] *
                                            group.rows[r * shape.stride + kh][x];
      }
}

// Those of a vector of columns of a group, `loader` being there unless it lies inside.
template <class T, int OC, int R, int KH, int S>
FASTCONV_INLINE void column_sums(const RowTileArgs<T>& args, const RowTaps<T>& taps,
                                 RowGroup<T> group, const RowLoaders<T, S, false>* loader,
                                 Index column, Vec<T> (&sum)[OC][R]) {
  if (!loader) {
    const RowLoaders<T, S, true> all(taps, column);
    row_sums<T, OC, R, KH, S, true>(args.planes, taps, group, all, sum);
  } else if constexpr (!kSmallSet) {
    row_sums<T, OC, R, KH, S, false>(args.planes, taps, group, *loader, sum);
  } else {
    Vec<T> apart[OC * R] = {};
    edge_sums(args, taps, group, {OC, R, KH, S}, column, apart);
    FASTCONV_UNROLL
    for (int i = 0; i < OC * R; ++i) sum[i / R][i % R] = apart[i];
  }
}

// A row's last vector overlaps the one before, unless a residual, which may be the target, would be
// added twice: 14 columns take two thirds of the time so with AVX2.
template <class T, int OC, int R, int KH, int S>
void row_tile(const RowTileArgs<T>& args) {
  for (Index column = 0, next; column < args.columns; column = next) {
    next = column + kLanes<T>;
    if (next > args.columns && column > 0 && !args.residual) column = args.columns - kLanes<T>;
    const bool whole = inside<T, S>(args.taps, args.width, column);
    RowLoaders<T, S, false> edge;
    if (!whole && !kSmallSet) edge.find(args.taps, args.width, column);
    for_each_group(args, (R - 1) * S + KH, [&](Index g, const T* const* rows) {
      Vec<T> sum[OC][R] = {};
      column_sums<T, OC, R, KH, S>(args, args.taps, {rows, args.taps.weight + g * args.weight_step},
                                   whole ? nullptr : &edge, column, sum);
      finish_rows<T, OC, R>(args, g * args.target_step + column, args.columns - column,
                            args.bias ? args.bias + g * args.bias_step : nullptr, sum);
    });
  }
}

// A vector of even and one of odd columns of all groups, which leave in turns.
template <class T, int R, int KH>
void row_pair(const RowTileArgs<T>& args, const RowTaps<T>& odd) {
  for (Index column = 0; 2 * column < args.columns; column += kLanes<T>) {
    const bool whole =
        inside<T, 1>(args.taps, args.width, column) && inside<T, 1>(odd, args.width, column);
    RowLoaders<T, 1, false> even_edge, odd_edge;
    if (!whole && !kSmallSet) {
      even_edge.find(args.taps, args.width, column);
      odd_edge.find(odd, args.width, column);
    }
    for_each_group(args, R - 1 + KH, [&](Index g, const T* const* rows) {
      const Index weights = g * args.weight_step;
      Vec<T> low[1][R] = {}, high[1][R] = {};
      column_sums<T, 1, R, KH, 1>(args, args.taps, {rows, args.taps.weight + weights},
                                  whole ? nullptr : &even_edge, column, low);
      column_sums<T, 1, R, KH, 1>(args, odd, {rows, odd.weight + weights},
                                  whole ? nullptr : &odd_edge, column, high);
      FASTCONV_UNROLL
      for (int r = 0; r < R; ++r) zip<T, kLanes<T>>(low[0][r], high[0][r]);
      const Index at = g * args.target_step + 2 * column, count = args.columns - 2 * column;
      const T* bias = args.bias ? args.bias + g * args.bias_step : nullptr;
      finish_rows<T, 1, R>(args, at, count, bias, low);
      if (count > kLanes<T>)
        finish_rows<T, 1, R>(args, at + kLanes<T>, count - kLanes<T>, bias, high);
    });
  }
}

// For kernels of 3, 5 and 7, and with stride 1 for what the phases of a gradient have of them.
template <class T, int R>
RowTile<T> of_one_channel(int kernel, int stride) {
  switch (kernel * 10 + stride) {
    case 11: return row_tile<T, 1, R, 1, 1>;
    case 21: return row_tile<T, 1, R, 2, 1>;
    case 31: return row_tile<T, 1, R, 3, 1>;
    case 32: return row_tile<T, 1, R, 3, 2>;
    case 41: return row_tile<T, 1, R, 4, 1>;
    case 51: return row_tile<T, 1, R, 5, 1>;
    case 52: return row_tile<T, 1, R, 5, 2>;
    case 71: return row_tile<T, 1, R, 7, 1>;
    case 72:
      if constexpr (R <= 4) return row_tile<T, 1, R, 7, 2>;
      return nullptr;
    default: return nullptr;
  }
}

// For kernels of 3.
template <class T, int OC, int R>
RowTile<T> of_channels(int kernel, int stride) {
  if (kernel != 3 || stride > 2) return nullptr;
  return stride == 1 ? row_tile<T, OC, R, 3, 1> : row_tile<T, OC, R, 3, 2>;
}

// Where there is not every size, tiles are of one channel and of 1 or 4 rows; the small set's of 1.
template <class T>
RowTile<T> row_tile_of(int channels, int rows, int kernel, int stride) {
  switch (channels * 10 + rows) {
    case 11: return of_one_channel<T, 1>(kernel, stride);
    case 14:
      if constexpr (kSmallSet) return nullptr;
      else return of_one_channel<T, 4>(kernel, stride);
  }
  if constexpr (kEverySize<T>) {
    switch (channels * 10 + rows) {
      case 17: return of_one_channel<T, 7>(kernel, stride);
      case 21: return of_channels<T, 2, 1>(kernel, stride);
      case 24: return of_channels<T, 2, 4>(kernel, stride);
      case 41: return of_channels<T, 4, 1>(kernel, stride);
      case 44: return of_channels<T, 4, 4>(kernel, stride);
    }
  }
  return nullptr;
}

// For what the phases of a gradient with stride 2 have of kernels of 3 and 5 rows.
template <class T, int R>
RowPair<T> pair_of(int kernel) {
  switch (kernel) {
    case 1: return row_pair<T, R, 1>;
    case 2: return row_pair<T, R, 2>;
    case 3: return row_pair<T, R, 3>;
    default: return nullptr;
  }
}

template <class T>
RowPair<T> row_pair_of(int rows, int kernel) {
  if constexpr (kEverySize<T>) {
    if (rows == 4) return pair_of<T, 4>(kernel);
    if (rows == 7) return pair_of<T, 7>(kernel);
  }
  return nullptr;
}

}  // namespace
}  // namespace fastconv::FASTCONV_ISA
