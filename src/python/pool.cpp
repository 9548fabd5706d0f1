#include "python/pool.hpp"

#include "python/bound.hpp"
#include "python/errors.hpp"
#include "python/outputs.hpp"

namespace fastconv::python {

Pool::Pool(const char* function, const Form& form, const py::array& array, fastconv_pool_kind kind)
    : input(image_of(function, "input", array, form)) {
  describe_input(input, key.desc);
  key.desc.kind = kind;
  key.desc.channels = input.sizes[1];
}

Pool::Pool(const char* function, const Form& form, const py::array& array, const Pooling& pooling)
    : Pool(function, form, array, pooling.kind) {
  fastconv_pool_desc& desc = key.desc;
  read_ints(function, "kernel_size", pooling.kernel, form.dims, desc.kernel);
  describe_window(function, pooling.window, desc);
  desc.ceil_mode = pooling.ceil_mode;
  desc.count_include_pad = pooling.count_include_pad;
  desc.norm_type = pooling.norm_type;
  if (pooling.divisor.is_none()) return;
  desc.divisor_override = read_int(function, "divisor_override", pooling.divisor);
  if (desc.divisor_override == 0)
    value_error(function, "divisor_override is 0 (wanted another number, or None)");
}

Pool::Pool(const char* function, const Form& form, const py::array& array, const Adaptive& adaptive)
    : Pool(function, form, array, adaptive.kind) {
  key.desc.adaptive = 1;
  for (int i = 0; i < form.dims; ++i) {
    py::handle size = adaptive.output_size;
    if (PyTuple_Check(size.ptr())) size = PyTuple_GetItem(size.ptr(), i);
    if (!size) throw py::error_already_set();
    key.desc.output[i] =
        size.is_none() ? input.sizes[i + 2] : read_int(function, "output_size", size);
  }
}

namespace {

struct Pooled {
  py::array output;
  std::optional<View> indices;
};

Pooled forward(const char* function, Pool& pool, bool return_indices, const py::object& out) {
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
  View output = result_of(function, out, sizes, input);
  check_apart(function, output, input);
  pool.key.set_strides(kOutput, output.strides);
  if (return_indices) {
    indices = make_indices(sizes, packed_strides(sizes, is_channels_last(input)));
    pool.key.set_strides(kIndices, indices->strides);
  }
  buffers.output = output.mutable_data();
  execute(function, *find_plan(function, pool.key), buffers);
  return {finished(output), indices};
}

// The call that pools into memory; None where it would have to copy.
py::object bound_pool(const char* function, Pool& pool, const py::array& out) {
  const View& input = pool.input;
  View output = result_of(function, out, output_sizes(function, pool.key), input);
  check_apart(function, output, input);
  if (input.given || output.given) return py::none();
  pool.key.direction = FASTCONV_FORWARD;
  pool.key.set_strides(kInput, input.strides);
  pool.key.set_strides(kOutput, output.strides);
  fastconv_buffers buffers = no_buffers();
  buffers.input = input.data();
  buffers.output = output.mutable_data();
  return py::cast(
      Bound(function, find_plan(function, pool.key), buffers, {input.array, output.array}));
}

// The input in the memory order of new memory: its gradient's.
View packed(const View& input, const Sizes& strides) {
  if (input.strides == strides) return input;
  View copy = allocate(input.array.dtype(), input.form, input.sizes, strides);
  copy.array[py::ellipsis()] = input.array;
  return copy;
}

py::array backward(const char* function, Pool& pool, const py::array& grad_output,
                        const View* indices) {
  const View& input = pool.input;
  const View grad = image_of(function, "grad_output", grad_output, input.form, input);
  check_sizes(function, "grad_output", grad, output_sizes(function, pool.key), input.form);
  View target = allocate(input.array.dtype(), input.form, input.sizes,
                         packed_strides(input.sizes, is_channels_last(input)));
  fastconv_buffers buffers = no_buffers();
  std::optional<View> again;
  if (pool.key.desc.kind == FASTCONV_POOL_LP) {
    again = packed(input, target.strides);
    buffers.input = again->data();
  }
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

}  // namespace

py::object pool_forward(const char* function, Pool& pool, bool return_indices,
                        const py::object& out) {
  if (py::isinstance<Binding>(out)) return bound_pool(function, pool, out.cast<Binding&>().out);
  Pooled pooled = forward(function, pool, return_indices, out);
  if (!return_indices) return std::move(pooled.output);
  return py::make_tuple(pooled.output, pooled.indices->array);
}

py::array max_pool_backward(const char* function, Pool& pool, const py::array& grad_output,
                            const py::object& given) {
  if (given.is_none()) {
    Pool again = pool;
    const Pooled pooled = forward(function, again, true, py::none());
    return backward(function, pool, grad_output, &*pooled.indices);
  }
  const View indices = indices_of(function, py::reinterpret_borrow<py::array>(given),
                                  pool.input.form);
  check_sizes(function, "indices", indices, output_sizes(function, pool.key), pool.input.form);
  return backward(function, pool, grad_output, &indices);
}

py::array pool_backward(const char* function, Pool& pool, const py::array& grad_output) {
  return backward(function, pool, grad_output, nullptr);
}

}  // namespace fastconv::python
