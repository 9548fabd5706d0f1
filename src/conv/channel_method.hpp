// The tiled algorithm's tile: MR pixels x NV vectors of output channels. Home of dense layers: any
// width of image fills the registers, and no pixel between rows is computed.
//
// weights: [tap][ic][NV vectors]      sums: [pixel][NV vectors]
#pragma once

#include "conv/channel_ahead.hpp"
#include "conv/channel_strip.hpp"
#include "conv/channel_taps.hpp"
#include "conv/channel_weights.hpp"
#include "plan/machine.hpp"

namespace fastconv {

template <class T>
class ChannelMethod {
 public:
  static constexpr const char* kName = "tiled";

  static std::int64_t chunk_channels(const Kernels<T>& kernels, const PartAxes& axes) {
    const std::int64_t taps = kernels.channels_adjacent ? kAdjacentChunkTaps : kChunkTaps;
    return std::max<std::int64_t>(1, taps * axes.width.phases /
                                         std::max<std::int64_t>(axes.taps(), 1));
  }

  ChannelMethod(const Kernels<T>& kernels, const CorrelationShape& shape, const PartAxes& axes,
                std::int64_t channels)
      : kernels_(kernels),
        shape_(shape),
        axes_(axes),
        chunk_(channels),
        layout_(axes.depth, axes.height, axes.width, 0, block_pixels()),
        inside_(layout_.inside()),
        strip_(shape, axes, layout_, channels, kernels.lanes),
        in_place_(reads_in_place(kernels, shape, axes, channels)),
        sides_(!inside_ && (in_place_ || !strip_.padded())),
        step_(in_place_ ? steps_in_place(shape, axes) : strip_.steps()),
        taps_(axes, step_, !in_place_, step_.channel == 1),
        ahead_(kernels, shape, axes, channels),
        weights_(kernels, shape, axes) {}

  const StripLayout& layout() const { return layout_; }
  std::int64_t unit() const { return kernels_.lanes; }
  std::int64_t tile_units() const { return kernels_.channel_vectors; }
  // Small images share the weights that a task brings into the cache.
  std::int64_t images() const {
    return layout_.blocks() > 1 ? 1 : std::max<std::int64_t>(1, kImagePixels / axes_.outputs());
  }
  // Tiles of so many units that `finish` takes together: all of which the weights stay in the first
  // cache, so that a pixel is written at once; or, of an image of one pixel, some in one kernel.
  std::int64_t tiles_at_once(std::int64_t units) const {
    if (one_pixel())
      return units == kernels_.channel_vectors && kernels_.channel_tiles[kMaxChannelTiles]
                 ? kMaxChannelTiles
                 : 1;
    const std::int64_t bytes = units * kernels_.lanes * chunk_ * axes_.taps() *
                               static_cast<std::int64_t>(sizeof(T));
    const bool whole = chunk_ == shape_.ic && bytes > 0;
    return whole ? std::max<std::int64_t>(1, kNearBytes / bytes) : 1;
  }
  bool in_place() const { return in_place_; }
  Index origin(const Block& block) const {
    return block.depth * axes_.depth.step * step_.axis[0] + block.row * step_.row +
           block.column * step_.column;
  }

  // The taps of a row, and the copy.
  std::int64_t strip_size(std::int64_t) const {
    return taps_size() + (in_place_ ? 0 : strip_.size());
  }
  std::int64_t sum_size(std::int64_t units) const {
    return layout_.rows.largest() * layout_.columns.largest() * units * kernels_.lanes;
  }

  void pack(const T* source, const Block& block, std::int64_t channels, T* strip) const {
    strip_.pack(kernels_, source, block, channels, strip + taps_size());
  }

  void pack_weight(const T* source, std::int64_t rows, std::int64_t units, std::int64_t channels,
                   T* target) const {
    weights_.pack(source, rows, units, channels, target);
  }
  std::int64_t phase_taps(std::int64_t phase) const {
    return static_cast<std::int64_t>(axes_.depth.taps.size() * axes_.height.taps.size()) *
           taps_.widths(phase);
  }

