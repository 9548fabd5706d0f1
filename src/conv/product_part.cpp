// A part with few output channels: one product of matrices gives what each input pixel adds through
// each tap, and outputs are sums of its rows, shifted:
//
//   product(oc, tap, i) = sum over ic of weight(oc, ic, tap) * input(ic, i)
//   output(oc, o)       = sum over taps of product(oc, tap, o + offset of the tap)
//
// The gradient of a first layer's input is one: its few channels leave lanes of a tile of output
// channels empty, and rows of 14 pixels those of a tile of pixels.
#include <algorithm>

#include "conv/part.hpp"
#include "gemm/gemm.hpp"
#include "plan/machine.hpp"

namespace fastconv {
namespace {

// Outputs side by side, and the inputs that they meet.
struct Stretch {
  Range outputs, inputs;
};

// An axis cut into stretches, each with the taps' reach around it.
class Stretches {
 public:
  // `whole`: all inputs, whatever is met.
  Stretches(const TapAxis& axis, std::int64_t most, bool whole = false)
      : axis_(axis), split_(axis.output, most), whole_(whole) {
    const auto [least, largest] = std::minmax_element(
        axis.taps.begin(), axis.taps.end(),
        [](const Tap& a, const Tap& b) { return a.offset < b.offset; });
    least_ = least->offset, largest_ = largest->offset;
  }

  static std::int64_t reach(const TapAxis& axis) { return Stretches(axis, 1).span(); }
  std::int64_t parts() const { return split_.parts; }
  std::int64_t most_outputs() const { return split_.largest(); }
  std::int64_t most_inputs() const {
    return whole_ ? axis_.input : std::min(axis_.input, split_.largest() + span() - 1);
  }
  Stretch part(std::int64_t part) const {
    const std::int64_t begin = split_.begin(part), end = begin + split_.size(part);
    if (whole_) return {{begin, end}, {0, axis_.input}};
    const std::int64_t first = std::clamp<std::int64_t>(begin + least_, 0, axis_.input);
    return {{begin, end}, {first, std::clamp(end + largest_, first, axis_.input)}};
  }

 private:
  std::int64_t span() const { return largest_ - least_ + 1; }

  TapAxis axis_;
  Split split_;
  bool whole_;
  std::int64_t least_, largest_;  // offsets
};

template <class T>
class ProductPart final : public Part<T> {
 public:
  ProductPart(const Kernels<T>& kernels, const CorrelationShape& shape, const PartAxes& axes)
      : kernels_(kernels),
        shape_(shape),
        axes_(axes),
        taps_(axes.taps()),
        weight_offset_(weight_offsets(shape, axes)),
        rows_(axes.height, is_row(axes) ? 1 : most_rows(axes)),
        columns_(axes.width, is_row(axes) ? most_columns(axes) : axes.width.output, !is_row(axes)),
        gemm_(kernels, shape.oc * taps_, shape.ic, rows_.most_inputs() * columns_.most_inputs()) {}

  // Rows of the input follow each other, and neighbouring outputs meet neighbouring inputs.
  static bool serves(const CorrelationShape& shape, const PartAxes& axes) {
    const auto &d = axes.depth, &h = axes.height, &w = axes.width;
    const bool rows = h.input == 1 || shape.input.axis[1] == w.input;
    return d.taps.size() == 1 && h.step == 1 && w.step == 1 && axes.taps() > 1 &&
           (h.output > 1 || h.input == 1) && shape.input.axis[2] == 1 && rows &&
           shape.oc * axes.taps() <= kMostProducts;
  }

