#include "python/arguments.hpp"

namespace fastconv::python {

std::int64_t read_int(const char* function, const char* name, py::handle value) {
  int overflow = 0;
  const long long number = PyLong_AsLongLongAndOverflow(value.ptr(), &overflow);
  if (overflow)
    value_error(function, std::string(name) + " is " + py::str(value).cast<std::string>() +
                              " (wanted a number below 2**63)");
  if (number == -1 && PyErr_Occurred()) throw py::error_already_set();
  return number;
}

void read_ints(const char* function, const char* name, py::handle value, int dims,
               std::int64_t* numbers) {
  const bool tuple = PyTuple_Check(value.ptr());
  for (int i = 0; i < dims; ++i) {
    const py::handle item = tuple ? PyTuple_GetItem(value.ptr(), i) : value.ptr();
    if (!item) throw py::error_already_set();
    numbers[i] = read_int(function, name, item);
  }
}

void read_pairs(const char* function, py::handle value, int dims, std::int64_t* before,
                std::int64_t* after) {
  const bool tuple = PyTuple_Check(value.ptr());
  for (int i = 0; i < dims; ++i) {
    const py::handle item = tuple ? PyTuple_GetItem(value.ptr(), i) : value.ptr();
    if (!item) throw py::error_already_set();
    std::int64_t pair[2];
    read_ints(function, "padding", item, 2, pair);
    before[i] = pair[0], after[i] = pair[1];
  }
}

fastconv_padding read_padding_name(const char* function, py::handle value) {
  const auto name = value.cast<std::string>();
  if (name == "valid") return FASTCONV_PADDING_VALID;
  if (name == "same") return FASTCONV_PADDING_SAME;
  if (name == "same_lower") return FASTCONV_PADDING_SAME_LOWER;
  if (name == "full") return FASTCONV_PADDING_FULL;
  value_error(function, "padding is '" + name +
                            "' (wanted numbers, 'valid', 'same', 'same_lower' or, for a "
                            "convolution, 'full')");
}

}  // namespace fastconv::python
