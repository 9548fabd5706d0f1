// NumPy arrays as the core sees them: pointer, sizes, strides in elements. No memory but that of
// the arrays themselves is allocated on the way.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "fastconv/fastconv.h"

namespace fastconv::python {

namespace py = pybind11;

// (N, C, depth, height, width) at most.
constexpr int kMostAxes = 5;

// Sizes or strides, one an axis.
class Sizes {
 public:
  Sizes() = default;
  Sizes(std::initializer_list<std::int64_t> numbers) {
    for (std::int64_t number : numbers) push(number);
  }

  void push(std::int64_t number) { numbers_[count_++] = number; }
  int count() const { return count_; }
  std::int64_t& operator[](int i) { return numbers_[i]; }
  std::int64_t operator[](int i) const { return numbers_[i]; }
  const std::int64_t* data() const { return numbers_; }
  std::int64_t* data() { return numbers_; }
  const std::int64_t* begin() const { return numbers_; }
  const std::int64_t* end() const { return numbers_ + count_; }
  bool operator==(const Sizes& other) const {
    return std::equal(begin(), end(), other.begin(), other.end());
  }
  bool operator!=(const Sizes& other) const { return !(*this == other); }

 private:
  std::int64_t numbers_[kMostAxes] = {};
  int count_ = 0;
};

// How a caller's images are ordered: with a batch axis or without, channels before or after the
// `dims` spatial axes.
struct Form {
  int dims;
  bool nhwc = false;
  bool batched = true;

  int axes() const { return dims + 1 + batched; }
  // The caller's axis behind axis i of (N, C, spatial...); -1 for a batch that he has not.
  int axis(int i) const {
    if (i == 0) return batched ? 0 : -1;
    const int first = batched;
    if (i == 1) return nhwc ? first + dims : first;
    return first + i - (nhwc ? 2 : 1);
  }
};

// An array's memory, of an image in the order (N, C, spatial...) whatever the caller's form.
struct View {
  py::array array;  // keeps the memory alive
  fastconv_dtype dtype;
  Form form;
  Sizes sizes, strides;  // strides in elements

  const void* data() const { return array.data(); }
  void* mutable_data() { return array.mutable_data(); }
};

// Images in float32 or float64 of native byte order, else a TypeError; with dims + 2 axes, or
// dims + 1 without a batch, else a ValueError. Memory whose strides are no multiple of the
// element, or that is not aligned, is copied.
View image_of(const char* function, const char* name, const py::array& array, const Form& form);

// The same, and of the dtype of `like`, which is the input.
View image_of(const char* function, const char* name, const py::array& array, const Form& form,
              const View& like);

// An array of the input's dtype whose axes are those of `wanted`, "out, in / groups, kernel".
View weight_of(const char* function, const py::array& array, const View& input,
               const char* wanted);

// Weights of any number of axes that a convolution may have.
View weight_of(const char* function, const py::array& array);

// The bias of `channels` channels, in one run of memory.
View bias_of(const char* function, const py::array& array, const View& input,
             std::int64_t channels);

// Indices of an image's form as int64, from int32 or int64.
View indices_of(const char* function, const py::array& array, const Form& form);

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

// An image of the output's sizes, else a ValueError that calls it by `name`.
void check_sizes(const char* function, const char* name, const View& view, const Sizes& output,
                 const Form& form);

// The residual, with the strides of the output: a copy where it has others.
View residual_of(const char* function, const py::array& array, const View& input,
                 const View& output);

// "function: message" as a ValueError.
[[noreturn]] void value_error(const char* function, const std::string& message);

// Throws what a status stands for, its message after the function's name.
void check(const char* function, fastconv_status status);

std::string shape_text(const Sizes& sizes);
// As the caller orders it.
std::string shape_text(const Sizes& sizes, const Form& form);

}  // namespace fastconv::python
