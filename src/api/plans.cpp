#include "api/plans.hpp"

#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <deque>
#include <unordered_map>

#include "runtime/threads.hpp"

namespace fastconv {
namespace {

// Plans that are kept: more layers than any network at hand has.
constexpr std::size_t kMostPlans = 512;

// All numbers that a plan depends on.
using Key = std::array<std::int64_t, 50>;

struct KeyHash {
  std::size_t operator()(const Key& key) const noexcept {
    std::uint64_t hash = 0;
    for (std::int64_t number : key)
      hash = (hash ^ static_cast<std::uint64_t>(number)) * 0x9E3779B97F4A7C15U;
    return hash ^ hash >> 32;
  }
};

Key key_of(const ConvShape& shape, fastconv_direction direction, Algorithm algorithm,
           const KernelTable& table) {
  Key key{};
  std::size_t size = 0;
  const auto add = [&](std::int64_t number) { key[size++] = number; };
  for (const Strides* strides : {&shape.input, &shape.weight, &shape.output}) {
    add(strides->outer), add(strides->channel);
    for (std::int64_t stride : strides->axis) add(stride);
  }
  for (const Axis& axis : shape.axis)
    for (std::int64_t number : {axis.input, axis.kernel, axis.output, axis.stride, axis.dilation,
                                axis.pad_before, axis.pad_after})
      add(number);
  for (std::int64_t number : {shape.n, shape.g, shape.ic, shape.oc}) add(number);
  add(static_cast<std::int64_t>(shape.dtype));
  add(direction);
  add(static_cast<std::int64_t>(algorithm));
  std::int64_t name = 0;
  std::memcpy(&name, table.name, std::min(std::strlen(table.name), sizeof name));
  add(name);
  return key;
}

class PlanCache {
 public:
  template <class Make>
  std::shared_ptr<const AnyCorrelation> find(const Key& key, const Make& make) {
    {
      const std::lock_guard lock(mutex_);
      const auto found = plans_.find(key);
      if (found != plans_.end()) return found->second;
    }
    std::shared_ptr<const AnyCorrelation> plan = make();
    const std::lock_guard lock(mutex_);
    if (plans_.emplace(key, plan).second) order_.push_back(key);
    if (order_.size() > kMostPlans) plans_.erase(order_.front()), order_.pop_front();
    return plan;
  }

