// Version, instruction sets, threads, memory.
#include "python/arrays.hpp"
#include "python/errors.hpp"
#include "python/register.hpp"

#include <climits>

namespace fastconv::python {

void register_runtime(py::module_& module) {
  module.attr("__version__") = fastconv_version();
  module.def("compiler", &fastconv_compiler);
  module.def("isa", &fastconv_isa);
  module.def("executed_isa", &fastconv_executed_isa);
  module.def("set_isa", [](const std::string& name) {
    check("set_isa", fastconv_set_isa(name.c_str()));
  });
  module.def("available_isas", [] {
    std::vector<std::string> names;
    for (int i = 0; const char* name = fastconv_available_isa(i); ++i) names.push_back(name);
    return names;
  });
  module.def("get_num_threads", &fastconv_get_num_threads);
  module.def("set_num_threads", [](const py::object& n) {
    if (py::isinstance<py::bool_>(n) || !PyIndex_Check(n.ptr()))
      type_error("set_num_threads", "n is " + py::repr(n).cast<std::string>() +
                                        " of type " + Py_TYPE(n.ptr())->tp_name +
                                        " (wanted an int)");
    int overflow;
    const long long count = PyLong_AsLongLongAndOverflow(py::int_(n).ptr(), &overflow);
    const bool fits = !overflow && count >= INT_MIN && count <= INT_MAX;
    if (!fits)
      value_error("set_num_threads",
                  "n is " + py::repr(n).cast<std::string>() + " (wanted at least 1, below 2**31)");
    check("set_num_threads", fastconv_set_num_threads(static_cast<int>(count)));
  });
  module.def("release_memory", &fastconv_release_memory);
  module.def("peak_flops", [](const std::string& dtype) {
    const py::gil_scoped_release release;
    return fastconv_peak_flops(dtype == "float64" ? FASTCONV_FLOAT64 : FASTCONV_FLOAT32);
  });
  module.def("set_poison", [](bool on) { fastconv_set_poison(on); });
  if (!fastconv_isa()) throw py::import_error(fastconv_last_error());
}

}  // namespace fastconv::python
