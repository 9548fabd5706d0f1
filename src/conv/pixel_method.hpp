// The direct algorithm's tile: MR output channels x NV vectors of pixels. Home of inputs with few
// channels and of wide images: no lane is lost to the number of output channels.
//
// weights: [ic][tap][MR]      sums: [phase][MR][pixel, with the gaps between rows]
#pragma once


#include "conv/strip_part.hpp"
#include "plan/machine.hpp"

namespace fastconv {

template <class T>
class PixelMethod {
 public:
  static constexpr const char* kName = "direct";

  static std::int64_t chunk_channels(const Kernels<T>&, const PartAxes& axes) {
    return std::max<std::int64_t>(1, kChunkTaps * axes.width.phases /
                                         std::max<std::int64_t>(axes.taps(), 1));
  }

  PixelMethod(const Kernels<T>& kernels, const CorrelationShape& shape, const PartAxes& axes,
              std::int64_t channels)
      : kernels_(kernels),
        shape_(shape),
        axes_(axes),
        layout_(axes.depth, axes.height, axes.width, static_cast<double>(shape.oc)),
        in_place_(can_read_in_place()),
        pitch_(in_place_ ? axes.height.step * shape.input.axis[1] : layout_.pitch),
        moves_(fills_a_tile(pitch_)),
        far_(outputs_exceed<T>(kFarPlanes, shape, axes)),
        weight_offset_(weight_offsets(shape, axes)) {
    const Index most = kMaxTileVectors * kernels.lanes;
    const Index pixels = (layout_.rows.largest() - 1) * pitch_ + layout_.columns.largest();
    sum_stride_ = (pixels + most - 1) / most * most;
    offset_.resize(static_cast<std::size_t>(axes.width.phases));
    for (std::int64_t ic = 0; ic < channels; ++ic) {
      std::size_t tap = 0;
      for_each_tap([&](Index offset, std::int64_t phase) {
        offset_[static_cast<std::size_t>(phase)].push_back(
            in_place_ ? ic * shape.input.channel + offset
                      : ic * channel_step() + layout_.offset[tap]);
        ++tap;
      });
    }
    by_rows_ = layout_.columns.parts > 0 && layout_.rows.parts > 0 && tiles_by_rows();
  }

  const StripLayout& layout() const { return layout_; }
  std::int64_t unit() const { return 1; }
  std::int64_t tile_units() const { return kernels_.tile_rows; }
  std::int64_t tiles_at_once(std::int64_t) const { return 1; }
  std::int64_t images() const { return 1; }
  bool in_place() const { return in_place_; }
  Index origin(const Block& block) const {
    const Strides& stride = shape_.input;
    return block.depth * axes_.depth.step * stride.axis[0] +
           block.row * axes_.height.step * stride.axis[1] + block.column * stride.axis[2];
  }

  std::int64_t strip_size(std::int64_t channels) const {
    return in_place_ ? 0 : channels * channel_step() + kMaxTileVectors * kernels_.lanes;
  }
  std::int64_t sum_size(std::int64_t rows) const { return rows * sum_stride_; }

  void pack(const T* source, const Block& block, std::int64_t channels, T* strip) const {
    for (std::int64_t ic = 0; ic < channels; ++ic)
      layout_.pack(kernels_, source + ic * shape_.input.channel, shape_.input.axis, block, T{0},
                   strip + ic * channel_step());
  }

  std::int64_t phase_taps(std::int64_t phase) const {
    return axes_.taps() / std::max<std::int64_t>(axes_.width.taps.size(), 1) *
           (axes_.width.first_tap(phase + 1) - axes_.width.first_tap(phase));
  }

  void pack_weight(const T* source, std::int64_t rows, std::int64_t, std::int64_t channels,
                   T* target) const {
    const Strides& stride = shape_.weight;
    if (weights_in_order(shape_, axes_))
      return kernels_.pack_panel(source + first_weight(shape_, axes_), rows, stride.outer,
                                 channels * axes_.taps(), target);
    std::size_t first = 0;
    for (std::int64_t phase = 0; phase < axes_.width.phases; ++phase) {
      const auto last = first + static_cast<std::size_t>(phase_taps(phase));
      for (std::int64_t ic = 0; ic < channels; ++ic) {
        prefetch_weights(source + ic * stride.channel, shape_, rows);
        for (std::size_t tap = first; tap < last; ++tap) {
          const T* from = source + ic * stride.channel + weight_offset_[tap];
          for (std::int64_t m = 0; m < rows; ++m) *target++ = from[m * stride.outer];
        }
      }
      first = last;
    }
  }

