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
  py::object given = {};  // the caller's array, where `array` is a copy

  const void* data() const { return array.data(); }
  void* mutable_data() { return array.mutable_data(); }
};

// float32 or float64 of native byte order, else a TypeError.
fastconv_dtype float_dtype(const char* function, const char* name, const py::array& array);

// Images in float32 or float64 of native byte order, else a TypeError; with dims + 2 axes, or
// dims + 1 without a batch, else a ValueError. Each image in one piece, in C order or with its
// channels last: other memory is copied to the one or the other, so that kernels, and with them the
// order of sums, do not depend on gaps.
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

// An image of this dtype, without a look at its dtype, in any memory of whole elements.
View image_view(const char* function, const char* name, const py::array& array,
                fastconv_dtype dtype, Form form);

// An image of the dtype of `like`, in any memory of whole elements.
View image_view(const char* function, const char* name, const py::array& array, const Form& form,
                const View& like);

// Whether strides count whole elements, on aligned memory.
bool in_elements(const py::array& array);

// An image of the output's sizes, else a ValueError that calls it by `name`.
void check_sizes(const char* function, const char* name, const View& view, const Sizes& output,
                 const Form& form);

// The sizes of an image as the caller orders them.
Sizes in_form(const Sizes& sizes, const Form& form);

}  // namespace fastconv::python
