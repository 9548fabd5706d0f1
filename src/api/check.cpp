#include "api/check.hpp"

#include <algorithm>
#include <cstdio>

#include "api/error.hpp"

namespace fastconv {
namespace {

using std::to_string;

// Sizes beyond this overflow somewhere; no memory holds them either.
constexpr std::int64_t kMaxSize = std::int64_t{1} << 46;

std::string tuple(const std::int64_t* values, int count) {
  std::string text = "(";
  for (int i = 0; i < count; ++i) text += (i ? ", " : "") + to_string(values[i]);
  return text + (count == 1 ? ",)" : ")");
}

std::string pairs(const std::int64_t* before, const std::int64_t* after, int count) {
  std::string text = "(";
  for (int i = 0; i < count; ++i)
    text += (i ? ", (" : "(") + to_string(before[i]) + ", " + to_string(after[i]) + ")";
  return text + (count == 1 ? ",)" : ")");
}

void check_range(const char* name, const std::int64_t* values, int count, std::int64_t least) {
  const bool one = count == 1;
  const auto got = [&](int i) { return one ? to_string(values[i]) : tuple(values, count); };
  for (int i = 0; i < count; ++i) {
    if (values[i] < least)
      invalid(std::string(name) + " is " + got(i) + " (wanted at least " + to_string(least) +
              (one ? ")" : " in each dimension)"));
    if (values[i] > kMaxSize)
      invalid(std::string(name) + " is " + got(i) + " (wanted at most 2**46)");
  }
}

// The product of sizes, as a number of elements that fits the address space.
std::int64_t count(const char* name, std::initializer_list<std::int64_t> sizes) {
  std::int64_t product = 1;
  for (std::int64_t size : sizes)
    if (__builtin_mul_overflow(product, size, &product) || product > kMaxSize)
      invalid(std::string(name) + " would have more than 2**46 elements");
  return product;
}

// As few digits as tell it.
std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", value);
  return text;
}

std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0); }

// The strides of (n, c, spatial...), C order where none are given.
Strides strides_of(int dims, const std::int64_t* given, std::int64_t channels,
                   const std::int64_t* sizes) {
  Strides result{0, 0, {0, 0, 0}};
  if (given) {
    result.outer = given[0], result.channel = given[1];
    std::copy(given + 2, given + 2 + dims, result.axis + 3 - dims);
    return result;
  }
  std::int64_t step = 1;
  for (int i = dims; i-- > 0; step *= sizes[i]) result.axis[3 - dims + i] = step;
  result.channel = step;
  result.outer = step * channels;
  return result;
}

// What every description of images begins with.
template <class Desc>
void check_kind(const Desc& desc) {
  if (desc.size != sizeof(Desc))
    invalid("the description's size is " + to_string(desc.size) + " (wanted " +
            to_string(sizeof(Desc)) + ")");
  if (desc.dtype != FASTCONV_FLOAT32 && desc.dtype != FASTCONV_FLOAT64)
    invalid("dtype is " + to_string(desc.dtype) + " (wanted float32 or float64)");
  if (desc.spatial < 1 || desc.spatial > 3)
    invalid("spatial is " + to_string(desc.spatial) + " (wanted 1, 2 or 3)");
  check_range("batch", &desc.batch, 1, 0);
  check_range("the input's spatial size", desc.input, desc.spatial, 1);
  if (desc.padding < FASTCONV_PADDING_EXPLICIT || desc.padding > FASTCONV_PADDING_FULL)
    invalid("padding is " + to_string(desc.padding) + " (wanted a fastconv_padding)");
}

template <class Desc>
void check_pads(const Desc& desc) {
  for (int i = 0; i < desc.spatial; ++i)
    if (std::min(desc.pad_before[i], desc.pad_after[i]) < 0 ||
        std::max(desc.pad_before[i], desc.pad_after[i]) > kMaxSize)
      invalid("padding is " + pairs(desc.pad_before, desc.pad_after, desc.spatial) +
              " (wanted from 0 to 2**46 on each side)");
}

// What the descriptions of sliding windows share.
template <class Desc>
struct Common {
  explicit Common(const Desc& d) : desc(d), dims(d.spatial) {
    check_kind(desc);
    check_range("kernel_size", desc.kernel, dims, 1);
    check_range("stride", desc.stride, dims, 1);
    check_range("dilation", desc.dilation, dims, 1);
    if (desc.padding == FASTCONV_PADDING_EXPLICIT) check_pads(desc);
    for (int i = 0; i < dims; ++i) pad(i);
  }

