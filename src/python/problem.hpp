// The handles of the C API with owners, and Python's arguments in its descriptions.
#pragma once

#include <array>
#include <memory>

#include "python/arrays.hpp"

namespace fastconv::python {

struct ProblemDeleter {
  void operator()(fastconv_problem* problem) const { fastconv_problem_destroy(problem); }
};
struct PlanDeleter {
  void operator()(fastconv_plan* plan) const { fastconv_plan_destroy(plan); }
};
struct WeightsDeleter {
  void operator()(fastconv_weights* weights) const { fastconv_weights_destroy(weights); }
};
using WeightsHandle = std::unique_ptr<fastconv_weights, WeightsDeleter>;
using Problem = std::unique_ptr<fastconv_problem, ProblemDeleter>;
using Plan = std::unique_ptr<fastconv_plan, PlanDeleter>;

inline Problem make_problem(const std::string& function, const fastconv_conv_desc& desc) {
  fastconv_problem* problem;
  check(function, fastconv_conv_problem_create(&desc, &problem));
  return Problem(problem);
}

inline Problem make_problem(const std::string& function, const fastconv_pool_desc& desc) {
  fastconv_problem* problem;
  check(function, fastconv_pool_problem_create(&desc, &problem));
  return Problem(problem);
}

// Plans and executes, the GIL released; the handle lives no longer than the call.
inline void execute(const std::string& function, const Problem& problem,
                    fastconv_direction direction, const fastconv_buffers& buffers) {
  fastconv_plan* plan;
  check(function, fastconv_plan_create(problem.get(), direction, &plan));
  const Plan owner(plan);
  fastconv_status status;
  {
    const py::gil_scoped_release release;
    status = fastconv_execute(plan, &buffers);
  }
  check(function, status);
}

// What convolution and pooling have in common: a window over `dims` axes.
struct Window {
  int dims;
  Sizes stride, dilation;
  py::object padding;  // a name, or a (before, after) pair for each axis
};

// Fills the fields of that name in either description.
template <class Desc>
void describe(const std::string& function, const View& input, const Window& window, Desc& desc) {
  desc.size = sizeof desc;
  desc.dtype = input.dtype;
  desc.spatial = window.dims;
  desc.batch = input.sizes[0];
  const auto dims = static_cast<std::size_t>(window.dims);
  for (std::size_t i = 0; i < dims; ++i) {
    desc.input[i] = input.sizes[i + 2];
    desc.stride[i] = window.stride.at(i);
    desc.dilation[i] = window.dilation.at(i);
  }
  if (!py::isinstance<py::str>(window.padding)) {
    const auto pairs = window.padding.cast<std::vector<std::array<std::int64_t, 2>>>();
    desc.padding = FASTCONV_PADDING_EXPLICIT;
    for (std::size_t i = 0; i < dims; ++i)
      desc.pad_before[i] = pairs.at(i)[0], desc.pad_after[i] = pairs.at(i)[1];
    return;
  }
  const auto name = window.padding.cast<std::string>();
  if (name == "valid")
    desc.padding = FASTCONV_PADDING_VALID;
  else if (name == "same")
    desc.padding = FASTCONV_PADDING_SAME;
  else if (name == "same_lower")
    desc.padding = FASTCONV_PADDING_SAME_LOWER;
  else if (name == "full")
    desc.padding = FASTCONV_PADDING_FULL;
  else
    throw py::value_error(function + ": padding is '" + name +
                          "' (wanted numbers, 'valid', 'same', 'same_lower' or, for a "
                          "convolution, 'full')");
}

// The sizes of the problem's output: (n, channels, spatial...).
inline Sizes output_sizes(const Problem& problem, std::int64_t n, std::int64_t channels, int dims) {
  Sizes sizes{n, channels};
  sizes.resize(static_cast<std::size_t>(dims) + 2);
  fastconv_problem_output(problem.get(), sizes.data() + 2);
  return sizes;
}

inline void check_grad_output(const std::string& function, const View& grad, const Sizes& wanted,
                              bool batched) {
  if (grad.sizes == wanted) return;
  const auto skip = batched ? 1 : 0;
  throw py::value_error(function + ": grad_output has shape " +
                        shape_text(Sizes(grad.sizes.begin() + skip, grad.sizes.end())) +
                        " (wanted " + shape_text(Sizes(wanted.begin() + skip, wanted.end())) +
                        ", the output's)");
}

}  // namespace fastconv::python
