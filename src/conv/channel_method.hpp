// The tiled algorithm's tile: MR pixels x NV vectors of output channels. Home of dense layers: any
// width of image fills the registers, and no pixel between rows is computed.
//
// weights: [tap][ic][NV vectors]      sums: [pixel][NV vectors]
#pragma once

#include "conv/strip_part.hpp"
#include "plan/machine.hpp"

namespace fastconv {

template <class T>
class ChannelMethod {
 public:
  static constexpr const char* kName = "tiled";

  static std::int64_t chunk_channels(const CorrelationShape&, const PartAxes& axes) {
    return std::max<std::int64_t>(1, kChunkTaps / std::max<std::int64_t>(axes.taps(), 1));
  }

  ChannelMethod(const Kernels<T>& kernels, const CorrelationShape& shape, const PartAxes& axes,
                std::int64_t channels)
      : kernels_(kernels),
        shape_(shape),
        axes_(axes),
        layout_(axes.depth, axes.height, axes.width,
                axes.width.output < kNarrow ? static_cast<double>(shape.oc) : 0),
        channels_last_(shape.ic > 1 && shape.input.channel == 1),
        in_place_(can_read_in_place()) {
    const Strides& stride = shape.input;
    pixel_step_ = channels_last_ ? apart(channels) : 1;
    channel_step_ = channels_last_ ? 1 : apart(layout_.channel);
    row_step_ = layout_.pitch * pixel_step_;
    if (in_place_) {
      pixel_step_ = axes.width.step * stride.axis[2];
      channel_step_ = stride.channel;
      row_step_ = axes.height.step * stride.axis[1];
      for (const Tap& d : axes.depth.taps)
        for (const Tap& h : axes.height.taps)
          for (const Tap& w : axes.width.taps)
            offset_.push_back(d.offset * stride.axis[0] + h.offset * stride.axis[1] +
                              w.offset * stride.axis[2]);
    } else {
      for (Index offset : layout_.offset) offset_.push_back(offset * pixel_step_);
    }
  }

  const StripLayout& layout() const { return layout_; }
  std::int64_t unit() const { return kernels_.lanes; }
  std::int64_t tile_units() const { return kMaxChannelVectors; }
  // Small images share the weights that a task brings into the cache.
  std::int64_t images() const {
    return layout_.blocks() > 1 ? 1 : std::max<std::int64_t>(1, kImagePixels / axes_.outputs());
  }
  bool in_place() const { return in_place_; }
  Index origin(const Block& block) const {
    const Strides& stride = shape_.input;
    return block.depth * axes_.depth.step * stride.axis[0] +
           block.row * axes_.height.step * stride.axis[1] +
           block.column * axes_.width.step * stride.axis[2];
  }

  std::int64_t strip_size(std::int64_t channels) const {
    return (channels_last_ ? layout_.channel * pixel_step_ : channels * channel_step_) +
           2 * kernels_.lanes;
  }
  std::int64_t sum_size(std::int64_t units) const {
    return layout_.rows.largest() * layout_.columns.largest() * units * kernels_.lanes;
  }

  void pack(const T* source, const Block& block, std::int64_t channels, T* strip) const {
    const Strides& stride = shape_.input;
    if (channels_last_)
      return layout_.pack_pixels(kernels_, source, stride.axis, block, channels, pixel_step_,
                                 strip);
    for (std::int64_t ic = 0; ic < channels; ++ic)
      layout_.pack(kernels_, source + ic * stride.channel, stride.axis, block, T{0},
                   strip + ic * channel_step_);
  }

  void pack_weight(const T* source, std::int64_t rows, std::int64_t units, std::int64_t channels,
                   T* target) const {
    const Strides& stride = shape_.weight;
    const Index width = units * kernels_.lanes;
    if (taps_follow_each_other())
      return kernels_.pack_weight({source + first_tap(), rows, stride.outer, channels,
                                   axes_.taps(), target, width});
    for (const Tap& d : axes_.depth.taps)
      for (const Tap& h : axes_.height.taps)
        for (const Tap& w : axes_.width.taps)
          for (std::int64_t ic = 0; ic < channels; ++ic, target += width) {
            const T* from = source + ic * stride.channel + d.kernel * stride.axis[0] +
                            h.kernel * stride.axis[1] + w.kernel * stride.axis[2];
            for (std::int64_t m = 0; m < rows; ++m) target[m] = from[m * stride.outer];
            std::fill(target + rows, target + width, T{0});
          }
  }

