#include "pool/windows.hpp"

#include <algorithm>

#include "runtime/split.hpp"

namespace fastconv {
namespace {

// Elements of a block of rows, and of a task of small planes: a block's rows stay in the
// second-level cache between the stages, and a task costs far more than handing it out.
constexpr std::int64_t kBlockElements = 16384, kTaskElements = 8192;
// Lines between the stages of `rows`, in bytes: they stay in the first-level cache.
constexpr std::int64_t kBandBytes = 8192;

std::int64_t up(std::int64_t a, std::int64_t b) { return a <= 0 ? 0 : (a - 1) / b + 1; }

// Without the taps that meet padding in every window: a window may be larger than memory.
PoolAxis trimmed(const Axis& axis) {
  const std::int64_t last = (axis.output - 1) * axis.stride;
  const std::int64_t first_tap = up(axis.pad_before - last, axis.dilation);
  const std::int64_t behind = (axis.input - 1 + axis.pad_before) / axis.dilation + 1;
  const std::int64_t taps = std::min(axis.kernel, behind) - first_tap;
  return {axis.input,    axis.output,   std::max<std::int64_t>(taps, 1),
          axis.stride,   axis.dilation, axis.pad_before - first_tap * axis.dilation,
          /*spread=*/1};
}

PoolAxis reversed(const PoolAxis& axis) {
  return {axis.targets, axis.sources, axis.kernel, 1, axis.dilation,
          (axis.kernel - 1) * axis.dilation - axis.pad, axis.stride};
}

bool covers_all(const PoolAxis& axis) {
  return axis.targets == 1 && axis.dilation == 1 && axis.spread == 1 && axis.pad >= 0 &&
         axis.kernel - axis.pad >= axis.sources;
}

// Sources [begin, end) of targets [first, first + count), at most.
std::int64_t span(const PoolAxis& axis, std::int64_t count) {
  const std::int64_t length =
      (count - 1) * axis.stride + (axis.kernel - 1) * axis.dilation + 1;
  return std::min<std::int64_t>(axis.sources, up(length, axis.spread) + 1);
}

// A row of `axis` (of which the sources may stand apart already), its windows joined as a maximum
// may be (elements twice) or as a sum.
PoolLine make_line(const PoolAxis& axis, std::int64_t group, bool sum, std::int64_t lanes) {
  PoolLine line{};
  line.group = group;
  line.length = axis.sources * group;
  const std::int64_t end = (axis.targets - 1) * axis.stride - axis.pad +
                           (axis.kernel - 1) * axis.dilation + 1;
  const std::int64_t left = std::max<std::int64_t>(axis.pad, 0);
  const std::int64_t right = std::max<std::int64_t>(end - axis.sources, 0);
  const std::int64_t k = axis.kernel;
  // Vectors loaded, either way; of windows by themselves, some steps to join the lanes.
  double steps = 1;
  for (std::int64_t q = k; q > 6; q /= 4) steps += 2;
  const double alone = static_cast<double>(axis.targets) * (static_cast<double>(k / lanes) + 8);
  const double together = static_cast<double>(axis.sources) / static_cast<double>(lanes) *
                              (steps + static_cast<double>(std::min<std::int64_t>(k, 6))) +
                          (axis.stride > 2 ? 2.0 * static_cast<double>(axis.targets) : 0.0);
  line.alone = left + right > 4 * axis.sources + 4096 ||
               (group == 1 && axis.dilation == 1 && axis.spread == 1 &&
                (axis.targets == 1 || alone < together));
  if (line.alone) return line;

  // Rows begin where vectors are aligned.
  line.left = up(left * group, lanes) * lanes;
  if (line.left % group) line.left = left * group;
  line.right = right * group;
  line.first = line.left - axis.pad * group;
  std::int64_t size = 1;  // of a highest level's element
  if (k > 6)
    for (; size * 4 <= k; size *= 4) ++line.levels;
  const auto take = [&](std::int64_t tap, Index level) {
    line.tap[line.taps++] = {level, line.first + tap * axis.dilation * group};
  };
  std::int64_t at = 0;
  for (Index level = line.levels; level >= 0; --level, size /= 4) {
    for (; at + size <= k; at += size) take(at, level);
    if (!sum && at < k) {
      take(k - size, level);
      break;
    }
  }
  return line;
}

template <class T>
class Plan {
 public:
  Plan(const Kernels<T>& kernels, const PoolShape& shape, PoolKind kind,
       const PoolArrays<T>& arrays, const Divisors<T>* divisors)
      : kernels_(kernels), shape_(shape), kind_(kind), arrays_(arrays), divisors_(divisors) {
    const bool gradient = kind == PoolKind::mean_gradient;
    for (int i = 0; i < 3; ++i) {
      axis_[i] = trimmed(shape.axis[i]);
      if (gradient) axis_[i] = reversed(axis_[i]);
    }
    const bool channels_last =
        shape.c > 1 && arrays.source_stride.channel == 1 && arrays.target_stride.channel == 1 &&
        (!arrays.index || arrays.index_stride.channel == 1);
    choose_way(channels_last);
    if (!channels_last) fold_global();
    line_axis_ = axis_[2];
    if (gradient && way_ == PoolWay::columns) {
      apart_ = axis_[2].spread;
      line_axis_.sources = (axis_[2].sources - 1) * apart_ + 1;
      line_axis_.spread = 1;
    }
    if (channels_last) group_ = way_ == PoolWay::boxes ? shape.c : chunk();
    choose_divisors();
    choose_blocks();
  }

