// The direct algorithm for depthwise convolution on channels-last memory, straight from the image
// (kernels/plane_tile.hpp): rows of outputs of 3 x 3 windows, or register tiles of neighbouring
// pixels for any. Taps in padding are left out. A task takes some lines of channels down some rows,
// so that what rows share stays in the first cache.
//
// weights: [tap][channel], width by width
#include <algorithm>

#include "conv/part.hpp"

namespace fastconv {
namespace {

template <class T>
class PlanePart final : public Part<T> {
 public:
  PlanePart(const Kernels<T>& kernels, const CorrelationShape& shape, const PartAxes& axes)
      : kernels_(kernels), shape_(shape), axes_(axes), first_(0), last_(axes.width.output) {
    // A gradient's are the other way round (576 channels of 14 x 14, 3 x 3: 19 us in place of 36).
    for (TapAxis* axis : {&axes_.depth, &axes_.height, &axes_.width})
      if (axis->taps.size() > 1 && axis->taps[1].offset < axis->taps[0].offset)
        std::reverse(axis->taps.begin(), axis->taps.end());
    const TapAxis& w = axes_.width;
    for (const Tap& tap : w.taps) {
      while (first_ < w.output && first_ * w.step + tap.offset < 0) ++first_;
      while (last_ > first_ && (last_ - 1) * w.step + tap.offset >= w.input) --last_;
    }
    const Strides& stride = shape.input;
    for (const Tap& t : w.taps)
      for (const Tap& d : axes_.depth.taps)
        for (const Tap& h : axes_.height.taps)
          offset_.push_back(d.offset * stride.axis[0] + h.offset * stride.axis[1] +
                            t.offset * stride.axis[2]);
    by_rows_ = are_rows();
  }

