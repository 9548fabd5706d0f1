// Adaptive pooling: so many windows, whatever the input's size.
#include "python/pool.hpp"
#include "python/register.hpp"

namespace fastconv::python {
namespace {

py::object max_forward(const char* function, int dims, bool nhwc, const py::array& input,
                       py::handle output_size, bool return_indices, const py::object& out) {
  Pool pool(function, {dims, nhwc}, input, Adaptive{FASTCONV_POOL_MAX, output_size});
  return pool_forward(function, pool, return_indices, out);
}

py::array max_backward(const char* function, int dims, bool nhwc, const py::array& grad_output,
                       const py::array& input, py::handle output_size, const py::object& indices) {
  Pool pool(function, {dims, nhwc}, input, Adaptive{FASTCONV_POOL_MAX, output_size});
  return max_pool_backward(function, pool, grad_output, indices);
}

py::object avg_forward(const char* function, int dims, bool nhwc, const py::array& input,
                       py::handle output_size, const py::object& out) {
  Pool pool(function, {dims, nhwc}, input, Adaptive{FASTCONV_POOL_AVG, output_size});
  return pool_forward(function, pool, false, out);
}

py::array avg_backward(const char* function, int dims, bool nhwc, const py::array& grad_output,
                       const py::array& input, py::handle output_size) {
  Pool pool(function, {dims, nhwc}, input, Adaptive{FASTCONV_POOL_AVG, output_size});
  return pool_backward(function, pool, grad_output);
}

}  // namespace

void register_adaptive(py::module_& module) {
  module.def("adaptive_max_pool_forward", &max_forward);
  module.def("adaptive_max_pool_backward", &max_backward);
  module.def("adaptive_avg_pool_forward", &avg_forward);
  module.def("adaptive_avg_pool_backward", &avg_backward);
}

}  // namespace fastconv::python
