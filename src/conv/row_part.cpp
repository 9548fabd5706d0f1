// The direct algorithm over rows, for groups and images with few channels: register tiles of
// output rows read the caller's image itself (kernels/row_tile.hpp), so that nothing is copied.
//
// weights: [g][block of OC output channels][phase][ic][kd][kw][kh][OC]
#include <array>

#include "conv/part.hpp"
#include "plan/machine.hpp"

namespace fastconv {
namespace {

// Rows of several groups that a call takes one after the other.
constexpr std::int64_t kFewBytes = 4 << 10;
// What a tile's rows may take to be loaded again from the first cache.
constexpr std::int64_t kFirstCache = 24 << 10;

// The taps of a phase of an axis in the order of the input.
std::vector<Tap> ascending(const TapAxis& axis, std::int64_t phase = 0) {
  std::vector<Tap> taps(axis.taps.begin() + axis.first_tap(phase),
                        axis.taps.begin() + axis.first_tap(phase + 1));
  std::sort(taps.begin(), taps.end(),
            [](const Tap& a, const Tap& b) { return a.offset < b.offset; });
  return taps;
}

// The step from tap to tap, 0 where it is not one.
std::int64_t tap_step(const std::vector<Tap>& taps) {
  if (taps.size() == 1) return 1;
  const std::int64_t step = taps[1].offset - taps[0].offset;
  for (std::size_t i = 1; i < taps.size(); ++i)
    if (taps[i].offset - taps[i - 1].offset != step) return 0;
  return step;
}

// Multiply-adds and loads run beside each other, though not wholly.
double tile_sum(double sums, double loads) {
  return std::max(sums, loads) + 0.3 * std::min(sums, loads);
}

// Tiles of so many rows, `apart` rows from one another.
std::int64_t tiles_of(const PartAxes& axes, std::int64_t rows, std::int64_t apart) {
  if (rows == 1) return axes.height.output;
  return apart * (((axes.height.output - 1) / apart) / rows + 1);
}

struct RowTiling {
  int channels = 0, rows = 0, kernel = 0, stride = 0;
  double cycles = 0;  // for a vector of columns, of all rows and output channels, a plane and kw
};

template <class T>
class RowPart final : public Part<T> {
 public:
  RowPart(const Kernels<T>& kernels, const CorrelationShape& shape, const PartAxes& axes,
          const RowTiling& tiling)
      : kernels_(kernels),
        shape_(shape),
        axes_(axes),
        height_(ascending(axes.height)),
        tiling_(tiling),
        planes_(shape.ic * static_cast<std::int64_t>(axes.depth.taps.size())),
        apart_(tiling.rows == 1 ? 1 : tap_step(height_)),
        row_tiles_(tiles_of(axes, tiling.rows, apart_)),
        oc_blocks_(shape.oc / tiling.channels),
        groups_(shape.g, groups_of_a_tile()),
        asks_(shape.ic == 1 && axes.depth.input == 1 &&
              shape.input.channel == axes.height.input * axes.width.input &&
              shape.input.channel <= 2 * kFewBytes / static_cast<std::int64_t>(sizeof(T))),
        pitch_(whole_lines(axes.width.output)),
        pair_(axes.width.phases == 2 && tiling.channels == 1 && tiling.stride == 1
                  ? kernels.row_pair(tiling.rows, tiling.kernel)
                  : nullptr) {
    for (std::int64_t p = 0; p < axes.width.phases; ++p) {
      const std::vector<Tap> width = ascending(axes.width, p);
      phases_.push_back({static_cast<Index>(width.size()), tap_step(width), -width[0].offset,
                         static_cast<Index>(weight_offset_.size()) * tiling.channels});
      for (std::int64_t ic = 0; ic < shape.ic; ++ic)
        for (const Tap& d : axes.depth.taps)
          for (const Tap& w : width)
            for (const Tap& h : height_)
              weight_offset_.push_back(ic * shape.weight.channel +
                                       d.kernel * shape.weight.axis[0] +
                                       h.kernel * shape.weight.axis[1] +
                                       w.kernel * shape.weight.axis[2]);
    }
  }

