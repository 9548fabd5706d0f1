#include "pool/windows.hpp"

#include <algorithm>

#include "pool/axes.hpp"
#include "runtime/split.hpp"

namespace fastconv {
namespace {

// Elements of a block of rows, and of a task of small planes: a block's rows stay in the
// second-level cache between the stages, and a task costs far more than handing it out.
constexpr std::int64_t kBlockElements = 16384, kTaskElements = 8192;
// Lines between the stages of `rows`, in bytes: they stay in the first-level cache.
constexpr std::int64_t kBandBytes = 8192;
// Of a plane that is turned, so that as many planes as lanes stay in the second-level cache.
constexpr std::int64_t kTurnElements = 4096;

template <class T>
class Plan {
 public:
  Plan(const Kernels<T>& kernels, const PoolShape& shape, PoolKind kind,
       const PoolArrays<T>& arrays, const Divisors<T>* divisors)
      : kernels_(kernels), shape_(shape), kind_(kind), arrays_(arrays), divisors_(divisors) {
    bool gradient = kind == PoolKind::mean_gradient;
    bool disjoint = gradient, dense = gradient && divisors->uniform();
    for (int i = 0; i < 3; ++i) {
      axis_[i] = trimmed(shape.axis[i]);
      disjoint = disjoint && tiles(axis_[i]);
      dense = dense && axis_[i].stride == 1;
      if (gradient) axis_[i] = reversed(axis_[i]);
    }
    // Of stride 1 and one divisor, a gradient is itself a mean.
    divide_targets_ = dense && !disjoint;
    if (divide_targets_) kind_ = PoolKind::mean, gradient = false;
    const bool channels_last =
        shape.c > 1 && arrays.source_stride.channel == 1 && arrays.target_stride.channel == 1 &&
        (!arrays.index || arrays.index_stride.channel == 1);
    if (!channels_last && choose_simple_way(disjoint)) {
      line_axis_ = axis_[2];
      choose_divisors();
      choose_blocks();
      return;
    }
    turn_ = !channels_last && worth_turning();
    const bool joined = turn_ && joins_in_place();
    if (turn_ && !joined) {
      packed(arrays_.source_stride, axis_[1].sources, axis_[2].sources);
      packed(arrays_.target_stride, axis_[1].targets, axis_[2].targets);
      packed(arrays_.index_stride, axis_[1].targets, axis_[2].targets);
    }
    choose_way(channels_last || turn_);
    if (joined) way_ = PoolWay::joined, slide_ = false;
    if (!channels_last && !turn_) fold_global();
    line_axis_ = axis_[2];
    if (gradient && way_ == PoolWay::columns) {
      apart_ = axis_[2].spread;
      line_axis_.sources = (axis_[2].sources - 1) * apart_ + 1;
      line_axis_.spread = 1;
    }
    if (channels_last) group_ = way_ == PoolWay::boxes ? shape.c : chunk();
    if (turn_) group_ = kernels.lanes;
    choose_divisors();
    choose_blocks();
  }

