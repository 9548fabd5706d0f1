#include "python/conv.hpp"

#include "python/errors.hpp"
#include "python/outputs.hpp"

namespace fastconv::python {

void describe_method(const Method& method, fastconv_conv_desc& desc) {
  desc.algorithm = static_cast<fastconv_algorithm>(method.algorithm);
  desc.activation = static_cast<fastconv_activation>(method.activation);
  desc.activation_slope = method.slope;
}

void describe_weight(const char* function, const View& input, const Sizes& weight,
                     std::int64_t groups, fastconv_conv_desc& desc) {
  const std::int64_t channels = input.sizes[1], in_group = weight[1];
  for (const auto& [what, size] : {std::pair{"input has 0 channels", channels},
                                   {"weight has 0 input channels", in_group},
                                   {"weight has 0 output channels", weight[0]}})
    if (size < 1) value_error(function, std::string(what) + " (wanted at least 1)");
  if (groups >= 1 && (channels % groups || channels / groups != in_group)) {
    const std::string wanted = channels % groups
                                   ? "groups to divide the channels"
                                   : "weight.shape[1] == " + std::to_string(channels / groups);
    value_error(function, "weight has " + std::to_string(in_group) +
                              " input channels a group, input has " + std::to_string(channels) +
                              " channels in " + std::to_string(groups) + " groups (wanted " +
                              wanted + ")");
  }
  desc.in_channels = channels;
  desc.out_channels = weight[0];
  desc.groups = groups;
  for (int i = 0; i < input.form.dims; ++i) desc.kernel[i] = weight[i + 2];
}

Weights::Weights(const char* function, const py::array& weight, std::int64_t groups_)
    : groups(groups_) {
  const View view = weight_of(function, weight);
  dtype = view.dtype;
  sizes = view.sizes;
  fastconv_conv_desc desc{};
  desc.size = sizeof desc;
  desc.dtype = dtype;
  desc.spatial = sizes.count() - 2;
  desc.batch = 1;
  desc.in_channels = sizes[1] * groups;
  desc.out_channels = sizes[0];
  desc.groups = groups;
  for (int i = 0; i < desc.spatial; ++i) {
    desc.input[i] = desc.kernel[i] = sizes[i + 2];
    desc.stride[i] = desc.dilation[i] = 1;
  }
  desc.weight_strides = view.strides.data();
  fastconv_weights* weights;
  check(function, fastconv_weights_create(&desc, view.data(), &weights));
  handle.reset(weights);
}

void Extras::read(const char* function, const View& input, const View* weight, const View& output,
                  fastconv_buffers& buffers) {
  if (!bias_.is_none()) {
    bias_view_ = bias_of(function, bias_.cast<py::array>(), input, output.sizes[1]);
    buffers.bias = bias_view_->data();
  }
  if (!residual_.is_none()) {
    residual_view_ = residual_of(function, residual_.cast<py::array>(), input, output);
    buffers.residual = residual_view_->data();
  }
  if (!has_out()) return;
  check_apart(function, output, input);
  if (weight) check_apart(function, output, *weight);
  for (const auto* view : {&bias_view_, &residual_view_})
    if (*view) check_apart(function, output, **view);
}

py::object conv_forward(const char* function, ConvKey& key, const View& input, const View* weight,
                        const Weights* prepared, Extras& extras) {
  fastconv_buffers buffers = no_buffers();
  buffers.input = input.data();
  if (weight) buffers.weight = weight->data();
  if (prepared) buffers.prepared = prepared->handle.get();
  key.set_strides(kInput, input.strides);
  if (!prepared) key.set_strides(kWeight, weight->strides);
  key.direction = FASTCONV_FORWARD;
  if (extras.has_out()) {
    View output = result_of(function, extras.out(), output_sizes(function, key), input);
    extras.read(function, input, weight, output, buffers);
    key.set_strides(kOutput, output.strides);
    buffers.output = output.mutable_data();
    execute(function, *find_plan(function, key), buffers);
    return finished(output);
  }
  key.new_channels_last = is_channels_last(input);
  const auto planned = find_plan(function, key);
  View output =
      allocate(input.array.dtype(), input.form, planned->output, planned->output_strides);
  extras.read(function, input, weight, output, buffers);
  buffers.output = output.mutable_data();
  execute(function, *planned, buffers);
  return output.array;
}

py::dict describe_plan(const char* function, const Planned& planned, const Sizes& output,
                       const Form& form) {
  fastconv_plan_info info{};
  info.size = sizeof info;
  check(function, fastconv_plan_describe(planned.plan.get(), &info));
  const Sizes ordered = in_form(output, form);
  py::tuple shape(static_cast<std::size_t>(ordered.count()));
  for (int i = 0; i < ordered.count(); ++i) shape[static_cast<std::size_t>(i)] = ordered[i];
  py::dict cycles;
  for (const auto& [name, number] : {std::pair{"direct", FASTCONV_ALGORITHM_DIRECT},
                                     {"im2col", FASTCONV_ALGORITHM_IM2COL},
                                     {"tiled", FASTCONV_ALGORITHM_TILED}})
    cycles[name] = info.cycles[number];
  using namespace py::literals;
  return py::dict("algorithm"_a = info.algorithm, "blocking"_a = info.blocking, "isa"_a = info.isa,
                  "threads"_a = info.threads, "tasks"_a = info.tasks,
                  "workspace_bytes"_a = info.workspace_bytes, "weight_bytes"_a = info.weight_bytes,
                  "flop"_a = info.flop, "bytes"_a = info.bytes, "cycles"_a = cycles,
                  "output"_a = shape);
}

}  // namespace fastconv::python