  // Where outputs lie as the pixels do, or rows are long, tiles write to the caller's memory.
  // Unless the residual is there: the last tile overlaps the one before.
  bool can_finish(const CorrelationArrays<T>& arrays, std::int64_t chunks) const {
    return chunks == 1 && (lies_flat() || by_rows_) && axes_.width.phases == 1 &&
           axes_.width.stride * shape_.output.axis[2] == 1 && bounds_only(arrays.epilogue) &&
           arrays.residual != arrays.output;
  }
  void finish(const StripSource<T>& source, const T* weight, bool, T*,
              const StoreChannelsArgs<T>& target) const {
    TileArgs<T> args = tile_args(source, weight, 0);
    args.sum_stride = target.channel_stride;
    args.finish = true;
    args.floor = floor_of(target.epilogue);
    args.ceiling = ceiling_of(target.epilogue);
    args.bias = target.bias;
    const Block& block = source.block;
    const bool flat = lies_flat();
    for (std::int64_t row = 0; row < (flat ? 1 : block.rows); ++row) {
      const Index pixels = flat ? most_pixels(block) : block.columns;
      for_each_tile(pixels, target.width, true, [&](Index first, Index vectors, Index excess) {
        const Index at = row * target.row_stride + first - excess;
        args.strip = source.pixels + row * pitch_ + first - excess;
        args.sum = target.target + at;
        args.residual = target.residual ? target.residual + at : nullptr;
        if (far_)
          prefetch_outputs(args.sum, args.sum_stride, target.width, vectors * kernels_.lanes);
        kernels_.tile[target.width][vectors](args);
      });
    }
  }

  // The last tile is moved back to end with the last pixel, where the block is large enough: in
  // place nothing may be read, and nothing written, behind it. Its sums follow in the end.
  void accumulate(const StripSource<T>& source, const T* weight, std::int64_t rows,
                  std::int64_t phase, bool add, T* sum) const {
    TileArgs<T> args = tile_args(source, weight, phase);
    args.sum_stride = sum_stride_;
    args.accumulate = add;
    const Index pixels = most_pixels(source.block);
    for_each_tile(pixels, rows, moves_, [&](Index first, Index vectors, Index excess) {
      args.strip = source.pixels + first - excess;
      args.sum = sum + first;
      kernels_.tile[rows][vectors](args);
    });
  }

  void store(const StoreChannelsArgs<T>& args, const Block& block) const {
    const Index lanes = kernels_.lanes;
    const std::int64_t rows = args.width;
    const Index pixels = most_pixels(block);
    const Split tiles((pixels + lanes - 1) / lanes, kernels_.tile_vectors[rows]);
    const Index first = tiles.begin(tiles.parts - 1) * lanes;
    const Index count = tiles.size(tiles.parts - 1) * lanes;
    const Index excess = moves_ ? first + count - pixels : 0;
    for (std::int64_t m = 0; m < rows; ++m) {
      T* sum = const_cast<T*>(args.sum) + m * sum_stride_;
      for (Index p = 0; p < args.phases && excess > 0; ++p) {
        T* const last = sum + p * args.phase_step + first;
        std::copy(last, last + count, last - excess);
      }
      const Index at = m * args.channel_stride;
      kernels_.store({sum, pitch_, args.rows, args.columns, args.target + at, args.row_stride,
                      args.column_stride, args.bias ? args.bias[m] : T{0},
                      args.residual ? args.residual + at : nullptr, args.epilogue,
                      args.phases, args.phase_step});
    }
  }

  // Cycles for one k of all pixels of an image.
  double cost(std::int64_t rows) const {
    double all = 0;
    const Index lanes = kernels_.lanes;
    const Index pixels = (layout_.rows.largest() - 1) * pitch_ + layout_.columns.largest();
    const Split tiles((pixels + lanes - 1) / lanes, kernels_.tile_vectors[rows]);
    for (std::int64_t tile = 0; tile < tiles.parts; ++tile)
      all += tile_cycles(tiles.size(tile), rows, axes_.taps() == 1 ? 1 : 2);
    return all * layout_.mean_blocks() * (is_far() ? kFar : 1);
  }
  double pack_cost() const {
    if (in_place_) return 0;
    const auto elements = static_cast<double>(layout_.channel);
    return (copy_cycles(shape_.input.axis[2] * axes_.width.step) * elements +
            kRowCycles * elements / static_cast<double>(layout_.pitch)) *
           layout_.mean_blocks();
  }
  double store_cost() const {
    const bool rows = axes_.width.stride / axes_.width.phases * shape_.output.axis[2] == 1;
    return (rows ? 0.2 : kScattered) * static_cast<double>(axes_.outputs());
  }

  std::string blocking() const {
    return in_words("# output channels x # pixels in registers, # x # outputs a block",
                    {kernels_.tile_rows,
                     kernels_.tile_vectors[kernels_.tile_rows] * kernels_.lanes,
                     layout_.rows.largest(), layout_.columns.largest()});
  }

 private:
  // One chunk of the sum: short enough that a tile's weights (512 x 8 floats) stay in the first
  // cache and the strip in a part of the second.
  static constexpr std::int64_t kChunkTaps = 512;

  TileArgs<T> tile_args(const StripSource<T>& source, const T* weight, std::int64_t phase) const {
    TileArgs<T> args{};
    args.offset = offset_[static_cast<std::size_t>(phase)].data();
    args.depth = source.channels * phase_taps(phase);
    args.weight = weight;
    return args;
  }

  Index most_pixels(const Block& block) const { return (block.rows - 1) * pitch_ + block.columns; }

