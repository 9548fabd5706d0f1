// What a tile of the tiled algorithm asks memory for before it is wanted: the weights of the next
// tile of channels, the outputs of the next tile of pixels.
#pragma once

#include <vector>

#include "conv/strip_part.hpp"

namespace fastconv {

template <class T>
class ChannelAhead {
 public:
  // For `channels` at a time.
  ChannelAhead(const Kernels<T>& kernels, const CorrelationShape& shape, const PartAxes& axes,
               std::int64_t channels)
      : by_taps_(kernels.channels_adjacent),
        far_(outputs_exceed<T>(shape.output.channel == 1 ? kFarPixels : kFarPlanes, shape, axes)),
        channels_(channels),
        taps_(axes.taps()) {
    constexpr std::int64_t kLeast = 32, kMost = 96;
    if (!by_taps_ || taps_ != 1) return;
    std::int64_t count = (channels - 1) / kMost + 1;
    while (channels % count != 0) ++count;
    const std::int64_t each = channels / count;
    if (each < kLeast) return;
    pieces_.resize(static_cast<std::size_t>(count));
    for (std::int64_t i = 0; i < count; ++i) pieces_[static_cast<std::size_t>(i)] = {i * each, i};
  }

  // Each tile of pixels asks for its share of the weights of the next tile of channels; where
  // nobody asked for its own, the first one asks for these a little ahead. Weights come from memory
  // in every layer of a network: 512 channels of 7 x 7 to 2048 take 0.51 ms there, 0.59 without
  // (AVX-512). Where no weights are to be asked for, pixels are.
  void ask(const StripSource<T>& source, Index width, const Range& tile,
           ChannelTileArgs<T>& args) const {
    args.next_weight = args.weight;
    args.next_step = 0;
    const std::int64_t pixels = source.block.rows * source.block.columns;
    const Index all = source.channels * taps_ * width;
    if (by_taps_) {
      // An image of one tile would ask for more than it reads: one pixel of 1280 channels to 1000
      // takes 0.23 ms without, 0.27 with. Tiles of float64 do not ask.
      if (!source.next_weight || 2 * tile.size() > pixels || sizeof(T) != 4) return;
      args.next_weight = source.next_weight + all * tile.begin / pixels;
      args.next_step = all * tile.size() / pixels;
      return;
    }
    constexpr Index kLine = 64 / static_cast<Index>(sizeof(T));
    const Index share = width * tile.size() / pixels, line = tile.begin / tile.size() * kLine;
    if (source.next_row) {
      // To be packed, each channel's on a page of its own: a line of every one. (The input gradient
      // of 32 rows of 4096 to 4096 takes 8.1 ms in place of 9.3.)
      if (line >= width) return;
      args.next_weight = source.next_weight + line;
      args.next_step = source.next_row;
    } else if (source.asks_ahead && tile.begin == 0) {
      args.next_weight = args.weight + kAheadBytes / static_cast<Index>(sizeof(T));
      args.next_step = width;
    } else if (source.next_weight && share >= kLeastShare) {
      args.next_weight = source.next_weight + all / pixels * tile.begin;
      args.next_step = share;
    } else if (taps_ == 1 && args.pixel_step == args.channels) {
      // Those of the next tile, side by side in memory: 144 channels of 56 x 56 to 24 take 0.23 ms
      // from memory, 0.32 without.
      args.next_weight = args.pixels + tile.size() * args.pixel_step;
      args.next_step = tile.size();
    }
  }

  // Runs a tile. With 16 registers an unrolled loop has no room to ask: what is asked for in all is
  // dealt to the taps, to ask for as each begins, of which a 1x1 has pieces. (512 channels of 7 x 7
  // to 2048, a Zen 3, one thread: 1.4 ms in place of 1.7.)
  [[gnu::noinline]] void run_by_taps(void (*tile)(const ChannelTileArgs<T>&),
                                     ChannelTileArgs<T> args) const {
    if (args.taps == 1 && args.channels == channels_ && !pieces_.empty()) {
      args.pixels += args.tap->offset;
      args.tap = pieces_.data();
      args.taps = static_cast<Index>(pieces_.size());
      args.channels = args.tap_channels = channels_ / args.taps;
    }
    args.next_step /= args.taps;
    tile(args);
  }

  // A tile asks for the next one's outputs, which stand in lines far apart: 3 channels 3 x 3 to 64
  // of 224 x 224 take 3.0 ms in place of 4.2. (Inline, as `prefetch_outputs`.)
  [[gnu::always_inline]] void ask_for_outputs(const T* pixel, Index step, std::int64_t pixels,
                                              Index width) const {
    if (!far_) return;
    if (step == width) width *= pixels, pixels = 1;
    prefetch_outputs(pixel, step, pixels, width);
  }
  // Of planes a tile asks for its own, unless there are none yet.
  [[gnu::always_inline]] void ask_for_planes(const StoreChannelsArgs<T>* outputs, std::int64_t row,
                                             std::int64_t column, std::int64_t pixels) const {
    if (!far_ || !outputs || outputs->column_stride != 1) return;
    prefetch_outputs(outputs->target + row * outputs->row_stride + column * outputs->phases,
                     outputs->channel_stride, outputs->channels, pixels * outputs->phases);
  }

 private:
  // Elements of the next weights that a step of a tile asks for, at least; and of its own, how far
  // ahead: over the end of a page, where the hardware stops.
  static constexpr Index kLeastShare = 4, kAheadBytes = 8192;

  bool by_taps_, far_;
  std::int64_t channels_, taps_;
  std::vector<ChannelTap> pieces_;  // of a single tap, in place of it
};

}  // namespace fastconv
