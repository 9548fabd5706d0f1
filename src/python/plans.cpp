#include "python/plans.hpp"

#include <array>
#include <mutex>

#include "python/errors.hpp"
#include "python/outputs.hpp"
#include "python/run.hpp"

namespace fastconv::python {
namespace {

// As many as a large network has layers; each hash has one place.
constexpr std::size_t kPlaces = 512;

struct ProblemDeleter {
  void operator()(fastconv_problem* problem) const { fastconv_problem_destroy(problem); }
};
using Problem = std::unique_ptr<fastconv_problem, ProblemDeleter>;

Problem make_problem(const char* function, const fastconv_conv_desc& desc) {
  fastconv_problem* problem;
  check(function, fastconv_conv_problem_create(&desc, &problem));
  return Problem(problem);
}

Problem make_problem(const char* function, const fastconv_pool_desc& desc) {
  fastconv_problem* problem;
  check(function, fastconv_pool_problem_create(&desc, &problem));
  return Problem(problem);
}

void point_to(const std::int64_t* (&strides)[kArrays], fastconv_conv_desc& desc) {
  desc.input_strides = strides[kInput];
  desc.weight_strides = strides[kWeight];
  desc.output_strides = strides[kOutput];
}

void point_to(const std::int64_t* (&strides)[kArrays], fastconv_pool_desc& desc) {
  desc.input_strides = strides[kInput];
  desc.output_strides = strides[kOutput];
  desc.indices_strides = strides[kIndices];
}

std::int64_t channels(const fastconv_conv_desc& desc) { return desc.out_channels; }
std::int64_t channels(const fastconv_pool_desc& desc) { return desc.channels; }

template <class Desc>
Sizes sizes_of(const Desc& desc, const Problem& problem) {
  std::int64_t spatial[3];
  fastconv_problem_output(problem.get(), spatial);
  Sizes sizes{desc.batch, channels(desc)};
  for (int i = 0; i < desc.spatial; ++i) sizes.push(spatial[i]);
  return sizes;
}

template <class Desc>
struct Entry : Planned {
  Key<Desc> key;
};

template <class Desc>
std::shared_ptr<const Entry<Desc>> make_entry(const char* function, const Key<Desc>& key) {
  auto entry = std::make_shared<Entry<Desc>>();
  std::memcpy(static_cast<void*>(&entry->key), &key, sizeof key);
  const std::int64_t* strides[kArrays] = {};
  for (int i = 0; i < kArrays; ++i)
    if (key.given >> i & 1) strides[i] = key.strides[i];
  Desc desc = key.desc;
  point_to(strides, desc);
  Problem problem = make_problem(function, desc);
  entry->output = sizes_of(desc, problem);
  entry->output_strides = packed_strides(entry->output, key.new_channels_last);
  if (key.new_channels_last) {
    strides[kOutput] = strides[kIndices] = entry->output_strides.data();
    point_to(strides, desc);
    problem = make_problem(function, desc);
  }
  fastconv_plan* plan;
  check(function, fastconv_plan_create(problem.get(),
                                       static_cast<fastconv_direction>(key.direction), &plan));
  entry->plan.reset(plan);
  return entry;
}

// Two products side by side, so that they overlap.
template <class Desc>
std::size_t hash(const Key<Desc>& key) {
  constexpr std::size_t kWords = sizeof key / 8;
  static_assert(sizeof key % 8 == 0);
  std::uint64_t words[kWords + 1] = {};
  std::memcpy(words, &key, sizeof key);
  std::uint64_t even = 0, odd = 0;
  for (std::size_t i = 0; i < kWords; i += 2) {
    even = (even ^ words[i]) * 0x9E3779B97F4A7C15U;
    odd = (odd ^ words[i + 1]) * 0xC2B2AE3D27D4EB4FU;
  }
  return static_cast<std::size_t>((even ^ odd) >> 32);
}

template <class Desc>
class PlanCache {
 public:
  std::shared_ptr<const Planned> find(const char* function, const Key<Desc>& key) {
    std::shared_ptr<const Entry<Desc>>& place = places_[hash(key) % kPlaces];
    {
      const std::lock_guard lock(mutex_);
      if (place && std::memcmp(&place->key, &key, sizeof key) == 0) return place;
    }
    std::shared_ptr<const Entry<Desc>> entry = make_entry(function, key);
    const std::lock_guard lock(mutex_);
    place = entry;
    return entry;
  }

 private:
  std::mutex mutex_;
  std::array<std::shared_ptr<const Entry<Desc>>, kPlaces> places_;
};

}  // namespace

template <class Desc>
std::shared_ptr<const Planned> find_plan(const char* function, const Key<Desc>& key) {
  static auto* const cache = new PlanCache<Desc>;  // threads may outlive static storage
  return cache->find(function, key);
}

template <class Desc>
Sizes output_sizes(const char* function, const Key<Desc>& key) {
  return sizes_of(key.desc, make_problem(function, key.desc));
}

void execute(const char* function, const Planned& planned, const fastconv_buffers& buffers) {
  run(function, [&] { return fastconv_execute(planned.plan.get(), &buffers); });
}

template std::shared_ptr<const Planned> find_plan(const char*, const Key<fastconv_conv_desc>&);
template std::shared_ptr<const Planned> find_plan(const char*, const Key<fastconv_pool_desc>&);
template Sizes output_sizes(const char*, const Key<fastconv_conv_desc>&);
template Sizes output_sizes(const char*, const Key<fastconv_pool_desc>&);

}  // namespace fastconv::python
