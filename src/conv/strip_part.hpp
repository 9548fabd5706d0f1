// A part computed over strips: for each block of outputs and group of output channels, the input
// channels are taken in chunks; a chunk's strip is packed once and meets the weights of one tile
// of output channels after the other. Method is how a tile is laid out and summed:
//
//   conv/pixel_method.hpp    vectors of pixels, one broadcast weight      the direct algorithm
//   conv/channel_method.hpp  vectors of output channels, one broadcast pixel       the tiled one
#pragma once

#include "conv/part.hpp"
#include "plan/strip.hpp"

namespace fastconv {

// The pixels that a method sums over: a strip, or the caller's own memory where that serves.
template <class T>
struct StripSource {
  const T* pixels;
  const Block& block;
  std::int64_t channels;
  T* scratch;  // the strip's place, where it is not copied
  const T* next_weight;  // what the next tile of channels will read, or null
  Index next_row;        // where it is to pack them, from one channel's to the next; or 0
  bool asks_ahead;       // whether nobody asked for the weights of this tile
  // How many tiles are wanted at once, and what is from one to the next.
  std::int64_t tiles;
  Index weight_step, sum_step;
  const StoreChannelsArgs<T>* outputs;  // what is written when these sums are complete, or null
};

template <class T, class Method>
class StripPart final : public Part<T> {
 public:
  StripPart(const Kernels<T>& kernels, const CorrelationShape& shape, const PartAxes& axes)
      : shape_(shape),
        taps_(axes.taps()),
        chunks_(shape.ic, Method::chunk_channels(kernels, axes)),
        method_(kernels, shape, axes, chunks_.largest()),
        tiles_((shape.oc - 1) / method_.unit() + 1, method_.tile_units()),
        images_(shape.n, method_.images()),
        image_strip_(method_.strip_size(chunks_.largest())),
        phases_(axes.width.phases),
        phase_sum_(method_.sum_size(tiles_.largest())) {}

  // [group][tile][ic chunk][phase][method's own order]
  std::int64_t packed_size() const override { return shape_.g * packed_group(); }
  std::int64_t packings() const override { return shape_.g * tiles_.parts * chunks_.parts; }
  void pack(std::int64_t packing, const T* weight, T* packed) const override {
    const std::int64_t chunk = packing % chunks_.parts;
    const std::int64_t tile = packing / chunks_.parts % tiles_.parts;
    const std::int64_t g = packing / chunks_.parts / tiles_.parts;
    pack_tile(g, tile, chunk, weight, packed + weight_offset(g, tile, chunk));
  }
  bool packs_in_tasks() const override { return images_.parts * layout().blocks() == 1; }
  std::string packed_format() const override {
    std::string format = Method::kName + in_words("#", {phases_});
    const TapAxis* axes[] = {&layout().depth, &layout().height, &layout().width};
    for (const TapAxis* axis : axes) append_taps(format, axis->taps);
    if (shape_.weight.axis[1] < shape_.weight.axis[2]) format += "/turned";
    return format + in_words("/#", {chunks_.parts});
  }

  Tasks tasks(std::int64_t wanted) const override {
    const std::int64_t other = images_.parts * shape_.g * layout().blocks();
    const std::int64_t all = chunks_.parts > 1 ? kSumBytes / bytes(method_.images() * image_sum())
                                               : tiles_.parts;
    const std::int64_t fewest = (wanted - 1) / std::max<std::int64_t>(other, 1) + 1;
    std::int64_t most = std::min(all, tiles_.parts / fewest);
    const std::int64_t together = method_.tiles_at_once(tiles_.largest());
    if (most > together) most -= most % together;
    const Split groups(tiles_.parts, most);
    const std::int64_t sums = chunks_.parts > 1 ? groups.largest() : 1;
    return {other * groups.parts,
            images_.largest() * (image_strip_ + sums * image_sum()) + 2 * kSlack + tile_weights(),
            groups};
  }