  // What serves this problem, with no rows if nothing does.
  static RowTiling tiling(const Kernels<T>& kernels, const CorrelationShape& shape,
                          const PartAxes& axes) {
    RowTiling best;
    const std::int64_t column = axes.width.stride / axes.width.phases * shape.output.axis[2];
    if (shape.input.axis[2] != 1 || column != 1 || axes.taps() == 0) return best;
    if (axes.width.step > 2 || axes.width.taps.size() > kMostRowTaps) return best;
    for (std::int64_t p = 0; p < axes.width.phases; ++p)
      if (tap_step(ascending(axes.width, p)) == 0) return best;
    const std::vector<Tap> height = ascending(axes.height);
    // Rows of one tile are as far apart as the taps are; with a stride they must be neighbours.
    const std::int64_t apart = tap_step(height);
    const bool dense = apart > 0 && axes.height.step == axes.width.step &&
                       (apart == 1 || axes.height.step == 1);
    const auto kernel = static_cast<int>(height.size());
    const auto stride = static_cast<int>(axes.width.step);
    const double call = kCallCycles / static_cast<double>(vectors_of(kernels, axes) *
                                                          static_cast<std::size_t>(shape.ic) *
                                                          axes.depth.taps.size() *
                                                          axes.width.taps.size());
    for (int channels : kRowTileChannels)
      for (int tile : kRowTileSizes) {
        if (shape.oc % channels || (tile > 1 && (!dense || tile * apart > axes.height.output)))
          continue;
        const std::int64_t read = (tile - 1) * stride + kernel;
        const std::int64_t planes = shape.ic * static_cast<std::int64_t>(axes.depth.taps.size());
        if (planes * read > kMostRows) continue;
        if (!kernels.row_tile(channels, tile, kernel, stride)) continue;
        // A vector across cache lines takes two cycles to load, out of the second cache more; one
        // of every second element is two and a shuffle.
        const std::int64_t bytes =
            planes * read * axes.width.input * static_cast<std::int64_t>(sizeof(T));
        const double load = (stride == 1 ? 2 : 3.5) * (bytes > kFirstCache ? 2.5 : 1);
        const double cycles =
            static_cast<double>(tiles_of(axes, tile, apart)) *
            static_cast<double>(shape.oc / channels) *
            (tile_sum(static_cast<double>(channels * tile * kernel),
                      static_cast<double>(read) * load + channels * kernel * 0.5) +
             call);
        if (best.rows == 0 || cycles < best.cycles)
          best = {channels, tile, kernel, stride, cycles};
      }
    return best;
  }

  std::int64_t packed_size() const override { return shape_.g * shape_.oc * weights(); }
  std::int64_t packings() const override { return Split(shape_.g, kPackedGroups).parts; }
  void pack(std::int64_t packing, const T* weight, T* packed) const override {
    const Split groups(shape_.g, kPackedGroups);
    const Strides& stride = shape_.weight;
    T* target = packed + groups.begin(packing) * shape_.oc * weights();
    const T* source = weight + groups.begin(packing) * shape_.weight_group;
    for (std::int64_t g = 0; g < groups.size(packing); ++g, source += shape_.weight_group)
      for (std::int64_t oc = 0; oc < shape_.oc; oc += tiling_.channels)
        for (Index offset : weight_offset_)
          for (std::int64_t o = oc; o < oc + tiling_.channels; ++o)
            *target++ = source[o * stride.outer + offset];
  }
  std::string packed_format() const override {
    std::string format = in_words("rows/#/#", {tiling_.channels, axes_.width.phases});
    for (const auto* taps : {&axes_.depth.taps, &height_, &axes_.width.taps})
      append_taps(format, *taps);
    return format;
  }