  void accumulate(const StripSource<T>& source, const T* weight, std::int64_t units,
                  std::int64_t phase, bool add, T* sum) const {
    ChannelTileArgs<T> args = tile_args(source, weight);
    args.sum_step = args.before_step = source.tiles > 1 ? source.sum_step : units * kernels_.lanes;
    const T* const first = first_pixel(source);
    const Range inner = taps_.met_by_all(phase);
    for_each_tile(source, units, phase, [&](const Tile& tile, Index each) {
      args.pixels = first + offset_of(tile);
      ahead_.ask(source, units * kernels_.lanes, {tile.pixel, tile.pixel + tile.pixels}, args);
      args.sum = sum + tile.pixel * args.sum_step;
      args.before = add ? args.sum : nullptr;
      ahead_.ask_for_planes(source.outputs, tile.row, tile.column, tile.pixels);
      if (is_in(inner, source, tile))
        add_widths(args, taps_of(source), each, phase, {0, taps_.widths(phase)}, tile.pixels, units,
                   source.tiles);
      else
        add_columns(args, taps_of(source), each, phase, source, tile, units);
    });
  }

  // Where whole vectors of channels are to be written side by side, the last chunk's tiles write to
  // the caller's memory, but for those at an image's sides.
  bool can_finish(const CorrelationArrays<T>& arrays, std::int64_t) const {
    return axes_.width.phases == 1 && shape_.output.channel == 1 &&
           shape_.oc % kernels_.lanes == 0 && bounds_only(arrays.epilogue);
  }
  void finish(const StripSource<T>& source, const T* weight, bool add, T* sum,
              const StoreChannelsArgs<T>& target) const {
    const bool pixel = source.tiles > 1 && one_pixel();
    ChannelTileArgs<T> args = tile_args(source, weight);
    args.finish = true;
    args.floor = floor_of(target.epilogue);
    args.ceiling = ceiling_of(target.epilogue);
    args.sum_step = pixel ? target.width : target.column_stride;
    args.before_step = pixel ? source.sum_step : target.width;
    const std::int64_t units = target.width / kernels_.lanes;
    const T* const first = first_pixel(source);
    const Range inner = taps_.met_by_all(0);
    for_each_tile(source, units, 0, [&](const Tile& tile, Index each) {
      const Index at = tile.row * target.row_stride + tile.column * target.column_stride;
      T* const own = sum + tile.pixel * target.width;
      const bool in = is_in(inner, source, tile);
      args.pixels = first + offset_of(tile);
      args.weight = weight;
      args.before = add ? own : nullptr;
      args.sum = target.target + at;
      args.bias = target.bias;
      args.residual = target.residual ? target.residual + at : nullptr;
      ahead_.ask(source, units * kernels_.lanes, {tile.pixel, tile.pixel + tile.pixels}, args);
      ahead_.ask_for_outputs(args.sum + tile.pixels * target.column_stride, target.column_stride,
                             tile.pixels, source.tiles * target.width);
      for (std::int64_t t = 0; t < source.tiles; t += pixel ? source.tiles : 1) {
        if (in)
          add_widths(args, taps_of(source), each, 0, {0, taps_.widths(0)}, tile.pixels, units,
                     pixel ? source.tiles : 1);
        else
          finish_side(args, source, target, own, tile, each);
        args.weight += source.weight_step;
        args.sum += target.width;
        if (args.bias) args.bias += target.width;
        if (args.residual) args.residual += target.width;
        args.next_step = 0;
      }
    });
  }

  void store(const StoreChannelsArgs<T>& args, const Block&) const {
    kernels_.store_channels(args);
  }

