// What the C entry points share: the calling thread's last error, and statuses for exceptions.
#pragma once

#include <new>

#include "api/error.hpp"

namespace fastconv {

inline thread_local std::string last_error;
inline thread_local const char* executed_isa = nullptr;

inline fastconv_status fail(fastconv_status status, const char* message) noexcept {
  try {
    last_error = message;
  } catch (...) {
    last_error.clear();
  }
  return status;
}

template <class Body>
fastconv_status guard(const Body& body) noexcept {
  try {
    body();
    return FASTCONV_OK;
  } catch (const InvalidArgument& error) {
    return fail(FASTCONV_INVALID_ARGUMENT, error.what());
  } catch (const std::bad_alloc&) {
    return fail(FASTCONV_OUT_OF_MEMORY, "out of memory");
  } catch (const std::length_error&) {
    return fail(FASTCONV_OUT_OF_MEMORY, "out of memory");
  } catch (const std::exception& error) {
    return fail(FASTCONV_INTERNAL_ERROR, error.what());
  } catch (...) {
    return fail(FASTCONV_INTERNAL_ERROR, "unknown error");
  }
}

template <class T>
const T* read(const char* name, const void* array) {
  if (!array) invalid(std::string(name) + " is NULL");
  return static_cast<const T*>(array);
}

template <class T>
T* write(const char* name, void* array) {
  if (!array) invalid(std::string(name) + " is NULL");
  return static_cast<T*>(array);
}

template <class Desc>
void check_size(const Desc* desc) {
  if (!desc) invalid("desc is NULL");
  if (desc->size != sizeof(Desc))
    invalid("the description's size is " + std::to_string(desc->size) + " (wanted " +
            std::to_string(sizeof(Desc)) + ")");
}

}  // namespace fastconv
