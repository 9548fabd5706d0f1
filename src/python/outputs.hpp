// Memory to write to: new, from the library's pool, or the caller's.
#pragma once

#include "python/arrays.hpp"

namespace fastconv::python {

// Whether memory is ordered (N, spatial..., C), and not also in C order; for shapes of that order
// whether it is not ordered (N, C, spatial...) alone.
bool is_channels_last(const View& view);

// The strides of new memory.
Sizes packed_strides(const Sizes& sizes, bool channels_last);

// A new array from the library's pool, in the caller's form.
View allocate(const py::dtype& dtype, const Form& form, const Sizes& sizes, const Sizes& strides);

// A new array of as many axes as sizes, in C order.
View allocate(const py::dtype& dtype, const Sizes& sizes);

// A caller's array to write to: of these sizes and the dtype of `input`, writeable, each element
// with memory of its own; anything else is an error.
View output_of(const char* function, const py::object& out, const Sizes& sizes,
               const View& input);

// A ValueError where `out` shares memory with an input.
void check_apart(const char* function, const py::array& out, const py::array& input);

// The residual, with the strides of the output: a copy where it has others.
View residual_of(const char* function, const py::array& array, const View& input,
                 const View& output);

}  // namespace fastconv::python
