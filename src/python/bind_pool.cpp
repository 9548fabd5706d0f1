// Maximum and average pooling and their gradients.
#include "python/problem.hpp"
#include "python/register.hpp"

namespace fastconv::python {
namespace {

struct Pool {
  std::string function;
  Window window;
  View input;
  bool batched;  // whether the batch axis was added
  fastconv_pool_desc desc{};

  Pool(const std::string& name, fastconv_pool_kind kind, const py::array& input_,
       const Sizes& kernel, const Window& window_, bool ceil_mode)
      : function(name),
        window(window_),
        input(view_of(name, "input", input_)),
        batched(add_batch(name, "input", input, window_.dims)) {
    describe(function, input, window, desc);
    desc.kind = kind;
    desc.channels = input.sizes[1];
    for (std::size_t i = 0; i < kernel.size(); ++i) desc.kernel[i] = kernel[i];
    desc.ceil_mode = ceil_mode;
    desc.input_strides = input.strides.data();
  }

  Problem problem() const { return make_problem(function, desc); }
  Sizes output() const { return output_sizes(problem(), desc.batch, desc.channels, window.dims); }
};

void set_divisor(const std::string& function, bool count_include_pad,
                 const std::optional<std::int64_t>& divisor, Pool& pool) {
  if (divisor && *divisor == 0)
    throw py::value_error(function + ": divisor_override is 0 (wanted another number, or None)");
  pool.desc.count_include_pad = count_include_pad;
  pool.desc.divisor_override = divisor.value_or(0);
}

py::object forward(Pool& pool, bool return_indices, const std::optional<py::array>& out) {
  const Sizes sizes = pool.output();
  const bool channels_last = is_channels_last(pool.input);
  View output = out ? output_of(pool.function, *out, sizes, pool.batched, pool.input, {&pool.input})
                    : allocate(pool.input.array.dtype(), sizes, channels_last);
  fastconv_buffers buffers{};
  buffers.size = sizeof buffers;
  buffers.input = pool.input.data();
  buffers.output = output.mutable_data();
  pool.desc.output_strides = output.strides.data();
  std::optional<View> indices;
  if (return_indices) {
    indices = allocate(py::dtype::of<std::int64_t>(), sizes, channels_last);
    buffers.indices = static_cast<std::int64_t*>(indices->mutable_data());
    pool.desc.indices_strides = indices->strides.data();
  }
  execute(pool.function, pool.problem(), FASTCONV_FORWARD, buffers);
  const py::array result = out ? *out : result_of(output, pool.batched);
  if (!return_indices) return result;
  return py::make_tuple(result, result_of(*indices, pool.batched));
}

py::array backward(Pool& pool, const py::array& grad_output, const View* indices) {
  View grad = view_of(pool.function, "grad_output", grad_output, pool.input, "input");
  const bool grad_batched = add_batch(pool.function, "grad_output", grad, pool.window.dims);
  check_grad_output(pool.function, grad, pool.output(), grad_batched);
  View target = allocate(pool.input.array.dtype(), pool.input.sizes, is_channels_last(pool.input));
  fastconv_buffers buffers{};
  buffers.size = sizeof buffers;
  buffers.grad_output = grad.data();
  buffers.grad_input = target.mutable_data();
  pool.desc.output_strides = grad.strides.data();
  pool.desc.input_strides = target.strides.data();
  if (indices) {
    // The C API only reads them here.
    buffers.indices = const_cast<std::int64_t*>(static_cast<const std::int64_t*>(indices->data()));
    pool.desc.indices_strides = indices->strides.data();
  }
  execute(pool.function, pool.problem(), FASTCONV_BACKWARD_INPUT, buffers);
  return result_of(target, pool.batched);
}

py::object max_pool_forward(const std::string& function, const py::array& input,
                            const Sizes& kernel, const Sizes& stride, const py::object& padding,
                            const Sizes& dilation, bool ceil_mode, bool return_indices,
                            const std::optional<py::array>& out) {
  Pool pool(function, FASTCONV_POOL_MAX, input, kernel,
            {static_cast<int>(kernel.size()), stride, dilation, padding}, ceil_mode);
  return forward(pool, return_indices, out);
}

py::array max_pool_backward(const std::string& function, const py::array& grad_output,
                            const py::array& input, const Sizes& kernel, const Sizes& stride,
                            const py::object& padding, const Sizes& dilation, bool ceil_mode,
                            const std::optional<py::array>& given) {
  Pool pool(function, FASTCONV_POOL_MAX, input, kernel,
            {static_cast<int>(kernel.size()), stride, dilation, padding}, ceil_mode);
  py::array array = given ? *given : [&] {
    Pool again = pool;
    return forward(again, true, std::nullopt).cast<py::tuple>()[1].cast<py::array>();
  }();
  View indices = indices_of(function, array);
  add_batch(function, "indices", indices, pool.window.dims);
  if (indices.sizes != pool.output())
    throw py::value_error(function + ": indices has shape " + shape_text(indices.sizes) +
                          " (wanted " + shape_text(pool.output()) + ", the output's)");
  return backward(pool, grad_output, &indices);
}

py::object avg_pool_forward(const std::string& function, const py::array& input,
                            const Sizes& kernel, const Sizes& stride, const py::object& padding,
                            const Sizes& dilation, bool ceil_mode, bool count_include_pad,
                            const std::optional<std::int64_t>& divisor_override,
                            const std::optional<py::array>& out) {
  Pool pool(function, FASTCONV_POOL_AVG, input, kernel,
            {static_cast<int>(kernel.size()), stride, dilation, padding}, ceil_mode);
  set_divisor(function, count_include_pad, divisor_override, pool);
  return forward(pool, false, out);
}

py::array avg_pool_backward(const std::string& function, const py::array& grad_output,
                            const py::array& input, const Sizes& kernel, const Sizes& stride,
                            const py::object& padding, const Sizes& dilation, bool ceil_mode,
                            bool count_include_pad,
                            const std::optional<std::int64_t>& divisor_override) {
  Pool pool(function, FASTCONV_POOL_AVG, input, kernel,
            {static_cast<int>(kernel.size()), stride, dilation, padding}, ceil_mode);
  set_divisor(function, count_include_pad, divisor_override, pool);
  return backward(pool, grad_output, nullptr);
}

}  // namespace

void register_pool(py::module_& module) {
  module.def("max_pool_forward", &max_pool_forward);
  module.def("max_pool_backward", &max_pool_backward);
  module.def("avg_pool_forward", &avg_pool_forward);
  module.def("avg_pool_backward", &avg_pool_backward);
}

}  // namespace fastconv::python
