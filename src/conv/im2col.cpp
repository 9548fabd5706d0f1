// The algorithm of the textbooks: the input elements that each output meets become a column of an
// explicit matrix, and the convolution one matrix product with it (Chellapilla et al. 2006). Done
// for a block of outputs at a time; the matrix holds each input element once for every tap.
#include "conv/part.hpp"
#include "gemm/gemm.hpp"
#include "plan/machine.hpp"
#include "plan/strip.hpp"

namespace fastconv {
namespace {

// A strip in which every tap has a slot of its own is this matrix: [ic][tap][pixel].
template <class T>
class Im2colPart final : public Part<T> {
 public:
  Im2colPart(const Kernels<T>& kernels, const CorrelationShape& shape, const PartAxes& axes)
      : kernels_(kernels),
        shape_(shape),
        axes_(axes),
        layout_(axes.depth, axes.height, axes.width, StripLayout::kUnfold),
        depth_(shape.ic * axes.taps()),
        gemm_(kernels, shape.oc, depth_, layout_.rows.largest() * layout_.columns.largest()) {}

  std::int64_t packed_size() const override { return shape_.g * shape_.oc * depth_; }
  std::int64_t packings() const override { return shape_.g * gemm_.panels().parts; }

  void pack(std::int64_t packing, const T* weight, T* packed) const override {
    const std::int64_t panel = packing % gemm_.panels().parts, g = packing / gemm_.panels().parts;
    const Strides& stride = shape_.weight;
    const std::int64_t first = gemm_.panels().begin(panel), rows = gemm_.panels().size(panel);
    T* target = packed + (g * shape_.oc + first) * depth_;
    const T* source = weight + g * shape_.weight_group + first * stride.outer;
    if (weights_in_order(shape_, axes_))
      return kernels_.pack_panel(source + first_weight(shape_, axes_), rows, stride.outer, depth_,
                                 target);
    for (std::int64_t ic = 0; ic < shape_.ic; ++ic)
      for (const Tap& d : axes_.depth.taps)
        for (const Tap& h : axes_.height.taps)
          for (const Tap& w : axes_.width.taps)
            for (std::int64_t m = 0; m < rows; ++m)
              *target++ = source[m * stride.outer + ic * stride.channel + d.kernel * stride.axis[0] +
                                 h.kernel * stride.axis[1] + w.kernel * stride.axis[2]];
  }
  std::string packed_format() const override {
    return in_words("im2col/#/#/#",
                    {static_cast<std::int64_t>(axes_.depth.taps.size()),
                     static_cast<std::int64_t>(axes_.height.taps.size()),
                     static_cast<std::int64_t>(axes_.width.taps.size())});
  }

  Tasks tasks(std::int64_t) const override {
    return {shape_.n * shape_.g * layout_.blocks(),
            matrix_size() + gemm_.workspace() + sum_size() + 2 * kMaxTileVectors * kernels_.lanes,
            Split(1, 1)};
  }

  void run(std::int64_t task, const Tasks&, const CorrelationArrays<T>& arrays, const T* packed,
           T* workspace) const override {
    const Block block = layout_.block(task % layout_.blocks());
    task /= layout_.blocks();
    const std::int64_t g = task % shape_.g, n = task / shape_.g;
    T* const matrix = workspace;
    T* const sum = matrix + matrix_size();
    const T* source = arrays.input + n * shape_.input.outer + g * shape_.ic * shape_.input.channel;
    for (std::int64_t ic = 0; ic < shape_.ic; ++ic)
      layout_.pack(kernels_, source + ic * shape_.input.channel, shape_.input.axis, block, T{0},
                   matrix + ic * layout_.channel);
    const Index pixels = block.rows * layout_.pitch;
    gemm_.run(packed + g * shape_.oc * depth_, matrix, plane(), pixels, sum, sum + sum_size());

    const Strides& stride = shape_.output;
    const TapAxis &d = axes_.depth, &h = axes_.height, &w = axes_.width;
    for (std::int64_t oc = 0; oc < shape_.oc; ++oc) {
      const std::int64_t channel = g * shape_.oc + oc;
      const Index at = n * stride.outer + channel * stride.channel +
                       (d.start + block.depth * d.stride) * stride.axis[0] +
                       (h.start + block.row * h.stride) * stride.axis[1] +
                       (w.start + block.column * w.stride) * stride.axis[2];
      kernels_.store({sum + oc * gemm_.c_stride(), layout_.pitch, block.rows, block.columns,
                      arrays.output + at, h.stride * stride.axis[1], w.stride * stride.axis[2],
                      arrays.bias ? arrays.bias[channel] : T{0},
                      arrays.residual ? arrays.residual + at : nullptr, arrays.epilogue});
    }
  }

  // The direct algorithm's sums after a copy of every tap.
  double cost() const override {
    const auto outputs = static_cast<double>(axes_.outputs());
    const auto sums = static_cast<double>(depth_);
    return static_cast<double>(shape_.g) * outputs * sums *
           (static_cast<double>(shape_.oc) / static_cast<double>(kernels_.lanes) + 0.6);
  }
  PartInfo info() const override {
    return {"im2col",
            in_words("# x # matrix a block of # x # outputs",
                     {depth_, plane(), layout_.rows.largest(), layout_.columns.largest()})};
  }

 private:
  Index plane() const {
    return axes_.taps() > 0 ? layout_.channel / axes_.taps() : 0;
  }
  std::int64_t matrix_size() const {
    return shape_.ic * layout_.channel + kMaxTileVectors * kernels_.lanes;
  }
  std::int64_t sum_size() const { return shape_.oc * gemm_.c_stride(); }

  const Kernels<T>& kernels_;
  CorrelationShape shape_;
  PartAxes axes_;
  StripLayout layout_;
  std::int64_t depth_;
  Gemm<T> gemm_;
};

}  // namespace

template <class T>
PartPtr<T> make_im2col(const Kernels<T>& kernels, const CorrelationShape& shape,
                       const PartAxes& axes) {
  return std::make_unique<Im2colPart<T>>(kernels, shape, axes);
}

template PartPtr<float> make_im2col(const Kernels<float>&, const CorrelationShape&,
                                    const PartAxes&);
template PartPtr<double> make_im2col(const Kernels<double>&, const CorrelationShape&,
                                     const PartAxes&);

}  // namespace fastconv
