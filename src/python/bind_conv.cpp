// Convolution and its gradients.
#include "python/problem.hpp"
#include "python/register.hpp"

namespace fastconv::python {
namespace {

struct Conv {
  std::string function;
  Window window;
  std::int64_t groups;
  View input, weight;
  bool batched;  // whether the batch axis was added
  fastconv_conv_desc desc{};

  Conv(const std::string& name, const py::array& input_, const py::array& weight_,
       const Window& window_, std::int64_t groups_)
      : function(name),
        window(window_),
        groups(groups_),
        input(view_of(name, "input", input_)),
        weight(view_of(name, "weight", weight_, input, "input")),
        batched(add_batch(name, "input", input, window_.dims)) {
    const auto dims = static_cast<std::size_t>(window.dims);
    if (weight.sizes.size() != dims + 2)
      throw py::value_error(function + ": weight has shape " + shape_text(weight.sizes) +
                            " (wanted " + std::to_string(dims + 2) +
                            " dimensions: out, in / groups, kernel)");
    const std::int64_t channels = input.sizes[1], in_group = weight.sizes[1];
    for (const auto& [what, size] : {std::pair{"input has 0 channels", channels},
                                     {"weight has 0 input channels", in_group},
                                     {"weight has 0 output channels", weight.sizes[0]}})
      if (size < 1) throw py::value_error(function + ": " + what + " (wanted at least 1)");
    if (groups >= 1 && (channels % groups || channels / groups != in_group)) {
      const std::string wanted =
          channels % groups ? "groups to divide the channels"
                            : "weight.shape[1] == " + std::to_string(channels / groups);
      throw py::value_error(function + ": weight has " + std::to_string(in_group) +
                            " input channels a group, input has " + std::to_string(channels) +
                            " channels in " + std::to_string(groups) + " groups (wanted " + wanted +
                            ")");
    }
    describe(function, input, window, desc);
    desc.in_channels = channels;
    desc.out_channels = weight.sizes[0];
    desc.groups = groups;
    for (std::size_t i = 0; i < dims; ++i) desc.kernel[i] = weight.sizes[i + 2];
    desc.input_strides = input.strides.data();
    desc.weight_strides = weight.strides.data();
  }

