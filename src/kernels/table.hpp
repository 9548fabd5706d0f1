// What one instruction set offers: a table of functions, one of them a file's only symbol.
//
// The kernels work on strips (plan/strip.hpp): zero-padded copies of a few input rows, in which
// tap t of output pixel q is element offset[t] + q for any stride and dilation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/pass_args.hpp"
#include "kernels/pool_args.hpp"

namespace fastconv {

constexpr int kMaxTileRows = 8;     // MR: output channels of a register tile
constexpr int kMaxTileVectors = 8;  // NV: vectors of pixels of a register tile
constexpr int kMaxDotRows = 4;      // MR of the weight gradient
constexpr int kMaxDotColumns = 8;   // NR: taps of the weight gradient
constexpr int kMaxOuterRows = 16;   // MR: taps of the weight gradient's outer products
constexpr int kMaxOuterVectors = 3;  // NV: vectors of their output channels
constexpr int kMaxChannelPixels = 14;  // MR: pixels of a register tile whose vectors are channels
constexpr int kMaxChannelVectors = 3;  // NV: its vectors of output channels
constexpr int kMaxChannelTiles = 4;  // that one pixel's sums are taken for at once

// Register tiles over rows (kernels/row_tile.hpp): R output rows of each of OC channels.
// What a tile may have of them; not every kernel is there for each (row_tile.hpp).
constexpr int kRowTileSizes[] = {1, 4, 7};
constexpr int kRowTileChannels[] = {1, 2, 4};
constexpr int kMostRowTaps = 16;  // of its width
constexpr int kMostRows = 256;    // that it reads of a group
constexpr int kMaxPlanePixels = 8;  // MR: pixels of a depthwise tile of channel vectors

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
  // Where `finish`, what is stored is sum + bias[m] + residual(m, q), at least floor and at most
  // ceiling, NaN staying NaN.
  bool finish;
  T floor, ceiling;
  const T* bias;      // or null
  const T* residual;  // strides as the sum's, or null
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

// sum(m, v) (+)= sum over images, rows and columns of
//     strip[offset[m] + image * image_step + row * pitch + column * pixel_step] *
//     grad[image * grad_image + row * grad_row + column * grad_stride + v]
template <class T>
struct OuterArgs {
  const T* strip;
  const Index* offset;  // the first is 0
  Index images, image_step, rows, columns, pitch, pixel_step;
  Index ahead;  // so many elements further on is what shall be fetched from memory; 0: nothing
  const T* grad;
  Index grad_image, grad_row, grad_stride;
  T* sum;
  Index sum_stride;  // from m to m + 1
  bool accumulate;
};

// target[(row * columns + column) * width + c] = source(c, row, column); 0 for c from channels to
// width, which is whole vectors.
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

// The valid columns of finished sums, spread to an array of any strides. Column c is element
// c / phases of the sums of phase c % phases.
template <class T>
struct StoreArgs {
  const T* sum;
  Index sum_pitch;  // from row to row
  Index rows, columns;
  T* target;
  Index row_stride, column_stride;
  T bias;
  const T* residual;  // strides as the target's, or null
  Epilogue<T> epilogue;
  Index phases = 1, phase_step = 0;  // from the sums of a phase to the next one's
};

// A tap: where its pixels stand from an output's, and which of the packed weights' it is.
struct ChannelTap {
  Index offset, index;
};

// sum[p * sum_step + v] = before[p * before_step + v] + sum over taps t, channels c of
//     pixels[t.offset + c * channel_step + p * pixel_step]
//     * weight[(t.index * tap_channels + c) * width + v]
// for v up to NV vectors, the width.
template <class T>
struct ChannelTileArgs {
  const T* pixels;
  const ChannelTap* tap;
  Index taps, channels, tap_channels, channel_step, pixel_step;
  const T* weight;
  T* sum;
  Index sum_step;
  const T* before;  // or null
  Index before_step;
  // As in TileArgs, with a bias for each v.
  bool finish;
  T floor, ceiling;
  const T *bias, *residual;
  // Asked for meanwhile: a line at next_weight, and so many elements further with each step; or,
  // where channels_adjacent, all of so many elements for each tap.
  const T* next_weight;
  Index next_step;
  // Of several tiles of one pixel, which sum_step, before_step and this are apart; else unused.
  Index weight_step = 0;
};

// target[(t * channels + c) * width + r] = source[r * row_stride + c * taps + t], 0 for r from
// rows to width.
template <class T>
struct PackWeightArgs {
  const T* source;
  Index rows, row_stride, channels, taps;
  T* target;
  Index width;
};

// target[t * tap_step + r] = source[r * row_stride + offset[t]], 0 for r from rows to width, which
// is whole vectors. Offsets lie in [0, span), all of which may be read.
template <class T>
struct PackTapsArgs {
  const T* source;
  Index rows, row_stride, span;
  const Index* offset;
  Index taps;
  T* target;
  Index tap_step, width;
};

// target(o, r, x) = activation(bias[o] + residual(o, r, x) + sum over planes p, kw, kh of
//     row(p, r * S + kh)[x * S + kw * dilation - pad] * weight[((p * KW + kw) * KH + kh) * OC + o])
// where row(p, j) is rows[p * J + j], J = (R - 1) * S + KH, and what lies outside of it counts as 0.
// The same for `groups` groups, from one to the next of which each operand goes on by a step, but
// rows only where moves[p * J + j] is -1; elsewhere it is 0.
template <class T>
struct RowTaps {
  Index count, dilation, pad;  // count: KW, at most kMostRowTaps
  const T* weight;
};
template <class T>
struct RowTileArgs {
  const T* const* rows;
  const Index* moves;
  Index planes;
  RowTaps<T> taps;
  Index width;  // of a row
  T* target;
  Index channel_stride, row_stride, columns;
  const T* bias;      // or null
  const T* residual;  // strides as the target's, or null
  Epilogue<T> epilogue;
  Index groups, row_step, weight_step, target_step, bias_step;
};
template <class T>
using RowTile = void (*)(const RowTileArgs<T>&);
// The same of one channel with stride 1, whose even columns are those of `taps` and odd columns
// those of `odd`: target(r, 2 x) and target(r, 2 x + 1) for what `columns` has of them.
template <class T>
using RowPair = void (*)(const RowTileArgs<T>&, const RowTaps<T>& odd);

// sum[(kw * KH + kh)][lane] (+)= sum over r, x = lane, lane + lanes, ... of grad(r, x) *
//     rows[r * S + kh][x * S + kw * dilation - pad], where what lies outside of a row counts as 0
template <class T>
struct RowGradientArgs {
  const T* const* rows;
  const T* grad;
  Index grad_rows, grad_stride, columns;  // of grad
  Index taps, dilation, pad;              // taps: KW
  Index width;                            // of a row
  T* sum;
  bool accumulate;
};
template <class T>
using RowGradient = void (*)(const RowGradientArgs<T>&);

// target[p * target_step + c] = activation(bias[c] + residual[p * target_step + c] + sum over taps
// t of pixels[offset[t] + p * pixel_step + c] * weight[t * weight_step + c]), for MR pixels p and
// all channels c; or, with `tap`, over the taps tap[t].
template <class T>
struct PlaneTileArgs {
  const T* pixels;
  const Index *offset, *tap;
  Index taps, pixel_step, channels;
  const T* weight;
  Index weight_step;
  T* target;
  Index target_step;
  const T* bias;      // or null
  const T* residual;  // or null
  Epilogue<T> epilogue;
};

// target[p * target_step + c] = bounds(bias[c] + sum over w < 3, r < R of
//     pixels[r * row_step + (p * S + w - before) * pixel_step + c]
//     * weight[(w * weight_rows + r) * weight_step + c])
// for `whole` pixels p, and one more without its last column if `after`; the first of all is
// without its first if `before`, and its second then stands at `pixels`.
template <class T>
struct PlaneRowArgs {
  const T* pixels;
  Index row_step, pixel_step, channels;
  Index before, whole, after;
  const T* weight;
  Index weight_rows, weight_step;
  T* target;
  Index target_step;
  const T* bias;         // or null
  Epilogue<T> epilogue;  // bounds alone
};
constexpr int kPlaneRows = 3, kPlaneStrides = 2;  // R and S, at most

// target(c, row, column) = activation(sum[(row * columns + column) * width + c] + bias[c] +
// residual(c, row, column)); with phases, as in StoreArgs, each has ceil(columns / phases) columns.
template <class T>
struct StoreChannelsArgs {
  const T* sum;
  Index width, channels, rows, columns;
  T* target;
  Index channel_stride, row_stride, column_stride;
  const T* bias;      // or null
  const T* residual;  // strides as the target's, or null
  Epilogue<T> epilogue;
  Index phases = 1, phase_step = 0;
};

template <class T>
struct Kernels {
  Index lanes;                       // of a vector
  int tile_rows;                     // largest MR of tile
  int tile_vectors[kMaxTileRows + 1];  // largest NV for each MR
  int dot_rows;                      // largest MR of dot
  int dot_columns[kMaxDotRows + 1];  // largest NR for each MR