  void run() const {
    const std::int64_t unit = turn_ ? 1 : group_;  // channels that a kernel counts as a plane
    const std::int64_t images = shape_.n, planes = shape_.c / unit;
    const std::int64_t last_group = shape_.c % unit;
    // Planes of all images stand behind each other where nothing lies between the images.
    const bool linear = unit == 1 && linear_images(arrays_.source_stride) &&
                        linear_images(arrays_.target_stride) &&
                        (!arrays_.index || linear_images(arrays_.index_stride));
    const std::int64_t outer = linear ? 1 : images, inner = linear ? images * planes : planes;
    const std::int64_t most = std::clamp<std::int64_t>(
        kTaskElements / std::max<std::int64_t>(plane_elements(), 1), 1,
        std::max<std::int64_t>(inner * outer / 16, 1));
    const Split parts(inner, turn_ ? up(most, group_) * group_ : most);
    const std::int64_t columns = parts.parts + (last_group > 0);
    const std::int64_t tasks = outer * columns * depths_.parts * rows_.parts;

    const std::vector<T> divisor = expanded(group_), last_divisor = expanded(last_group);
    const PoolArgs<T> whole = arguments(group_, divisor);
    const PoolArgs<T> rest = last_group ? arguments(last_group, last_divisor) : whole;
    const std::int64_t room = std::max(room_of(whole), room_of(rest));
    const int threads = threads_for(tasks, work());
    const Buffer<T> workspace(static_cast<std::size_t>(threads * room));
    parallel_for(tasks, threads, [&](std::int64_t task, int thread) {
      const std::int64_t row = task % rows_.parts, depth = task / rows_.parts % depths_.parts;
      const std::int64_t column = task / rows_.parts / depths_.parts % columns;
      const std::int64_t image = task / rows_.parts / depths_.parts / columns;
      const bool tail = column == parts.parts;
      PoolArgs<T> args = tail ? rest : whole;
      const std::int64_t channel = tail ? planes * unit : parts.begin(column) * unit;
      args.planes = tail ? 1 : parts.size(column);
      args.source += image * arrays_.source_stride.outer + channel * arrays_.source_stride.channel;
      args.target += image * arrays_.target_stride.outer + channel * arrays_.target_stride.channel;
      if (args.index)
        args.index += image * arrays_.index_stride.outer + channel * arrays_.index_stride.channel;
      args.depth = depths_.begin(depth);
      args.depths = depths_.size(depth);
      args.row = rows_.begin(row);
      args.rows = rows_.size(row);
      args.workspace = workspace.data() + thread * room;
      kernel()(args);
    });
  }

 private:
  // Boxes cost a step for each of a window's taps; the other ways one for each tap along each axis,
  // where those of the height meet all columns, and the line between them.
  void choose_way(bool channels_last) {
    const PoolAxis &d = axis_[0], &h = axis_[1], &w = axis_[2];
    slide_ = d.takes_one_each() && h.dilation == 1 && h.spread == 1 &&
             h.kernel > 3 * h.stride + 3 && (kind_ != PoolKind::mean_gradient || h.stride == 1);
    way_ = joins() ? PoolWay::rows : PoolWay::columns;
    if (!channels_last) return;
    const auto taps = [](const PoolAxis& axis) {
      return static_cast<double>(up(std::min(axis.kernel, axis.sources), axis.spread));
    };
    const double box = taps(d) * taps(h) * taps(w);
    const double across = static_cast<double>(w.sources) / static_cast<double>(w.targets);
    const double apart =
        way_ == PoolWay::rows
            ? across * (slide_ ? 4.0 * static_cast<double>(h.stride) : taps(d) * taps(h))
            : taps(d) * (slide_ ? 4 : taps(h));
    const bool uniform = kind_ != PoolKind::mean_gradient || divisors_->uniform();
    // A single vector is not worth the way to a box, but for places, which are counted later there.
    const double most = !turn_                            ? 1.5 * (apart + taps(w)) + 4
                        : kind_ == PoolKind::max_index    ? 2 * (apart + taps(w))
                                                          : 0;
    if (uniform && box <= most) way_ = PoolWay::boxes;
    if (way_ == PoolWay::boxes) slide_ = false;
  }

  // The ways of contiguous rows that read each source once and store each target from registers.
  bool choose_simple_way(bool disjoint) {
    if (arrays_.source_stride.axis[2] != 1 || arrays_.target_stride.axis[2] != 1) return false;
    if (disjoint) {
      way_ = PoolWay::repeat;
      for (int i = 1; i >= 0; --i) {
        const PoolAxis &outer = axis_[i], &inner = axis_[2];
        const bool whole = outer.sources == 1 && outer.kernel == outer.targets &&
                           inner.sources == 1 && inner.kernel == inner.targets;
        if (!whole || arrays_.target_stride.axis[i] != inner.targets) break;
        const std::int64_t all = outer.targets * inner.targets;
        axis_[2] = {1, all, all, 1, 1, 0, 1};
        axis_[i] = {1, 1, 1, 1, 1, 0, 1};
      }
      return true;
    }
    if (kind_ == PoolKind::mean_gradient) return false;
    if (kind_ != PoolKind::max_index && std::all_of(axis_, axis_ + 3, covers_all) &&
        flat(arrays_.source_stride, &PoolAxis::sources)) {
      fold_global();
      way_ = PoolWay::whole;
      return true;
    }
    // None of the windows in padding alone; lanes mostly used.
    const PoolAxis& width = axis_[2];
    const bool few = kernels_.has_windows(width.kernel, width.stride) &&
                     axis_[0].kernel * axis_[1].kernel <= 12;
    const bool doubled = worth_doubling(axis_, kernels_.longest_doubled, kernels_.lanes);
    if (!(few || doubled) || width.targets * 8 < kernels_.lanes * 3) return false;
    for (const PoolAxis& axis : axis_)
      if (axis.dilation != 1 || axis.pad >= axis.kernel ||
          (axis.targets - 1) * axis.stride - axis.pad >= axis.sources)
        return false;
    if (kind_ == PoolKind::max_index && arrays_.index_stride.axis[2] != 1) return false;
    way_ = few ? PoolWay::windows : PoolWay::doubled;
    return true;
  }

