// Products of matrices: linear layers and their gradients, as convolutions with a 1-wide kernel.
#include "python/conv.hpp"
#include "python/dense.hpp"
#include "python/errors.hpp"
#include "python/outputs.hpp"
#include "python/register.hpp"

namespace fastconv::python {
namespace {

// A matrix; its memory is copied where strides are no multiples of the element.
View matrix_of(const char* function, const char* name, const py::array& array) {
  const fastconv_dtype dtype = float_dtype(function, name, array);
  View view{in_elements(array) ? array : array.attr("copy")("K").cast<py::array>(), dtype, {1}, {},
            {}};
  const py::ssize_t item = array.itemsize();
  for (int i = 0; i < 2; ++i) {
    view.sizes.push(array.shape()[i]);
    view.strides.push(view.array.strides()[i] / item);
  }
  return view;
}

// The rows of `pixels`, each a pixel with K channels, times those of `weights`, each an output
// channel.
void multiply(const char* function, const View& pixels, const View& weights, const void* bias,
              void* product) {
  ConvKey key;
  fastconv_conv_desc& desc = key.desc;
  desc.dtype = pixels.dtype;
  desc.spatial = 1;
  desc.batch = desc.groups = 1;
  desc.in_channels = pixels.sizes[1];
  desc.out_channels = weights.sizes[0];
  desc.input[0] = pixels.sizes[0];
  desc.kernel[0] = desc.stride[0] = desc.dilation[0] = 1;
  desc.algorithm = FASTCONV_ALGORITHM_TILED;
  key.direction = FASTCONV_FORWARD;
  key.set_strides(kInput, {0, pixels.strides[1], pixels.strides[0]});
  key.set_strides(kWeight, {weights.strides[0], weights.strides[1], 1});
  key.set_strides(kOutput, {0, 1, weights.sizes[0]});
  fastconv_buffers buffers = no_buffers();
  buffers.input = pixels.data(), buffers.weight = weights.data();
  buffers.bias = bias;
  buffers.output = product;
  execute(function, *find_plan(function, key), buffers);
}

// c(m, n) = bias(n) + sum over k of a(m, k) * b(n, k).
py::array product(const char* function, const py::array& a_, const py::array& b_,
                  const py::object& bias_) {
  const View a = matrix_of(function, "input", a_), b = matrix_of(function, "weight", b_);
  const std::int64_t rows = a.sizes[0], columns = b.sizes[0], depth = a.sizes[1];
  View c = allocate(a.array.dtype(), {1, false, false}, {1, rows, columns}, {0, columns, 1});
  c.sizes = {rows, columns};
  if (rows == 0 || columns == 0) return c.array;
  if (depth == 0) {
    std::memset(c.mutable_data(), 0, static_cast<std::size_t>(c.array.nbytes()));
    return c.array;
  }
  std::optional<View> bias;
  if (!bias_.is_none()) bias = bias_of(function, bias_.cast<py::array>(), a, columns);
  multiply(function, a, b, bias ? bias->data() : nullptr, c.mutable_data());
  return c.array;
}

}  // namespace

void register_linear(py::module_& module) { module.def("product", &product); }

}  // namespace fastconv::python