  void run() const {
    const std::int64_t images = shape_.n, planes = shape_.c / group_;
    const std::int64_t last_group = shape_.c % group_;
    // Planes of all images stand behind each other where nothing lies between the images.
    const bool linear = group_ == 1 && linear_images(arrays_.source_stride) &&
                        linear_images(arrays_.target_stride) &&
                        (!arrays_.index || linear_images(arrays_.index_stride));
    const std::int64_t outer = linear ? 1 : images, inner = linear ? images * planes : planes;
    const std::int64_t most = std::clamp<std::int64_t>(
        kTaskElements / std::max<std::int64_t>(plane_elements(), 1), 1,
        std::max<std::int64_t>(inner * outer / 16, 1));
    const Split parts(inner, most);
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
      const std::int64_t channel = tail ? planes * group_ : parts.begin(column) * group_;
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
    slide_ = d.kernel == 1 && d.pad == 0 && (d.targets - 1) * d.stride < d.sources && h.dilation == 1 && h.spread == 1 &&
             h.kernel > 3 * h.stride + 3 && (kind_ != PoolKind::mean_gradient || h.stride == 1);
    way_ = kind_ == PoolKind::max || kind_ == PoolKind::mean ? PoolWay::rows : PoolWay::columns;
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
    if (uniform && box <= 1.5 * (apart + taps(w)) + 4) way_ = PoolWay::boxes;
    if (way_ == PoolWay::boxes) slide_ = false;
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
  std::int64_t chunk() const {
    constexpr std::int64_t kLineBytes = 16384;
    const std::int64_t least = 64 / static_cast<std::int64_t>(sizeof(T));
    const std::int64_t most =
        kLineBytes / static_cast<std::int64_t>(sizeof(T)) / std::max<std::int64_t>(line_axis_.sources, 1);
    return std::min(shape_.c, std::max(most / least, std::int64_t{1}) * least);
  }

  void choose_blocks() {
    const std::int64_t row = std::max(line_axis_.sources, axis_[2].targets) * group_;
    std::int64_t rows = kBlockElements / row / std::max<std::int64_t>(axis_[1].stride, 1);
    if (way_ == PoolWay::columns) rows /= span(axis_[0], 1);
    // Few rows would be folded twice at the edges of blocks.
    const std::int64_t overlap = (axis_[1].kernel - 1) * axis_[1].dilation / axis_[1].spread;
    if (slide_ || way_ == PoolWay::columns) rows = std::max(rows, 4 * overlap);
    rows_ = Split(axis_[1].targets, std::max<std::int64_t>(rows, 8));
    depths_ = Split(axis_[0].targets, 1);
    const PoolLine line = make_line(line_axis_, group_, sums(), kernels_.lanes);
    band_ = slide_ ? rows_.largest()
                   : std::clamp<std::int64_t>(
                         kBandBytes / static_cast<std::int64_t>(sizeof(T)) /
                             std::max<std::int64_t>(line.left + line.length + line.right, 1),
                         1, rows_.largest());
  }

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
    if (way_ != PoolWay::boxes) args.line = make_line(line_axis_, group, sums(), kernels_.lanes);
    args.apart = apart_;
    args.slide = slide_;
    args.source = arrays_.source;
    args.target = arrays_.target;
    args.index = arrays_.index;
    args.source_plane = group_ * arrays_.source_stride.channel;
    args.target_plane = group_ * arrays_.target_stride.channel;
    args.index_plane = group_ * arrays_.index_stride.channel;
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
      if (way_ == PoolWay::boxes && kind_ == PoolKind::mean_gradient)
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
    if (way_ == PoolWay::boxes) return 0;
    const auto pitch = [&](std::int64_t n) { return up(n, kernels_.lanes) * kernels_.lanes; };
    const PoolLine& line = args.line;
    const std::int64_t wide = pitch(line.left + line.length + line.right);
    const std::int64_t row = pitch(axis_[2].targets * line.group);
    const std::int64_t rows = span(axis_[1], rows_.largest());
    const std::int64_t suffix =
        slide_ ? std::min<std::int64_t>(axis_[1].kernel, rows) * kernels_.lanes : 0;
    if (way_ == PoolWay::rows) return (band_ + line.levels + 1) * wide + band_ * row + suffix;
    const std::int64_t lines = span(axis_[0], depths_.largest()) * rows;
    const std::int64_t results = rows_.largest();
    const std::int64_t arrays = kind_ == PoolKind::max_index ? 2 : 1;
    return (kPoolRing + 1) * wide +
           arrays * ((line.levels + 1) * wide + lines * row + results * row + suffix);
  }

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
    return std::max(shape_.inputs(), shape_.outputs()) * group_;
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
  const PoolKind kind_;
  const PoolArrays<T>& arrays_;
  const Divisors<T>* divisors_;
  PoolAxis axis_[3], line_axis_;
  PoolWay way_;
  bool slide_;
  std::vector<T> divisor_[3];
  std::int64_t group_ = 1, apart_ = 1, band_ = 1;
  Split rows_{1, 1}, depths_{1, 1};
};

// How many of the taps 0, dilation, 2 * dilation ... lie below `distance`.
std::int64_t taps_below(std::int64_t distance, const Axis& axis) {
  if (distance <= 0) return 0;
  return std::min(axis.kernel, (distance - 1) / axis.dilation + 1);
}

}  // namespace

template <class T>
Divisors<T>::Divisors(const PoolShape& shape) {
  for (int i = 0; i < 3; ++i) {
    const Axis& axis = shape.axis[i];
    const bool padded = shape.count_include_pad;
    const std::int64_t begin = padded ? -axis.pad_before : 0;
    const std::int64_t end = axis.input + (padded ? axis.pad_after : 0);
    const bool given = shape.divisor_override != 0;
    for (std::int64_t o = 0; o < axis.output; ++o) {
      const std::int64_t start = o * axis.stride - axis.pad_before;
      const std::int64_t taps = taps_below(end - start, axis) - taps_below(begin - start, axis);
      // A window without a tap has the sum 0.
      count[i].push_back(given ? T{1} : static_cast<T>(std::max<std::int64_t>(taps, 1)));
    }
    if (given && i == 2)
      std::fill(count[i].begin(), count[i].end(), static_cast<T>(shape.divisor_override));
  }
}

template <class T>
bool Divisors<T>::uniform() const {
  return std::all_of(count, count + 3, [](const std::vector<T>& axis) {
    return std::all_of(axis.begin(), axis.end(), [&](T n) { return n == axis.front(); });
  });
}

template <class T>
void run_pooling(const Kernels<T>& kernels, const PoolShape& shape, PoolKind kind,
                 const PoolArrays<T>& arrays, const Divisors<T>* divisors) {
  Plan<T>(kernels, shape, kind, arrays, divisors).run();
}

template struct Divisors<float>;
template struct Divisors<double>;
template void run_pooling(const Kernels<float>&, const PoolShape&, PoolKind,
                          const PoolArrays<float>&, const Divisors<float>*);
template void run_pooling(const Kernels<double>&, const PoolShape&, PoolKind,
                          const PoolArrays<double>&, const Divisors<double>*);

}  // namespace fastconv
