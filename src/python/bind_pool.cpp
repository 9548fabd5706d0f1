// Maximum, average and Lp pooling and their gradients.
#include "python/pool.hpp"
#include "python/register.hpp"

namespace fastconv::python {
namespace {

py::object max_forward(const char* function, int dims, bool nhwc, const py::array& input,
                       py::handle kernel, py::handle stride, py::handle padding,
                       py::handle dilation, bool ceil_mode, bool return_indices,
                       const py::object& out) {
  Pool pool(function, {dims, nhwc}, input,
            {FASTCONV_POOL_MAX, kernel, {stride, padding, dilation}, ceil_mode});
  return pool_forward(function, pool, return_indices, out);
}

py::array max_backward(const char* function, int dims, bool nhwc, const py::array& grad_output,
                       const py::array& input, py::handle kernel, py::handle stride,
                       py::handle padding, py::handle dilation, bool ceil_mode,
                       const py::object& given) {
  Pool pool(function, {dims, nhwc}, input,
            {FASTCONV_POOL_MAX, kernel, {stride, padding, dilation}, ceil_mode});
  return max_pool_backward(function, pool, grad_output, given);
}

py::object avg_forward(const char* function, int dims, bool nhwc, const py::array& input,
                       py::handle kernel, py::handle stride, py::handle padding,
                       py::handle dilation, bool ceil_mode, bool count_include_pad,
                       py::handle divisor, const py::object& out) {
  Pool pool(function, {dims, nhwc}, input,
            {FASTCONV_POOL_AVG, kernel, {stride, padding, dilation}, ceil_mode, count_include_pad,
             divisor});
  return pool_forward(function, pool, false, out);
}

py::array avg_backward(const char* function, int dims, bool nhwc, const py::array& grad_output,
                       const py::array& input, py::handle kernel, py::handle stride,
                       py::handle padding, py::handle dilation, bool ceil_mode,
                       bool count_include_pad, py::handle divisor) {
  Pool pool(function, {dims, nhwc}, input,
            {FASTCONV_POOL_AVG, kernel, {stride, padding, dilation}, ceil_mode, count_include_pad,
             divisor});
  return pool_backward(function, pool, grad_output);
}

py::object lp_forward(const char* function, int dims, bool nhwc, const py::array& input,
                      double norm_type, py::handle kernel, py::handle stride, py::handle padding,
                      py::handle dilation, bool ceil_mode, const py::object& out) {
  Pool pool(function, {dims, nhwc}, input,
            {FASTCONV_POOL_LP, kernel, {stride, padding, dilation}, ceil_mode, true, Py_None,
             norm_type});
  return pool_forward(function, pool, false, out);
}

py::array lp_backward(const char* function, int dims, bool nhwc, const py::array& grad_output,
                      const py::array& input, double norm_type, py::handle kernel,
                      py::handle stride, py::handle padding, py::handle dilation, bool ceil_mode) {
  Pool pool(function, {dims, nhwc}, input,
            {FASTCONV_POOL_LP, kernel, {stride, padding, dilation}, ceil_mode, true, Py_None,
             norm_type});
  return pool_backward(function, pool, grad_output);
}

}  // namespace

void register_pool(py::module_& module) {
  module.def("max_pool_forward", &max_forward);
  module.def("max_pool_backward", &max_backward);
  module.def("avg_pool_forward", &avg_forward);
  module.def("avg_pool_backward", &avg_backward);
  module.def("lp_pool_forward", &lp_forward);
  module.def("lp_pool_backward", &lp_backward);
}

}  // namespace fastconv::python
