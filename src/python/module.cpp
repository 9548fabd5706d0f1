#include "python/register.hpp"

PYBIND11_MODULE(_core, module, pybind11::mod_gil_not_used()) {
  module.doc() = "The compiled kernels of fastconv; fastconv.functional is their interface.";
  fastconv::python::register_adaptive(module);
  fastconv::python::register_runtime(module);
  fastconv::python::register_conv(module);
  fastconv::python::register_conv_transpose(module);
  fastconv::python::register_frozen(module);
  fastconv::python::register_pool(module);
  fastconv::python::register_elementwise(module);
  fastconv::python::register_linear(module);
  fastconv::python::register_norm(module);
  fastconv::python::register_loss(module);
  fastconv::python::register_unfold(module);
  fastconv::python::register_unpool(module);
}
