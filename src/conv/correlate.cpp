#include "conv/correlate.hpp"

#include <algorithm>

#include "plan/elements.hpp"
#include "runtime/threads.hpp"

namespace fastconv {
namespace {

// Tasks for each thread, so that the last ones to finish are short: each may pack what others do
// (with 4, GoogLeNet takes 2% more, AlexNet 5%).
constexpr std::int64_t kTasksPerThread = 3;
// Fewer weights are packed by one thread.
constexpr std::int64_t kFewWeights = 30000;
// Phases whose unfinished sums a task holds.
constexpr std::int64_t kMostPhases = 8;

template <class T>
PartPtr<T> make_part(const Kernels<T>& kernels, const CorrelationShape& shape,
                     const PartAxes& axes, Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::direct: return make_direct(kernels, shape, axes);
    case Algorithm::im2col: return make_im2col(kernels, shape, axes);
    case Algorithm::tiled: return make_tiled(kernels, shape, axes);
    case Algorithm::automatic: break;
  }
  // im2col never wins: it does the direct algorithm's sums after copying more.
  PartPtr<T> direct = make_direct(kernels, shape, axes), tiled = make_tiled(kernels, shape, axes);
  return tiled->cost() < direct->cost() ? std::move(tiled) : std::move(direct);
}

// What the busiest of the threads has to do over its share, where each task takes as long as the
// largest.
double waste(const Tasks& tasks, int threads) {
  if (tasks.count == 0) return 1;
  const std::int64_t rounds = (tasks.count - 1) / threads + 1;
  const Split& groups = tasks.groups;
  return static_cast<double>(rounds * threads) / static_cast<double>(tasks.count) *
         static_cast<double>(groups.largest() * groups.parts) / static_cast<double>(groups.total);
}

// Tasks that end together: 7 for two threads cost an eighth. Up to twice as many as were wanted,
// for what they are cut from is packed for each.
template <class T>
Tasks balanced(const Part<T>& part, std::int64_t wanted, int threads) {
  constexpr double kLittle = 0.04;
  Tasks best = part.tasks(wanted);
  for (std::int64_t more = wanted; threads > 1 && waste(best, threads) > 1 + kLittle &&
                                   ++more <= 2 * wanted;) {
    const Tasks tasks = part.tasks(more);
    if (waste(tasks, threads) + kLittle < waste(best, threads)) best = tasks;
  }
  return best;
}

// The parts of the given depth and height: one for each width, or, where that costs less, one
// whose phases the widths are.
template <class T>
std::vector<PartPtr<T>> make_parts(const Kernels<T>& kernels, const CorrelationShape& shape,
                                   const TapAxis& depth, const TapAxis& height,
                                   const std::vector<TapAxis>& widths, Algorithm algorithm) {
  std::vector<PartPtr<T>> parts;
  double cost = 0;
  for (const TapAxis& width : widths) {
    parts.push_back(make_part(kernels, shape, {depth, height, width}, algorithm));
    cost += parts.back()->cost();
  }
  const auto phases = static_cast<std::int64_t>(widths.size());
  if (algorithm == Algorithm::im2col || phases < 2 || phases > kMostPhases ||
      phases != widths[0].stride)
    return parts;
  PartPtr<T> one = make_part(kernels, shape, {depth, height, interleaved(widths)}, algorithm);
  if (one->cost() >= cost) return parts;
  parts.clear();
  parts.push_back(std::move(one));
  return parts;
}

}  // namespace

template <class T>
Correlation<T>::Correlation(const Kernels<T>& kernels, const CorrelationShape& shape,
                            const std::vector<TapAxis> (&axes)[3], Algorithm algorithm)
    : kernels_(kernels), shape_(shape), packed_size_(0), work_(0) {
  std::int64_t covered = 0;
  for (const TapAxis& depth : axes[0])
    for (const TapAxis& height : axes[1]) {
      for (PartPtr<T>& part : make_parts(kernels, shape, depth, height, axes[2], algorithm)) {
        packed_size_ += part->packed_size();
        format_ += part->packed_format() + " ";
        parts_.push_back(std::move(part));
      }
      for (const TapAxis& width : axes[2]) {
        const PartAxes part{depth, height, width};
        covered += part.outputs();
        work_ += 2.0 * static_cast<double>(shape.n * shape.g) *
                 static_cast<double>(shape.oc * shape.ic) * static_cast<double>(part.taps()) *
                 static_cast<double>(part.outputs());
      }
    }
  covered_ = covered == shape.outputs[0] * shape.outputs[1] * shape.outputs[2];
  if (parts_.empty()) return;
  const PartAxes first{axes[0][0], axes[1][0], axes[2][0]};
  for (Algorithm each : {Algorithm::direct, Algorithm::tiled, Algorithm::im2col}) {
    const PartPtr<T> part = make_part(kernels, shape, first, each);
    candidates_.push_back({part->info().algorithm, part->cost()});
  }
}

template <class T>
int Correlation<T>::threads() const {
  return threads_for(INT32_MAX, work_);
}

template <class T>
std::vector<Tasks> Correlation<T>::tasks(int threads) const {
  const auto parts = static_cast<std::int64_t>(parts_.size());
  const std::int64_t wanted = threads == 1 ? 1 : (kTasksPerThread * threads - 1) / parts + 1;
  std::vector<Tasks> all;
  all.reserve(parts_.size());
  for (const PartPtr<T>& part : parts_) {
    all.push_back(parts == 1 ? balanced(*part, wanted, threads) : part->tasks(wanted));
    all.back().workspace = aligned_size<T>(all.back().workspace);  // each thread's, so the next's
  }
  return all;
}

