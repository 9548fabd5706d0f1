// The direct algorithm for small groups on channels-last memory. A vector of channels holds several
// groups; in copy j of it each lane holds channel j of the lane's group. The sum over a group's
// channels is then one over copies, as that over taps is, and depthwise tiles form both
// (kernels/plane_tile.hpp). A task takes a vector of channels down some rows, and of each row some
// columns, so that the copies of what rows share stay in the first cache.
//
// weights: [vector of channels][tap][copy][lane], width by width
#include <algorithm>

#include "conv/part.hpp"
#include "runtime/memory.hpp"

namespace fastconv {
namespace {

// The first and the last of an axis's taps, in inputs from where an output stands.
Range reach_of(const TapAxis& axis) {
  Range reach{axis.taps[0].offset, axis.taps[0].offset};
  for (const Tap& tap : axis.taps)
    reach = {std::min(reach.begin, tap.offset), std::max(reach.end, tap.offset)};
  return reach;
}

template <class T>
class GroupPart final : public Part<T> {
 public:
  GroupPart(const Kernels<T>& kernels, const CorrelationShape& shape, const PartAxes& axes)
      : kernels_(kernels),
        shape_(shape),
        axes_(axes),
        vectors_(shape.g * shape.ic / kernels.lanes),
        height_(reach_of(axes.height)),
        width_(reach_of(axes.width)),
        columns_(axes.width.output, kColumns),
        pixel_(shape.ic * kernels.lanes),
        pitch_(((columns_.largest() - 1) * axes.width.step + width_.end - width_.begin + 1) *
               pixel_) {
    for (std::int64_t first = 0; first < slots(); ++first)
      for (const Tap& w : axes.width.taps)
        for (const Tap& h : axes.height.taps)
          for (std::int64_t j = 0; j < shape.ic; ++j)
            offset_.push_back((first + h.offset - height_.begin) % slots() * pitch_ +
                              (w.offset - width_.begin) * pixel_ + j * kernels.lanes);
  }

  // Whether groups fill vectors of channels, none of them more than one.
  static bool serves(const Kernels<T>& kernels, const CorrelationShape& shape,
                     const PartAxes& axes) {
    const TapAxis& depth = axes.depth;
    return kernels.copy_groups && shape.ic == shape.oc && shape.ic > 1 &&
           shape.ic < kernels.lanes && kernels.lanes % shape.ic == 0 &&
           shape.g * shape.ic % kernels.lanes == 0 && shape.input.channel == 1 &&
           shape.output.channel == 1 && axes.width.phases == 1 && axes.taps() > 0 &&
           depth.taps.size() == 1 && depth.input == 1 && depth.output == 1 &&
           depth.taps[0].offset == 0 && reach_of(axes.height).size() < kMostRows;
  }

  std::int64_t packed_size() const override { return vectors_ * weights(); }
  std::int64_t packings() const override { return vectors_; }
  void pack(std::int64_t packing, const T* weight, T* packed) const override {
    const Strides& stride = shape_.weight;
    const std::int64_t groups = kernels_.lanes / shape_.oc;
    packed += packing * weights();
    weight += packing * groups * shape_.weight_group +
              axes_.depth.taps[0].kernel * stride.axis[0];
    for (const Tap& w : axes_.width.taps)
      for (const Tap& h : axes_.height.taps)
        for (std::int64_t j = 0; j < shape_.ic; ++j)
          for (std::int64_t g = 0; g < groups; ++g) {
            const T* from = weight + g * shape_.weight_group + j * stride.channel +
                            h.kernel * stride.axis[1] + w.kernel * stride.axis[2];
            for (std::int64_t o = 0; o < shape_.oc; ++o, from += stride.outer) *packed++ = *from;
          }
  }
  std::string packed_format() const override {
    std::string format = "groups";
    append_taps(format, axes_.height.taps);
    append_taps(format, axes_.width.taps);
    return format;
  }

  Tasks tasks(std::int64_t wanted) const override {
    const std::int64_t planes = shape_.n * vectors_;
    const std::int64_t bands = (wanted - 1) / std::max<std::int64_t>(planes, 1) + 1;
    const Split rows(axes_.height.output, (axes_.height.output - 1) / bands + 1);
    return {planes * rows.parts, taps_size() + slots() * pitch_, rows};
  }