  // Axes of size 1 stand before the spatial ones.
  void fill(Axis (&axes)[3], bool ceil_mode) const {
    for (int i = 0; i < dims; ++i) {
      Axis& axis = axes[3 - dims + i];
      axis = {desc.input[i], desc.kernel[i], 0, desc.stride[i], desc.dilation[i], before[i],
              after[i]};
      const std::int64_t room = axis.input + axis.pad_before + axis.pad_after - axis.extent();
      axis.output = floor_div(room + (ceil_mode ? axis.stride - 1 : 0), axis.stride) + 1;
      // The last window must start inside the input or the padding before it.
      if (ceil_mode && (axis.output - 1) * axis.stride >= axis.input + axis.pad_before)
        --axis.output;
      if (axis.output < 1) too_large();
    }
  }

  Strides strides(const std::int64_t* given, std::int64_t channels,
                  const std::int64_t* sizes) const {
    return strides_of(dims, given, channels, sizes);
  }

  const Desc& desc;
  const int dims;
  std::int64_t before[3] = {}, after[3] = {};

 private:
  void pad(int i) {
    const std::int64_t input = desc.input[i], stride = desc.stride[i];
    std::int64_t extent;
    if (__builtin_mul_overflow(desc.dilation[i], desc.kernel[i] - 1, &extent) ||
        extent >= kMaxSize)
      invalid("dilation is " + tuple(desc.dilation, dims) + ", kernel_size is " +
              tuple(desc.kernel, dims) + " (wanted a window of at most 2**46 elements)");
    extent += 1;
    switch (desc.padding) {
      case FASTCONV_PADDING_VALID: break;
      case FASTCONV_PADDING_FULL: before[i] = after[i] = extent - 1; break;
      case FASTCONV_PADDING_SAME:
      case FASTCONV_PADDING_SAME_LOWER: {
        const std::int64_t outputs = (input - 1) / stride + 1;
        const std::int64_t all =
            std::max<std::int64_t>(0, (outputs - 1) * stride + extent - input);
        before[i] = after[i] = all / 2;
        (desc.padding == FASTCONV_PADDING_SAME ? after : before)[i] += all % 2;
        break;
      }
      case FASTCONV_PADDING_EXPLICIT:
        before[i] = desc.pad_before[i], after[i] = desc.pad_after[i];
    }
  }

  [[noreturn]] void too_large() const {
    std::int64_t padded[3], extent[3];
    for (int i = 0; i < dims; ++i) {
      padded[i] = desc.input[i] + before[i] + after[i];
      extent[i] = desc.dilation[i] * (desc.kernel[i] - 1) + 1;
    }
    const bool dilated = std::any_of(desc.dilation, desc.dilation + dims,
                                     [](std::int64_t dilation) { return dilation > 1; });
    invalid((dilated ? "the dilated kernel has size " : "the kernel has size ") +
            tuple(extent, dims) + ", the padded input " + tuple(padded, dims) +
            " (wanted the kernel to fit)");
  }
};

}  // namespace

ConvShape make_shape(const fastconv_conv_desc& desc) {
  const Common<fastconv_conv_desc> common(desc);
  check_range("the number of input channels", &desc.in_channels, 1, 1);
  check_range("the number of output channels", &desc.out_channels, 1, 1);
  check_range("groups", &desc.groups, 1, 1);
  if (desc.in_channels % desc.groups || desc.out_channels % desc.groups)
    invalid("groups is " + to_string(desc.groups) + ", input has " + to_string(desc.in_channels) +
            " channels, output has " + to_string(desc.out_channels) +
            " (wanted groups to divide both)");

  if (desc.algorithm < FASTCONV_ALGORITHM_AUTO || desc.algorithm > FASTCONV_ALGORITHM_TILED)
    invalid("algorithm is " + to_string(desc.algorithm) + " (wanted a fastconv_algorithm)");
  if (desc.activation < FASTCONV_ACTIVATION_NONE ||
      desc.activation > FASTCONV_ACTIVATION_HARD_SWISH)
    invalid("activation is " + to_string(desc.activation) + " (wanted a fastconv_activation)");

  ConvShape shape{};
  shape.dtype = desc.dtype == FASTCONV_FLOAT32 ? Dtype::float32 : Dtype::float64;
  shape.n = desc.batch;
  shape.g = desc.groups;
  shape.ic = desc.in_channels / desc.groups;
  shape.oc = desc.out_channels / desc.groups;
  common.fill(shape.axis, false);
  for (int i = 0; i < common.dims; ++i) {
    Axis& axis = shape.axis[3 - common.dims + i];
    if (desc.output[i] == 0) continue;
    if (desc.output[i] < 0 || desc.output[i] > axis.output)
      invalid("output is " + tuple(desc.output, common.dims) + " (wanted at most " +
              to_string(axis.output) + " in dimension " + to_string(i) + ", or 0)");
    axis.output = desc.output[i];
  }
  const Axis &d = shape.axis[0], &h = shape.axis[1], &w = shape.axis[2];
  count("input", {desc.batch, desc.in_channels, d.input, h.input, w.input});
  count("weight", {desc.out_channels, shape.ic, d.kernel, h.kernel, w.kernel});
  count("output", {desc.batch, desc.out_channels, d.output, h.output, w.output});

  const std::int64_t output[3] = {d.output, h.output, w.output};
  shape.input = common.strides(desc.input_strides, desc.in_channels, desc.input);
  shape.weight = common.strides(desc.weight_strides, shape.ic, desc.kernel);
  shape.output =
      common.strides(desc.output_strides, desc.out_channels, output + 3 - common.dims);
  return shape;
}

