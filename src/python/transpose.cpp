#include "python/transpose.hpp"

namespace fastconv::python {
namespace {

// As the core has it: sizes beyond this overflow somewhere.
constexpr std::int64_t kMaxSize = std::int64_t{1} << 46;

}  // namespace

TransposedAxes::TransposedAxes(const char* function, int dims, const Sizes& input,
                               const Sizes& weight)
    : function_(function), dims_(dims), axes_{} {
  Numbers sizes, kernel;
  for (int i = 0; i < dims; ++i) {
    axes_[i].input = sizes[i] = input[i + 2];
    axes_[i].kernel = kernel[i] = weight[i + 2];
  }
  check_range("the input's spatial size", sizes, 1);
  check_range("kernel_size", kernel, 1);
}

void TransposedAxes::read(const Window& window, py::handle output_padding,
                          py::handle output_size) {
  Numbers stride, dilation, before{}, after{}, extra;
  read_ints(function_, "stride", window.stride, dims_, stride);
  read_ints(function_, "dilation", window.dilation, dims_, dilation);
  read_ints(function_, "output_padding", output_padding, dims_, extra);
  check_range("stride", stride, 1);
  check_range("dilation", dilation, 1);
  fastconv_padding padding = FASTCONV_PADDING_EXPLICIT;
  if (PyUnicode_Check(window.padding.ptr()))
    padding = read_padding_name(function_, window.padding);
  else
    read_pairs(function_, window.padding, dims_, before, after);
  if (padding == FASTCONV_PADDING_FULL)
    value_error(function_, "padding is 'full' (wanted numbers, 'valid', 'same' or 'same_lower')");
  check_range("padding", before, 0);
  check_range("padding", after, 0);
  const bool sized = !output_size.is_none();
  for (int i = 0; i < dims_; ++i) {
    TransposedAxis& axis = axes_[i];
    axis.stride = stride[i], axis.dilation = dilation[i];
    axis.before = before[i], axis.after = after[i];
    if (!sized && (extra[i] < 0 || extra[i] >= std::max(stride[i], dilation[i])))
      value_error(function_, "output_padding is " + text(extra) + ", stride is " + text(stride) +
                                 ", dilation is " + text(dilation) +
                                 " (wanted from 0 to less than stride or dilation)");
    set_output(i, sized ? 0 : extra[i], padding);
  }
  Numbers output;
  if (sized) {
    Numbers least, most;
    read_ints(function_, "output_size", output_size, dims_, output);
    bool fits = true;
    for (int i = 0; i < dims_; ++i) {
      const bool fixed = padding >= FASTCONV_PADDING_SAME;
      least[i] = axes_[i].output;
      most[i] = least[i] + (fixed ? 0 : stride[i] - 1);
      fits &= least[i] <= output[i] && output[i] <= most[i];
      axes_[i].output = output[i];
    }
    if (!fits)
      value_error(function_, "output_size is " + text(output) + " (wanted from " + text(least) +
                                 " to " + text(most) + ")");
  }
  for (int i = 0; i < dims_; ++i) output[i] = axes_[i].output;
  if (std::any_of(output, output + dims_, [](std::int64_t size) { return size < 1; }))
    value_error(function_, "the output would have size " + text(output) +
                               " (wanted at least 1 in each dimension)");
}

// With "same" the output is input * stride, and what the windows reach past it is cut off: half
// before and the odd one after, or before for "same_lower" (ONNX, ConvTranspose).
void TransposedAxes::set_output(int i, std::int64_t output_padding, fastconv_padding padding) {
  TransposedAxis& axis = axes_[i];
  std::int64_t reach, extent;
  if (__builtin_mul_overflow(axis.input - 1, axis.stride, &reach) || reach > kMaxSize ||
      __builtin_mul_overflow(axis.dilation, axis.kernel - 1, &extent) || extent > kMaxSize)
    value_error(function_, "output would have more than 2**46 elements");
  extent += 1;
  if (padding >= FASTCONV_PADDING_SAME) {
    const std::int64_t cut = std::max<std::int64_t>(0, extent + output_padding - axis.stride);
    axis.before = padding == FASTCONV_PADDING_SAME ? cut / 2 : cut - cut / 2;
    axis.after = cut - axis.before;
    axis.output = axis.input * axis.stride;
    return;
  }
  axis.output = reach - axis.before - axis.after + extent + output_padding;
}

void TransposedAxes::check_range(const char* name, const std::int64_t* numbers,
                                 std::int64_t least) const {
  for (int i = 0; i < dims_; ++i) {
    if (numbers[i] < least)
      value_error(function_, std::string(name) + " is " + text(numbers) + " (wanted at least " +
                                 std::to_string(least) + " in each dimension)");
    if (numbers[i] > kMaxSize)
      value_error(function_,
                  std::string(name) + " is " + text(numbers) + " (wanted at most 2**46)");
  }
}

std::string TransposedAxes::text(const std::int64_t* numbers) const {
  Sizes sizes;
  for (int i = 0; i < dims_; ++i) sizes.push(numbers[i]);
  return shape_text(sizes);
}

void describe_transposed_channels(const char* function, std::int64_t channels,
                                  const Sizes& weight, fastconv_conv_desc& desc) {
  for (const auto& [what, size] : {std::pair{"input has 0 channels", channels},
                                   {"weight has 0 input channels", weight[0]},
                                   {"weight has 0 output channels", weight[1]}})
    if (size < 1) value_error(function, std::string(what) + " (wanted at least 1)");
  if (channels != weight[0])
    value_error(function, "weight has " + std::to_string(weight[0]) +
                              " input channels, input has " + std::to_string(channels) +
                              " (wanted weight.shape[0] == " + std::to_string(channels) + ")");
  if (desc.groups < 1 || channels % desc.groups)
    value_error(function, "groups is " + std::to_string(desc.groups) + ", input has " +
                              std::to_string(channels) +
                              " channels (wanted at least 1, and to divide them)");
  desc.in_channels = weight[1] * desc.groups;
  desc.out_channels = channels;
}

void check_count(const char* function, const char* name, const Sizes& sizes) {
  std::int64_t product = 1;
  for (std::int64_t size : sizes)
    if (__builtin_mul_overflow(product, size, &product) || product > kMaxSize)
      value_error(function, std::string(name) + " would have more than 2**46 elements");
}

}  // namespace fastconv::python