  // Groups are here of units: one row tile of one block of output channels and one depth, of
  // several of the convolution's groups.
  Tasks tasks(std::int64_t wanted) const override {
    const std::int64_t units =
        shape_.n * groups_.parts * oc_blocks_ * axes_.depth.output * row_tiles_;
    const auto cycles =
        static_cast<std::int64_t>(unit_cycles() * static_cast<double>(groups_.largest())) + 1;
    const std::int64_t most = std::min(kTaskCycles / cycles, units / std::max<std::int64_t>(
                                                                         wanted, 1));
    const Split groups(units, most);
    const std::int64_t phases = axes_.width.phases;
    return {groups.parts,
            whole_lines(axes_.width.input) + (in_phases() ? phases * phase_size() : 0), groups};
  }

  void run(std::int64_t task, const Tasks& tasks, const CorrelationArrays<T>& arrays,
           const T* packed, T* zeros) const override {
    std::fill_n(zeros, axes_.width.input, T{0});
    T* const sums = zeros + whole_lines(axes_.width.input);
    const RowTile<T> tile =
        kernels_.row_tile(tiling_.channels, tiling_.rows, tiling_.kernel, tiling_.stride);
    std::array<const T*, kMostRows> rows;
    std::array<Index, kMostRows> moves;
    const Strides& stride = shape_.output;
    RowTileArgs<T> args{};
    args.rows = rows.data(), args.moves = moves.data();
    args.planes = planes_, args.width = axes_.width.input;
    args.columns = pair_ ? axes_.width.extent : axes_.width.output;
    args.row_step = shape_.ic * shape_.input.channel, args.weight_step = shape_.oc * weights();
    if (in_phases()) {
      args.row_stride = pitch_, args.channel_stride = tiling_.rows * pitch_;
      args.target_step = tiling_.channels * args.channel_stride;
    } else {
      args.row_stride = target_row(), args.channel_stride = stride.channel;
      args.target_step = shape_.oc * stride.channel, args.bias_step = shape_.oc;
      args.epilogue = arrays.epilogue;
    }
    Unit unit = unit_at(tasks.groups.begin(task));
    for (std::int64_t i = 0; i < tasks.groups.size(task); ++i, next(unit)) {
      const std::int64_t oh = first_row(unit.row_tile), g = groups_.begin(unit.groups);
      const T* const image = arrays.input + unit.n * shape_.input.outer + g * args.row_step;
      find_rows(image, unit.od, oh, zeros, rows.data(), moves.data());
      args.groups = groups_.size(unit.groups);
      if (asks_) ask_for_next(image, args.groups * args.row_step, unit.row_tile);
      const std::int64_t channel = g * shape_.oc + unit.block * tiling_.channels;
      const Index at = unit.n * stride.outer + channel * stride.channel +
                       (axes_.depth.start + unit.od * axes_.depth.stride) * stride.axis[0] +
                       (axes_.height.start + oh * axes_.height.stride) * stride.axis[1] +
                       axes_.width.start * stride.axis[2];
      const T* weight = packed + channel * weights();
      if (!in_phases()) {
        args.target = arrays.output + at;
        args.bias = arrays.bias ? arrays.bias + channel : nullptr;
        args.residual = arrays.residual ? arrays.residual + at : nullptr;
      }
      if (pair_) {
        args.taps = phases_[0].taps(weight);
        pair_(args, phases_[1].taps(weight));
        continue;
      }
      for (std::size_t p = 0; p < phases_.size(); ++p) {
        if (in_phases()) args.target = sums + static_cast<Index>(p) * phase_size();
        args.taps = phases_[p].taps(weight);
        tile(args);
      }
      if (in_phases()) store_phases(arrays, channel, at, args.groups, sums);
    }
  }

  bool writes_once() const override {
    return axes_.height.output % (apart_ * tiling_.rows) == 0;
  }

  double cost() const override {
    return static_cast<double>(shape_.g * oc_blocks_ * axes_.depth.output * row_tiles_) *
           unit_cycles();
  }
  PartInfo info() const override {
    return {"direct",
            in_words("# rows x # columns x # output channels in registers, read in place",
                     {tiling_.rows, kernels_.lanes, tiling_.channels})};
  }

