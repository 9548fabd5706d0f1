// The direct algorithm over rows, for groups and images with few channels: register tiles of
// output rows read the caller's image itself (kernels/row_tile.hpp), so that nothing is copied.
//
// weights: [g][block of OC output channels][ic][kd][kw][kh][OC]
#include <array>

#include "conv/part.hpp"
#include "plan/machine.hpp"

namespace fastconv {
namespace {

// Rows of several groups that a call takes one after the other.
constexpr std::int64_t kFewBytes = 4 << 10;
// What a tile's rows may take to be loaded again from the first cache.
constexpr std::int64_t kFirstCache = 24 << 10;

// The taps of an axis in the order of the input.
std::vector<Tap> ascending(const TapAxis& axis) {
  std::vector<Tap> taps = axis.taps;
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
        width_(ascending(axes.width)),
        tiling_(tiling),
        tap_step_(tap_step(width_)),
        planes_(shape.ic * static_cast<std::int64_t>(axes.depth.taps.size())),
        phases_(tiling.rows == 1 ? 1 : tap_step(height_)),
        row_tiles_(tiles_of(axes, tiling.rows, phases_)),
        oc_blocks_(shape.oc / tiling.channels),
        groups_(shape.g, groups_of_a_tile()) {
    for (std::int64_t ic = 0; ic < shape.ic; ++ic)
      for (const Tap& d : axes.depth.taps)
        for (const Tap& w : width_)
          for (const Tap& h : height_)
            weight_offset_.push_back(ic * shape.weight.channel + d.kernel * shape.weight.axis[0] +
                                     h.kernel * shape.weight.axis[1] +
                                     w.kernel * shape.weight.axis[2]);
  }

  // What serves this problem, with no rows if nothing does.
  static RowTiling tiling(const Kernels<T>& kernels, const CorrelationShape& shape,
                          const PartAxes& axes) {
    RowTiling best;
    const bool rows = shape.input.axis[2] == 1 && shape.output.axis[2] * axes.width.stride == 1;
    if (!rows || axes.taps() == 0) return best;
    const std::vector<Tap> height = ascending(axes.height);
    const std::int64_t step = tap_step(ascending(axes.width));
    if (step == 0 || axes.width.step > 2 || axes.width.taps.size() > kMostRowTaps)
      return best;
    // Rows of one tile are as far apart as the taps are; with a stride they must be neighbours.
    const std::int64_t apart = tap_step(height);
    const bool dense = apart > 0 && axes.height.step == axes.width.step &&
                       (apart == 1 || axes.height.step == 1);
    const auto kernel = static_cast<int>(height.size());
    const auto stride = static_cast<int>(axes.width.step);
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
            tile_sum(static_cast<double>(channels * tile * kernel),
                     static_cast<double>(read) * load + channels * kernel * 0.5);
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
    std::string format = "rows/" + std::to_string(tiling_.channels);
    for (const auto* taps : {&axes_.depth.taps, &height_, &width_})
      for (const Tap& tap : *taps)
        format += (&tap == taps->data() ? "/" : ",") + std::to_string(tap.kernel);
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
    return {groups.parts, axes_.width.input, groups};
  }

  void run(std::int64_t task, const Tasks& tasks, const CorrelationArrays<T>& arrays,
           const T* packed, T* zeros) const override {
    std::fill_n(zeros, axes_.width.input, T{0});
    const RowTile<T> tile =
        kernels_.row_tile(tiling_.channels, tiling_.rows, tiling_.kernel, tiling_.stride);
    std::array<const T*, kMostRows> rows;
    std::array<Index, kMostRows> moves;
    Unit unit = unit_at(tasks.groups.begin(task));
    for (std::int64_t i = 0; i < tasks.groups.size(task); ++i, next(unit)) {
      const std::int64_t oh = first_row(unit.row_tile);
      const std::int64_t g = groups_.begin(unit.groups);
      find_rows(arrays.input + unit.n * shape_.input.outer + g * shape_.ic * shape_.input.channel,
                unit.od, oh, zeros, rows.data(), moves.data());
      const std::int64_t channel = g * shape_.oc + unit.block * tiling_.channels;
      const Strides& stride = shape_.output;
      const Index at = unit.n * stride.outer + channel * stride.channel +
                       (axes_.depth.start + unit.od * axes_.depth.stride) * stride.axis[0] +
                       (axes_.height.start + oh * axes_.height.stride) * stride.axis[1] +
                       axes_.width.start * stride.axis[2];
      tile({rows.data(), moves.data(), planes_, static_cast<Index>(width_.size()), tap_step_, -width_[0].offset,
            axes_.width.input, packed + channel * weights(), arrays.output + at, stride.channel,
            phases_ * axes_.height.stride * stride.axis[1], axes_.width.output,
            arrays.bias ? arrays.bias + channel : nullptr,
            arrays.residual ? arrays.residual + at : nullptr, arrays.epilogue,
            groups_.size(unit.groups), shape_.ic * shape_.input.channel, shape_.oc * weights(),
            shape_.oc * stride.channel, shape_.oc});
    }
  }

  double cost() const override {
    return static_cast<double>(shape_.g * oc_blocks_ * axes_.depth.output * row_tiles_) *
           unit_cycles();
  }
  PartInfo info() const override {
    return {"direct", std::to_string(tiling_.rows) + " rows x " + std::to_string(kernels_.lanes) +
                          " columns x " + std::to_string(tiling_.channels) +
                          " output channels in registers, read in place"};
  }

 private:
  // Whose weights are packed at once.
  static constexpr std::int64_t kPackedGroups = 256;
  // A task's: long against what it takes to hand it out.
  static constexpr std::int64_t kTaskCycles = 100000;

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

  std::int64_t weights() const {  // of one output channel
    return planes_ * static_cast<std::int64_t>(height_.size() * width_.size());
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
  double unit_cycles() const {
    const auto vectors = static_cast<double>((axes_.width.output - 1) / kernels_.lanes + 1);
    return vectors * (static_cast<double>(planes_) * static_cast<double>(width_.size()) *
                          tiling_.cycles / static_cast<double>(row_tiles_ * oc_blocks_) +
                      4.0 * tiling_.rows * tiling_.channels);
  }

  // The last tile of a phase goes back to end with it.
  std::int64_t first_row(std::int64_t tile) const {
    const std::int64_t phase = tile % phases_;
    const std::int64_t rows = (axes_.height.output - phase - 1) / phases_ + 1;
    return phase + phases_ * std::min(tile / phases_ * tiling_.rows, rows - tiling_.rows);
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
                                     ? first + j * phases_
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
  std::vector<Tap> height_, width_;
  RowTiling tiling_;
  std::int64_t tap_step_;
  std::int64_t planes_;  // input channels x depths of the kernel
  std::int64_t phases_;  // a tile's rows are so many rows apart
  std::int64_t row_tiles_, oc_blocks_;
  std::vector<Index> weight_offset_;  // in the packed order
  Split groups_;  // those that a tile takes in one call
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
