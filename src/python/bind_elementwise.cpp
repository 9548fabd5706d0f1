// Activations with their gradients, and the optimizers' steps.
#include <optional>

#include "python/dense.hpp"
#include "python/errors.hpp"
#include "python/register.hpp"
#include "python/run.hpp"

namespace fastconv::python {
namespace {

// An optional array: None is none.
using Maybe = std::optional<py::array>;

fastconv_activation_desc describe(const Dense& input, int activation, double slope) {
  return {sizeof(fastconv_activation_desc), input.dtype,
          static_cast<fastconv_activation>(activation), slope, input.count()};
}

py::array activate(const char* function, int activation, double slope, const py::array& array) {
  const Dense input = dense_of(function, "input", array);
  Dense output = allocate_like(input);
  const auto desc = describe(input, activation, slope);
  void* target = output.mutable_data();
  run(function, [&] { return fastconv_activate(&desc, input.data(), target); });
  return output.array;
}

// The caller's array is changed.
py::array activate_(const char* function, int activation, double slope, const py::array& array) {
  InPlace target(function, "input", array);
  const auto desc = describe(target.dense(), activation, slope);
  void* data = target.data();
  run(function, [&] { return fastconv_activate(&desc, data, data); });
  target.finish();
  return array;
}

py::array activate_backward(const char* function, int activation, double slope,
                            const py::array& grad, const py::array& array, const Maybe& result) {
  const Dense input = dense_of(function, "input", array);
  const Dense grad_output = dense_of(function, "grad_output", grad, input, "input");
  std::optional<Dense> output;
  if (result) output = dense_of(function, "output", *result, input, "input");
  Dense grad_input = allocate_like(input);
  const auto desc = describe(input, activation, slope);
  void* target = grad_input.mutable_data();
  run(function, [&] {
    return fastconv_activate_backward(&desc, grad_output.data(), output ? nullptr : input.data(),
                                      output ? output->data() : nullptr, target);
  });
  return grad_input.array;
}

void sgd_step(const py::array& data, const py::array& gradient, const Maybe& momentum_buffer,
              double lr, double momentum, double dampening, double weight_decay, bool nesterov,
              bool first) {
  constexpr const char* function = "SGD";
  InPlace param(function, "parameter", data);
  const Dense grad = dense_of(function, "grad", gradient, param.dense(), "parameter");
  std::optional<InPlace> buffer;
  if (momentum_buffer)
    buffer.emplace(function, "momentum_buffer", *momentum_buffer, param.dense(), "parameter");
  const fastconv_sgd_desc desc = {sizeof desc, grad.dtype,   grad.count(), lr,   momentum,
                                  dampening,   weight_decay, nesterov,     first};
  void* const target = param.data();
  void* const sum = buffer ? buffer->data() : nullptr;
  run(function, [&] { return fastconv_sgd_step(&desc, target, grad.data(), sum); });
  param.finish();
  if (buffer) buffer->finish();
}

void adam_step(const py::array& data, const py::array& gradient, const py::array& exp_avg,
               const py::array& exp_avg_sq, const Maybe& max_exp_avg_sq, std::int64_t step,
               double lr, double beta1, double beta2, double eps, double weight_decay) {
  constexpr const char* function = "Adam";
  InPlace param(function, "parameter", data);
  const Dense& like = param.dense();
  const Dense grad = dense_of(function, "grad", gradient, like, "parameter");
  InPlace mean(function, "exp_avg", exp_avg, like, "parameter");
  InPlace square(function, "exp_avg_sq", exp_avg_sq, like, "parameter");
  std::optional<InPlace> largest;
  if (max_exp_avg_sq)
    largest.emplace(function, "max_exp_avg_sq", *max_exp_avg_sq, like, "parameter");
  const fastconv_adam_desc desc = {sizeof desc, grad.dtype, grad.count(), step, lr,
                                   beta1,       beta2,      eps,          weight_decay};
  void *const target = param.data(), *const first = mean.data(), *const second = square.data();
  void* const most = largest ? largest->data() : nullptr;
  run(function,
      [&] { return fastconv_adam_step(&desc, target, grad.data(), first, second, most); });
  param.finish(), mean.finish(), square.finish();
  if (largest) largest->finish();
}

}  // namespace

void register_elementwise(py::module_& module) {
  module.def("activate", &activate);
  module.def("activate_", &activate_);
  module.def("activate_backward", &activate_backward);
  module.def("sgd_step", &sgd_step);
  module.def("adam_step", &adam_step);
}

}  // namespace fastconv::python