template <class T>
void Correlation<T>::pack(const T* weight, T* packed, const Part<T>& part) const {
  const int threads = packed_size_ < kFewWeights ? 1 : threads_for(INT32_MAX, 1e12);
  parallel_for(part.packings(), threads,
               [&](std::int64_t packing, int) { part.pack(packing, weight, packed); });
}

template <class T>
void Correlation<T>::pack(const T* weight, T* packed) const {
  for (const PartPtr<T>& part : parts_) {
    pack(weight, packed, *part);
    packed += part->packed_size();
  }
}

template <class T>
void Correlation<T>::run(const CorrelationArrays<T>& arrays, const T* packed) const {
  std::vector<const T*> each;
  for (const PartPtr<T>& part : parts_) {
    each.push_back(packed);
    packed += part->packed_size();
  }
  run(arrays, each);
}

template <class T>
void Correlation<T>::run(const CorrelationArrays<T>& arrays) const {
  std::int64_t size = 0;
  for (const PartPtr<T>& part : parts_) size += part->packs_in_tasks() ? 0 : part->packed_size();
  const Buffer<T> packed(static_cast<std::size_t>(size));
  T* next = packed.data();
  std::vector<const T*> each;
  for (const PartPtr<T>& part : parts_) {
    if (part->packs_in_tasks()) {
      each.push_back(nullptr);
      continue;
    }
    pack(arrays.weight, next, *part);
    each.push_back(next);
    next += part->packed_size();
  }
  run(arrays, each);
}

// As if every sum were empty.
template <class T>
void Correlation<T>::fill(const CorrelationArrays<T>& arrays) const {
  const Strides& stride = shape_.output;
  const auto [depth, height, width] = shape_.outputs;
  const std::int64_t channels = shape_.g * shape_.oc, planes = shape_.n * channels;
  const Buffer<T> zeros(static_cast<std::size_t>(width));
  std::fill_n(zeros.data(), width, T{0});
  const double work = kElementCost * static_cast<double>(planes * depth * height * width);
  parallel_for(planes, threads_for(planes, work), [&](std::int64_t plane, int) {
    const std::int64_t channel = plane % channels;
    for (std::int64_t d = 0; d < shape_.outputs[0]; ++d) {
      const Index at = plane / channels * stride.outer + channel * stride.channel +
                       d * stride.axis[0];
      kernels_.store({zeros.data(), 0, shape_.outputs[1], shape_.outputs[2], arrays.output + at,
                      stride.axis[1], stride.axis[2], arrays.bias ? arrays.bias[channel] : T{0},
                      arrays.residual ? arrays.residual + at : nullptr, arrays.epilogue});
    }
  });
}

// In place of a residual that is written over before all of it was read.
template <class T>
Buffer<T> Correlation<T>::residual_apart(CorrelationArrays<T>& arrays) const {
  const auto [depth, height, width] = shape_.outputs;
  const Elements outputs{shape_.n, shape_.g * shape_.oc, {depth, height, width}};
  std::int64_t least = 0, most = 0;
  const auto reach = [&](std::int64_t size, std::int64_t step) {
    if (size > 1) (step < 0 ? least : most) += (size - 1) * step;
  };
  reach(outputs.n, shape_.output.outer);
  reach(outputs.c, shape_.output.channel);
  for (int i = 0; i < 3; ++i) reach(outputs.size[i], shape_.output.axis[i]);
  Buffer<T> copy(static_cast<std::size_t>(most - least + 1));
  T* const target = copy.data() - least;
  const T* const source = arrays.residual;
  for_elements(outputs, shape_.output, shape_.output, kElementCost,
               [&](auto i, auto) { target[i] = source[i]; });
  arrays.residual = target;
  return copy;
}

template <class T>
void Correlation<T>::run(const CorrelationArrays<T>& given,
                         const std::vector<const T*>& packed) const {
  CorrelationArrays<T> arrays = given;
  const bool once = std::all_of(parts_.begin(), parts_.end(),
                                [](const PartPtr<T>& part) { return part->writes_once(); });
  const bool in_place = arrays.residual && arrays.residual == arrays.output;
  const Buffer<T> apart = in_place && !once ? residual_apart(arrays) : Buffer<T>(0);
  if (!covered_) fill(arrays);
  const int threads = this->threads();
  const std::vector<Tasks> all = tasks(threads);
  std::int64_t count = 0, workspace = 0;
  for (const Tasks& tasks : all) {
    count += tasks.count;
    workspace = std::max(workspace, tasks.workspace);
  }
  const Buffer<T> memory(static_cast<std::size_t>(threads * workspace));
  parallel_for(count, threads, [&](std::int64_t task, int thread) {
    std::size_t part = 0;
    for (; task >= all[part].count; ++part) task -= all[part].count;
    parts_[part]->run(task, all[part], arrays, packed[part], memory.data() + thread * workspace);
  });
}

template <class T>
CorrelationInfo Correlation<T>::info() const {
  const int threads = this->threads();
  CorrelationInfo info{};
  info.parts = parts_.size();
  info.threads = threads;
  if (!parts_.empty()) info.part = parts_.front()->info();
  std::int64_t workspace = 0;
  for (const Tasks& tasks : tasks(threads)) {
    info.tasks += tasks.count;
    workspace = std::max(workspace, tasks.workspace);
  }
  const auto size = static_cast<std::int64_t>(sizeof(T));
  info.workspace_bytes = threads * workspace * size;
  info.packed_bytes = packed_size_ * size;
  info.candidates = candidates_;
  return info;
}

template class Correlation<float>;
template class Correlation<double>;

}  // namespace fastconv