 private:
  // The taps of the width that the outputs of a phase meet.
  struct Phase {
    Index count, step, pad, weight;
    RowTaps<T> taps(const T* weights) const { return {count, step, pad, weights + weight}; }
  };

  // Whether the sums of each phase are kept apart.
  bool in_phases() const { return phases_.size() > 1 && !pair_; }

  Index target_row() const { return apart_ * axes_.height.stride * shape_.output.axis[1]; }

  // Sums of all phases, [phase][group][channel][row][column], of which those of `channel` go to
  // `at`.
  void store_phases(const CorrelationArrays<T>& arrays, std::int64_t channel, Index at,
                    std::int64_t groups, const T* sums) const {
    for (std::int64_t g = 0; g < groups; ++g)
      for (std::int64_t o = 0; o < tiling_.channels; ++o) {
        const std::int64_t c = g * shape_.oc + o;
        const Index place = at + c * shape_.output.channel;
        kernels_.store({sums + (g * tiling_.channels + o) * tiling_.rows * pitch_, pitch_,
                        tiling_.rows, axes_.width.extent, arrays.output + place, target_row(), 1,
                        arrays.bias ? arrays.bias[channel + c] : T{0},
                        arrays.residual ? arrays.residual + place : nullptr, arrays.epilogue,
                        axes_.width.phases, phase_size()});
      }
  }

  // Each phase's sums are aligned as the first one's.
  std::int64_t whole_lines(std::int64_t count) const {
    return (count + kernels_.lanes - 1) / kernels_.lanes * kernels_.lanes;
  }
  std::int64_t phase_size() const {
    return groups_.largest() * tiling_.channels * tiling_.rows * pitch_;
  }

  // Whose weights are packed at once.
  static constexpr std::int64_t kPackedGroups = 256;
  // A task's: long against what it takes to hand it out.
  static constexpr std::int64_t kTaskCycles = 100000;
  // What it takes to find a tile's rows and to call it.
  static constexpr double kCallCycles = 40;

  // One row tile of a block of output channels.
  struct Unit {
    std::int64_t n, groups, block, od, row_tile;
  };
  Unit unit_at(std::int64_t i) const {
    const std::int64_t od = i / row_tiles_, block = od / axes_.depth.output,
                       groups = block / oc_blocks_;
    return {groups / groups_.parts, groups % groups_.parts, block % oc_blocks_,
            od % axes_.depth.output, i % row_tiles_};
  }
  void next(Unit& unit) const {
    if (++unit.row_tile < row_tiles_) return;
    unit.row_tile = 0;
    if (++unit.od < axes_.depth.output) return;
    unit.od = 0;
    if (++unit.block < oc_blocks_) return;
    unit.block = 0;
    if (++unit.groups == groups_.parts) unit.groups = 0, ++unit.n;
  }

  // A tile of small planes asks for its share of those behind them: the hardware does not follow
  // from plane to plane. 32 x 576 planes of 14 x 14 take 5.5 ms in place of 6.9. With more rows to
  // come, of these: 192 of 28 x 28 with stride 2 take 22 us in place of 24.
  void ask_for_next(const T* image, Index elements, std::int64_t row_tile) const {
    const Index share = elements / row_tiles_;
    const T* const next = image + (groups_.largest() > 1 ? elements : share) + row_tile * share;
    for (Index i = 0; i < share; i += 64 / static_cast<Index>(sizeof(T)))
      __builtin_prefetch(next + i);
  }

