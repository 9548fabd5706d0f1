// Python's numbers and names in the descriptions of the C API.
#pragma once

#include "python/arrays.hpp"

namespace fastconv::python {

// An int of 64 bits, else a ValueError.
std::int64_t read_int(const char* function, const char* name, py::handle value);

// One number a dimension, from an int or a tuple of ints.
void read_ints(const char* function, const char* name, py::handle value, int dims,
               std::int64_t* numbers);

// One (before, after) pair a dimension, from an int or a tuple of pairs.
void read_pairs(const char* function, py::handle value, int dims, std::int64_t* before,
                std::int64_t* after);

fastconv_padding read_padding_name(const char* function, py::handle value);

// What convolution and pooling have in common, as Python gave it. The padding may also be a name.
struct Window {
  py::handle stride, padding, dilation;
};

// Fills the fields of that name in either description.
template <class Desc>
void describe_window(const char* function, const Window& window, Desc& desc) {
  read_ints(function, "stride", window.stride, desc.spatial, desc.stride);
  read_ints(function, "dilation", window.dilation, desc.spatial, desc.dilation);
  if (PyUnicode_Check(window.padding.ptr()))
    desc.padding = read_padding_name(function, window.padding);
  else
    read_pairs(function, window.padding, desc.spatial, desc.pad_before, desc.pad_after);
}

template <class Desc>
void describe_input(const View& input, Desc& desc) {
  desc.dtype = input.dtype;
  desc.spatial = input.form.dims;
  desc.batch = input.sizes[0];
  for (int i = 0; i < input.form.dims; ++i) desc.input[i] = input.sizes[i + 2];
}

}  // namespace fastconv::python
