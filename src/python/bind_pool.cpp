// Maximum and average pooling and their gradients.
#include <optional>

#include "python/arguments.hpp"
#include "python/plans.hpp"
#include "python/register.hpp"

namespace fastconv::python {
namespace {

using PoolKey = Key<fastconv_pool_desc>;

// How windows are laid and, of means, what divides them; as Python gave it.
struct Pooling {
  fastconv_pool_kind kind;
  py::handle kernel;
  Window window;
  bool ceil_mode, count_include_pad = true;
  py::handle divisor = Py_None;
};

struct Pool {
  View input;
  PoolKey key;

  Pool(const char* function, const Form& form, const py::array& input_, const Pooling& pooling)
      : input(image_of(function, "input", input_, form)) {
    fastconv_pool_desc& desc = key.desc;
    describe_input(input, desc);
    desc.kind = pooling.kind;
    desc.channels = input.sizes[1];
    read_ints(function, "kernel_size", pooling.kernel, form.dims, desc.kernel);
    describe_window(function, pooling.window, desc);
    desc.ceil_mode = pooling.ceil_mode;
    desc.count_include_pad = pooling.count_include_pad;
    if (pooling.divisor.is_none()) return;
    desc.divisor_override = read_int(function, "divisor_override", pooling.divisor);
    if (desc.divisor_override == 0)
      value_error(function, "divisor_override is 0 (wanted another number, or None)");
  }
};

struct Pooled {
  py::array output;
  std::optional<View> indices;
};

Pooled pool_forward(const char* function, Pool& pool, bool return_indices, const py::object& out) {
  const View& input = pool.input;
  fastconv_buffers buffers = no_buffers();
  buffers.input = input.data();
  pool.key.direction = FASTCONV_FORWARD;
  pool.key.set_strides(kInput, input.strides);
  const auto make_indices = [&](const Sizes& sizes, const Sizes& strides) {
    View indices = allocate(py::dtype::of<std::int64_t>(), input.form, sizes, strides);
    buffers.indices = static_cast<std::int64_t*>(indices.mutable_data());
    return indices;
  };
  std::optional<View> indices;
  if (out.is_none()) {
    pool.key.new_channels_last = is_channels_last(input);
    const auto planned = find_plan(function, pool.key);
    View output =
        allocate(input.array.dtype(), input.form, planned->output, planned->output_strides);
    if (return_indices) indices = make_indices(planned->output, planned->output_strides);
    buffers.output = output.mutable_data();
    execute(function, *planned, buffers);
    return {output.array, indices};
  }
  const Sizes sizes = output_sizes(function, pool.key);
  View output = output_of(function, out, sizes, input);
  check_apart(function, output.array, input.array);
  pool.key.set_strides(kOutput, output.strides);
  if (return_indices) {
    indices = make_indices(sizes, packed_strides(sizes, is_channels_last(input)));
    pool.key.set_strides(kIndices, indices->strides);
  }
  buffers.output = output.mutable_data();
  execute(function, *find_plan(function, pool.key), buffers);
  return {output.array, indices};
}

py::array pool_backward(const char* function, Pool& pool, const py::array& grad_output,
                        const View* indices) {
  const View& input = pool.input;
  const View grad = image_of(function, "grad_output", grad_output, input.form, input);
  check_sizes(function, "grad_output", grad, output_sizes(function, pool.key), input.form);
  View target = allocate(input.array.dtype(), input.form, input.sizes,
                         packed_strides(input.sizes, is_channels_last(input)));
  fastconv_buffers buffers = no_buffers();
  buffers.grad_output = grad.data();
  buffers.grad_input = target.mutable_data();
  pool.key.direction = FASTCONV_BACKWARD_INPUT;
  pool.key.set_strides(kInput, target.strides);
  pool.key.set_strides(kOutput, grad.strides);
  if (indices) {
    // The C API only reads them here.
    buffers.indices = const_cast<std::int64_t*>(static_cast<const std::int64_t*>(indices->data()));
    pool.key.set_strides(kIndices, indices->strides);
  }
  execute(function, *find_plan(function, pool.key), buffers);
  return target.array;
}

py::object max_forward(const char* function, int dims, bool nhwc, const py::array& input,
                       py::handle kernel, py::handle stride, py::handle padding,
                       py::handle dilation, bool ceil_mode, bool return_indices,
                       const py::object& out) {
  Pool pool(function, {dims, nhwc}, input,
            {FASTCONV_POOL_MAX, kernel, {stride, padding, dilation}, ceil_mode});
  Pooled pooled = pool_forward(function, pool, return_indices, out);
  if (!return_indices) return std::move(pooled.output);
  return py::make_tuple(pooled.output, pooled.indices->array);
}

py::array max_backward(const char* function, int dims, bool nhwc, const py::array& grad_output,
                       const py::array& input, py::handle kernel, py::handle stride,
                       py::handle padding, py::handle dilation, bool ceil_mode,
                       const py::object& given) {
  Pool pool(function, {dims, nhwc}, input,
            {FASTCONV_POOL_MAX, kernel, {stride, padding, dilation}, ceil_mode});
  if (given.is_none()) {
    Pool again = pool;
    const Pooled pooled = pool_forward(function, again, true, py::none());
    return pool_backward(function, pool, grad_output, &*pooled.indices);
  }
  const View indices = indices_of(function, py::reinterpret_borrow<py::array>(given),
                                  pool.input.form);
  check_sizes(function, "indices", indices, output_sizes(function, pool.key), pool.input.form);
  return pool_backward(function, pool, grad_output, &indices);
}

py::object avg_forward(const char* function, int dims, bool nhwc, const py::array& input,
                       py::handle kernel, py::handle stride, py::handle padding,
                       py::handle dilation, bool ceil_mode, bool count_include_pad,
                       py::handle divisor, const py::object& out) {
  Pool pool(function, {dims, nhwc}, input,
            {FASTCONV_POOL_AVG, kernel, {stride, padding, dilation}, ceil_mode, count_include_pad,
             divisor});
  return pool_forward(function, pool, false, out).output;
}

py::array avg_backward(const char* function, int dims, bool nhwc, const py::array& grad_output,
                       const py::array& input, py::handle kernel, py::handle stride,
                       py::handle padding, py::handle dilation, bool ceil_mode,
                       bool count_include_pad, py::handle divisor) {
  Pool pool(function, {dims, nhwc}, input,
            {FASTCONV_POOL_AVG, kernel, {stride, padding, dilation}, ceil_mode, count_include_pad,
             divisor});
  return pool_backward(function, pool, grad_output, nullptr);
}

}  // namespace

void register_pool(py::module_& module) {
  module.def("max_pool_forward", &max_forward);
  module.def("max_pool_backward", &max_backward);
  module.def("avg_pool_forward", &avg_forward);
  module.def("avg_pool_backward", &avg_backward);
}

}  // namespace fastconv::python