  double cost(std::int64_t units) const {
    double all = share_of(axes_.depth) * share_of(axes_.height);
    const std::int64_t all_rows = axes_.depth.output * axes_.height.output;
    if (sides_) return all * row_cycles(units) * static_cast<double>(all_rows);
    const bool flat = is_flat(layout_.columns.largest());
    const std::int64_t rows = flat ? 1 : layout_.rows.largest();
    const Split tiles(layout_.rows.largest() * layout_.columns.largest() / rows,
                      tile_pixels(units));
    double row = 0;
    for (std::int64_t t = 0; t < tiles.parts; ++t) row += step_cycles(units, tiles.size(t));
    return all * row * static_cast<double>(rows) * layout_.mean_blocks();
  }
  double pack_cost() const {
    constexpr double kElementCycles = 1.2;
    return in_place_ ? 0 : kElementCycles * static_cast<double>(strip_.plane()) *
                               layout_.mean_blocks();
  }
  double store_cost() const {
    const bool pixels = shape_.output.channel == 1;
    const bool rows = axes_.width.stride / axes_.width.phases * shape_.output.axis[2] == 1;
    // A pixel's last vector is stored in pieces where it is not whole.
    const double part = shape_.oc % kernels_.lanes ? 35 / static_cast<double>(shape_.oc) : 0;
    return (pixels ? 0.3 + part : rows ? 1.2 : 2.5) * static_cast<double>(axes_.outputs());
  }

  std::string blocking() const {
    return in_words("# pixels x # output channels in registers, # x # outputs a block",
                    {kernels_.channel_pixels[kernels_.channel_vectors],
                     kernels_.channel_vectors * kernels_.lanes, layout_.rows.largest(),
                     layout_.columns.largest()});
  }

 private:
  // One chunk of the sum: a tile's weights (1152 x 32 floats) and the strip stay in the second
  // cache; 800 take 1.5% more in the mean of 16 layers (a Zen 4), 6% of 1x1 ones of 1024 channels.
  // Where channels stand side by side longer runs of them pay: on a Zen 3, 1600 in place of 800 take
  // 2.5% less in the mean of 44 layers and gradients, 12% of 128 channels 3x3.
  static constexpr std::int64_t kChunkTaps = 1152, kAdjacentChunkTaps = 1600;
  static constexpr std::int64_t kImagePixels = 512;
  // Sums that are finished at once stay in the first cache until they are stored.
  static constexpr std::int64_t kFewPixels = 64;
  // ... of which copies would have more rows around them than in them (3 x 3 of 64 channels
  // takes 6% less with 256).
  static constexpr std::int64_t kCopiedPixels = 256;

  // Tasks that a plane with few channels gives, and the least pixels of one.
  static constexpr std::int64_t kEnoughTasks = 8, kLeastBlockPixels = 128;

  // An even number of tasks where it is small: googlenet.3a_3x3's input gradient, of 3 tiles of
  // channels, takes 0.86 ms in 9 tasks, 0.79 in 12; 14 x 14 of 288 channels 0.67 and 0.61.
  std::int64_t block_pixels() const {
    if (chunk_ == shape_.ic)
      return reads_in_place(kernels_, shape_, axes_, chunk_) || axes_.taps() == 1 ? kFewPixels
                                                                                  : kCopiedPixels;
    const std::int64_t pixels = axes_.height.output * axes_.width.output;
    const std::int64_t tile = kernels_.channel_vectors * kernels_.lanes;
    const std::int64_t tiles = shape_.g * axes_.depth.output * ((shape_.oc - 1) / tile + 1);
    std::int64_t blocks = std::max((pixels - 1) / StripLayout::kBlockPixels + 1,
                                   std::min((kEnoughTasks - 1) / tiles + 1,
                                            pixels / kLeastBlockPixels));
    blocks = std::max<std::int64_t>(blocks, 1);
    if (blocks * tiles % 2 == 1 && pixels > kLeastBlockPixels) ++blocks;
    if (blocks > axes_.height.output) return (pixels - 1) / blocks + 1;
    const std::int64_t rows = (axes_.height.output - 1) / blocks + 1;
    return std::min(rows * axes_.width.output, StripLayout::kBlockPixels);
  }

  bool one_pixel() const { return inside_ && axes_.outputs() == 1; }

  // Neighbouring pixels of a block; a row may be several that follow each other without gaps.
  struct Tile {
    std::int64_t row, column, pixel, pixels;  // pixel counts from the block's first
  };