  Problem problem() const { return make_problem(function, desc); }
  Sizes output(const Problem& problem) const {
    return output_sizes(problem, desc.batch, desc.out_channels, window.dims);
  }
};

// The weights of a frozen layer, packed once for each kind of plan that uses them.
struct Weights {
  WeightsHandle handle;
};

Weights prepare(const std::string& function, const py::array& weight, std::int64_t groups) {
  const View view = view_of(function, "weight", weight);
  fastconv_conv_desc desc{};
  desc.size = sizeof desc;
  desc.dtype = view.dtype;
  desc.spatial = static_cast<std::int32_t>(view.sizes.size()) - 2;
  desc.batch = 1;
  desc.in_channels = view.sizes.at(1) * groups;
  desc.out_channels = view.sizes.at(0);
  desc.groups = groups;
  for (std::size_t i = 2; i < view.sizes.size() && i < 5; ++i) {
    desc.input[i - 2] = desc.kernel[i - 2] = view.sizes[i];
    desc.stride[i - 2] = desc.dilation[i - 2] = 1;
  }
  desc.weight_strides = view.strides.data();
  fastconv_weights* weights;
  check(function, fastconv_weights_create(&desc, view.data(), &weights));
  return {WeightsHandle(weights)};
}

// An array of the output's shape, in the output's memory order.
View residual_of(const Conv& conv, const py::array& residual, const View& output) {
  View view = view_of(conv.function, "residual", residual, conv.input, "input");
  const bool batched = view.sizes.size() + 1 == output.sizes.size();
  if (batched) add_batch(conv.function, "residual", view, conv.window.dims);
  if (view.sizes != output.sizes)
    throw py::value_error(conv.function + ": residual has shape " + shape_text(view.sizes) +
                          " (wanted " + shape_text(output.sizes) + ", the output's)");
  if (same_memory_order(view, output)) return view;
  View copy = allocate(view.array.dtype(), output.sizes, is_channels_last(output));
  if (!same_memory_order(copy, output))
    throw py::value_error(conv.function + ": out has strides that residual cannot be copied to "
                          "(wanted an array in C order or channels-last)");
  result_of(copy, batched)[py::ellipsis()] = view.array;
  return copy;
}

py::array conv_forward(const std::string& function, const py::array& input, const py::array& weight,
                       const std::optional<py::array>& bias, const Sizes& stride,
                       const py::object& padding, const Sizes& dilation, std::int64_t groups,
                       const std::optional<py::array>& out, int algorithm, int activation,
                       double slope, const std::optional<py::array>& residual,
                       const Weights* prepared) {
  Conv conv(function, input, weight, {static_cast<int>(stride.size()), stride, dilation, padding},
            groups);
  if (prepared) conv.desc.weight_strides = nullptr;  // they are in C order
  conv.desc.algorithm = static_cast<fastconv_algorithm>(algorithm);
  conv.desc.activation = static_cast<fastconv_activation>(activation);
  conv.desc.activation_slope = slope;
  fastconv_buffers buffers{};
  buffers.size = sizeof buffers;
  std::optional<View> bias_view, residual_view;
  if (bias) {
    bias_view = bias_of(function, *bias, conv.input, conv.desc.out_channels);
    buffers.bias = bias_view->data();
  }
  const Sizes sizes = conv.output(conv.problem());
  std::vector<const View*> inputs{&conv.input, &conv.weight};
  if (bias_view) inputs.push_back(&*bias_view);
  View output = out ? output_of(function, *out, sizes, conv.batched, conv.input, inputs)
                    : allocate(conv.input.array.dtype(), sizes, is_channels_last(conv.input));
  if (residual) {
    residual_view = residual_of(conv, *residual, output);
    buffers.residual = residual_view->data();
    if (out) check_apart(function, *out, *residual_view);
  }
  conv.desc.output_strides = output.strides.data();
  buffers.input = conv.input.data();
  buffers.weight = conv.weight.data();
  buffers.output = output.mutable_data();
  buffers.prepared = prepared ? prepared->handle.get() : nullptr;
  execute(function, conv.problem(), FASTCONV_FORWARD, buffers);
  return out ? *out : result_of(output, conv.batched);
}

py::tuple conv_backward(const std::string& function, const py::array& grad_output,
                        const py::array& input, const py::array& weight, const Sizes& stride,
                        const py::object& padding, const Sizes& dilation, std::int64_t groups,
                        bool needs_input, bool needs_weight, bool needs_bias, int algorithm) {
  Conv conv(function, input, weight, {static_cast<int>(stride.size()), stride, dilation, padding},
            groups);
  conv.desc.algorithm = static_cast<fastconv_algorithm>(algorithm);
  View grad = view_of(function, "grad_output", grad_output, conv.input, "input");
  const bool grad_batched = add_batch(function, "grad_output", grad, conv.window.dims);
  check_grad_output(function, grad, conv.output(conv.problem()), grad_batched);
  conv.desc.output_strides = grad.strides.data();

  const py::dtype dtype = conv.input.array.dtype();
  py::object grad_input = py::none(), grad_weight = py::none(), grad_bias = py::none();
  fastconv_buffers buffers{};
  buffers.size = sizeof buffers;
  buffers.grad_output = grad.data();
  buffers.input = conv.input.data();
  buffers.weight = conv.weight.data();
  if (needs_weight || needs_bias) {
    fastconv_conv_desc desc = conv.desc;
    View target = allocate(dtype, conv.weight.sizes, false);
    View bias = allocate(dtype, {conv.desc.out_channels}, false);
    desc.weight_strides = target.strides.data();
    buffers.grad_weight = needs_weight ? target.mutable_data() : nullptr;
    buffers.grad_bias = needs_bias ? bias.mutable_data() : nullptr;
    execute(function, make_problem(function, desc), FASTCONV_BACKWARD_WEIGHT, buffers);
    if (needs_weight) grad_weight = target.array;
    if (needs_bias) grad_bias = bias.array;
  }
  if (needs_input) {
    fastconv_conv_desc desc = conv.desc;
    View target = allocate(dtype, conv.input.sizes, is_channels_last(conv.input));
    desc.input_strides = target.strides.data();
    buffers.grad_input = target.mutable_data();
    execute(function, make_problem(function, desc), FASTCONV_BACKWARD_INPUT, buffers);
    grad_input = result_of(target, conv.batched);
  }
  return py::make_tuple(grad_input, grad_weight, grad_bias);
}

}  // namespace

void register_conv(py::module_& module) {
  py::class_<Weights>(module, "Weights").def(py::init(&prepare));
  module.def("conv_forward", &conv_forward);
  module.def("conv_backward", &conv_backward);
}

}  // namespace fastconv::python