  // Small planes without gaps, enough of them to fill most lanes; not long rows of which vectors
  // are stored as they are read: 64 of 4096 by fours 56 us in place of 80.
  bool worth_turning() const {
    const PoolAxis& w = axis_[2];
    if (joins() && w.targets >= 8 * kernels_.lanes &&
        (w.stride == 1 || (w.stride == 4 && w.kernel == 4)))
      return false;
    const std::int64_t elements = std::max(shape_.inputs(), shape_.outputs());
    return elements <= kTurnElements && elements > 1 && shape_.c * 4 >= kernels_.lanes * 3 &&
           flat(arrays_.source_stride, &PoolAxis::sources) &&
           flat(arrays_.target_stride, &PoolAxis::targets) &&
           (!arrays_.index || flat(arrays_.index_stride, &PoolAxis::targets));
  }

  // Short windows, none of them in padding alone, in rows that fill half a vector.
  bool joins_in_place() const {
    for (const PoolAxis& axis : axis_)
      if (axis.dilation != 1 || axis.pad >= axis.kernel || axis.kernel > 3 * axis.stride + 3 ||
          (axis.targets - 1) * axis.stride - axis.pad >= axis.sources)
        return false;
    const std::int64_t columns = axis_[2].sources, elements = axis_[1].sources * columns;
    return joins() && axis_[0].kernel == 1 && axis_[0].targets == 1 &&
           2 * columns >= kernels_.lanes && elements >= kernels_.lanes;
  }

  bool flat(const Strides& stride, Index PoolAxis::*size) const {
    const Index depth = axis_[0].*size, height = axis_[1].*size, width = axis_[2].*size;
    return (width == 1 || stride.axis[2] == 1) && (height == 1 || stride.axis[1] == width) &&
           (depth == 1 || stride.axis[0] == height * width);
  }

  void packed(Strides& stride, std::int64_t height, std::int64_t width) const {
    stride.axis[2] = kernels_.lanes;
    stride.axis[1] = width * stride.axis[2];
    stride.axis[0] = height * stride.axis[1];
  }

  // A window over whole planes without gaps is one over a row.
  void fold_global() {
    if (kind_ == PoolKind::mean_gradient) return;
    for (int i = 1; i >= 0; --i) {
      if (!covers_all(axis_[2]) || !covers_all(axis_[i])) return;
      const auto& stride = arrays_.source_stride.axis;
      if (stride[2] != 1 || stride[i] != axis_[2].sources) return;
      const std::int64_t all = axis_[2].sources * axis_[i].sources;
      axis_[2] = {all, 1, all, 1, 1, 0, 1};
      axis_[i] = {1, 1, 1, 1, 1, 0, 1};
      slide_ = false;
    }
  }

  // Channels side by side in a line: a cache line of them at least, and all if a line is short.
  // Where rows slide they are read twice, in order: 64 channels of 224 x 224 by 13 x 13 take 3.8 ms
  // in place of 15.
  std::int64_t chunk() const {
    const std::int64_t size = sizeof(T), least = 64 / size, line = (slide_ ? 131072 : 16384) / size;
    const std::int64_t most = line / std::max<std::int64_t>(line_axis_.sources, 1);
    return std::min(shape_.c, std::max(most / least, std::int64_t{1}) * least);
  }

