// Transposed convolution: the input gradient of the convolution that has its input as output.
//   output[n, oc, i * stride + k * dilation - pad_before] += input[n, ic, i] * weight[ic, oc, k]
#include "python/conv.hpp"
#include "python/outputs.hpp"
#include "python/register.hpp"
#include "python/transpose.hpp"

namespace fastconv::python {
namespace {

constexpr const char* kAxes = "in, out / groups, kernel";

// As Python gave them.
struct Arguments {
  Window window;
  py::handle output_padding, output_size, groups;
};

struct Transposed {
  View input, weight;
  Sizes output;  // (n, c, spatial...)
  ConvKey key;   // of the convolution, without strides of the output and without direction

  Transposed(const char* function, const Form& form, const py::array& input_,
             const py::array& weight_, const Arguments& arguments)
      : input(image_of(function, "input", input_, form)),
        weight(weight_of(function, weight_, input, kAxes)) {
    fastconv_conv_desc& desc = key.desc;
    desc.dtype = input.dtype;
    desc.spatial = form.dims;
    desc.batch = input.sizes[0];
    desc.groups = read_int(function, "groups", arguments.groups);
    describe_transposed_channels(function, input.sizes[1], weight.sizes, desc);
    TransposedAxes axes(function, form.dims, input.sizes, weight.sizes);
    axes.read(arguments.window, arguments.output_padding, arguments.output_size);
    output = {desc.batch, desc.in_channels};
    for (int i = 0; i < form.dims; ++i) {
      const TransposedAxis& axis = axes[i];
      desc.input[i] = axis.output, desc.output[i] = axis.input;
      desc.kernel[i] = axis.kernel, desc.stride[i] = axis.stride;
      desc.dilation[i] = axis.dilation;
      desc.pad_before[i] = axis.before, desc.pad_after[i] = axis.after;
      output.push(axis.output);
    }
    check_count(function, "output", output);
    key.set_strides(kOutput, input.strides);
  }
};

py::object forward(const char* function, int dims, bool nhwc, const py::array& input,
                   const py::array& weight, const py::object& bias, py::handle stride,
                   py::handle padding, py::handle output_padding, py::handle groups,
                   py::handle dilation, py::handle output_size, int algorithm, int activation,
                   double slope, const py::object& residual, const Weights* prepared,
                   const py::object& out) {
  Transposed conv(function, {dims, nhwc}, input, weight,
                  {{stride, padding, dilation}, output_padding, output_size, groups});
  describe_method({algorithm, activation, slope}, conv.key.desc);
  Extras extras(bias, residual, out);
  View output =
      extras.has_out()
          ? result_of(function, out, conv.output, conv.input)
          : allocate(conv.input.array.dtype(), conv.input.form, conv.output,
                     packed_strides(conv.output, is_channels_last(conv.input)));
  fastconv_buffers buffers = no_buffers();
  extras.read(function, conv.input, &conv.weight, output, buffers);
  conv.key.direction = FASTCONV_BACKWARD_INPUT;
  conv.key.set_strides(kInput, output.strides);
  if (!prepared) conv.key.set_strides(kWeight, conv.weight.strides);
  buffers.prepared = prepared ? prepared->handle.get() : nullptr;
  buffers.grad_output = conv.input.data();
  buffers.weight = conv.weight.data();
  buffers.grad_input = output.mutable_data();
  execute(function, *find_plan(function, conv.key), buffers);
  return finished(output);
}

// The sum over all but channels: the bias gradient of a 1 x 1 convolution.
py::array sum_of_channels(const char* function, const View& grad) {
  ConvKey key;
  describe_input(grad, key.desc);
  key.desc.in_channels = key.desc.out_channels = key.desc.groups = grad.sizes[1];
  for (int i = 0; i < grad.form.dims; ++i)
    key.desc.kernel[i] = key.desc.stride[i] = key.desc.dilation[i] = 1;
  key.direction = FASTCONV_BACKWARD_WEIGHT;
  key.set_strides(kInput, grad.strides);
  key.set_strides(kOutput, grad.strides);
  View target = allocate(grad.array.dtype(), {grad.sizes[1]});
  fastconv_buffers buffers = no_buffers();
  buffers.input = buffers.grad_output = grad.data();
  buffers.grad_bias = target.mutable_data();
  execute(function, *find_plan(function, key), buffers);
  return target.array;
}

py::tuple backward(const char* function, int dims, bool nhwc, const py::array& grad_output,
                   const py::array& input, const py::array& weight, const py::object& bias,
                   py::handle stride, py::handle padding, py::handle output_padding,
                   py::handle groups, py::handle dilation, py::handle output_size, int algorithm,
                   bool needs_input, bool needs_weight, bool needs_bias) {
  Transposed conv(function, {dims, nhwc}, input, weight,
                  {{stride, padding, dilation}, output_padding, output_size, groups});
  describe_method({algorithm}, conv.key.desc);
  const View grad = image_of(function, "grad_output", grad_output, conv.input.form, conv.input);
  check_sizes(function, "grad_output", grad, conv.output, conv.input.form);
  conv.key.set_strides(kInput, grad.strides);
  if (!bias.is_none())
    bias_of(function, bias.cast<py::array>(), conv.input, conv.key.desc.in_channels);

  const py::dtype dtype = conv.input.array.dtype();
  py::object grad_input = py::none(), grad_weight = py::none(), grad_bias = py::none();
  fastconv_buffers buffers = no_buffers();
  buffers.input = grad.data();
  buffers.weight = conv.weight.data();
  if (needs_weight) {
    ConvKey key = conv.key;
    key.direction = FASTCONV_BACKWARD_WEIGHT;
    View target = allocate(dtype, conv.weight.sizes);
    buffers.grad_output = conv.input.data();
    buffers.grad_weight = target.mutable_data();
    execute(function, *find_plan(function, key), buffers);
    grad_weight = target.array;
  }
  if (needs_bias && !bias.is_none()) grad_bias = sum_of_channels(function, grad);
  if (needs_input) {
    View target = allocate(dtype, conv.input.form, conv.input.sizes,
                           packed_strides(conv.input.sizes, is_channels_last(conv.input)));
    conv.key.direction = FASTCONV_FORWARD;
    conv.key.set_strides(kOutput, target.strides);
    conv.key.set_strides(kWeight, conv.weight.strides);
    buffers.output = target.mutable_data();
    execute(function, *find_plan(function, conv.key), buffers);
    grad_input = target.array;
  }
  return py::make_tuple(grad_input, grad_weight, grad_bias);
}

py::dict describe(const char* function, int dims, bool nhwc, const py::array& input,
                  const py::array& weight, py::handle stride, py::handle padding,
                  py::handle output_padding, py::handle groups, py::handle dilation,
                  py::handle output_size, int algorithm) {
  Transposed conv(function, {dims, nhwc}, input, weight,
                  {{stride, padding, dilation}, output_padding, output_size, groups});
  describe_method({algorithm}, conv.key.desc);
  conv.key.direction = FASTCONV_BACKWARD_INPUT;
  conv.key.set_strides(kInput, packed_strides(conv.output, is_channels_last(conv.input)));
  conv.key.set_strides(kWeight, conv.weight.strides);
  return describe_plan(function, *find_plan(function, conv.key), conv.output, conv.input.form);
}

}  // namespace

void register_conv_transpose(py::module_& module) {
  module.def("conv_transpose_forward", &forward);
  module.def("conv_transpose_backward", &backward);
  module.def("conv_transpose_describe", &describe);
}

}  // namespace fastconv::python