  void run(std::int64_t task, const Tasks& tasks, const CorrelationArrays<T>& arrays,
           const T* packed, T* workspace) const override {
    const Block block = layout().block(task % layout().blocks());
    const bool brings_weights = packed && task % layout().blocks() == 0;
    task /= layout().blocks();
    const std::int64_t group = task % tasks.groups.parts;
    task /= tasks.groups.parts;
    const std::int64_t g = task % shape_.g, image = task / shape_.g;
    const std::int64_t first = images_.begin(image), images = images_.size(image);
    T* const own_weights = workspace;  // aligned
    T* const strip = workspace + tile_weights();
    T* const sum = strip + images_.largest() * image_strip_ + kSlack;

    for (std::int64_t chunk = 0; chunk < chunks_.parts; ++chunk) {
      const std::int64_t channels = chunks_.size(chunk);
      const T* source = arrays.input + first * shape_.input.outer +
                        (g * shape_.ic + chunks_.begin(chunk)) * shape_.input.channel;
      for (std::int64_t i = 0; i < images && !method_.in_place(); ++i)
        method_.pack(source + i * shape_.input.outer, block, channels, strip + i * image_strip_);
      const bool together = packed && images == 1 && method_.can_finish(arrays, chunks_.parts);
      for (std::int64_t t = 0, count; t < tasks.groups.size(group); t += count) {
        const std::int64_t tile = tasks.groups.begin(group) + t, units = tiles_.size(tile);
        count = together ? at_once(tile, tasks.groups.size(group) - t) : 1;
        const T* weight = packed ? packed + weight_offset(g, tile, chunk) : own_weights;
        if (!packed) pack_tile(g, tile, chunk, arrays.weight, own_weights);
        const bool packs_rows = !packed && taps_ == 1 && shape_.weight.outer == 1 &&
                                t + 1 < tasks.groups.size(group);
        const Range own_tiles{tasks.groups.begin(group), tasks.groups.begin(group + 1)};
        const T* const next =
            brings_weights ? weights_after(g, tile + count, chunk, own_tiles, packed)
            : packs_rows   ? source_of(g, tile + 1, chunk, arrays.weight)
                           : nullptr;
        const bool last = chunk + 1 == chunks_.parts;
        const auto pixels_of = [&](std::int64_t i,
                                   const StoreChannelsArgs<T>* outputs) -> StripSource<T> {
          const T* pixels = method_.in_place()
                                ? source + i * shape_.input.outer + method_.origin(block)
                                : strip + i * image_strip_;
          return {pixels, block, channels, strip, i == 0 ? next : nullptr,
                  i == 0 && packs_rows ? shape_.weight.channel : 0,
                  brings_weights && t == 0 && chunk == 0 && i == 0, count,
                  units * method_.unit() * shape_.ic * taps_, image_sum(), outputs};
        };
        T* const own = sum + (chunks_.parts > 1 ? t : 0) * images * image_sum();
        if (last && method_.can_finish(arrays, chunks_.parts)) {
          for (std::int64_t i = 0; i < images; ++i)
            method_.finish(pixels_of(i, nullptr), weight, chunk > 0, own + i * image_sum(),
                           target(arrays, block, first + i, g, tile));
          continue;
        }
        for (std::int64_t phase = 0; phase < phases_; ++phase) {
          for (std::int64_t i = 0; i < images; ++i) {
            const StoreChannelsArgs<T> outputs = target(arrays, block, first + i, g, tile);
            method_.accumulate(pixels_of(i, last && phase == 0 ? &outputs : nullptr), weight, units,
                               phase, chunk > 0, own + i * image_sum() + phase * phase_sum_);
          }
          weight += method_.unit() * units * channels * method_.phase_taps(phase);
        }
        if (!last) continue;
        for (std::int64_t i = 0; i < images; ++i) {
          StoreChannelsArgs<T> args = target(arrays, block, first + i, g, tile);
          args.sum = own + i * image_sum();
          method_.store(args, block);
        }
      }
    }
  }

  double cost() const override {
    double all = 0;
    for (std::int64_t tile = 0; tile < tiles_.parts; ++tile) all += method_.cost(tiles_.size(tile));
    return static_cast<double>(shape_.g) *
           (all * static_cast<double>(shape_.ic * taps_) +
            method_.pack_cost() * static_cast<double>(shape_.ic * usual_groups()) +
            method_.store_cost() * static_cast<double>(shape_.oc) +
            kBlockCycles * layout().mean_blocks() *
                static_cast<double>(phases_ * tiles_.parts * chunks_.parts));
  }

  PartInfo info() const override {
    return {Method::kName,
            method_.blocking() +
                in_words(method_.in_place() ? ", # input channels at a time, read in place"
                                            : ", # input channels at a time, copied to strips",
                         {chunks_.largest()})};
  }

 private:
  // The unfinished sums of a task, at most.
  static constexpr std::int64_t kSumBytes = 512 << 10;
  // What a tile of output channels takes beside its sums (a depthwise plane of 18 x 47: 600 cycles
  // of 1300, in two blocks of two phases).
  static constexpr double kBlockCycles = 150;
  // Each group of tiles packs its own strips: four times in a 1x1 of stride 2 from 256 x 56 x 56 to
  // 512 channels, 1.22 ms where tiled takes 1.04. Of one image: the choice must not depend on more.
  static constexpr std::int64_t kUsualTasks = 8;
  std::int64_t usual_groups() const {
    const std::int64_t other = std::max<std::int64_t>(shape_.g * layout().blocks(), 1);
    return std::min(tiles_.parts, (kUsualTasks - 1) / other + 1);
  }
  // Vectors that kernels read or write past an end.
  static constexpr std::int64_t kSlack = 256;