  void choose_blocks() {
    const std::int64_t targets = axis_[1].targets;
    if (turn_) {  // whole planes
      rows_ = Split(targets, targets);
      depths_ = Split(axis_[0].targets, axis_[0].targets);
      band_ = std::min<std::int64_t>(targets, slide_ ? sliding() : 8);
      return;
    }
    const std::int64_t row = std::max(line_axis_.sources, axis_[2].targets) * group_;
    std::int64_t rows = kBlockElements / row / std::max<std::int64_t>(axis_[1].stride, 1);
    if (way_ == PoolWay::columns) rows /= span(axis_[0], 1);
    // Few rows would be folded twice at the edges of blocks.
    const std::int64_t overlap = (axis_[1].kernel - 1) * axis_[1].dilation / axis_[1].spread;
    if (way_ == PoolWay::columns || way_ == PoolWay::doubled) rows = std::max(rows, 4 * overlap);
    if (way_ == PoolWay::rows && slide_) rows = up(rows + 1, sliding()) * sliding();
    rows_ = Split(axis_[1].targets, std::max<std::int64_t>(rows, 8));
    depths_ = Split(axis_[0].targets, 1);
    if (simple()) {
      const std::int64_t elements = kBandBytes / static_cast<std::int64_t>(sizeof(T));
      const std::int64_t row = axis_[2].sources * axis_[1].stride * axis_[0].kernel;
      band_ = std::clamp<std::int64_t>(elements / row, 1, rows_.largest());
      return;
    }
    const PoolLine line = make_line(line_axis_, group_, sums(), kernels_.lanes);
    band_ = slide_ ? std::min(rows_.largest(), sliding())
                   : std::clamp<std::int64_t>(
                         kBandBytes / static_cast<std::int64_t>(sizeof(T)) /
                             std::max<std::int64_t>(line.left + line.length + line.right, 1),
                         1, rows_.largest());
  }

  // Rows of targets whose windows share a source.
  std::int64_t sliding() const { return up(axis_[1].kernel, axis_[1].stride); }

  PoolArgs<T> arguments(std::int64_t group, const std::vector<T>& divisor) const {
    PoolArgs<T> args{};
    args.way = way_;
    for (int i = 0; i < 3; ++i) {
      args.axis[i] = axis_[i];
      args.source_stride[i] = arrays_.source_stride.axis[i];
      args.target_stride[i] = arrays_.target_stride.axis[i];
      args.index_stride[i] = arrays_.index_stride.axis[i];
    }
    if (way_ != PoolWay::boxes) args.axis[2] = line_axis_;
    args.line.group = group;
    if (way_ != PoolWay::boxes && !simple())
      args.line = make_line(line_axis_, group, sums(), kernels_.lanes);
    args.apart = apart_;
    args.slide = slide_;
    args.source = arrays_.source;
    args.target = arrays_.target;
    args.index = arrays_.index;
    args.turn = turn_;
    args.source_size = axis_[0].sources * axis_[1].sources * axis_[2].sources;
    args.target_size = shape_.inputs() + shape_.outputs() - args.source_size;
    const std::int64_t unit = turn_ ? 1 : group_;
    args.source_plane = unit * arrays_.source_stride.channel;
    args.target_plane = unit * arrays_.target_stride.channel;
    args.index_plane = unit * arrays_.index_stride.channel;
    args.band = band_;
    args.divisor[0] = divisor_[0].data();
    args.divisor[1] = divisor_[1].data();
    args.divisor[2] = divisor.data();
    return args;
  }

  // Of the targets; or of the sources, where they are divided. Boxes divide when all is summed.
  void choose_divisors() {
    for (int i = 0; i < 3 && divisors_; ++i) {
      divisor_[i] = divisors_->count[i];
      if (divide_targets_ || (way_ == PoolWay::boxes && kind_ == PoolKind::mean_gradient))
        divisor_[i].assign(static_cast<std::size_t>(axis_[i].targets), divisor_[i].front());
    }
  }

