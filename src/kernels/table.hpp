// What one instruction set offers: a table of functions, one of them a file's only symbol.
//
// All kernels work on strips (conv/strip.hpp): zero-padded copies of a few input rows, in which
// tap t of output pixel q is element offset[t] + q for any stride and dilation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace fastconv {

using Index = std::ptrdiff_t;

constexpr int kMaxTileRows = 8;     // MR: output channels of a register tile
constexpr int kMaxTileVectors = 8;  // NV: vectors of pixels of a register tile
constexpr int kMaxDotRows = 4;      // MR of the weight gradient
constexpr int kMaxDotColumns = 8;   // NR: taps of the weight gradient
constexpr int kMaxOuterRows = 16;   // MR: taps of the weight gradient's outer products
constexpr int kMaxOuterVectors = 3;  // NV: vectors of their output channels

// sum(m, q) (+)= sum over k of weight[k * MR + m] * strip[offset[k] + q]
template <class T>
struct TileArgs {
  const T* strip;
  const Index* offset;
  Index depth;  // number of k
  const T* weight;
  T* sum;
  Index sum_stride;  // from m to m + 1
  bool accumulate;   // add to what sum holds
};

// sum(m, r)[lane] (+)= sum over q of grad(m, q) * strip[offset[r] + q], q in steps of vectors;
// where valid[q] is 0 the strip's element counts as 0, whatever it holds.
template <class T>
struct DotArgs {
  using Mask = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
  const T* grad;
  Index grad_stride;  // from m to m + 1
  const T* strip;
  const Index* offset;
  const Mask* valid;
  Index vectors;
  T* sum;            // [m][r][lane], r up to NR
  Index sum_stride;  // from m to m + 1
  bool accumulate;
};

// sum(m, v) (+)= sum over rows and columns of strip[offset[m] + row * pitch + column]
//                                             * grad[(row * columns + column) * grad_stride + v]
template <class T>
struct OuterArgs {
  const T* strip;
  const Index* offset;
  Index rows, columns, pitch;
  const T* grad;
  Index grad_stride;  // from pixel to pixel
  T* sum;
  Index sum_stride;  // from m to m + 1
  bool accumulate;
};

// target[(row * columns + column) * width + c] = source(c, row, column); 0 for c from channels to
// width.
template <class T>
struct TransposeArgs {
  const T* source;
  Index channels, channel_stride;
  Index rows, row_stride;
  Index columns, column_stride;
  T* target;
  Index width;
};

// Rows of one plane, gathered into contiguous memory: `before` fills, `columns` elements from the
// source, `after` fills, row after row. May write up to a vector past the end.
template <class T>
struct PackArgs {
  const T* source;
  Index row_stride, column_stride;
  Index rows, before, columns, after;
  T* target;
  T fill;
};

// The valid columns of finished sums, spread to an array of any strides.
template <class T>
struct StoreArgs {
  const T* sum;
  Index sum_pitch;  // from row to row
  Index rows, columns;
  T* target;
  Index row_stride, column_stride;
  T bias;
};

// best[q] = the maximum of strip[offset[t] + q] over t; tap[q] = the t it came from, or -1.
template <class T>
struct MaxArgs {
  using Tap = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
  const T* strip;
  const Index* offset;
  Index taps;
  Index pixels;
  T* best;
  Tap* tap;  // or null
};

template <class T>
struct Kernels {
  Index lanes;                       // of a vector
  int tile_rows;                     // largest MR of tile
  int tile_vectors[kMaxTileRows + 1];  // largest NV for each MR
  int dot_rows;                      // largest MR of dot
  int dot_columns[kMaxDotRows + 1];  // largest NR for each MR

  int outer_rows[kMaxOuterVectors + 1];  // largest MR for each NV

  void (*tile[kMaxTileRows + 1][kMaxTileVectors + 1])(const TileArgs<T>&);
  void (*dot[kMaxDotRows + 1][kMaxDotColumns + 1])(const DotArgs<T>&);
  void (*outer[kMaxOuterRows + 1][kMaxOuterVectors + 1])(const OuterArgs<T>&);
  void (*transpose)(const TransposeArgs<T>&);
  void (*max)(const MaxArgs<T>&);
  // sum(q) = sum over t of strip[offset[t] + q]
  void (*add)(const T* strip, const Index* offset, Index taps, Index pixels, T* sum);
  void (*pack)(const PackArgs<T>&);
  void (*store)(const StoreArgs<T>&);
  // The sum of rows x columns elements.
  T (*total)(const T* source, Index rows, Index row_stride, Index columns, Index column_stride);
  // The sum of each group of `lanes` elements.
  void (*reduce)(const T* source, Index groups, T* target);
};

struct KernelTable {
  const char* name;
  int vector_bytes;
  Kernels<float> f32;
  Kernels<double> f64;

  template <class T>
  const Kernels<T>& of() const {
    if constexpr (sizeof(T) == 4)
      return f32;
    else
      return f64;
  }
};

}  // namespace fastconv
