// Arrays whose elements fill one run of memory in any order of their axes: what passes that take
// each element for itself, or each along one axis, work on as it lies.
#pragma once

#include "python/arrays.hpp"

namespace fastconv::python {

struct Dense {
  py::array array;  // keeps the memory alive
  fastconv_dtype dtype;

  std::int64_t count() const { return array.size(); }
  const void* data() const { return array.data(); }
  void* mutable_data() { return array.mutable_data(); }
};

// Floats in native byte order, else a TypeError; a copy, in the same order of axes, where strides
// leave gaps or repeat elements.
Dense dense_of(const char* function, const char* name, const py::array& array);

// An array of the dtype and shape of `like`, which is called by its name, else an error; in its
// order of axes, if need be as a copy.
Dense dense_of(const char* function, const char* name, const py::array& array, const Dense& like,
               const char* like_name);

// A new array from the library's pool with the shape, dtype and order of axes of `like`.
Dense allocate_like(const Dense& like);

// An array to be changed where it lies. Where that is no run of memory like that of `like`, a
// copy is changed instead, and written back by `finish`.
class InPlace {
 public:
  InPlace(const char* function, const char* name, const py::array& array);
  InPlace(const char* function, const char* name, const py::array& array, const Dense& like,
          const char* like_name);
  void finish();
  Dense& dense() { return dense_; }
  void* data() { return dense_.mutable_data(); }

 private:
  void check_writeable(const char* function, const char* name) const;
  py::array target_;
  Dense dense_;
};

}  // namespace fastconv::python