  static std::int64_t bytes(std::int64_t count) {
    return count * static_cast<std::int64_t>(sizeof(T));
  }
  const StripLayout& layout() const { return method_.layout(); }
  std::int64_t image_sum() const { return phases_ * phase_sum_; }

  std::int64_t packed_group() const {
    return ((shape_.oc - 1) / method_.unit() + 1) * method_.unit() * shape_.ic * taps_;
  }
  std::int64_t weight_offset(std::int64_t g, std::int64_t tile, std::int64_t chunk) const {
    return g * packed_group() + method_.unit() * taps_ *
                                    (tiles_.begin(tile) * shape_.ic +
                                     tiles_.size(tile) * chunks_.begin(chunk));
  }

  // Behind the last of a task's tiles of a chunk: those of the next chunk (from memory, 512 channels
  // of 7 x 7 3x3 take 1.16 ms in place of 1.30), or of the next task. Or null.
  const T* weights_after(std::int64_t g, std::int64_t next, std::int64_t chunk, Range own,
                         const T* packed) const {
    if (next == own.end && chunk + 1 < chunks_.parts)
      next = own.begin, ++chunk;
    else if (next == own.end)
      chunk = 0;
    return next < tiles_.parts ? packed + weight_offset(g, next, chunk) : nullptr;
  }

  void pack_tile(std::int64_t g, std::int64_t tile, std::int64_t chunk, const T* weight,
                 T* packed) const {
    const std::int64_t first = tiles_.begin(tile) * method_.unit();
    const std::int64_t units = tiles_.size(tile);
    method_.pack_weight(source_of(g, tile, chunk, weight),
                        std::min(units * method_.unit(), shape_.oc - first), units,
                        chunks_.size(chunk), packed);
  }
  const T* source_of(std::int64_t g, std::int64_t tile, std::int64_t chunk,
                     const T* weight) const {
    return weight + g * shape_.weight_group +
           tiles_.begin(tile) * method_.unit() * shape_.weight.outer +
           chunks_.begin(chunk) * shape_.weight.channel;
  }
  // How many of the tiles `left` are taken at once: of those of one size.
  std::int64_t at_once(std::int64_t tile, std::int64_t left) const {
    const std::int64_t most = method_.tiles_at_once(tiles_.size(tile));
    while (left > 1 && tiles_.size(tile + left - 1) != tiles_.size(tile)) --left;
    return Split(left, most).largest();
  }

  // Those that a task packs at once.
  std::int64_t tile_weights() const {
    return packs_in_tasks() ? tiles_.largest() * method_.unit() * chunks_.largest() * taps_ : 0;
  }

  // Where the outputs of a tile go. (Out of line: the wheel is 2 KB smaller.)
  [[gnu::noinline]] StoreChannelsArgs<T> target(const CorrelationArrays<T>& arrays,
                                                const Block& block, std::int64_t n,
                                                std::int64_t g, std::int64_t tile) const {
    const Strides& stride = shape_.output;
    const TapAxis &d = layout().depth, &h = layout().height, &w = layout().width;
    const std::int64_t first = tiles_.begin(tile) * method_.unit();
    const std::int64_t width = tiles_.size(tile) * method_.unit(), channel = g * shape_.oc + first;
    const Index at = n * stride.outer + channel * stride.channel +
                     (d.start + block.depth * d.stride) * stride.axis[0] +
                     (h.start + block.row * h.stride) * stride.axis[1] +
                     (w.start + block.column * w.stride) * stride.axis[2];
    return {nullptr,
            width,
            std::min(width, shape_.oc - first),
            block.rows,
            std::min(block.columns * phases_, w.extent - block.column * phases_),
            arrays.output + at,
            stride.channel,
            h.stride * stride.axis[1],
            w.stride / phases_ * stride.axis[2],
            arrays.bias ? arrays.bias + channel : nullptr,
            arrays.residual ? arrays.residual + at : nullptr,
            arrays.epilogue,
            phases_,
            phase_sum_};
  }

  CorrelationShape shape_;
  std::int64_t taps_;
  Split chunks_;  // of the input channels, into strips
  Method method_;
  Split tiles_;   // of the output channels, in units, into register tiles
  Split images_;  // of the batch, into those that a task does together
  std::int64_t image_strip_;
  std::int64_t phases_, phase_sum_;  // the sums of one phase
};

}  // namespace fastconv