  // Calls body(tile, number of its row's taps for each width).
  template <class Body>
  void for_each_tile(const StripSource<T>& source, std::int64_t units, std::int64_t phase,
                     const Body& body) const {
    const Block& block = source.block;
    const bool flat = is_flat(block.columns);
    const std::int64_t rows = flat ? 1 : block.rows;
    const std::int64_t columns = flat ? block.rows * block.columns : block.columns;
    const Split tiles(columns, tile_pixels(units));
    for (std::int64_t row = 0; row < rows; ++row) {
      const Index each = taps_.find(block.depth, block.row + row, phase, taps_of(source));
      for (std::int64_t tile = 0; tile < tiles.parts; ++tile)
        body({row, tiles.begin(tile), row * columns + tiles.begin(tile), tiles.size(tile)}, each);
    }
  }
  bool is_flat(std::int64_t columns) const {
    const Strides& stride = shape_.output;
    return inside_ && step_.row == columns * step_.column &&
           axes_.height.stride * stride.axis[1] == columns * axes_.width.stride * stride.axis[2];
  }
  // Pixels a page apart share a few lines of the first cache.
  std::int64_t tile_pixels(std::int64_t units) const {
    const int most = kernels_.channel_pixels[units];
    return step_.column * static_cast<Index>(sizeof(T)) % 4096 == 0 ? std::min(most, 7) : most;
  }
  Index taps_size() const {
    return axes_.taps() * static_cast<Index>(sizeof(ChannelTap) / sizeof(T));
  }
  const T* first_pixel(const StripSource<T>& source) const {
    return in_place_ ? source.pixels : source.pixels + taps_size() + strip_.origin(source.block);
  }
  Index offset_of(const Tile& tile) const {
    return tile.row * step_.row + tile.column * step_.column;
  }
  // Whether all pixels of a tile meet the image through every width.
  bool is_in(const Range& inner, const StripSource<T>& source, const Tile& tile) const {
    const std::int64_t column = source.block.column + tile.column;
    return !sides_ || (column >= inner.begin && column + tile.pixels <= inner.end);
  }
  static ChannelTap* taps_of(const StripSource<T>& source) {
    return reinterpret_cast<ChannelTap*>(source.scratch);
  }
  ChannelTileArgs<T> tile_args(const StripSource<T>& source, const T* weight) const {
    ChannelTileArgs<T> args{};
    args.tap = taps_of(source);
    args.channels = source.channels;
    args.tap_channels = source.channels;
    args.channel_step = step_.channel;
    args.pixel_step = step_.column;
    args.weight = weight;
    args.weight_step = source.weight_step;
    return args;
  }

  // Of a step of the sum: its part of what a run of channels takes to begin, too.
  double step_cycles(std::int64_t units, std::int64_t pixels) const {
    constexpr double kRunCycles = 20, kSides = 4;  // an image's sides break runs
    const bool runs = taps_.width_step(0) == chunk_;
    const double run = runs ? std::max(1.0, static_cast<double>(taps_.widths(0)) / kSides) : 1;
    return tile_cycles(units, pixels, 1) + kRunCycles / (run * static_cast<double>(chunk_));
  }

  // Of a step of the sum for a row of outputs: near the image's sides, not all pixels of a tile
  // meet it through a tap, and a tap that some miss is summed by itself.
  double row_cycles(std::int64_t units) const {
    constexpr double kTileCycles = 20;  // to begin a tile, beside loading and storing its sums
    const auto steps = static_cast<double>(chunk_) *
                       static_cast<double>(axes_.depth.taps.size() * axes_.height.taps.size());
    double all = 0;
    for (std::int64_t block = 0; block < layout_.columns.parts; ++block) {
      const Split tiles(layout_.columns.size(block), tile_pixels(units));
      for (std::int64_t tile = 0; tile < tiles.parts; ++tile) {
        const std::int64_t begin = layout_.columns.begin(block) + tiles.begin(tile);
        for (const Tap& tap : axes_.width.taps) {
          const Range met = met_by(axes_.width, tap, begin, begin + tiles.size(tile));
          const std::int64_t pixels = met.end - met.begin;
          if (pixels == 0) continue;
          all += step_cycles(units, pixels);
          if (pixels < tiles.size(tile))
            all += (kTileCycles + 2 * static_cast<double>(units * pixels)) / steps;
        }
      }
    }
    return all / static_cast<double>(axes_.width.taps.size());
  }