namespace {

// Adaptive windows of one size along an axis are those of an ordinary pooling.
fastconv_pool_desc with_windows(fastconv_pool_desc desc) {
  for (int i = 0; i < 3; ++i) {
    desc.kernel[i] = desc.stride[i] = desc.dilation[i] = 1;
    desc.pad_before[i] = desc.pad_after[i] = 0;
  }
  desc.padding = FASTCONV_PADDING_VALID;
  desc.ceil_mode = 0, desc.divisor_override = 0, desc.count_include_pad = 1;
  if (desc.spatial < 1 || desc.spatial > 3) return desc;
  check_range("the input's spatial size", desc.input, desc.spatial, 1);
  check_range("output_size", desc.output, desc.spatial, 0);
  for (int i = 0; i < desc.spatial; ++i)
    if (desc.output[i] > 0 && desc.input[i] % desc.output[i] == 0)
      desc.kernel[i] = desc.stride[i] = desc.input[i] / desc.output[i];
  return desc;
}

// Gives the axes the output that the description asks for. True if a window differs from another.
bool fit_windows(const fastconv_pool_desc& desc, PoolShape& shape) {
  bool differ = false;
  for (int i = 0; i < desc.spatial; ++i) {
    Axis& axis = shape.axis[3 - desc.spatial + i];
    if (axis.output == desc.output[i]) continue;
    axis.output = desc.output[i];
    axis.kernel = axis.output ? (axis.input - 1) / axis.output + 2 : 1;
    differ = true;
  }
  return differ;
}

}  // namespace

PoolShape make_shape(const fastconv_pool_desc& given) {
  const bool adaptive = given.size == sizeof given && given.adaptive;
  const fastconv_pool_desc desc = adaptive ? with_windows(given) : given;
  const Common<fastconv_pool_desc> common(desc);
  check_range("the number of channels", &desc.channels, 1, 1);
  if (desc.kind < FASTCONV_POOL_MAX ||
      desc.kind > (desc.adaptive ? FASTCONV_POOL_AVG : FASTCONV_POOL_LP))
    invalid("kind is " + to_string(desc.kind) + " (wanted a fastconv_pool_kind, and of an adaptive "
            "pooling max or mean)");
  if (desc.kind == FASTCONV_POOL_LP && !(desc.norm_type > 0))
    invalid("norm_type is " + number(desc.norm_type) + " (wanted a number above 0)");
  if (desc.padding == FASTCONV_PADDING_FULL)
    invalid("padding is 'full' (wanted numbers, 'valid', 'same' or 'same_lower')");
  // "same" may need more where the window is dilated.
  for (int i = 0; i < common.dims && desc.padding == FASTCONV_PADDING_EXPLICIT; ++i)
    if (std::max(common.before[i], common.after[i]) > desc.kernel[i] / 2)
      invalid("padding is " + pairs(common.before, common.after, common.dims) +
              ", kernel_size is " + tuple(desc.kernel, common.dims) +
              " (wanted at most half the kernel on each side)");

  PoolShape shape{};
  shape.dtype = desc.dtype == FASTCONV_FLOAT32 ? Dtype::float32 : Dtype::float64;
  shape.max = desc.kind == FASTCONV_POOL_MAX;
  shape.n = desc.batch;
  shape.c = desc.channels;
  shape.count_include_pad = desc.count_include_pad;
  shape.divisor_override = desc.divisor_override;
  common.fill(shape.axis, desc.ceil_mode);
  if (desc.adaptive) shape.adaptive = fit_windows(desc, shape);
  if (desc.kind == FASTCONV_POOL_LP) shape.norm = desc.norm_type, shape.count_include_pad = true;
  const Axis &d = shape.axis[0], &h = shape.axis[1], &w = shape.axis[2];
  count("input", {desc.batch, desc.channels, d.input, h.input, w.input});
  count("the kernel", {d.kernel, h.kernel, w.kernel});
  count("output", {desc.batch, desc.channels, d.output, h.output, w.output});

  const std::int64_t output[3] = {d.output, h.output, w.output};
  shape.input = common.strides(desc.input_strides, desc.channels, desc.input);
  shape.output = common.strides(desc.output_strides, desc.channels, output + 3 - common.dims);
  shape.indices = common.strides(desc.indices_strides, desc.channels, output + 3 - common.dims);
  return shape;
}

