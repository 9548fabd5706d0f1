// The weight gradient of one plane of grad_output and one of the input, straight from both: a row of
// the input, loaded once for each horizontal tap, meets all the rows of grad_output that see it.
#pragma once

#include "kernels/row_tile.hpp"

namespace fastconv::FASTCONV_ISA {
namespace {

// Rows of grad_output that are held in registers.
constexpr int kGradientRows = 4;

// The elements of a row that a vector of outputs meets, `S` apart: two apart dealt in halves, as
// the outputs are then.
template <class T, int S, bool Inside>
FASTCONV_INLINE Vec<T> load_apart(const RowLoader<T, S, Inside>& loader, const T* row) {
  if constexpr (S == 1)
    return loader.low(row);
  else
    return shuffle<T>(loader.low(row), loader.high(row), Halves<T>().even);
}

// R rows of grad_output from row r on, a vector of their columns.
template <class T, int KH, int KW, int S, bool Inside, int R>
FASTCONV_INLINE void add_rows(const RowGradientArgs<T>& args, Index r, const T* grad,
                              const LaneRange<T>& lanes, const RowLoader<T, S, Inside>* loader,
                              Vec<T> (&sum)[KW][KH]) {
  Vec<T> g[R];
  FASTCONV_UNROLL
  for (int i = 0; i < R; ++i) {
    const T* row = grad + (r + i) * args.grad_stride;
    if constexpr (Inside)
      g[i] = load(row);
    else
      g[i] = load_lanes(row, lanes);
    if (S == 2) g[i] = Halves<T>().dealt(g[i]);
  }
  FASTCONV_UNROLL
  for (int j = 0; j < (R - 1) * S + KH; ++j) {
    const T* row = args.rows[r * S + j];
    FASTCONV_UNROLL
    for (int k = 0; k < KW; ++k) {
      Vec<T> x = load_apart<T, S, Inside>(loader[k], row);
      FASTCONV_KEEP(x);
      FASTCONV_UNROLL
      for (int i = 0; i < R; ++i) {
        const int kh = j - i * S;
        if (kh >= 0 && kh < KH) sum[k][kh] += g[i] * x;
      }
    }
  }
}

template <class T, int KH, int KW, int S, bool Inside>
FASTCONV_INLINE void add_column(const RowGradientArgs<T>& args, Index kw, Index column,
                                Vec<T> (&sum)[KW][KH]) {
  const Index count = args.columns - column < kLanes<T> ? args.columns - column : kLanes<T>;
  const LaneRange<T> lanes(0, count);
  RowLoader<T, S, Inside> loader[KW];
  FASTCONV_UNROLL
  for (int k = 0; k < KW; ++k) {
    const Index first = column * S - args.pad + (kw + k) * args.dilation;
    // Nothing is read for outputs that are not there: it might be infinite.
    const Index end = first + (count - 1) * S + 1;
    loader[k] = RowLoader<T, S, Inside>(first, end < args.width ? end : args.width);
  }
  const T* grad = args.grad + column;
  Index r = 0;
  for (; r + kGradientRows <= args.grad_rows; r += kGradientRows)
    add_rows<T, KH, KW, S, Inside, kGradientRows>(args, r, grad, lanes, loader, sum);
  for (; r < args.grad_rows; ++r)
    add_rows<T, KH, KW, S, Inside, 1>(args, r, grad, lanes, loader, sum);
}

// KW neighbouring taps of the width, from kw on.
template <class T, int KH, int KW, int S>
FASTCONV_INLINE void add_taps(const RowGradientArgs<T>& args, Index kw) {
  constexpr Index N = kLanes<T>;
  T* const target = args.sum + kw * KH * N;
  Vec<T> sum[KW][KH];
  FASTCONV_UNROLL
  for (int i = 0; i < KW * KH; ++i) {
    Vec<T> before = args.accumulate ? load(target + i * N) : Vec<T>{};
    if (S == 2) before = Halves<T>().dealt(before);
    sum[i / KH][i % KH] = before;
  }
  for (Index column = 0; column < args.columns; column += N) {
    const Index first = column * S - args.pad + kw * args.dilation;
    const bool inside = first >= 0 && first + (KW - 1) * args.dilation + N * S < args.width;
    if (inside && column + N <= args.columns)
      add_column<T, KH, KW, S, true>(args, kw, column, sum);
    else
      add_column<T, KH, KW, S, false>(args, kw, column, sum);
  }
  FASTCONV_UNROLL
  for (int i = 0; i < KW * KH; ++i) {
    const Vec<T> all = sum[i / KH][i % KH];
    store(target + i * N, S == 2 ? Halves<T>().template in_order<T>(all) : all);
  }
}

// As many sums at a time as hide the latency of an addition.
template <class T, int KH, int S>
void row_gradient(const RowGradientArgs<T>& args) {
  constexpr int kTaps = KH == 3 ? 3 : 1;
  Index kw = 0;
  for (; kw + kTaps <= args.taps; kw += kTaps) add_taps<T, KH, kTaps, S>(args, kw);
  for (; kw < args.taps; ++kw) add_taps<T, KH, 1, S>(args, kw);
}

template <class T>
RowGradient<T> row_gradient_of(int kernel, int stride) {
  if constexpr (!kSmallSet) {
    switch (kernel * 10 + stride) {
      case 31: return row_gradient<T, 3, 1>;
      case 32: return row_gradient<T, 3, 2>;
    }
  }
  if constexpr (kEverySize<T>) {
    switch (kernel * 10 + stride) {
      case 51: return row_gradient<T, 5, 1>;
      case 52: return row_gradient<T, 5, 2>;
      case 71: return row_gradient<T, 7, 1>;
      case 72: return row_gradient<T, 7, 2>;
    }
  }
  return nullptr;
}

}  // namespace
}  // namespace fastconv::FASTCONV_ISA
