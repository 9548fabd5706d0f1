#include "conv/correlate.hpp"

#include "plan/strip.hpp"
#include "runtime/memory.hpp"
#include "runtime/threads.hpp"

namespace fastconv {
namespace {

// One chunk of the sum: short enough that a tile's weights (512 x 8 floats) stay in the first
// cache and the strip in a part of the second.
constexpr std::int64_t kChunkTaps = 512;
constexpr std::int64_t kChunkBytes = 256 << 10;
// The unfinished sums of a task, at most.
constexpr std::int64_t kSumBytes = 256 << 10;
// Tasks for each thread, so that the last ones to finish are short.
constexpr std::int64_t kTasksPerThread = 4;

// One part of the outputs: those that meet their input through the same taps.
template <class T>
class Part {
 public:
  Part(const Kernels<T>& kernels, const Correlation<T>& operands, const TapAxis& depth,
       const TapAxis& height, const TapAxis& width)
      : kernels_(kernels),
        op_(operands),
        layout_(depth, height, width, op_.oc),
        taps_(static_cast<std::int64_t>(layout_.offset.size())),
        tiles_(op_.oc, kernels.tile_rows),
        chunks_(op_.ic, channels_of_chunk()),
        groups_(tiles_.parts, 1) {
    const Index most = kMaxTileVectors * kernels.lanes;
    sum_stride_ = (layout_.most_pixels() + most - 1) / most * most;
    for (std::int64_t ic = 0; ic < chunks_.largest(); ++ic)
      for (Index offset : layout_.offset) offset_.push_back(ic * layout_.channel + offset);
    const std::int64_t sums = kSumBytes / static_cast<std::int64_t>(sizeof(T));
    groups_ = Split(tiles_.parts, sums / (sum_stride_ * tiles_.largest()));
  }

  // The weights as `run` wants them: [group][tile][ic][tap][row of the tile].
  std::int64_t weights() const { return op_.g * op_.oc * op_.ic * taps_; }
  std::int64_t packings() const { return op_.g * tiles_.parts; }
  void pack_weight(std::int64_t packing, T* packed) const {
    const std::int64_t g = packing / tiles_.parts, tile = packing % tiles_.parts;
    const std::int64_t first = tiles_.begin(tile), rows = tiles_.size(tile);
    const Strides& stride = op_.weight_strides;
    T* target = packed + (g * op_.oc + first) * op_.ic * taps_;
    const T* source = op_.weight + g * op_.weight_group + first * stride.outer;
    for (std::int64_t ic = 0; ic < op_.ic; ++ic)
      for (const Tap& d : layout_.depth.taps)
        for (const Tap& h : layout_.height.taps)
          for (const Tap& w : layout_.width.taps) {
            const T* from = source + ic * stride.channel + d.kernel * stride.axis[0] +
                            h.kernel * stride.axis[1] + w.kernel * stride.axis[2];
            for (std::int64_t m = 0; m < rows; ++m) *target++ = from[m * stride.outer];
          }
  }

  std::int64_t outputs() const {
    return layout_.depth.output * layout_.height.output * layout_.width.output;
  }
  std::int64_t tasks() const { return op_.n * op_.g * groups_.parts * layout_.blocks(); }
  void share(std::int64_t parts) {
    groups_ = Split(tiles_.parts, groups_.largest() / parts);
  }

  // Tiles read and write on to the end of a vector.
  std::int64_t strip_size() const {
    return chunks_.largest() * layout_.channel + kMaxTileVectors * kernels_.lanes;
  }
  std::int64_t sum_size() const { return groups_.largest() * tiles_.largest() * sum_stride_; }

  void run(std::int64_t task, const T* packed, T* strip, T* sum) const {
    const Block block = layout_.block(task % layout_.blocks());
    task /= layout_.blocks();
    const std::int64_t group = task % groups_.parts;
    const std::int64_t g = task / groups_.parts % op_.g, n = task / groups_.parts / op_.g;

    const T* image = op_.input + n * op_.input_strides.outer +
                     g * op_.ic * op_.input_strides.channel;
    for (std::int64_t chunk = 0; chunk < chunks_.parts; ++chunk) {
      const std::int64_t ic = chunks_.begin(chunk), channels = chunks_.size(chunk);
      for (std::int64_t i = 0; i < channels; ++i)
        layout_.pack(kernels_, image + (ic + i) * op_.input_strides.channel,
                     op_.input_strides.axis, block, T{0}, strip + i * layout_.channel);
      for (std::int64_t i = 0; i < groups_.size(group); ++i) {
        const std::int64_t tile = groups_.begin(group) + i;
        const std::int64_t row = tiles_.begin(tile), rows = tiles_.size(tile);
        const T* weight = packed + (g * op_.oc + row) * op_.ic * taps_ + ic * taps_ * rows;
        TileArgs<T> args{strip,       offset_.data(), channels * taps_, weight,
                         nullptr,     sum_stride_,    chunk > 0};
        accumulate(args, static_cast<int>(rows), layout_.pixels(block),
                   sum + i * tiles_.largest() * sum_stride_);
      }
    }
    for (std::int64_t i = 0; i < groups_.size(group); ++i) {
      const std::int64_t tile = groups_.begin(group) + i;
      for (std::int64_t m = 0; m < tiles_.size(tile); ++m)
        store(sum + (i * tiles_.largest() + m) * sum_stride_, block, n,
              g * op_.oc + tiles_.begin(tile) + m);
    }
  }