  // Calls body(first pixel, vectors, how far the tile is moved back) for tiles of `rows` channels.
  template <class Body>
  void for_each_tile(Index pixels, std::int64_t rows, bool moves, const Body& body) const {
    const Index lanes = kernels_.lanes;
    const Split tiles((pixels + lanes - 1) / lanes, kernels_.tile_vectors[rows]);
    for (std::int64_t tile = 0; tile < tiles.parts; ++tile) {
      const Index first = tiles.begin(tile) * lanes, count = tiles.size(tile) * lanes;
      body(first, tiles.size(tile), moves ? std::max<Index>(0, first + count - pixels) : 0);
    }
  }

  // Tiles of few channels read a strip so often that one out of the second cache takes longer: with
  // 16 registers 1 x 1 layers of 96 to 480 channels take 1.2 to 1.4 times what the sums do.
  static constexpr double kFar = 1.3;
  bool is_far() const {
    constexpr std::size_t kFirstCache = 24 << 10;
    const auto channels = offset_[0].size() * static_cast<std::size_t>(axes_.width.phases) /
                          static_cast<std::size_t>(std::max<std::int64_t>(axes_.taps(), 1));
    return kernels_.channels_adjacent &&
           channels * static_cast<std::size_t>(layout_.channel) * sizeof(T) > kFirstCache;
  }

  // What an output that stands alone takes: first layers, channels-last, take 1.2 to 1.6 times what
  // they do tiled.
  static constexpr double kScattered = 8;

  // What a row of a strip takes beside its elements.
  static constexpr double kRowCycles = 15;

  // Channels of a strip that were a power of two apart would share few lines of the caches.
  Index channel_step() const { return layout_.channel % 256 == 0 ? layout_.channel + 16
                                                                 : layout_.channel; }

  // Without padding and gaps between columns, if every block fills a tile and channels are not
  // whole pages apart (64 x 64 planes, in place: twice the time of a copy's).
  bool can_read_in_place() const {
    if (shape_.input.channel * static_cast<Index>(sizeof(T)) % 4096 == 0 && shape_.ic > 8)
      return false;
    if (axes_.taps() == 0 || !layout_.inside() || axes_.width.step * shape_.input.axis[2] != 1)
      return false;
    const Index pitch = axes_.height.step * shape_.input.axis[1];
    if (layout_.rows.largest() > 1 && (pitch < layout_.columns.largest() ||
                                       pitch * 8 > layout_.columns.largest() * 9))
      return false;
    return fills_a_tile(pitch);
  }
  // Whether the outputs of a block follow each other as its pixels do.
  bool lies_flat() const {
    return moves_ && (layout_.rows.largest() == 1 ||
                      (layout_.columns.largest() == pitch_ &&
                       axes_.height.stride * shape_.output.axis[1] == pitch_));
  }
  // Whether tiles that end with a row, each of which then fills them, cost less than the pixels
  // between rows do and sums that are stored and loaded again.
  bool tiles_by_rows() const {
    const Index lanes = kernels_.lanes;
    const Index rows = layout_.rows.largest(), columns = layout_.columns.largest();
    const auto depth = static_cast<Index>(offset_[0].size());
    const Split channels(shape_.oc, kernels_.tile_rows);
    for (Index c : {columns, layout_.columns.size(layout_.columns.parts - 1)})
      for (Index m : {channels.largest(), channels.size(channels.parts - 1)})
        if (c % lanes != 0 && (c - 1) / lanes + 1 <= kernels_.tile_vectors[m]) return false;
    const Index vectors = (columns - 1) / lanes + 1;
    const Index flat = ((rows - 1) * pitch_ + columns - 1) / lanes + 1;
    return rows * vectors * depth < flat * (depth + kSumCycles);
  }
  // To store, load and store a sum again, of a vector.
  static constexpr Index kSumCycles = 6;

  // Whether the smallest block has the pixels of the widest tile.
  bool fills_a_tile(Index pitch) const {
    const Index rows = layout_.rows.size(layout_.rows.parts - 1);
    const Index columns = layout_.columns.size(layout_.columns.parts - 1);
    return (rows - 1) * pitch + columns >= kMaxTileVectors * kernels_.lanes;
  }

  template <class Body>
  void for_each_tap(const Body& body) const {
    const std::int64_t(&stride)[3] = shape_.input.axis;
    for (const Tap& d : axes_.depth.taps)
      for (const Tap& h : axes_.height.taps)
        for (const Tap& w : axes_.width.taps)
          body(d.offset * stride[0] + h.offset * stride[1] + w.offset * stride[2], w.phase);
  }

  const Kernels<T>& kernels_;
  CorrelationShape shape_;
  PartAxes axes_;
  StripLayout layout_;
  bool in_place_;
  Index pitch_;       // from row to row of pixels
  bool moves_;        // whether the last tile ends with the last pixel
  bool far_;          // whether outputs are asked for
  bool by_rows_;      // whether tiles that finish sums end with a row
  Index sum_stride_;
  std::vector<std::vector<Index>> offset_;  // of each phase's channels and taps of a chunk
  std::vector<Index> weight_offset_;
};

}  // namespace fastconv