  void accumulate(const StripSource<T>& source, const T* weight, std::int64_t units, bool add,
                  T* sum) const {
    const Run run = run_of(source.block);
    const Split tiles(run.pixels, kernels_.channel_pixels[units]);
    const Index width = units * kernels_.lanes;
    ChannelTileArgs<T> args{nullptr,       offset_.data(), axes_.taps(), source.channels,
                            channel_step_, pixel_step_,    weight,       sum,
                            add};
    for (std::int64_t row = 0; row < run.rows; ++row)
      for (std::int64_t tile = 0; tile < tiles.parts; ++tile) {
        args.pixels = source.pixels + row * row_step_ + tiles.begin(tile) * pixel_step_;
        args.sum = sum + (row * run.pixels + tiles.begin(tile)) * width;
        kernels_.channel_tile[tiles.size(tile)][units](args);
      }
  }

  void store(const StoreChannelsArgs<T>& args, const Block&) const {
    kernels_.store_channels(args);
  }

  double cost(std::int64_t units) const {
    double all = 0;
    const Run run = run_of({0, 0, 0, layout_.rows.largest(), layout_.columns.largest()});
    const Split tiles(run.pixels, kernels_.channel_pixels[units]);
    for (std::int64_t tile = 0; tile < tiles.parts; ++tile)
      all += tile_cycles(units, tiles.size(tile));
    return all * static_cast<double>(run.rows * layout_.blocks());
  }
  double pack_cost() const {
    if (in_place_) return 0;
    const double each =
        channels_last_ ? 0.15 : copy_cycles(shape_.input.axis[2] * axes_.width.step);
    return each * static_cast<double>(layout_.channel * layout_.blocks());
  }
  double store_cost() const {
    const bool pixels = shape_.output.channel == 1;
    const bool rows = axes_.width.stride * shape_.output.axis[2] == 1;
    return (pixels ? 0.15 : rows ? 0.6 : 1.5) * static_cast<double>(axes_.outputs());
  }

  std::string blocking() const {
    return std::to_string(kernels_.channel_pixels[kMaxChannelVectors]) + " pixels x " +
           std::to_string(kMaxChannelVectors * kernels_.lanes) +
           " output channels in registers, " + std::to_string(layout_.rows.largest()) + " x " +
           std::to_string(layout_.columns.largest()) + " outputs a block";
  }

 private:
  // One chunk of the sum: a tile's weights (640 x 32 floats) and the strip stay in the second
  // cache.
  static constexpr std::int64_t kChunkTaps = 640;
  // Below, rows are too short to fill a tile, and worth a copy for each tap that leaves no gaps.
  static constexpr std::int64_t kNarrow = 6;
  static constexpr std::int64_t kImagePixels = 512;

  // Rows of pixels without gaps; one, where the block has none.
  struct Run {
    std::int64_t rows, pixels;
  };
  Run run_of(const Block& block) const {
    if (row_step_ == block.columns * pixel_step_) return {1, block.rows * block.columns};
    return {block.rows, block.columns};
  }

  // Steps that are multiples of a page would meet in few sets of the caches.
  static Index apart(Index step) {
    constexpr Index kLine = 64 / static_cast<Index>(sizeof(T));
    return step % (16 * kLine) == 0 ? step + kLine : step;
  }

  // Where nothing is padding and one channel's or pixel's neighbours are the next element; copied
  // all the same where taps use an element often, or pixels stand a page apart.
  bool can_read_in_place() const {
    constexpr Index kPage = 4096 / static_cast<Index>(sizeof(T));
    if (axes_.taps() != 1 || !layout_.inside()) return false;
    const Index step = axes_.width.step * shape_.input.axis[2];
    if (channels_last_) return step % kPage != 0;
    return step == 1 && shape_.input.channel % kPage != 0;
  }

  bool taps_follow_each_other() const {
    const Strides& stride = shape_.weight;
    std::int64_t step = 1;
    const TapAxis* axes[] = {&axes_.depth, &axes_.height, &axes_.width};
    for (int i = 3; i-- > 0;) {
      const std::vector<Tap>& taps = axes[i]->taps;
      if (taps.empty()) return false;
      if (taps.size() > 1 &&
          (stride.axis[i] != step || taps[1].kernel - taps[0].kernel != 1))
        return false;
      step *= static_cast<std::int64_t>(taps.size());
    }
    return stride.channel == step || shape_.ic == 1;
  }
  Index first_tap() const {
    const std::int64_t(&stride)[3] = shape_.weight.axis;
    return axes_.depth.taps[0].kernel * stride[0] + axes_.height.taps[0].kernel * stride[1] +
           axes_.width.taps[0].kernel * stride[2];
  }

  const Kernels<T>& kernels_;
  CorrelationShape shape_;
  PartAxes axes_;
  StripLayout layout_;
  bool channels_last_, in_place_;
  Index pixel_step_, channel_step_, row_step_;
  std::vector<Index> offset_;  // of each tap
};

}  // namespace fastconv
