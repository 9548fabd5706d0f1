// One function for each family of bindings.
#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

namespace fastconv::python {

void register_adaptive(pybind11::module_& module);
void register_runtime(pybind11::module_& module);
void register_conv(pybind11::module_& module);
void register_conv_transpose(pybind11::module_& module);
void register_frozen(pybind11::module_& module);
void register_pool(pybind11::module_& module);
void register_elementwise(pybind11::module_& module);
void register_linear(pybind11::module_& module);
void register_norm(pybind11::module_& module);
void register_loss(pybind11::module_& module);
void register_unfold(pybind11::module_& module);
void register_unpool(pybind11::module_& module);

}  // namespace fastconv::python