 private:
  std::int64_t channels_of_chunk() const {
    const std::int64_t bytes = layout_.channel * static_cast<std::int64_t>(sizeof(T));
    return std::max<std::int64_t>(1, std::min(kChunkTaps / std::max<std::int64_t>(taps_, 1),
                                              kChunkBytes / std::max<std::int64_t>(bytes, 1)));
  }

  void accumulate(TileArgs<T> args, int rows, Index pixels, T* sum) const {
    const Index lanes = kernels_.lanes;
    const T* strip = args.strip;
    const Split tiles((pixels + lanes - 1) / lanes, kernels_.tile_vectors[rows]);
    for (std::int64_t tile = 0; tile < tiles.parts; ++tile) {
      args.strip = strip + tiles.begin(tile) * lanes;
      args.sum = sum + tiles.begin(tile) * lanes;
      kernels_.tile[rows][tiles.size(tile)](args);
    }
  }

  void store(const T* sum, const Block& block, std::int64_t n, std::int64_t channel) const {
    const Strides& stride = op_.output_strides;
    const TapAxis &d = layout_.depth, &h = layout_.height, &w = layout_.width;
    T* target = op_.output + n * stride.outer + channel * stride.channel +
                (d.start + block.depth * d.stride) * stride.axis[0] +
                (h.start + block.row * h.stride) * stride.axis[1] +
                (w.start + block.column * w.stride) * stride.axis[2];
    kernels_.store({sum, layout_.pitch, block.rows, block.columns, target,
                    h.stride * stride.axis[1], w.stride * stride.axis[2],
                    op_.bias ? op_.bias[channel] : T{0}});
  }

  const Kernels<T>& kernels_;
  const Correlation<T>& op_;
  StripLayout layout_;
  std::int64_t taps_;
  Split tiles_;   // of the output channels, into rows of a register tile
  Split chunks_;  // of the input channels, into strips
  Split groups_;  // of the tiles, into tasks
  Index sum_stride_;
  std::vector<Index> offset_;  // of each channel and tap of a strip
};

}  // namespace

template <class T>
void correlate(const Kernels<T>& kernels, const Correlation<T>& operands,
               const std::vector<TapAxis> (&axes)[3]) {
  std::vector<Part<T>> parts;
  for (const TapAxis& depth : axes[0])
    for (const TapAxis& height : axes[1])
      for (const TapAxis& width : axes[2])
        parts.emplace_back(kernels, operands, depth, height, width);

  double work = 0;
  std::int64_t tasks = 0, tiles = 0, weights = 0;
  for (const Part<T>& part : parts) {
    work += 2.0 * static_cast<double>(part.weights()) * static_cast<double>(operands.n) *
            static_cast<double>(part.outputs());
    tasks += part.tasks();
    tiles += part.packings();
    weights += part.weights();
  }
  if (tasks == 0) return;
  const int threads = threads_for(tasks * operands.oc, work);
  if (tasks < kTasksPerThread * threads) {
    const std::int64_t more = (kTasksPerThread * threads - 1) / tasks + 1;
    tasks = 0;
    for (Part<T>& part : parts) {
      part.share(more);
      tasks += part.tasks();
    }
  }

  std::int64_t strip = 0, sum = 0;
  for (const Part<T>& part : parts) {
    strip = std::max(strip, part.strip_size());
    sum = std::max(sum, part.sum_size());
  }
  const auto size = [](std::int64_t count) { return static_cast<std::size_t>(count); };
  const Buffer<T> packed(size(weights));
  const Buffer<T> workspace(size(threads * (strip + sum)));

  // Calls body(part, its first weight, index in the part) for the index in all parts' `count`s.
  const auto in_part = [&](std::int64_t index, auto count, const auto& body) {
    T* weight = packed.data();
    for (const Part<T>& part : parts) {
      const std::int64_t own = (part.*count)();
      if (index < own) return body(part, weight, index);
      index -= own;
      weight += part.weights();
    }
  };
  parallel_for(tiles, weights < 100000 ? 1 : threads, [&](std::int64_t index, int) {
    in_part(index, &Part<T>::packings, [](const Part<T>& part, T* weight, std::int64_t i) {
      part.pack_weight(i, weight);
    });
  });
  parallel_for(tasks, threads, [&](std::int64_t index, int thread) {
    T* own = workspace.data() + thread * (strip + sum);
    in_part(index, &Part<T>::tasks, [&](const Part<T>& part, const T* weight, std::int64_t i) {
      part.run(i, weight, own, own + strip);
    });
  });
}

template void correlate(const Kernels<float>&, const Correlation<float>&,
                        const std::vector<TapAxis> (&)[3]);
template void correlate(const Kernels<double>&, const Correlation<double>&,
                        const std::vector<TapAxis> (&)[3]);

}  // namespace fastconv