 private:
  std::mutex mutex_;
  std::unordered_map<Key, std::shared_ptr<const AnyCorrelation>, KeyHash> plans_;
  std::deque<Key> order_;  // oldest first
};

template <class T>
Correlation<T> make(const Kernels<T>& kernels, const ConvShape& shape,
                    fastconv_direction direction, Algorithm algorithm) {
  return direction == FASTCONV_FORWARD ? plan_forward(kernels, shape, algorithm)
                                       : plan_backward_input(kernels, shape, algorithm);
}

std::string isa_and_direction(const KernelTable& table, fastconv_direction direction) {
  return std::string(table.name) + (direction == FASTCONV_FORWARD ? " forward " : " backward ");
}

void copy_text(const std::string& text, char* target, std::size_t size) {
  std::snprintf(target, size, "%s", text.c_str());
}

}  // namespace

std::shared_ptr<const AnyCorrelation> find_correlation(const ConvShape& shape,
                                                       fastconv_direction direction,
                                                       Algorithm algorithm,
                                                       const KernelTable& table) {
  static PlanCache* const cache = new PlanCache;  // outlives static storage, as the workers do
  return cache->find(key_of(shape, direction, algorithm, table), [&] {
    return shape.dtype == Dtype::float32
               ? std::make_shared<const AnyCorrelation>(
                     make(table.f32, shape, direction, algorithm))
               : std::make_shared<const AnyCorrelation>(
                     make(table.f64, shape, direction, algorithm));
  });
}

void describe(const AnyCorrelation& correlation, const ConvShape& shape,
              fastconv_plan_info& info) {
  const CorrelationInfo got =
      std::visit([](const auto& each) { return each.info(); }, correlation);
  copy_text(got.part.algorithm, info.algorithm, sizeof info.algorithm);
  copy_text(got.part.blocking, info.blocking, sizeof info.blocking);
  info.threads = got.threads;
  info.tasks = got.tasks;
  info.workspace_bytes = got.workspace_bytes;
  info.weight_bytes = got.packed_bytes;
  info.flop = shape.flop();
  const double inputs = static_cast<double>(shape.n * shape.g * shape.ic) *
                        static_cast<double>(shape.axis[0].input * shape.axis[1].input) *
                        static_cast<double>(shape.axis[2].input);
  const double weights = static_cast<double>(shape.g * shape.oc * shape.ic) *
                         static_cast<double>(shape.taps());
  const double outputs =
      static_cast<double>(shape.n * shape.g * shape.oc) * static_cast<double>(shape.outputs());
  info.bytes = (inputs + weights + outputs) * (shape.dtype == Dtype::float32 ? 4 : 8);
  std::fill(std::begin(info.cycles), std::end(info.cycles), 0);
  for (const auto& candidate : got.candidates)
    for (const auto& [name, algorithm] : {std::pair{"direct", FASTCONV_ALGORITHM_DIRECT},
                                          {"im2col", FASTCONV_ALGORITHM_IM2COL},
                                          {"tiled", FASTCONV_ALGORITHM_TILED}})
      if (candidate.algorithm == name) info.cycles[algorithm] = candidate.cycles;
}

template <class T>
Prepared<T>::Prepared(const ConvShape& shape, const T* weight)
    : weight_(static_cast<std::size_t>(shape.g * shape.oc * shape.ic * shape.taps())) {
  const Strides& stride = shape.weight;
  T* target = weight_.data();
  for (std::int64_t oc = 0; oc < shape.g * shape.oc; ++oc)
    for (std::int64_t ic = 0; ic < shape.ic; ++ic)
      for (std::int64_t kd = 0; kd < shape.axis[0].kernel; ++kd)
        for (std::int64_t kh = 0; kh < shape.axis[1].kernel; ++kh)
          for (std::int64_t kw = 0; kw < shape.axis[2].kernel; ++kw)
            *target++ = weight[oc * stride.outer + ic * stride.channel + kd * stride.axis[0] +
                               kh * stride.axis[1] + kw * stride.axis[2]];
}

template <class T>
std::shared_ptr<const T> Prepared<T>::packed(const KernelTable& table,
                                             fastconv_direction direction,
                                             const Correlation<T>& correlation) const {
  const std::lock_guard lock(mutex_);
  const OutsideWorkspace outside;
  std::shared_ptr<const T>& packed =
      packed_[isa_and_direction(table, direction) + correlation.packed_format()];
  if (!packed) {
    auto buffer = std::make_shared<Buffer<T>>(static_cast<std::size_t>(correlation.packed_size()));
    correlation.pack(weight_.data(), buffer->data());
    packed = std::shared_ptr<const T>(buffer, buffer->data());
  }
  return packed;
}

template <class T>
double measure_peak(const Kernels<T>& kernels) {
  using Clock = std::chrono::steady_clock;
  constexpr Index kRounds = 200000;  // some milliseconds
  constexpr int kRepeats = 40;
  const int threads = get_num_threads();
  const std::int64_t sums = kernels.peak_step * kernels.lanes;
  const Buffer<T> sink(static_cast<std::size_t>(threads * sums));
  std::fill_n(sink.data(), threads * sums, static_cast<T>(0.5));
  double best = 0;
  for (int repeat = 0; repeat < kRepeats; ++repeat) {
    const auto start = Clock::now();
    parallel_for(threads, threads,
                 [&](std::int64_t task, int) { kernels.peak(kRounds, sink.data() + task * sums); });
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    best = std::max(best, 2.0 * static_cast<double>(threads * kRounds * sums) / seconds);
  }
  return best;
}

template class Prepared<float>;
template class Prepared<double>;
template double measure_peak(const Kernels<float>&);
template double measure_peak(const Kernels<double>&);

}  // namespace fastconv
