// Failures inside the library: thrown here, returned as a status by the C API.
#pragma once

#include <stdexcept>
#include <string>

#include "fastconv/fastconv.h"

namespace fastconv {

struct InvalidArgument : std::runtime_error {
  using std::runtime_error::runtime_error;
};

[[noreturn]] inline void invalid(const std::string& message) { throw InvalidArgument(message); }

}  // namespace fastconv