  int outer_rows[kMaxOuterVectors + 1];  // largest MR for each NV

  bool channels_adjacent;                      // whether channel_tile wants channel_step 1
  int channel_vectors;                         // largest NV of channel_tile
  int channel_pixels[kMaxChannelVectors + 1];  // largest MR for each NV

  void (*channel_tile[kMaxChannelPixels + 1][kMaxChannelVectors + 1])(const ChannelTileArgs<T>&);
  // Tiles of one pixel, of the largest NV, by how many; null where one is taken at a time.
  void (*channel_tiles[kMaxChannelTiles + 1])(const ChannelTileArgs<T>&);
  // The row tile of OC channels, R rows, KH and stride S; null where there is none.
  RowTile<T> (*row_tile)(int channels, int rows, int kernel, int stride);
  RowPair<T> (*row_pair)(int rows, int kernel);
  // The weight gradient of KH rows and stride S; null where there is none.
  RowGradient<T> (*row_gradient)(int kernel, int stride);
  int plane_pixels;  // largest MR
  void (*plane_tile[kMaxPlanePixels + 1])(const PlaneTileArgs<T>&);
  // By R and S; null where there is none.
  void (*plane_row[kPlaneRows + 1][kPlaneStrides + 1])(const PlaneRowArgs<T>&);
  // For each of `pixels` vectors of channels, `step` apart, as many copies side by side as a group
  // has channels, a power of two: lane l of copy j is channel l / group * group + j. Asks for what
  // stands `ahead` of each (128 channels of 56 x 56, from memory: 1.07 to 1.1 times as fast). Null
  // where there is none.
  void (*copy_groups)(const T* source, Index step, Index ahead, Index pixels, Index group,
                      T* target);
  void (*pack_weight)(const PackWeightArgs<T>&);
  void (*pack_taps)(const PackTapsArgs<T>&);
  // target[k * rows + r] = source[r * row_stride + k]
  void (*pack_panel)(const T* source, Index rows, Index row_stride, Index depth, T* target);
  void (*store_channels)(const StoreChannelsArgs<T>&);
  void (*tile[kMaxTileRows + 1][kMaxTileVectors + 1])(const TileArgs<T>&);
  void (*dot[kMaxDotRows + 1][kMaxDotColumns + 1])(const DotArgs<T>&);
  void (*outer[kMaxOuterRows + 1][kMaxOuterVectors + 1])(const OuterArgs<T>&);
  void (*transpose)(const TransposeArgs<T>&);
  // Whether there is PoolWay::windows for rows of such windows.
  bool (*has_windows)(Index kernel, Index stride);
  Index longest_doubled;  // the longest window of PoolWay::doubled, or 0
  void (*pool_max)(const PoolArgs<T>&);
  void (*pool_max_index)(const PoolArgs<T>&);
  void (*pool_mean)(const PoolArgs<T>&);
  void (*pool_mean_gradient)(const PoolArgs<T>&);
  void (*pack)(const PackArgs<T>&);
  void (*store)(const StoreArgs<T>&);
  // The sum of rows x columns elements.
  T (*total)(const T* source, Index rows, Index row_stride, Index columns, Index column_stride);
  void (*activate)(const ActivateArgs<T>&);
  void (*activate_backward)(const ActivateBackwardArgs<T>&);
  void (*sgd)(const SgdArgs<T>&);
  void (*adam)(const AdamArgs<T>&);
  void (*softmax)(const ColumnArgs<T>&, bool log);
  void (*softmax_backward)(const ColumnArgs<T>&, bool log);
  void (*local_response)(const ColumnArgs<T>&, const ResponseArgs<T>&);
  void (*local_response_backward)(const ColumnArgs<T>&, const ResponseArgs<T>&);
  // Over a block of batch norm, [0] of one channel, [1] of rows of channels.
  void (*moments[2])(const NormBlock<T>&, double* mean, double* squares);
  void (*gradient_sums[2])(const NormBlock<T>&, const T* mean, double* sum, double* product);
  void (*norm_map[2])(const NormBlock<T>&, const NormMap<T>&);
  // Fused multiply-adds in registers, `rounds` times peak_step of them.
  void (*peak)(Index rounds, T* sink);
  Index peak_step;
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