  std::int64_t packed_size() const override { return shape_.g * products() * shape_.ic; }
  std::int64_t packings() const override { return shape_.g * gemm_.panels().parts; }
  void pack(std::int64_t packing, const T* weight, T* packed) const override {
    const std::int64_t panel = packing % gemm_.panels().parts, g = packing / gemm_.panels().parts;
    const std::int64_t first = gemm_.panels().begin(panel), rows = gemm_.panels().size(panel);
    const T* const source = weight + g * shape_.weight_group;
    T* target = packed + (g * products() + first) * shape_.ic;
    for (std::int64_t ic = 0; ic < shape_.ic; ++ic)
      for (std::int64_t row = first; row < first + rows; ++row)
        *target++ = source[row / taps_ * shape_.weight.outer + ic * shape_.weight.channel +
                           weight_offset_[static_cast<std::size_t>(row % taps_)]];
  }
  std::string packed_format() const override {
    std::string format = "products";
    for (const TapAxis* axis : {&axes_.depth, &axes_.height, &axes_.width})
      append_taps(format, axis->taps);
    return format;
  }

  Tasks tasks(std::int64_t) const override {
    return {shape_.n * shape_.g * blocks(),
            shape_.oc * taps_ * gemm_.c_stride() + gemm_.workspace() + sum_size() +
                2 * kMaxTileVectors * kernels_.lanes,
            Split(1, 1)};
  }

  void run(std::int64_t task, const Tasks&, const CorrelationArrays<T>& arrays, const T* packed,
           T* workspace) const override {
    const Stretch columns = columns_.part(task % columns_.parts());
    task /= columns_.parts();
    const Stretch rows = rows_.part(task % rows_.parts());
    task /= rows_.parts();
    const std::int64_t od = task % axes_.depth.output;
    task /= axes_.depth.output;
    const std::int64_t g = task % shape_.g, n = task / shape_.g;

    const std::int64_t depth = od * axes_.depth.step + axes_.depth.taps[0].offset;
    const bool meets_any = meets(axes_.depth, od, axes_.depth.taps[0]);
    T* const products = workspace;
    T* const sum = products + shape_.oc * taps_ * gemm_.c_stride();
    if (meets_any) {
      const Strides& stride = shape_.input;
      const T* const source = arrays.input + n * stride.outer + g * shape_.ic * stride.channel +
                              depth * stride.axis[0] + rows.inputs.begin * axes_.width.input +
                              columns.inputs.begin;
      gemm_.run(packed + g * this->products() * shape_.ic, source, stride.channel,
                rows.inputs.size() * columns.inputs.size(), products, sum + sum_size());
    }
    for (std::int64_t oc = 0; oc < shape_.oc; ++oc) {
      std::fill_n(sum, sum_size(), T{0});
      if (meets_any) add(products + oc * taps_ * gemm_.c_stride(), rows, columns, sum);
      store(arrays, n, g * shape_.oc + oc, od, rows.outputs, columns.outputs, sum);
    }
  }

  double cost() const override {
    constexpr double kPacked = 1, kAdded = 1.2, kStored = 1.2, kTile = 1.6;
    const auto inputs = static_cast<double>(blocks() * rows_.most_inputs()) *
                        static_cast<double>(columns_.most_inputs());
    const auto outputs = static_cast<double>(shape_.oc * axes_.outputs());
    const auto lanes = static_cast<double>(kernels_.lanes);
    const auto rows = static_cast<double>(products());
    return static_cast<double>(shape_.g) *
           (inputs * static_cast<double>(shape_.ic) * (kTile * rows / lanes + kPacked) +
            outputs * (kAdded * static_cast<double>(taps_) /
                           static_cast<double>(axes_.width.phases) +
                       kStored));
  }
  PartInfo info() const override {
    return {"tiled", in_words("products of # taps x # inputs, then their sums",
                              {products(), rows_.most_inputs() * columns_.most_inputs()})};
  }

 private:
  static constexpr std::int64_t kMostProducts = 256;
  // Inputs of a block, of which each gives so many products; and how many times the taps' reach a
  // block is, at least, as neighbours compute what lies there twice.
  static constexpr std::int64_t kBlockInputs = 512, kReaches = 4, kUsualBlocks = 4;