  // Taps of some widths. Where the next one's pixel stands behind the last of the channels, as its
  // weights do behind theirs, all of them are one run: a first layer of 3 channels 7 x 7 has 7 runs
  // of 21 in place of 49 of 3.
  void add_widths(ChannelTileArgs<T>& args, const ChannelTap* taps, Index each, std::int64_t phase,
                  Range range, std::int64_t pixels, std::int64_t units,
                  std::int64_t tiles = 1) const {
    const bool run = taps_.width_step(phase) == args.tap_channels;
    args.tap = taps + range.begin * each;
    args.taps = run && range.size() > 0 ? each : range.size() * each;
    args.channels = run ? range.size() * args.tap_channels : args.tap_channels;
    if (kernels_.channels_adjacent && args.next_step > 0 && args.taps > 0) {
      ahead_.run_by_taps(kernels_.channel_tile[pixels][units], args);
      args.next_step = 0;
      return;
    }
    (tiles > 1 ? kernels_.channel_tiles[tiles] : kernels_.channel_tile[pixels][units])(args);
    args.next_weight += args.taps * args.channels * args.next_step;
  }

  // A tile near an image's sides goes by way of its own sums.
  [[gnu::noinline]] void finish_side(ChannelTileArgs<T> args, const StripSource<T>& source,
                                     const StoreChannelsArgs<T>& target, T* sum, const Tile& tile,
                                     Index each) const {
    StoreChannelsArgs<T> place = target;
    place.sum = sum;
    place.rows = 1;
    place.columns = tile.pixels;
    place.target = args.sum;
    place.bias = args.bias;
    place.residual = args.residual;
    args.finish = false;
    args.sum = sum;
    args.sum_step = target.width;
    add_columns(args, taps_of(source), each, 0, source, tile, target.width / kernels_.lanes);
    kernels_.store_channels(place);
  }

  // Near the image's sides: first the widths that all pixels meet, then the others for those that
  // do.
  void add_columns(ChannelTileArgs<T> args, const ChannelTap* taps, Index each, std::int64_t phase,
                   const StripSource<T>& source, const Tile& tile, std::int64_t units) const {
    const std::int64_t column = source.block.column + tile.column, pixels = tile.pixels;
    const auto range = [&](Index w) {
      return met_by(axes_.width, taps_.width(phase, w), column, column + pixels);
    };
    const auto all = [&](Index w) {
      const Range met = range(w);
      return met.end - met.begin == pixels;
    };
    Index first = 0, last = taps_.widths(phase);
    while (first < last && !all(first)) ++first;
    while (last > first && !all(last - 1)) --last;
    add_widths(args, taps, each, phase, {first, last}, pixels, units);
    const T* const first_pixel = args.pixels;
    T* const first_sum = args.sum;
    args.before_step = args.sum_step;
    for (Index w = 0; w < taps_.widths(phase); ++w) {
      if (w >= first && w < last) continue;
      const Range met = range(w);
      if (met.begin >= met.end || each == 0) continue;
      args.pixels = first_pixel + (met.begin - column) * step_.column;
      args.sum = first_sum + (met.begin - column) * units * kernels_.lanes;
      args.before = args.sum;
      add_widths(args, taps, each, phase, {w, w + 1}, met.end - met.begin, units);
    }
  }

  const Kernels<T>& kernels_;
  CorrelationShape shape_;
  PartAxes axes_;
  std::int64_t chunk_;  // channels at a time
  StripLayout layout_;
  bool inside_;  // whether all taps meet the image everywhere
  ChannelStrip<T> strip_;
  bool in_place_;
  bool sides_;  // whether some outputs meet what is read through some widths alone
  PixelSteps step_;
  ChannelTaps taps_;
  ChannelAhead<T> ahead_;
  ChannelWeights<T> weights_;
};

}  // namespace fastconv