  std::int64_t packed_size() const override { return shape_.g * axes_.taps(); }
  std::int64_t packings() const override { return 1; }
  void pack(std::int64_t, const T* weight, T* packed) const override {
    const Strides& stride = shape_.weight;
    for (const Tap& w : axes_.width.taps)
      for (const Tap& d : axes_.depth.taps)
        for (const Tap& h : axes_.height.taps)
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

  Tasks tasks(std::int64_t wanted) const override {
    const std::int64_t lines = (shape_.g - 1) / kLine + 1, planes = shape_.n * axes_.depth.output;
    const Split groups(lines, std::max(kLeastLines, (lines - 1) / wanted + 1));
    const std::int64_t bands = (wanted - 1) / std::max<std::int64_t>(planes * groups.parts, 1) + 1;
    const Split rows = rows_of(bands);
    return {planes * rows.parts * groups.parts,
            (axes_.taps() * static_cast<std::int64_t>(sizeof(Index)) + kSlack) /
                    static_cast<std::int64_t>(sizeof(T)) + 1,
            groups};
  }

  void run(std::int64_t task, const Tasks& tasks, const CorrelationArrays<T>& arrays,
           const T* packed, T* workspace) const override {
    const std::int64_t bands = tasks.count / tasks.groups.parts / shape_.n / axes_.depth.output;
    const std::int64_t group = task % tasks.groups.parts;
    task /= tasks.groups.parts;
    const Split rows = rows_of(bands);
    const std::int64_t band = task % bands, od = task / bands % axes_.depth.output;
    const std::int64_t n = task / bands / axes_.depth.output;
    const bool by_rows =
        kRows && by_rows_ && !arrays.residual && bounds_only(arrays.epilogue);
    const Split blocks(tasks.groups.size(group), near_lines());
    for (std::int64_t b = 0; b < blocks.parts; ++b) {
      const std::int64_t first = (tasks.groups.begin(group) + blocks.begin(b)) * kLine;
      const std::int64_t count = std::min(blocks.size(b) * kLine, shape_.g - first);
      for (std::int64_t row = 0; row < rows.size(band); ++row) {
        const Place place{n, od, rows.begin(band) + row, first, count};
        if (!by_rows || !run_row(place, arrays, packed))
          run_tiles(place, arrays, packed, reinterpret_cast<Index*>(workspace));
      }
    }
  }

  double cost() const override {
    return static_cast<double>(shape_.g * axes_.taps()) * static_cast<double>(axes_.outputs()) /
           static_cast<double>(kernels_.lanes);
  }
  PartInfo info() const override {
    return {"direct", by_rows_ ? in_words("rows of outputs x # channels in registers, read in place",
                                          {kernels_.lanes})
                               : in_words("# pixels x # channels in registers, read in place",
                                          {kernels_.plane_pixels, kernels_.lanes})};
  }

 private:
  static constexpr bool kRows = sizeof(T) == 4;  // of the others there are no kernels
  static constexpr std::int64_t kSlack = 64;
  // Of a pixel, so that the hardware brings neighbours; and the pixels of a row whose lines stay in
  // the first cache for the next channels (32 channels of 112 x 112: 0.12 ms, 0.16 with all).
  static constexpr std::int64_t kLeastLines = 6, kRowPixels = 40;
  static constexpr auto kLine = static_cast<std::int64_t>(64 / sizeof(T));

  // Some channels of an output row.
  struct Place {
    std::int64_t n, od, oh, channel, channels;
  };

  Split rows_of(std::int64_t bands) const {
    return {axes_.height.output, (axes_.height.output - 1) / bands + 1};
  }

  // Lines of channels of which the rows that a window meets stay in the first cache.
  std::int64_t near_lines() const {
    constexpr std::int64_t kNearLines = 320;
    const std::int64_t met = static_cast<std::int64_t>(axes_.height.taps.size()) * axes_.width.input;
    return std::max(kLeastLines, kNearLines / std::max<std::int64_t>(met, 1));
  }

  // Whether a row's windows are three columns of three rows side by side, of which at most one
  // column of the first output and one of the last lie in padding.
  bool are_rows() const {
    const TapAxis &h = axes_.height, &w = axes_.width;
    const auto step_of = [](const TapAxis& axis) {  // 0 where there are not three, evenly apart
      const std::vector<Tap>& t = axis.taps;
      const bool even = t.size() == 3 &&
                        t[1].offset - t[0].offset == t[2].offset - t[1].offset;
      return even ? t[1].offset - t[0].offset : 0;
    };
    if (w.step > kPlaneStrides || !kernels_.plane_row[kPlaneRows][w.step]) return false;
    if (axes_.depth.taps.size() != 1 || step_of(h) <= 0 || step_of(w) != 1) return false;
    const std::int64_t last = (w.output - 1) * w.step + w.taps[2].offset;
    return shape_.g % kernels_.lanes == 0 && w.taps[0].offset >= -1 && last <= w.input &&
           w.input > 1;
  }

  // Returns whether there is such a kernel.
  bool run_row(const Place& place, const CorrelationArrays<T>& arrays, const T* packed) const {
    const TapAxis &h = axes_.height, &w = axes_.width;
    const Strides& in = shape_.input;
    std::size_t first = 0, last = 3;
    while (first < last && !meets(h, place.oh, h.taps[first])) ++first;
    while (last > first && !meets(h, place.oh, h.taps[last - 1])) --last;
    const auto kernel = kernels_.plane_row[last - first][w.step];
    if (!kernel || !meets(axes_.depth, place.od, axes_.depth.taps[0])) return false;
    const Index row_step = (h.taps[1].offset - h.taps[0].offset) * in.axis[1];
    const Index before = w.taps[0].offset < 0;
    const Index after = (w.output - 1) * w.step + w.taps[2].offset == w.input;
    const T* const image = arrays.input + place.n * in.outer + place.channel +
                           (place.od * axes_.depth.step + axes_.depth.taps[0].offset) * in.axis[0];
    PlaneRowArgs<T> args{};
    args.pixels = image + (place.oh * h.step + h.taps[first].offset) * in.axis[1] +
                  (w.taps[0].offset + before) * in.axis[2];
    args.row_step = row_step, args.pixel_step = in.axis[2];
    args.channels = place.channels;
    args.weight = packed + static_cast<Index>(first) * shape_.g + place.channel;
    args.weight_rows = 3, args.weight_step = shape_.g;
    args.target = arrays.output + target(place);
    args.target_step = w.stride * shape_.output.axis[2];
    args.bias = arrays.bias ? arrays.bias + place.channel : nullptr;
    args.epilogue = arrays.epilogue;
    const Split parts(w.output, kRowPixels);
    for (std::int64_t part = 0; part < parts.parts; ++part) {
      args.before = part == 0 ? before : 0;
      args.after = part + 1 == parts.parts ? after : 0;
      args.whole = parts.size(part) - args.after;
      kernel(args);
      args.pixels += (parts.size(part) * w.step - args.before) * args.pixel_step;
      args.target += parts.size(part) * args.target_step;
    }
    return true;
  }

  // The taps inside the image, then those of each pixel near an end.
  void run_tiles(const Place& place, const CorrelationArrays<T>& arrays, const T* packed,
                 Index* tap) const {
    const TapAxis &d = axes_.depth, &h = axes_.height, &w = axes_.width;
    const Strides& in = shape_.input;
    const T* const image = arrays.input + place.n * in.outer + place.od * d.step * in.axis[0] +
                           place.oh * h.step * in.axis[1] + place.channel;
    const Index row = target(place), step = w.stride * shape_.output.axis[2];
    Index taps = 0;
    for (std::int64_t ow = 0, pixels; ow < w.output; ow += pixels) {
      const bool inner = ow >= first_ && ow < last_;
      pixels = inner ? Split(last_ - ow, kernels_.plane_pixels).largest() : 1;
      if (!inner || ow == first_) taps = find_taps(place, ow, tap);
      const Index at = row + ow * step;
      kernels_.plane_tile[pixels]({image + ow * w.step * in.axis[2], offset_.data(), tap, taps,
                                   w.step * in.axis[2], place.channels, packed + place.channel,
                                   shape_.g, arrays.output + at, step,
                                   arrays.bias ? arrays.bias + place.channel : nullptr,
                                   arrays.residual ? arrays.residual + at : nullptr,
                                   arrays.epilogue});
    }
  }

  Index target(const Place& place) const {
    const TapAxis &d = axes_.depth, &h = axes_.height;
    const Strides& out = shape_.output;
    return place.n * out.outer + (d.start + place.od * d.stride) * out.axis[0] +
           (h.start + place.oh * h.stride) * out.axis[1] + axes_.width.start * out.axis[2] +
           place.channel;
  }

  Index find_taps(const Place& place, std::int64_t ow, Index* tap) const {
    Index count = 0, t = 0;
    for (const Tap& w : axes_.width.taps)
      for (const Tap& d : axes_.depth.taps)
        for (const Tap& h : axes_.height.taps) {
          if (meets(axes_.depth, place.od, d) && meets(axes_.height, place.oh, h) &&
              meets(axes_.width, ow, w))
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
  bool by_rows_;
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
