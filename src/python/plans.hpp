// The plans of the last problems, so that a call like an earlier one costs a look-up.
#pragma once

#include <cstring>
#include <memory>

#include "python/arrays.hpp"

namespace fastconv::python {

struct PlanDeleter {
  void operator()(fastconv_plan* plan) const { fastconv_plan_destroy(plan); }
};
struct WeightsDeleter {
  void operator()(fastconv_weights* weights) const { fastconv_weights_destroy(weights); }
};
using WeightsHandle = std::unique_ptr<fastconv_weights, WeightsDeleter>;

enum StridesOf { kInput, kWeight, kOutput, kIndices, kArrays };

// A description with the strides inside: all that a plan depends on, byte by byte.
template <class Desc>
struct Key {
  Desc desc;  // its pointers are NULL
  std::int64_t strides[kArrays][kMostAxes];
  std::int64_t given;              // bit i: strides[i] count; else C order
  std::int64_t direction;          // a fastconv_direction
  std::int64_t new_channels_last;  // the strides of outputs are those of new memory, channels-last
  const char* isa;

  Key() {
    std::memset(static_cast<void*>(this), 0, sizeof *this);
    desc.size = sizeof desc;
    isa = fastconv_isa();
  }

  void set_strides(StridesOf array, const Sizes& numbers) {
    std::copy(numbers.begin(), numbers.end(), strides[array]);
    given |= 1 << array;
  }
};

struct Planned {
  std::unique_ptr<fastconv_plan, PlanDeleter> plan;
  Sizes output, output_strides;  // (n, c, spatial...); the strides of new memory
};

// The plan of this key, made if it is not among the last ones. Any thread may call.
template <class Desc>
std::shared_ptr<const Planned> find_plan(const char* function, const Key<Desc>& key);

// The sizes of the output, (n, c, spatial...), before its strides are known.
template <class Desc>
Sizes output_sizes(const char* function, const Key<Desc>& key);

// Executes with the GIL released.
void execute(const char* function, const Planned& planned, const fastconv_buffers& buffers);

inline fastconv_buffers no_buffers() {
  fastconv_buffers buffers{};
  buffers.size = sizeof buffers;
  return buffers;
}

}  // namespace fastconv::python