  static bool is_row(const PartAxes& axes) { return axes.height.output == 1; }
  // An even number of blocks, if several.
  static std::int64_t most_rows(const PartAxes& axes) {
    const std::int64_t all = axes.height.output;
    const std::int64_t some = std::min(kBlockInputs / std::max<std::int64_t>(axes.width.input, 1),
                                       (all - 1) / kUsualBlocks + 1);
    const std::int64_t rows = std::max(some, kReaches * (Stretches::reach(axes.height) - 1) + 1);
    const std::int64_t blocks = (all - 1) / rows + 1;
    return blocks > 1 && blocks % 2 == 1 ? (all - 1) / (blocks - 1) + 1 : rows;
  }
  static std::int64_t most_columns(const PartAxes& axes) {
    return std::max(kBlockInputs, kReaches * Stretches::reach(axes.width));
  }

  std::int64_t products() const { return shape_.oc * taps_; }
  std::int64_t blocks() const { return axes_.depth.output * rows_.parts() * columns_.parts(); }
  // Of one output channel: [phase][row][column].
  std::int64_t phase_size() const { return rows_.most_outputs() * columns_.most_outputs(); }
  std::int64_t sum_size() const { return axes_.width.phases * phase_size(); }

  // The products of one output channel, to its sums.
  void add(const T* products, const Stretch& rows, const Stretch& columns, T* sum) const {
    const std::int64_t width = columns.inputs.size(), pitch = columns.outputs.size();
    for (std::int64_t phase = 0; phase < axes_.width.phases; ++phase)
      for (const Tap& h : axes_.height.taps)
        for (const Tap& w : axes_.width.taps) {
          if (w.phase != phase) continue;
          const Range down = met_by(axes_.height, h, rows.outputs.begin, rows.outputs.end);
          const Range along = met_by(axes_.width, w, columns.outputs.begin, columns.outputs.end);
          for (std::int64_t row = down.begin; row < down.end; ++row) {
            const T* const source = products + (row + h.offset - rows.inputs.begin) * width +
                                    along.begin + w.offset - columns.inputs.begin;
            T* const target = sum + phase * phase_size() + (row - rows.outputs.begin) * pitch +
                              along.begin - columns.outputs.begin;
            for (std::int64_t i = 0; i < along.size(); ++i) target[i] += source[i];
          }
          products += gemm_.c_stride();
        }
  }

  void store(const CorrelationArrays<T>& arrays, std::int64_t n, std::int64_t channel,
             std::int64_t od, const Range& rows, const Range& columns, const T* sum) const {
    const Strides& stride = shape_.output;
    const TapAxis &d = axes_.depth, &h = axes_.height, &w = axes_.width;
    const Index at = n * stride.outer + channel * stride.channel +
                     (d.start + od * d.stride) * stride.axis[0] +
                     (h.start + rows.begin * h.stride) * stride.axis[1] +
                     (w.start + columns.begin * w.stride) * stride.axis[2];
    kernels_.store({sum, columns.size(), rows.size(),
                    std::min(columns.size() * w.phases, w.extent - columns.begin * w.phases),
                    arrays.output + at, h.stride * stride.axis[1],
                    w.stride / w.phases * stride.axis[2],
                    arrays.bias ? arrays.bias[channel] : T{0},
                    arrays.residual ? arrays.residual + at : nullptr, arrays.epilogue, w.phases,
                    phase_size()});
  }

  const Kernels<T>& kernels_;
  CorrelationShape shape_;
  PartAxes axes_;
  std::int64_t taps_;
  std::vector<Index> weight_offset_;
  Stretches rows_, columns_;
  Gemm<T> gemm_;
};

}  // namespace

template <class T>
PartPtr<T> make_products(const Kernels<T>& kernels, const CorrelationShape& shape,
                         const PartAxes& axes) {
  if (!ProductPart<T>::serves(shape, axes)) return nullptr;
  return std::make_unique<ProductPart<T>>(kernels, shape, axes);
}

template PartPtr<float> make_products(const Kernels<float>&, const CorrelationShape&,
                                      const PartAxes&);
template PartPtr<double> make_products(const Kernels<double>&, const CorrelationShape&,
                                       const PartAxes&);

}  // namespace fastconv