  void run(std::int64_t task, const Tasks& tasks, const CorrelationArrays<T>& arrays,
           const T* packed, T* workspace) const override {
    const TapAxis &h = axes_.height, &w = axes_.width;
    const Split& rows = tasks.groups;
    const std::int64_t vector = task % vectors_, band = task / vectors_ % rows.parts;
    const std::int64_t n = task / vectors_ / rows.parts, channel = vector * kernels_.lanes;
    auto* const tap = reinterpret_cast<Index*>(workspace);
    T* const copies = workspace + taps_size();
    const T* const image = arrays.input + n * shape_.input.outer + channel;
    const Strides& out = shape_.output;
    PlaneTileArgs<T> args{};
    args.pixel_step = w.step * pixel_, args.channels = kernels_.lanes;
    args.weight = packed + vector * weights(), args.weight_step = kernels_.lanes;
    args.target_step = w.stride * out.axis[2];
    args.bias = arrays.bias ? arrays.bias + channel : nullptr;
    args.epilogue = arrays.epilogue;
    for (std::int64_t block = 0; block < columns_.parts; ++block) {
      std::int64_t next = 0;  // row to copy
      for (std::int64_t oh = rows.begin(band); oh < rows.begin(band + 1); ++oh) {
        const std::int64_t first = oh * h.step + height_.begin, end = first + slots();
        for (next = std::max(next, first); next < std::min(end, h.input); ++next)
          copy_row(image, next, block, copies + next % slots() * pitch_);
        const bool inside = first >= 0 && end <= h.input;
        args.offset = offset_.data() + (first % slots() + slots()) % slots() * taps();
        args.tap = inside ? nullptr : tap;
        args.taps = inside ? taps() : find_taps(oh, tap);
        const Split tiles(columns_.size(block), kernels_.plane_pixels);
        for (std::int64_t tile = 0; tile < tiles.parts; ++tile) {
          const std::int64_t ow = columns_.begin(block) + tiles.begin(tile);
          const Index at = n * out.outer + axes_.depth.start * out.axis[0] +
                           (h.start + oh * h.stride) * out.axis[1] +
                           (w.start + ow * w.stride) * out.axis[2] + channel;
          args.pixels = copies + tiles.begin(tile) * args.pixel_step;
          args.target = arrays.output + at;
          args.residual = arrays.residual ? arrays.residual + at : nullptr;
          kernels_.plane_tile[tiles.size(tile)](args);
        }
      }
    }
  }

  // Of a vector of channels: a load and a sum for each weight, and for each copy what it takes to
  // make and store it.
  double cost() const override {
    constexpr double kSum = 1.2, kCopy = 6;
    const auto inputs = static_cast<double>(axes_.height.step * axes_.width.step * shape_.ic);
    return static_cast<double>(vectors_ * axes_.outputs()) *
           (kSum * static_cast<double>(axes_.taps() * shape_.ic) + kCopy * inputs);
  }
  PartInfo info() const override {
    return {"direct", in_words("# pixels x # channels in registers, copied once for each channel "
                               "of a group",
                               {kernels_.plane_pixels, kernels_.lanes})};
  }

 private:
  static constexpr std::int64_t kColumns = 16;   // of a block
  static constexpr std::int64_t kMostRows = 16;  // that are kept

  std::int64_t taps() const { return axes_.taps() * shape_.ic; }
  // Elements of a list of them, so that copies are aligned.
  std::int64_t taps_size() const {
    return aligned_size<T>(taps() * static_cast<std::int64_t>(sizeof(Index) / sizeof(T)));
  }
  std::int64_t weights() const { return taps() * kernels_.lanes; }
  // Rows that are kept, each until another takes its place.
  std::int64_t slots() const { return height_.end - height_.begin + 1; }

  // Row `y` of what a block of columns meets, zeros in the padding.
  void copy_row(const T* image, std::int64_t y, std::int64_t block, T* target) const {
    const std::int64_t first = columns_.begin(block) * axes_.width.step + width_.begin;
    const std::int64_t pixels = pitch_ / pixel_;
    const std::int64_t begin = std::clamp<std::int64_t>(-first, 0, pixels);
    const std::int64_t end = std::clamp(axes_.width.input - first, begin, pixels);
    std::fill_n(target, begin * pixel_, T{0});
    std::fill(target + end * pixel_, target + pitch_, T{0});
    if (begin < end)
      kernels_.copy_groups(image + y * shape_.input.axis[1] +
                               (first + begin) * shape_.input.axis[2],
                           shape_.input.axis[2], shape_.input.axis[1], end - begin, shape_.ic,
                           target + begin * pixel_);
  }

  // Those whose rows lie in the image.
  Index find_taps(std::int64_t oh, Index* tap) const {
    Index count = 0, t = 0;
    for (std::size_t w = 0; w < axes_.width.taps.size(); ++w)
      for (const Tap& h : axes_.height.taps)
        for (std::int64_t j = 0; j < shape_.ic; ++j, ++t)
          if (meets(axes_.height, oh, h)) tap[count++] = t;
    return count;
  }

  const Kernels<T>& kernels_;
  CorrelationShape shape_;
  PartAxes axes_;
  std::int64_t vectors_;       // of channels
  Range height_, width_;       // the first and the last tap of a window
  Split columns_;              // of the outputs, into blocks
  Index pixel_, pitch_;        // from a copied pixel, and a row of them, to the next
  std::vector<Index> offset_;  // of each tap and copy, by the slot of a window's first row
};

}  // namespace

template <class T>
PartPtr<T> make_groups(const Kernels<T>& kernels, const CorrelationShape& shape,
                       const PartAxes& axes) {
  if constexpr (sizeof(T) == 4)  // of the others there is no kernel
    if (GroupPart<T>::serves(kernels, shape, axes))
      return std::make_unique<GroupPart<T>>(kernels, shape, axes);
  return nullptr;
}

template PartPtr<float> make_groups(const Kernels<float>&, const CorrelationShape&,
                                    const PartAxes&);
template PartPtr<double> make_groups(const Kernels<double>&, const CorrelationShape&,
                                     const PartAxes&);

}  // namespace fastconv