UnfoldShape make_shape(const fastconv_unfold_desc& desc) {
  if (desc.spatial != 2) invalid("spatial is " + to_string(desc.spatial) + " (wanted 2)");
  const Common<fastconv_unfold_desc> common(desc);
  check_range("the number of channels", &desc.channels, 1, 1);
  UnfoldShape shape{};
  shape.dtype = desc.dtype == FASTCONV_FLOAT32 ? Dtype::float32 : Dtype::float64;
  shape.n = desc.batch;
  shape.c = desc.channels;
  common.fill(shape.axis, false);
  const Axis &h = shape.axis[1], &w = shape.axis[2];
  count("the image", {desc.batch, desc.channels, h.input, w.input});
  const std::int64_t rows = count("a column", {desc.channels, h.kernel, w.kernel});
  count("the columns", {desc.batch, rows, h.output, w.output});
  shape.image = common.strides(desc.image_strides, desc.channels, desc.input);
  const std::int64_t windows = shape.outputs(), packed[3] = {rows * windows, windows, 1};
  std::copy_n(desc.columns_strides ? desc.columns_strides : packed, 3, shape.columns);
  return shape;
}

UnpoolShape make_shape(const fastconv_unpool_desc& desc) {
  const int dims = desc.spatial;
  check_kind(desc);
  check_range("the number of channels", &desc.channels, 1, 1);
  check_range("kernel_size", desc.kernel, dims, 1);
  check_range("stride", desc.stride, dims, 1);
  if (desc.padding == FASTCONV_PADDING_FULL)
    invalid("padding is 'full' (wanted numbers, 'valid', 'same' or 'same_lower')");
  const bool given = desc.padding == FASTCONV_PADDING_EXPLICIT;
  const bool same = !given && desc.padding != FASTCONV_PADDING_VALID;
  if (given) check_pads(desc);

  std::int64_t output[3] = {}, least[3] = {}, most[3] = {};
  bool fits = true, sized = false;
  for (int i = 0; i < dims; ++i) sized |= desc.output[i] != 0;
  for (int i = 0; i < dims; ++i) {
    const std::int64_t stride = desc.stride[i];
    std::int64_t reach;
    if (__builtin_mul_overflow(desc.input[i] - !same, stride, &reach) || reach > kMaxSize)
      invalid("output would have more than 2**46 elements");
    const std::int64_t pads = given ? desc.pad_before[i] + desc.pad_after[i] : 0;
    output[i] = same ? reach : reach - pads + desc.kernel[i];
    least[i] = std::max<std::int64_t>(output[i] - stride + 1, 1);
    most[i] = output[i] + (same ? 0 : stride - 1);
    if (sized) output[i] = desc.output[i];
    fits &= least[i] <= output[i] && output[i] <= most[i];
  }
  if (!fits && sized)
    invalid("output_size is " + tuple(output, dims) + " (wanted from " + tuple(least, dims) +
            " to " + tuple(most, dims) + ")");
  if (!fits)
    invalid("the output would have size " + tuple(output, dims) +
            " (wanted at least 1 in each dimension)");

  UnpoolShape shape{};
  shape.dtype = desc.dtype == FASTCONV_FLOAT32 ? Dtype::float32 : Dtype::float64;
  shape.n = desc.batch;
  shape.c = desc.channels;
  std::fill_n(shape.input, 3 - dims, 1), std::fill_n(shape.output, 3 - dims, 1);
  std::copy_n(desc.input, dims, shape.input + 3 - dims);
  std::copy_n(output, dims, shape.output + 3 - dims);
  const auto &in = shape.input, &out = shape.output;
  count("input", {desc.batch, desc.channels, in[0], in[1], in[2]});
  count("output", {desc.batch, desc.channels, out[0], out[1], out[2]});
  shape.from = strides_of(dims, desc.input_strides, desc.channels, desc.input);
  shape.indices = strides_of(dims, desc.indices_strides, desc.channels, desc.input);
  shape.to = strides_of(dims, desc.output_strides, desc.channels, output);
  return shape;
}

}  // namespace fastconv
