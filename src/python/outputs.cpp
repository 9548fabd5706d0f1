#include "python/outputs.hpp"

#include <algorithm>

#include "python/errors.hpp"

namespace fastconv::python {
namespace {

// The bytes from an array's lowest to behind its highest.
struct Extent {
  explicit Extent(const py::array& array) {
    first = last = static_cast<const char*>(array.data());
    for (py::ssize_t i = 0; i < array.ndim(); ++i)
      (array.strides(i) < 0 ? first : last) += (array.shape(i) - 1) * array.strides(i);
    last += array.itemsize();
  }

  const char *first, *last;
};

bool overlap(const py::array& a, const py::array& b) {
  if (a.size() == 0 || b.size() == 0) return false;
  const Extent one(a), other(b);
  if (one.last <= other.first || other.last <= one.first) return false;
  try {
    const py::module_ numpy = py::module_::import("numpy");
    return numpy.attr("shares_memory")(a, b, 100000).cast<bool>();
  } catch (const py::error_already_set&) {  // too hard to tell
    return true;
  }
}

py::array callers(const View& view) {
  return view.given ? view.given.cast<py::array>() : view.array;
}

bool same_memory_order(const View& a, const View& b) {
  if (a.array.size() == 0) return true;
  for (int i = 0; i < a.sizes.count(); ++i)
    if (a.sizes[i] != 1 && a.strides[i] != b.strides[i]) return false;
  return true;
}

}  // namespace

bool is_channels_last(const View& view) {
  if (is_packed(view, false)) return view.form.nhwc && is_packed(view, true);
  return view.form.nhwc || is_packed(view, true);
}

bool is_packed(const View& view, bool channels_last) {
  const Sizes strides = packed_strides(view.sizes, channels_last);
  for (int i = 1; i < view.sizes.count(); ++i)
    if (view.sizes[i] != 1 && view.strides[i] != strides[i]) return false;
  return true;
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
  const auto refuse = [&] {
    throw OutOfMemory("memory for a result of shape " + shape_text(in_form(sizes, form)) + " in " +
                      name_of(dtype) + " was refused (wanted a smaller one, or more memory)");
  };
  py::ssize_t shape[kMostAxes], byte_strides[kMostAxes];
  for (int i = 0; i < sizes.count(); ++i) {
    if (__builtin_mul_overflow(bytes, sizes[i], &bytes)) refuse();
    const int axis = form.axis(i);
    if (axis < 0) continue;
    shape[axis] = sizes[i];
    byte_strides[axis] = strides[i] * item;
  }
  void* block = fastconv_allocate(static_cast<std::size_t>(bytes));
  if (!block) refuse();
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
  if (!array.dtype().is(dtype) && !array.dtype().equal(dtype))
    type_error(function,
               "out has dtype " + name_of(array.dtype()) + " (wanted " + name_of(dtype) + ")");
  const Sizes wanted = in_form(sizes, input.form);
  if (array.ndim() != wanted.count() || !std::equal(wanted.begin(), wanted.end(), array.shape()))
    value_error(function,
                "out has shape " + shape_text(array) + " (wanted " + shape_text(wanted) + ")");
  if (!array.writeable()) value_error(function, "out is read-only (wanted a writeable array)");
  bool fits = in_elements(array);
  for (py::ssize_t i = 0; i < array.ndim(); ++i)
    fits &= array.strides(i) != 0 || array.shape(i) <= 1 || array.size() == 0;
  if (!fits)
    value_error(function, "out has strides that skip or share parts of elements (wanted an "
                          "aligned array, each element with memory of its own)");
  return image_view(function, "out", array, input.dtype, input.form);
}

View result_of(const char* function, const py::object& out, const Sizes& sizes,
               const View& input) {
  View given = output_of(function, out, sizes, input);
  View packed = given;
  packed.strides = packed_strides(sizes, is_channels_last(input));
  if (given.array.size() == 0 || same_memory_order(given, packed)) return given;
  View fresh = allocate(given.array.dtype(), given.form, sizes, packed.strides);
  fresh.given = given.array;
  return fresh;
}

py::array finished(const View& result) {
  if (!result.given) return result.array;
  auto target = result.given.cast<py::array>();
  target[py::ellipsis()] = result.array;
  return target;
}

void check_apart(const char* function, const View& out, const View& input) {
  if (overlap(callers(out), callers(input)))
    value_error(function, "out overlaps an input (wanted memory of its own)");
}

View residual_of(const char* function, const py::array& array, const View& input,
                 const View& output) {
  View view = image_view(function, "residual", array, input.form, input);
  check_sizes(function, "residual", view, output.sizes, output.form);
  if (same_memory_order(view, output)) return view;
  View copy = allocate(view.array.dtype(), view.form, output.sizes,
                       packed_strides(output.sizes, is_channels_last(output)));
  copy.array[py::ellipsis()] = view.array;
  return copy;
}

}  // namespace fastconv::python
