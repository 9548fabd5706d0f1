#include "python/arrays.hpp"

#include <cstdlib>

#include "python/errors.hpp"
#include "python/outputs.hpp"

namespace fastconv::python {
namespace {

bool is_native(const py::dtype& dtype, char kind) {
  return (dtype.byteorder() == '=' || dtype.byteorder() == '|') && dtype.kind() == kind &&
         (dtype.itemsize() == 4 || dtype.itemsize() == 8);
}

void check_dtype(const char* function, const char* name, const View& view, const View& input) {
  if (view.dtype != input.dtype)
    type_error(function, "input is " + name_of(input.array.dtype()) + ", " + name + " is " +
                             name_of(view.array.dtype()) + " (wanted one dtype)");
}

// The axes as they stand, of at most kMostAxes.
View plain_view(const py::array& array, fastconv_dtype dtype) {
  View view{array, dtype, {}, {}, {}};
  if (!in_elements(array)) {
    view.array = array.attr("copy")("K").cast<py::array>();
    view.given = array;
  }
  const py::ssize_t item = view.array.itemsize();
  for (int i = 0; i < array.ndim(); ++i) {
    view.sizes.push(view.array.shape()[i]);
    view.strides.push(view.array.strides()[i] / item);
  }
  return view;
}

// Whether steps grow from channels to columns, rows and what is beyond, as in memory of
// (spatial..., C) with gaps.
bool channels_inside(const View& view) {
  std::int64_t least = std::abs(view.strides[1]);
  for (int i = view.sizes.count(); i-- > 2;) {
    if (view.sizes[i] == 1) continue;
    const std::int64_t step = std::abs(view.strides[i]);
    if (step <= least) return false;
    least = step;
  }
  return view.sizes[1] > 1;
}

View in_one_piece(View view) {
  if (is_packed(view, false) || is_packed(view, true) || view.array.size() == 0) return view;
  const bool last = view.form.nhwc || channels_inside(view);
  View copy = allocate(view.array.dtype(), view.form, view.sizes, packed_strides(view.sizes, last));
  copy.array[py::ellipsis()] = view.array;
  copy.given = view.given ? view.given : view.array;
  return copy;
}

}  // namespace

fastconv_dtype float_dtype(const char* function, const char* name, const py::array& array) {
  const py::dtype dtype = array.dtype();
  if (!is_native(dtype, 'f'))
    type_error(function, std::string(name) + " has dtype " + name_of(dtype) +
                             " (wanted float32 or float64 in native byte order)");
  return dtype.itemsize() == 4 ? FASTCONV_FLOAT32 : FASTCONV_FLOAT64;
}

View image_view(const char* function, const char* name, const py::array& array,
                fastconv_dtype dtype, Form form) {
  const auto axes = static_cast<int>(array.ndim());
  if (axes != form.dims + 2 && axes != form.dims + 1)
    value_error(function, std::string(name) + " has shape " + shape_text(array) + " (wanted " +
                              std::to_string(form.dims + 2) + " dimensions, or " +
                              std::to_string(form.dims + 1) + " without a batch)");
  form.batched = axes == form.dims + 2;
  View view = plain_view(array, dtype);
  view.form = form;
  if (form.batched && !form.nhwc) return view;
  const Sizes sizes = view.sizes, strides = view.strides;
  view.sizes = {}, view.strides = {};
  for (int i = 0; i < form.dims + 2; ++i) {
    const int axis = form.axis(i);
    view.sizes.push(axis < 0 ? 1 : sizes[axis]);
    view.strides.push(axis < 0 ? 0 : strides[axis]);
  }
  return view;
}

View image_of(const char* function, const char* name, const py::array& array, const Form& form) {
  return in_one_piece(
      image_view(function, name, array, float_dtype(function, name, array), form));
}

View image_of(const char* function, const char* name, const py::array& array, const Form& form,
              const View& like) {
  return in_one_piece(image_view(function, name, array, form, like));
}

View image_view(const char* function, const char* name, const py::array& array, const Form& form,
                const View& like) {
  View view = image_view(function, name, array, float_dtype(function, name, array), form);
  check_dtype(function, name, view, like);
  return view;
}

View weight_of(const char* function, const py::array& array, const View& input,
               const char* wanted) {
  const fastconv_dtype dtype = float_dtype(function, "weight", array);
  const int axes = input.form.dims + 2;
  if (array.ndim() != axes)
    value_error(function, "weight has shape " + shape_text(array) + " (wanted " +
                              std::to_string(axes) + " dimensions: " + wanted + ")");
  View view = plain_view(array, dtype);
  check_dtype(function, "weight", view, input);
  return view;
}

View weight_of(const char* function, const py::array& array) {
  const fastconv_dtype dtype = float_dtype(function, "weight", array);
  if (array.ndim() < 3 || array.ndim() > kMostAxes)
    value_error(function, "weight has shape " + shape_text(array) + " (wanted 3 to 5 dimensions)");
  return plain_view(array, dtype);
}

View bias_of(const char* function, const py::array& array, const View& input,
             std::int64_t channels) {
  const fastconv_dtype dtype = float_dtype(function, "bias", array);
  if (array.ndim() != 1 || array.shape()[0] != channels)
    value_error(function, "bias has shape " + shape_text(array) + " (wanted (" +
                              std::to_string(channels) + ",))");
  View view = plain_view(array, dtype);
  check_dtype(function, "bias", view, input);
  if (view.strides[0] != 1 && channels > 1) {
    view.given = array;
    view.array = view.array.attr("copy")().cast<py::array>();
    view.strides[0] = 1;
  }
  return view;
}

View indices_of(const char* function, const py::array& array, const Form& form) {
  if (!is_native(array.dtype(), 'i'))
    type_error(function,
               "indices has dtype " + name_of(array.dtype()) + " (wanted int64 or int32)");
  return image_view(function, "indices",
                    array.itemsize() == 8 ? array : array.attr("astype")("int64").cast<py::array>(),
                    FASTCONV_FLOAT64, form);
}

void check_sizes(const char* function, const char* name, const View& view, const Sizes& output,
                 const Form& form) {
  if (view.sizes == output && view.form.batched == form.batched) return;
  value_error(function, std::string(name) + " has shape " + shape_text(in_form(view.sizes, view.form)) +
                            " (wanted " + shape_text(in_form(output, form)) + ", the output's)");
}

bool in_elements(const py::array& array) {
  bool whole = (array.flags() & py::detail::npy_api::NPY_ARRAY_ALIGNED_) != 0;
  const py::ssize_t item = array.itemsize(), *strides = array.strides();
  for (py::ssize_t i = 0; i < array.ndim(); ++i) whole &= strides[i] % item == 0;
  return whole;
}

Sizes in_form(const Sizes& sizes, const Form& form) {
  Sizes ordered;
  for (int axis = 0; axis < form.axes(); ++axis)
    for (int i = 0; i < sizes.count(); ++i)
      if (form.axis(i) == axis) ordered.push(sizes[i]);
  return ordered;
}

}  // namespace fastconv::python
