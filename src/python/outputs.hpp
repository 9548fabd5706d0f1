// Memory to write to: new, from the library's pool, or the caller's.
#pragma once

#include "python/arrays.hpp"

namespace fastconv::python {

// Whether the memory of each image is ordered (spatial..., C), and not also in C order; for shapes
// of that order whether it is not ordered (C, spatial...) alone.
bool is_channels_last(const View& view);

// Whether each image is one piece of memory, in C order or with channels last.
bool is_packed(const View& view, bool channels_last);

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

// The same, or where its memory is not ordered as that of a new result would be, new memory, so
// that sums do not depend on it; `finished` then copies the result to the caller's array, which it
// returns.
View result_of(const char* function, const py::object& out, const Sizes& sizes,
               const View& input);
py::array finished(const View& result);

// A ValueError where `out` shares memory with an input.
void check_apart(const char* function, const View& out, const View& input);

// The residual, with the strides of the output: a copy where it has others.
View residual_of(const char* function, const py::array& array, const View& input,
                 const View& output);

}  // namespace fastconv::python
