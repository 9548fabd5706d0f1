#include "python/errors.hpp"

namespace fastconv::python {

void type_error(const char* function, const std::string& message) {
  throw py::type_error(std::string(function) + ": " + message);
}

void value_error(const char* function, const std::string& message) {
  throw py::value_error(std::string(function) + ": " + message);
}

void check(const char* function, fastconv_status status) {
  switch (status) {
    case FASTCONV_OK: return;
    case FASTCONV_INVALID_ARGUMENT: value_error(function, fastconv_last_error());
    case FASTCONV_OUT_OF_MEMORY:
      throw OutOfMemory(std::string(function) + ": memory to compute in was refused "
                        "(wanted smaller arrays, or more memory)");
    case FASTCONV_INTERNAL_ERROR: break;
  }
  throw std::runtime_error(std::string(function) + ": " + fastconv_last_error());
}

std::string name_of(const py::dtype& dtype) {
  const auto text = py::str(static_cast<py::handle>(dtype)).cast<std::string>();
  if (dtype.attr("isnative").cast<bool>()) return text;
  return text + " (not in native byte order)";
}

std::string shape_text(const py::array& array) {
  return py::str(array.attr("shape")).cast<std::string>();
}

std::string shape_text(const Sizes& sizes) {
  std::string text = "(";
  for (int i = 0; i < sizes.count(); ++i) text += (i ? ", " : "") + std::to_string(sizes[i]);
  return text + (sizes.count() == 1 ? ",)" : ")");
}

}  // namespace fastconv::python