  // Those of the width, one for each element of a group.
  std::vector<T> expanded(std::int64_t group) const {
    if (way_ == PoolWay::boxes || group == 1) return divisor_[2];
    std::vector<T> all;
    for (const T count : divisor_[2]) all.insert(all.end(), static_cast<std::size_t>(group), count);
    return all;
  }

  // Elements of the workspace that the kernel hands out.
  std::int64_t room_of(const PoolArgs<T>& args) const {
    const std::int64_t index_words = kind_ == PoolKind::max_index ? 8 / sizeof(T) : 0;
    const std::int64_t turned =
        turn_ ? kernels_.lanes * (args.source_size + args.target_size * (1 + index_words)) : 0;
    if (way_ == PoolWay::joined)
      return kernels_.lanes * (std::max(axis_[2].sources, kernels_.lanes) + args.target_size +
                               args.source_size + 1);
    if (way_ == PoolWay::boxes || simple()) return turned;
    const auto pitch = [&](std::int64_t n) { return up(n, kernels_.lanes) * kernels_.lanes; };
    const PoolLine& line = args.line;
    const std::int64_t wide = pitch(line.left + line.length + line.right);
    const std::int64_t row = pitch(axis_[2].targets * line.group);
    const std::int64_t rows = span(axis_[1], rows_.largest());
    if (way_ == PoolWay::rows)
      return turned + (band_ + line.levels + 1 + (slide_ ? 2 : 0)) * wide + band_ * row;
    const std::int64_t lines = span(axis_[0], depths_.largest()) * rows;
    const std::int64_t results = rows_.largest();
    const std::int64_t arrays = kind_ == PoolKind::max_index ? 2 : 1;
    return turned + (kPoolRing + 1) * wide +
           arrays * ((line.levels + 1) * wide + (lines + results + (slide_ ? 2 : 0)) * row);
  }

  bool simple() const {
    return way_ == PoolWay::windows || way_ == PoolWay::doubled || way_ == PoolWay::whole ||
           way_ == PoolWay::repeat;
  }

  // Targets from windows, without their places.
  bool joins() const { return kind_ == PoolKind::max || kind_ == PoolKind::mean; }

  bool sums() const { return divisors_ != nullptr; }

  auto kernel() const {
    switch (kind_) {
      case PoolKind::max: return kernels_.pool_max;
      case PoolKind::max_index: return kernels_.pool_max_index;
      case PoolKind::mean: return kernels_.pool_mean;
      default: return kernels_.pool_mean_gradient;
    }
  }

  std::int64_t plane_elements() const {
    return std::max(shape_.inputs(), shape_.outputs()) * (turn_ ? 1 : group_);
  }

  bool linear_images(const Strides& stride) const {
    return shape_.n == 1 || stride.outer == shape_.c * stride.channel;
  }

  double work() const {
    constexpr double kElementCost = 8;
    return kElementCost * static_cast<double>(shape_.n * shape_.c) *
           static_cast<double>(shape_.inputs() + shape_.outputs());
  }

  const Kernels<T>& kernels_;
  const PoolShape& shape_;
  PoolKind kind_;
  PoolArrays<T> arrays_;
  const Divisors<T>* divisors_;
  PoolAxis axis_[3], line_axis_;
  PoolWay way_;
  bool slide_ = false, turn_ = false, divide_targets_ = false;
  std::vector<T> divisor_[3];
  std::int64_t group_ = 1, apart_ = 1, band_ = 1;
  Split rows_{1, 1}, depths_{1, 1};
};

}  // namespace

template <class T>
void run_pooling(const Kernels<T>& kernels, const PoolShape& shape, PoolKind kind,
                 const PoolArrays<T>& arrays, const Divisors<T>* divisors) {
  Plan<T>(kernels, shape, kind, arrays, divisors).run();
}

template void run_pooling(const Kernels<float>&, const PoolShape&, PoolKind,
                          const PoolArrays<float>&, const Divisors<float>*);
template void run_pooling(const Kernels<double>&, const PoolShape&, PoolKind,
                          const PoolArrays<double>&, const Divisors<double>*);

}  // namespace fastconv