  std::int64_t weights() const {  // of one output channel
    return static_cast<std::int64_t>(weight_offset_.size());
  }
  // As many as have their rows in a part of the first cache, which spreads what a call costs (14 x 14: 360 to
  // 240 cycles a plane, 28 x 28: 1090 to 1000). Wider rows are read as they stand in memory: in
  // turns with other groups' they took 20% longer.
  std::int64_t groups_of_a_tile() const {
    if (axes_.width.output > 2 * kernels_.lanes) return 1;
    const std::int64_t read = (tiling_.rows - 1) * tiling_.stride + tiling_.kernel;
    return std::max<std::int64_t>(1, kFewBytes / static_cast<std::int64_t>(sizeof(T)) /
                                         (planes_ * read * axes_.width.input));
  }
  static std::size_t vectors_of(const Kernels<T>& kernels, const PartAxes& axes) {
    return static_cast<std::size_t>((axes.width.output - 1) / kernels.lanes + 1);
  }
  double unit_cycles() const {
    return static_cast<double>(vectors_of(kernels_, axes_)) * (static_cast<double>(planes_) *
                          static_cast<double>(axes_.width.taps.size()) *
                          tiling_.cycles / static_cast<double>(row_tiles_ * oc_blocks_) +
                      (in_phases() ? 8.0 : 4.0) * static_cast<double>(phases_.size()) *
                          tiling_.rows * tiling_.channels);
  }

  // The last tile of a phase goes back to end with it.
  std::int64_t first_row(std::int64_t tile) const {
    const std::int64_t phase = tile % apart_;
    const std::int64_t rows = (axes_.height.output - phase - 1) / apart_ + 1;
    return phase + apart_ * std::min(tile / apart_ * tiling_.rows, rows - tiling_.rows);
  }

  void find_rows(const T* image, std::int64_t od, std::int64_t oh, const T* zeros, const T** rows,
                 Index* moves) const {
    const Strides& stride = shape_.input;
    const std::int64_t read = (tiling_.rows - 1) * tiling_.stride + tiling_.kernel;
    for (std::int64_t ic = 0; ic < shape_.ic; ++ic)
      for (const Tap& d : axes_.depth.taps) {
        const std::int64_t z = od * axes_.depth.step + d.offset;
        const T* plane = image + ic * stride.channel + z * stride.axis[0];
        const bool in_depth = z >= 0 && z < axes_.depth.input;
        const std::int64_t first = oh * axes_.height.step + height_[0].offset;
        for (std::int64_t j = 0; j < read; ++j) {
          const std::int64_t y = tiling_.rows > 1
                                     ? first + j * apart_
                                     : oh * axes_.height.step +
                                           height_[static_cast<std::size_t>(j)].offset;
          const bool inside = in_depth && y >= 0 && y < axes_.height.input;
          *rows++ = inside ? plane + y * stride.axis[1] : zeros;
          *moves++ = -static_cast<Index>(inside);
        }
      }
  }

  const Kernels<T>& kernels_;
  CorrelationShape shape_;
  PartAxes axes_;
  std::vector<Tap> height_;
  RowTiling tiling_;
  std::int64_t planes_;  // input channels x depths of the kernel
  std::int64_t apart_;  // a tile's rows are so many rows apart
  std::int64_t row_tiles_, oc_blocks_;
  std::vector<Index> weight_offset_;  // in the packed order
  Split groups_;  // those that a tile takes in one call
  bool asks_;     // for the next ones
  std::int64_t pitch_;  // of a row of a phase's sums
  RowPair<T> pair_;     // sums two phases together, or null
  std::vector<Phase> phases_;
};

}  // namespace

template <class T>
PartPtr<T> make_rows(const Kernels<T>& kernels, const CorrelationShape& shape,
                     const PartAxes& axes) {
  const RowTiling tiling = RowPart<T>::tiling(kernels, shape, axes);
  if (tiling.rows == 0) return nullptr;
  return std::make_unique<RowPart<T>>(kernels, shape, axes, tiling);
}

template PartPtr<float> make_rows(const Kernels<float>&, const CorrelationShape&,
                                  const PartAxes&);
template PartPtr<double> make_rows(const Kernels<double>&, const CorrelationShape&,
                                   const PartAxes&);

}  // namespace fastconv
