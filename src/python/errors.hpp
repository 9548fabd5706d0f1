// What goes wrong, as Python's exceptions; every message begins with the function's name.
#pragma once

#include <new>
#include <string>
#include <utility>

#include "python/arrays.hpp"

namespace fastconv::python {

[[noreturn]] void type_error(const char* function, const std::string& message);
[[noreturn]] void value_error(const char* function, const std::string& message);

// A MemoryError that says what was refused.
class OutOfMemory : public std::bad_alloc {
 public:
  explicit OutOfMemory(std::string text) : text_(std::move(text)) {}
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  std::string text_;
};

// Throws what a status stands for.
void check(const char* function, fastconv_status status);

// With a note where the byte order is not the machine's.
std::string name_of(const py::dtype& dtype);

std::string shape_text(const py::array& array);
std::string shape_text(const Sizes& sizes);

}  // namespace fastconv::python
