#include "python/conv.hpp"
#include "python/register.hpp"
namespace fastconv::python {
void register_conv_transpose(py::module_&) {}
}
