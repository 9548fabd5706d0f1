#include "python/arrays.hpp"

#include <new>

namespace fastconv::python {
namespace {

[[noreturn]] void type_error(const char* function, const std::string& message) {
  throw py::type_error(std::string(function) + ": " + message);
}

std::string name_of(const py::dtype& dtype) {
  const auto text = py::str(static_cast<py::handle>(dtype)).cast<std::string>();
  if (dtype.attr("isnative").cast<bool>()) return text;
  return text + " (not in native byte order)";
}

std::string shape_text(const py::array& array) {
  return py::str(array.attr("shape")).cast<std::string>();
}

bool is_native(const py::dtype& dtype, char kind) {
  return (dtype.byteorder() == '=' || dtype.byteorder() == '|') && dtype.kind() == kind &&
         (dtype.itemsize() == 4 || dtype.itemsize() == 8);
}

fastconv_dtype float_dtype(const char* function, const char* name, const py::array& array) {
  const py::dtype dtype = array.dtype();
  if (!is_native(dtype, 'f'))
    type_error(function, std::string(name) + " has dtype " + name_of(dtype) +
                             " (wanted float32 or float64 in native byte order)");
  return dtype.itemsize() == 4 ? FASTCONV_FLOAT32 : FASTCONV_FLOAT64;
}

void check_dtype(const char* function, const char* name, const View& view, const View& input) {
  if (view.dtype != input.dtype)
    type_error(function, "input is " + name_of(input.array.dtype()) + ", " + name + " is " +
                             name_of(view.array.dtype()) + " (wanted one dtype)");
}

// Whether strides count whole elements, on aligned memory.
bool in_elements(const py::array& array) {
  bool whole = (array.flags() & py::detail::npy_api::NPY_ARRAY_ALIGNED_) != 0;
  const py::ssize_t item = array.itemsize(), *strides = array.strides();
  for (py::ssize_t i = 0; i < array.ndim(); ++i) whole &= strides[i] % item == 0;
  return whole;
}

// The axes as they stand, of at most kMostAxes.
View plain_view(const py::array& array, fastconv_dtype dtype) {
  View view{in_elements(array) ? array : array.attr("copy")("K").cast<py::array>(), dtype, {}, {},
            {}};
  const py::ssize_t item = view.array.itemsize();
  for (int i = 0; i < array.ndim(); ++i) {
    view.sizes.push(view.array.shape()[i]);
    view.strides.push(view.array.strides()[i] / item);
  }
  return view;
}

// The axes in the order (N, C, spatial...).
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

bool overlap(const py::array& a, const py::array& b) {
  const py::module_ numpy = py::module_::import("numpy");
  if (!numpy.attr("may_share_memory")(a, b).cast<bool>()) return false;
  try {
    return numpy.attr("shares_memory")(a, b, 100000).cast<bool>();
  } catch (const py::error_already_set&) {  // too hard to tell
    return true;
  }
}

bool same_memory_order(const View& a, const View& b) {
  for (int i = 0; i < a.sizes.count(); ++i)
    if (a.sizes[i] != 1 && a.strides[i] != b.strides[i]) return false;
  return true;
}

}  // namespace

View image_of(const char* function, const char* name, const py::array& array, const Form& form) {
  return image_view(function, name, array, float_dtype(function, name, array), form);
}

View image_of(const char* function, const char* name, const py::array& array, const Form& form,
              const View& like) {
  View view = image_of(function, name, array, form);
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
  if (view.strides[0] != 1 && channels > 1)
    view.array = view.array.attr("copy")().cast<py::array>();
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

bool is_channels_last(const View& view) {
  const int axes = view.sizes.count();
  const auto ordered = [&](const Sizes& strides) {
    for (int i = 0; i < axes; ++i)
      if (view.sizes[i] != 1 && view.strides[i] != strides[i]) return false;
    return true;
  };
  if (ordered(packed_strides(view.sizes, false)))
    return view.form.nhwc && ordered(packed_strides(view.sizes, true));
  return view.form.nhwc || ordered(packed_strides(view.sizes, true));
}

Sizes packed_strides(const Sizes& sizes, bool channels_last) {
  Sizes strides = sizes;
  std::int64_t step = 1;
  if (channels_last) strides[1] = step, step *= sizes[1];
  for (int i = sizes.count(); i-- > 0;) {
    if (channels_last && i == 1) continue;
    strides[i] = step;
    step *= sizes[i];
  }
  return strides;
}

View allocate(const py::dtype& dtype, const Form& form, const Sizes& sizes, const Sizes& strides) {
  const py::ssize_t item = dtype.itemsize();
  py::ssize_t bytes = item;
  py::ssize_t shape[kMostAxes], byte_strides[kMostAxes];
  for (int i = 0; i < sizes.count(); ++i) {
    if (__builtin_mul_overflow(bytes, sizes[i], &bytes)) throw std::bad_alloc();
    const int axis = form.axis(i);
    if (axis < 0) continue;
    shape[axis] = sizes[i];
    byte_strides[axis] = strides[i] * item;
  }
  void* block = fastconv_allocate(static_cast<std::size_t>(bytes));
  if (!block) throw std::bad_alloc();
  const py::capsule owner(block, [](void* memory) { fastconv_free(memory); });
  const int axes = form.axes();
  return {py::array(dtype, {shape, shape + axes}, {byte_strides, byte_strides + axes}, block,
                    owner),
          item == 4 ? FASTCONV_FLOAT32 : FASTCONV_FLOAT64, form, sizes, strides};
}

View allocate(const py::dtype& dtype, const Sizes& sizes) {
  return allocate(dtype, {sizes.count() - 2}, sizes, packed_strides(sizes, false));
}

View output_of(const char* function, const py::object& out, const Sizes& sizes,
               const View& input) {
  if (!py::isinstance<py::array>(out))
    type_error(function, std::string("out is a ") + Py_TYPE(out.ptr())->tp_name +
                             " (wanted a NumPy array)");
  const auto array = py::reinterpret_borrow<py::array>(out);
  const py::dtype dtype = input.array.dtype();
  if (!array.dtype().equal(dtype))
    type_error(function,
               "out has dtype " + name_of(array.dtype()) + " (wanted " + name_of(dtype) + ")");
  const std::string wanted = shape_text(sizes, input.form);
  if (shape_text(array) != wanted)
    value_error(function, "out has shape " + shape_text(array) + " (wanted " + wanted + ")");
  if (!array.writeable()) value_error(function, "out is read-only (wanted a writeable array)");
  bool fits = in_elements(array);
  for (py::ssize_t i = 0; i < array.ndim(); ++i)
    fits &= array.strides(i) != 0 || array.shape(i) <= 1;
  if (!fits)
    value_error(function, "out has strides that skip or share parts of elements (wanted an "
                          "aligned array, each element with memory of its own)");
  return image_view(function, "out", array, input.dtype, input.form);
}

void check_apart(const char* function, const py::array& out, const py::array& input) {
  if (overlap(out, input))
    value_error(function, "out overlaps an input (wanted memory of its own)");
}

void check_sizes(const char* function, const char* name, const View& view, const Sizes& output,
                 const Form& form) {
  if (view.sizes == output && view.form.batched == form.batched) return;
  value_error(function, std::string(name) + " has shape " + shape_text(view.sizes, view.form) +
                            " (wanted " + shape_text(output, form) + ", the output's)");
}

View residual_of(const char* function, const py::array& array, const View& input,
                 const View& output) {
  View view = image_of(function, "residual", array, input.form, input);
  check_sizes(function, "residual", view, output.sizes, output.form);
  if (same_memory_order(view, output)) return view;
  View copy = allocate(view.array.dtype(), view.form, output.sizes,
                       packed_strides(output.sizes, is_channels_last(output)));
  if (!same_memory_order(copy, output))
    value_error(function, "out has strides that residual cannot be copied to (wanted an array in "
                          "C order or channels-last)");
  copy.array[py::ellipsis()] = view.array;
  return copy;
}

void value_error(const char* function, const std::string& message) {
  throw py::value_error(std::string(function) + ": " + message);
}

void check(const char* function, fastconv_status status) {
  switch (status) {
    case FASTCONV_OK: return;
    case FASTCONV_INVALID_ARGUMENT: value_error(function, fastconv_last_error());
    case FASTCONV_OUT_OF_MEMORY: throw std::bad_alloc();
    case FASTCONV_INTERNAL_ERROR: break;
  }
  throw std::runtime_error(std::string(function) + ": " + fastconv_last_error());
}

std::string shape_text(const Sizes& sizes) {
  std::string text = "(";
  for (int i = 0; i < sizes.count(); ++i) text += (i ? ", " : "") + std::to_string(sizes[i]);
  return text + (sizes.count() == 1 ? ",)" : ")");
}

std::string shape_text(const Sizes& sizes, const Form& form) {
  Sizes ordered;
  for (int axis = 0; axis < form.axes(); ++axis)
    for (int i = 0; i < sizes.count(); ++i)
      if (form.axis(i) == axis) ordered.push(sizes[i]);
  return shape_text(ordered);
}

}  // namespace fastconv::python
