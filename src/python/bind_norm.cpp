// Passes along one axis: softmax, local response and batch norm.
#include <optional>
#include <vector>

#include "python/dense.hpp"
#include "python/errors.hpp"
#include "python/register.hpp"
#include "python/run.hpp"

namespace fastconv::python {
namespace {

using Maybe = std::optional<py::array>;

// How the memory of an array lies about one of its axes.
fastconv_axis_desc describe(const Dense& dense, std::int64_t axis) {
  const py::array& array = dense.array;
  const std::int64_t length = array.ndim() ? array.shape()[axis] : 1;
  if (length == 0 || array.size() == 0)
    return {sizeof(fastconv_axis_desc), dense.dtype, array.size() == 0 ? 0 : 1, length, 1};
  const std::int64_t inner = length > 1 ? array.strides()[axis] / array.itemsize() : 1;
  return {sizeof(fastconv_axis_desc), dense.dtype, array.size() / length / inner, length, inner};
}

py::array softmax(const char* function, bool log, std::int64_t axis, const py::array& array) {
  const Dense input = dense_of(function, "input", array);
  Dense output = allocate_like(input);
  const auto desc = describe(input, axis);
  void* target = output.mutable_data();
  run(function, [&] { return fastconv_softmax(&desc, log, input.data(), target); });
  return output.array;
}

py::array softmax_backward(const char* function, bool log, std::int64_t axis,
                           const py::array& grad_output, const py::array& array,
                           const Maybe& result) {
  const Dense input = dense_of(function, "input", array);
  const Dense grad = dense_of(function, "grad_output", grad_output, input, "input");
  std::optional<Dense> output;
  if (result) output = dense_of(function, "output", *result, input, "input");
  Dense grad_input = allocate_like(input);
  const auto desc = describe(input, axis);
  void* target = grad_input.mutable_data();
  if (!output)
    run(function, [&] { return fastconv_softmax(&desc, log, input.data(), target); });
  run(function, [&] {
    return fastconv_softmax_backward(&desc, log, grad.data(), output ? output->data() : target,
                                     target);
  });
  return grad_input.array;
}

py::array local_response_norm(const char* function, const py::array& array, std::int64_t window,
                              double alpha, double beta, double k) {
  const Dense input = dense_of(function, "input", array);
  Dense output = allocate_like(input);
  const auto desc = describe(input, 1);
  const fastconv_local_response response = {window, alpha, beta, k};
  void* target = output.mutable_data();
  run(function,
      [&] { return fastconv_local_response_norm(&desc, &response, input.data(), target); });
  return output.array;
}

py::array local_response_norm_backward(const char* function, const py::array& grad_output,
                                       const py::array& array, std::int64_t window, double alpha,
                                       double beta, double k) {
  const Dense input = dense_of(function, "input", array);
  const Dense grad = dense_of(function, "grad_output", grad_output, input, "input");
  Dense grad_input = allocate_like(input);
  const auto desc = describe(input, 1);
  const fastconv_local_response response = {window, alpha, beta, k};
  void* target = grad_input.mutable_data();
  run(function, [&] {
    return fastconv_local_response_norm_backward(&desc, &response, grad.data(), input.data(),
                                                 target);
  });
  return grad_input.array;
}

// One number for each channel, in one run of memory.
const void* values_of(const char* function, const char* name, const Maybe& array,
                      const Dense& input, std::optional<Dense>& keep) {
  if (!array) return nullptr;
  const std::int64_t channels = input.array.shape()[1];
  const fastconv_dtype dtype = float_dtype(function, name, *array);
  if (dtype != input.dtype)
    type_error(function, "input is " + name_of(input.array.dtype()) + ", " + name + " is " +
                             name_of(array->dtype()) + " (wanted one dtype)");
  if (array->ndim() != 1 || array->shape()[0] != channels)
    value_error(function, std::string(name) + " has shape " + shape_text(*array) + " (wanted (" +
                              std::to_string(channels) + ",))");
  keep = dense_of(function, name, *array);
  return keep->data();
}

void* changed(const char* function, const char* name, const Maybe& array, const Dense& input,
              std::optional<InPlace>& keep) {
  std::optional<Dense> checked;
  if (!values_of(function, name, array, input, checked)) return nullptr;
  keep.emplace(function, name, *array);
  return keep->data();
}

using Doubles = py::array_t<double, py::array::c_style>;

py::tuple batch_norm(const char* function, const py::array& array, const Maybe& running_mean,
                     const Maybe& running_var, const Maybe& weight, const Maybe& bias,
                     bool training, double momentum, double eps) {
  const Dense input = dense_of(function, "input", array);
  fastconv_batch_norm_args args{};
  args.size = sizeof args;
  args.training = training, args.momentum = momentum, args.eps = eps;
  std::optional<Dense> kept[4];
  std::optional<InPlace> moved[2];
  args.weight = values_of(function, "weight", weight, input, kept[0]);
  args.bias = values_of(function, "bias", bias, input, kept[1]);
  if (training) {
    args.running_mean = changed(function, "running_mean", running_mean, input, moved[0]);
    args.running_var = changed(function, "running_var", running_var, input, moved[1]);
  } else {  // only read
    args.running_mean = const_cast<void*>(
        values_of(function, "running_mean", running_mean, input, kept[2]));
    args.running_var = const_cast<void*>(
        values_of(function, "running_var", running_var, input, kept[3]));
  }
  Dense output = allocate_like(input);
  args.input = input.data(), args.output = output.mutable_data();
  const py::ssize_t channels = array.shape()[1];
  Doubles mean(training ? channels : 0), variance(training ? channels : 0);
  args.mean = mean.mutable_data(), args.variance = variance.mutable_data();
  const auto desc = describe(input, 1);
  run(function, [&] { return fastconv_batch_norm(&desc, &args); });
  for (auto& array_ : moved)
    if (array_) array_->finish();
  return py::make_tuple(output.array, mean, variance);
}

py::tuple batch_norm_backward(const char* function, const py::array& grad_output,
                              const py::array& array, const Maybe& running_mean,
                              const Maybe& running_var, const Maybe& weight, bool training,
                              double eps, const Maybe& mean, const Maybe& variance,
                              bool needs_input, bool needs_weight, bool needs_bias) {
  const Dense input = dense_of(function, "input", array);
  const Dense grad = dense_of(function, "grad_output", grad_output, input, "input");
  fastconv_batch_norm_args args{};
  args.size = sizeof args;
  args.training = training, args.eps = eps;
  std::optional<Dense> kept[3];
  args.weight = values_of(function, "weight", weight, input, kept[0]);
  args.running_mean = const_cast<void*>(
      values_of(function, "running_mean", running_mean, input, kept[1]));
  args.running_var = const_cast<void*>(
      values_of(function, "running_var", running_var, input, kept[2]));
  args.grad_output = grad.data(), args.input = input.data();
  const std::int64_t channels = array.shape()[1];
  if (mean) args.mean = static_cast<double*>(const_cast<void*>(mean->data()));
  if (variance) args.variance = static_cast<double*>(const_cast<void*>(variance->data()));
  std::optional<Dense> grad_input;
  if (needs_input) grad_input = allocate_like(input);
  if (grad_input) args.grad_input = grad_input->mutable_data();
  py::object grad_weight = py::none(), grad_bias = py::none();
  const auto make = [&](py::object& gradient) {
    py::array values(array.dtype(), std::vector<py::ssize_t>{channels});
    gradient = values;
    return values.mutable_data();
  };
  if (needs_weight) args.grad_weight = make(grad_weight);
  if (needs_bias) args.grad_bias = make(grad_bias);
  auto desc = describe(input, 1);
  desc.length = channels;
  run(function, [&] { return fastconv_batch_norm_backward(&desc, &args); });
  return py::make_tuple(grad_input ? py::object(grad_input->array) : py::none(), grad_weight,
                        grad_bias);
}

}  // namespace

void register_norm(py::module_& module) {
  module.def("softmax", &softmax);
  module.def("softmax_backward", &softmax_backward);
  module.def("local_response_norm", &local_response_norm);
  module.def("local_response_norm_backward", &local_response_norm_backward);
  module.def("batch_norm", &batch_norm);
  module.def("batch_norm_backward", &batch_norm_backward);
}

}  // namespace fastconv::python
