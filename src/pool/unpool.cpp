// Max unpooling: each element to the place in its channel's plane that its index names.
#include <atomic>
#include <type_traits>

#include "plan/elements.hpp"
#include "pool/pool.hpp"

namespace fastconv {
namespace {

// Both directions: calls each(i, place) for elements of the pooled side at offset i and their place
// in memory on the other side, in order. Of channels that stand side by side a task takes some.
template <class Each>
std::optional<std::int64_t> for_indices(const UnpoolShape& shape, const std::int64_t* indices,
                                        const Each& each) {
  constexpr std::int64_t kChannels = 16;
  using One = std::integral_constant<std::int64_t, 1>;
  const Strides &from = shape.from, &to = shape.to, &at = shape.indices;
  const auto &in = shape.input, &out = shape.output;
  const bool last = shape.c > 1 && from.channel == 1 && to.channel == 1 && at.channel == 1;
  const bool flat = (out[1] == 1 || to.axis[1] == out[2] * to.axis[2]) &&
                    (out[0] == 1 || to.axis[0] == out[1] * out[2] * to.axis[2]);
  // Where rows follow each other without gaps, a plane is one row.
  const bool joined = (in[1] == 1 || (from.axis[1] == in[2] * from.axis[2] &&
                                      at.axis[1] == in[2] * at.axis[2])) &&
                      (in[0] == 1 || (from.axis[0] == in[1] * in[2] * from.axis[2] &&
                                      at.axis[0] == in[1] * in[2] * at.axis[2]));
  const std::int64_t size[3] = {joined ? 1 : in[0], joined ? 1 : in[1],
                                joined ? shape.inputs() : in[2]};
  const Split chunks(shape.c, last ? kChannels : 1);
  const std::int64_t tasks = shape.n * chunks.parts;
  const double work = kElementCost * static_cast<double>(shape.n * shape.c) *
                      static_cast<double>(shape.inputs());
  const auto plane_size = static_cast<std::uint64_t>(shape.outputs());
  std::atomic<bool> valid{true};
  std::atomic<std::int64_t> wrong{0};
  parallel_for(tasks, threads_for(tasks, work), [&](std::int64_t task, int) {
    const std::int64_t n = task / chunks.parts, c = chunks.begin(task % chunks.parts);
    const std::int64_t channels = chunks.size(task % chunks.parts);
    const auto start = [&](const Strides& s) { return n * s.outer + c * s.channel; };
    const std::int64_t plane = start(to);
    const auto row = [&](auto group, auto step, auto index_step, std::int64_t element,
                         const std::int64_t* index, const auto& place) {
      for (std::int64_t x = 0; x < size[2]; ++x, element += step, index += index_step)
        for (std::int64_t k = 0; k < group; ++k) {
          if (static_cast<std::uint64_t>(index[k]) >= plane_size) return wrong = index[k], false;
          each(element + k, plane + k + place(index[k]));
        }
      return true;
    };
    for (std::int64_t z = 0; z < size[0]; ++z)
      for (std::int64_t y = 0; y < size[1]; ++y) {
        const std::int64_t element = start(from) + z * from.axis[0] + y * from.axis[1];
        const std::int64_t* index = indices + start(at) + z * at.axis[0] + y * at.axis[1];
        bool good;
        if (channels == 1 && flat && to.axis[2] == 1 && from.axis[2] == 1 && at.axis[2] == 1)
          good = row(One{}, One{}, One{}, element, index, [](auto i) { return i; });
        else if (flat)
          good = row(channels, from.axis[2], at.axis[2], element, index,
                     [&](auto i) { return i * to.axis[2]; });
        else
          good = row(channels, from.axis[2], at.axis[2], element, index, [&](auto i) {
            return i / out[2] / out[1] * to.axis[0] + i / out[2] % out[1] * to.axis[1] +
                   i % out[2] * to.axis[2];
          });
        if (good) continue;
        valid = false;
        return;
      }
  });
  if (valid) return std::nullopt;
  return wrong;
}

}  // namespace

template <class T>
std::optional<std::int64_t> max_unpool_forward(const UnpoolShape& shape, const T* input,
                                               const std::int64_t* indices, T* output) {
  const Elements outputs{shape.n, shape.c, {shape.output[0], shape.output[1], shape.output[2]}};
  for_elements(outputs, shape.to, shape.to, kElementCost / 4,
               [&](std::int64_t i, std::int64_t) { output[i] = 0; });
  return for_indices(shape, indices,
                     [&](std::int64_t i, std::int64_t place) { output[place] = input[i]; });
}

template <class T>
std::optional<std::int64_t> max_unpool_backward(const UnpoolShape& shape, const T* grad_output,
                                                const std::int64_t* indices, T* grad_input) {
  return for_indices(shape, indices,
                     [&](std::int64_t i, std::int64_t place) {
                       grad_input[i] = grad_output[place];
                     });
}

template std::optional<std::int64_t> max_unpool_forward(const UnpoolShape&, const float*,
                                                        const std::int64_t*, float*);
template std::optional<std::int64_t> max_unpool_forward(const UnpoolShape&, const double*,
                                                        const std::int64_t*, double*);
template std::optional<std::int64_t> max_unpool_backward(const UnpoolShape&, const float*,
                                                         const std::int64_t*, float*);
template std::optional<std::int64_t> max_unpool_backward(const UnpoolShape&, const double*,
                                                         const std::int64_t*, double*);

}  // namespace fastconv
