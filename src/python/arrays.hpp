// NumPy arrays as the core sees them: pointer, sizes, strides in elements.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <string>
#include <vector>

#include "fastconv/fastconv.h"

namespace fastconv::python {

namespace py = pybind11;
using Sizes = std::vector<std::int64_t>;

// An array's memory with a batch axis in front, whether the array has one or not.
struct View {
  py::array array;  // keeps the memory alive
  fastconv_dtype dtype;
  Sizes sizes, strides;  // strides in elements

  const void* data() const { return array.data(); }
  void* mutable_data() { return array.mutable_data(); }
};

// float32 or float64 in native byte order, else a TypeError. Memory whose strides are no multiple
// of the element, or that is not aligned, is copied.
View view_of(const std::string& function, const char* name, const py::array& array);

// The same, and of the dtype of `like`, which goes by `like_name`.
View view_of(const std::string& function, const char* name, const py::array& array,
             const View& like, const char* like_name);

// Indices as int64, from int32 or int64.
View indices_of(const std::string& function, const py::array& array);

// Adds the batch axis to an array of dims + 1 axes; any other number of axes than dims + 2 is a
// ValueError. Returns whether it was added.
bool add_batch(const std::string& function, const char* name, View& view, int dims);

// Whether memory is ordered (N, spatial..., C), and not also in C order.
bool is_channels_last(const View& view);

// Whether the elements of two arrays of one shape follow each other in the same way.
bool same_memory_order(const View& a, const View& b);

// The bias of `channels` channels, in one run of memory.
View bias_of(const std::string& function, const py::array& array, const View& like,
             std::int64_t channels);

// A new array from the library's pool, in C order or channels-last.
View allocate(const py::dtype& dtype, const Sizes& sizes, bool channels_last);

// A caller's array to write to: of these sizes and the dtype of `like`, writeable, and apart from
// each of `inputs`; anything else is an error.
View output_of(const std::string& function, const py::array& array, const Sizes& sizes,
               bool batched, const View& like, const std::vector<const View*>& inputs);

// A ValueError where `out` shares memory with an input.
void check_apart(const std::string& function, const py::array& out, const View& input);

// The array behind a view, without the batch axis where that was added.
py::array result_of(const View& view, bool batched);

// Throws what a status stands for, its message after the function's name.
void check(const std::string& function, fastconv_status status);

std::string shape_text(const Sizes& sizes);

}  // namespace fastconv::python
