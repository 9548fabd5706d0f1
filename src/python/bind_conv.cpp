// Convolution and its gradients.
#include "python/conv.hpp"
#include "python/register.hpp"

namespace fastconv::python {
namespace {

constexpr const char* kAxes = "out, in / groups, kernel";

struct Conv {
  View input, weight;
  ConvKey key;

  Conv(const char* function, const Form& form, const py::array& input_, const py::array& weight_,
       const Window& window, py::handle groups)
      : input(image_of(function, "input", input_, form)),
        weight(weight_of(function, weight_, input, kAxes)) {
    describe_input(input, key.desc);
    describe_weight(function, input, weight.sizes, read_int(function, "groups", groups), key.desc);
    describe_window(function, window, key.desc);
  }
};

py::object forward(const char* function, int dims, bool nhwc, const py::array& input,
                   const py::array& weight, const py::object& bias, py::handle stride,
                   py::handle padding, py::handle dilation, py::handle groups, int algorithm,
                   int activation, double slope, const py::object& residual,
                   const py::object& out) {
  Conv conv(function, {dims, nhwc}, input, weight, {stride, padding, dilation}, groups);
  describe_method({algorithm, activation, slope}, conv.key.desc);
  Extras extras(bias, residual, out);
  return conv_forward(function, conv.key, conv.input, &conv.weight, nullptr, extras);
}

py::tuple backward(const char* function, int dims, bool nhwc, const py::array& grad_output,
                   const py::array& input, const py::array& weight, const py::object& bias,
                   py::handle stride, py::handle padding, py::handle dilation, py::handle groups,
                   int algorithm, bool needs_input, bool needs_weight, bool needs_bias) {
  Conv conv(function, {dims, nhwc}, input, weight, {stride, padding, dilation}, groups);
  describe_method({algorithm}, conv.key.desc);
  const View grad = image_of(function, "grad_output", grad_output, conv.input.form, conv.input);
  check_sizes(function, "grad_output", grad, output_sizes(function, conv.key), conv.input.form);
  conv.key.set_strides(kOutput, grad.strides);
  if (bias.is_none())
    needs_bias = false;
  else
    bias_of(function, bias.cast<py::array>(), conv.input, conv.key.desc.out_channels);

  const py::dtype dtype = conv.input.array.dtype();
  py::object grad_input = py::none(), grad_weight = py::none(), grad_bias = py::none();
  fastconv_buffers buffers = no_buffers();
  buffers.grad_output = grad.data();
  buffers.input = conv.input.data();
  buffers.weight = conv.weight.data();
  if (needs_weight || needs_bias) {
    ConvKey key = conv.key;
    key.direction = FASTCONV_BACKWARD_WEIGHT;
    key.set_strides(kInput, conv.input.strides);
    if (needs_weight) {
      View target = allocate(dtype, conv.weight.sizes);
      buffers.grad_weight = target.mutable_data();
      grad_weight = target.array;
    }
    if (needs_bias) {
      View target = allocate(dtype, {key.desc.out_channels});
      buffers.grad_bias = target.mutable_data();
      grad_bias = target.array;
    }
    execute(function, *find_plan(function, key), buffers);
  }
  if (needs_input) {
    View target = allocate(dtype, conv.input.form, conv.input.sizes,
                           packed_strides(conv.input.sizes, is_channels_last(conv.input)));
    conv.key.direction = FASTCONV_BACKWARD_INPUT;
    conv.key.set_strides(kInput, target.strides);
    conv.key.set_strides(kWeight, conv.weight.strides);
    buffers.grad_input = target.mutable_data();
    execute(function, *find_plan(function, conv.key), buffers);
    grad_input = target.array;
  }
  return py::make_tuple(grad_input, grad_weight, grad_bias);
}

py::dict describe(const char* function, int dims, bool nhwc, const py::array& input,
                  const py::array& weight, py::handle stride, py::handle padding,
                  py::handle dilation, py::handle groups, int algorithm) {
  Conv conv(function, {dims, nhwc}, input, weight, {stride, padding, dilation}, groups);
  describe_method({algorithm}, conv.key.desc);
  conv.key.set_strides(kInput, conv.input.strides);
  conv.key.set_strides(kWeight, conv.weight.strides);
  conv.key.new_channels_last = is_channels_last(conv.input);
  return describe_plan(function, *find_plan(function, conv.key));
}

}  // namespace

void register_conv(py::module_& module) {
  module.def("conv_forward", &forward);
  module.def("conv_backward", &backward);
  module.def("conv_describe", &describe);
}

}  // namespace fastconv::python
