// The direct algorithm for depthwise convolution on channels-last memory: register tiles of
// neighbouring pixels, vectors of channels, straight from the image (kernels/plane_tile.hpp). Taps
// in padding are left out.
//
// weights: [tap][channel]
#include <array>

#include "conv/part.hpp"

namespace fastconv {
namespace {

template <class T>
class PlanePart final : public Part<T> {
 public:
  PlanePart(const Kernels<T>& kernels, const CorrelationShape& shape, const PartAxes& axes)
      : kernels_(kernels), shape_(shape), axes_(axes), first_(0), last_(axes.width.output) {
    const TapAxis& w = axes.width;
    for (const Tap& tap : w.taps) {
      while (first_ < w.output && first_ * w.step + tap.offset < 0) ++first_;
      while (last_ > first_ && (last_ - 1) * w.step + tap.offset >= w.input) --last_;
    }
    const Strides& stride = shape.input;
    for (const Tap& d : axes.depth.taps)
      for (const Tap& h : axes.height.taps)
        for (const Tap& t : w.taps)
          offset_.push_back(d.offset * stride.axis[0] + h.offset * stride.axis[1] +
                            t.offset * stride.axis[2]);
  }

  std::int64_t packed_size() const override { return shape_.g * axes_.taps(); }
  std::int64_t packings() const override { return 1; }
  void pack(std::int64_t, const T* weight, T* packed) const override {
    const Strides& stride = shape_.weight;
    for (const Tap& d : axes_.depth.taps)
      for (const Tap& h : axes_.height.taps)
        for (const Tap& w : axes_.width.taps)
          for (std::int64_t g = 0; g < shape_.g; ++g)
            *packed++ = weight[g * shape_.weight_group + d.kernel * stride.axis[0] +
                               h.kernel * stride.axis[1] + w.kernel * stride.axis[2]];
  }
  std::string packed_format() const override {
    std::string format = "planes";
    for (const TapAxis* axis : {&axes_.depth, &axes_.height, &axes_.width})
      append_taps(format, axis->taps);
    return format;
  }

  Tasks tasks(std::int64_t) const override {
    const std::int64_t rows = shape_.n * axes_.depth.output * axes_.height.output;
    return {rows, (axes_.taps() * static_cast<std::int64_t>(sizeof(Index)) + kSlack) /
                          static_cast<std::int64_t>(sizeof(T)) + 1, Split(rows, 1)};
  }

  // One output row: its taps inside the image, then those of each pixel near an end.
  void run(std::int64_t task, const Tasks&, const CorrelationArrays<T>& arrays, const T* packed,
           T* workspace) const override {
    const std::int64_t oh = task % axes_.height.output;
    const std::int64_t od = task / axes_.height.output % axes_.depth.output;
    const std::int64_t n = task / axes_.height.output / axes_.depth.output;
    const Strides &in = shape_.input, &out = shape_.output;
    const TapAxis &d = axes_.depth, &h = axes_.height, &w = axes_.width;
    auto* const tap = reinterpret_cast<Index*>(workspace);
    const T* const image = arrays.input + n * in.outer + od * d.step * in.axis[0] +
                           oh * h.step * in.axis[1];
    const Index row = n * out.outer + (d.start + od * d.stride) * out.axis[0] +
                      (h.start + oh * h.stride) * out.axis[1] + w.start * out.axis[2];
    const Index step = w.stride * out.axis[2];

    const auto tile = [&](std::int64_t ow, std::int64_t pixels, Index taps) {
      const Index at = row + ow * step;
      kernels_.plane_tile[pixels]({image + ow * w.step * in.axis[2], offset_.data(), tap, taps,
                                   w.step * in.axis[2], shape_.g, packed, arrays.output + at, step,
                                   arrays.bias, arrays.residual ? arrays.residual + at : nullptr,
                                   arrays.epilogue});
    };
    const auto edge = [&](std::int64_t ow) { tile(ow, 1, find_taps(od, oh, ow, tap)); };
    for (std::int64_t ow = 0; ow < first_; ++ow) edge(ow);
    if (first_ < last_) {
      const Index taps = find_taps(od, oh, first_, tap);
      const Split tiles(last_ - first_, kMaxPlanePixels);
      for (std::int64_t i = 0; i < tiles.parts; ++i)
        tile(first_ + tiles.begin(i), tiles.size(i), taps);
    }
    for (std::int64_t ow = std::max(first_, last_); ow < w.output; ++ow) edge(ow);
  }

  double cost() const override {
    return static_cast<double>(shape_.g * axes_.taps()) * static_cast<double>(axes_.outputs()) /
           static_cast<double>(kernels_.lanes);
  }
  PartInfo info() const override {
    return {"direct", in_words("# pixels x # channels in registers, read in place",
                               {kMaxPlanePixels, kernels_.lanes})};
  }

 private:
  static constexpr std::int64_t kSlack = 64;

  Index find_taps(std::int64_t od, std::int64_t oh, std::int64_t ow, Index* tap) const {
    const auto inside = [](const TapAxis& axis, std::int64_t output, const Tap& t) {
      const std::int64_t i = output * axis.step + t.offset;
      return i >= 0 && i < axis.input;
    };
    Index count = 0, t = 0;
    for (const Tap& d : axes_.depth.taps)
      for (const Tap& h : axes_.height.taps)
        for (const Tap& w : axes_.width.taps) {
          if (inside(axes_.depth, od, d) && inside(axes_.height, oh, h) &&
              inside(axes_.width, ow, w))
            tap[count++] = t;
          ++t;
        }
    return count;
  }

  const Kernels<T>& kernels_;
  CorrelationShape shape_;
  PartAxes axes_;
  std::int64_t first_, last_;  // outputs of a row that meet no padding beside them
  std::vector<Index> offset_;  // of each tap
};

}  // namespace

template <class T>
PartPtr<T> make_planes(const Kernels<T>& kernels, const CorrelationShape& shape,
                       const PartAxes& axes) {
  const bool depthwise = shape.ic == 1 && shape.oc == 1 && shape.g > 1;
  if (!depthwise || axes.width.phases > 1) return nullptr;
  if (shape.input.channel != 1 || shape.output.channel != 1) return nullptr;
  return std::make_unique<PlanePart<T>>(kernels, shape, axes);
}

template PartPtr<float> make_planes(const Kernels<float>&, const CorrelationShape&,
                                    const PartAxes&);
template PartPtr<double> make_planes(const Kernels<double>&, const CorrelationShape&,
                                     const PartAxes&);

}  // namespace fastconv
