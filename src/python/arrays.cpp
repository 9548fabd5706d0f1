#include "python/arrays.hpp"

#include <new>

namespace fastconv::python {
namespace {

[[noreturn]] void type_error(const std::string& function, const std::string& message) {
  throw py::type_error(function + ": " + message);
}

[[noreturn]] void value_error(const std::string& function, const std::string& message) {
  throw py::value_error(function + ": " + message);
}

std::string name_of(const py::dtype& dtype) {
  const auto text = py::str(static_cast<py::handle>(dtype)).cast<std::string>();
  if (dtype.attr("isnative").cast<bool>()) return text;
  return text + " (not in native byte order)";
}

bool is_native(const py::dtype& dtype, char kind) {
  return (dtype.byteorder() == '=' || dtype.byteorder() == '|') && dtype.kind() == kind &&
         (dtype.itemsize() == 4 || dtype.itemsize() == 8);
}

// Whether strides count whole elements, on aligned memory.
bool in_elements(const py::array& array) {
  bool whole = (array.flags() & py::detail::npy_api::NPY_ARRAY_ALIGNED_) != 0;
  for (py::ssize_t i = 0; i < array.ndim(); ++i) whole &= array.strides(i) % array.itemsize() == 0;
  return whole;
}

View make_view(const py::array& array) {
  View view{array, array.itemsize() == 4 ? FASTCONV_FLOAT32 : FASTCONV_FLOAT64, {}, {}};
  for (py::ssize_t i = 0; i < array.ndim(); ++i) {
    view.sizes.push_back(array.shape(i));
    view.strides.push_back(array.strides(i) / array.itemsize());
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

}  // namespace

View view_of(const std::string& function, const char* name, const py::array& array) {
  if (!is_native(array.dtype(), 'f'))
    type_error(function, std::string(name) + " has dtype " + name_of(array.dtype()) +
                             " (wanted float32 or float64 in native byte order)");
  return make_view(in_elements(array) ? array : array.attr("copy")("K").cast<py::array>());
}

View view_of(const std::string& function, const char* name, const py::array& array,
             const View& like, const char* like_name) {
  View view = view_of(function, name, array);
  if (view.dtype != like.dtype)
    type_error(function, std::string(like_name) + " is " + name_of(like.array.dtype()) + ", " +
                             name + " is " + name_of(array.dtype()) + " (wanted one dtype)");
  return view;
}

View indices_of(const std::string& function, const py::array& array) {
  if (!is_native(array.dtype(), 'i'))
    type_error(function,
               "indices has dtype " + name_of(array.dtype()) + " (wanted int64 or int32)");
  const bool fits = array.itemsize() == 8 && in_elements(array);
  return make_view(fits ? array : array.attr("astype")("int64").cast<py::array>());
}

bool add_batch(const std::string& function, const char* name, View& view, int dims) {
  const auto ndim = static_cast<int>(view.sizes.size());
  if (ndim == dims + 2) return false;
  if (ndim != dims + 1)
    value_error(function, std::string(name) + " has shape " + shape_text(view.sizes) +
                              " (wanted " + std::to_string(dims + 2) + " dimensions, or " +
                              std::to_string(dims + 1) + " without a batch)");
  view.strides.insert(view.strides.begin(), 0);
  view.sizes.insert(view.sizes.begin(), 1);
  return true;
}

bool is_channels_last(const View& view) {
  const std::size_t ndim = view.sizes.size();
  bool c_order = true, last = true;
  std::int64_t step = 1;
  for (std::size_t i = ndim; i-- > 0; step *= view.sizes[i])
    c_order &= view.sizes[i] == 1 || view.strides[i] == step;
  step = view.sizes[1];
  last &= view.sizes[1] == 1 || view.strides[1] == 1;
  for (std::size_t i = ndim; i-- > 0;) {
    if (i == 1) continue;
    last &= view.sizes[i] == 1 || view.strides[i] == step;
    step *= view.sizes[i];
  }
  return last && !c_order;
}

View allocate(const py::dtype& dtype, const Sizes& sizes, bool channels_last) {
  const auto ndim = sizes.size();
  Sizes strides(ndim);
  std::int64_t step = 1;
  if (channels_last) strides[1] = step, step *= sizes[1];
  for (std::size_t i = ndim; i-- > 0;) {
    if (channels_last && i == 1) continue;
    strides[i] = step;
    step *= sizes[i];
  }
  const auto item = dtype.itemsize();
  std::int64_t bytes;
  if (__builtin_mul_overflow(step, item, &bytes)) throw std::bad_alloc();
  void* block = fastconv_allocate(static_cast<std::size_t>(bytes));
  if (!block) throw std::bad_alloc();
  const py::capsule owner(block, [](void* memory) { fastconv_free(memory); });
  std::vector<py::ssize_t> byte_strides(ndim);
  for (std::size_t i = 0; i < ndim; ++i) byte_strides[i] = strides[i] * item;
  return {py::array(dtype, sizes, byte_strides, block, owner),
          item == 4 ? FASTCONV_FLOAT32 : FASTCONV_FLOAT64, sizes, strides};
}

View output_of(const std::string& function, const py::array& array, const Sizes& sizes,
               bool batched, const View& like, const std::vector<const View*>& inputs) {
  const py::dtype dtype = like.array.dtype();
  if (!array.dtype().equal(dtype))
    type_error(function, "out has dtype " + name_of(array.dtype()) + " (wanted " + name_of(dtype) +
                             ")");
  Sizes wanted(sizes.begin() + (batched ? 1 : 0), sizes.end());
  Sizes got(array.shape(), array.shape() + array.ndim());
  if (got != wanted)
    value_error(function, "out has shape " + shape_text(got) + " (wanted " + shape_text(wanted) +
                              ")");
  if (!array.writeable()) value_error(function, "out is read-only (wanted a writeable array)");
  View view = make_view(array);
  bool fits = in_elements(array);
  for (py::ssize_t i = 0; i < array.ndim(); ++i)
    fits &= array.strides(i) != 0 || array.shape(i) <= 1;
  if (!fits)
    value_error(function, "out has strides that skip or share parts of elements (wanted an "
                          "aligned array, each element with memory of its own)");
  for (const View* input : inputs) check_apart(function, array, *input);
  if (batched) {
    view.sizes.insert(view.sizes.begin(), 1);
    view.strides.insert(view.strides.begin(), 0);
  }
  return view;
}

void check_apart(const std::string& function, const py::array& out, const View& input) {
  if (overlap(out, input.array))
    value_error(function, "out overlaps an input (wanted memory of its own)");
}

bool same_memory_order(const View& a, const View& b) {
  for (std::size_t i = 0; i < a.sizes.size(); ++i)
    if (a.sizes[i] != 1 && a.strides[i] != b.strides[i]) return false;
  return true;
}

View bias_of(const std::string& function, const py::array& array, const View& like,
             std::int64_t channels) {
  View view = view_of(function, "bias", array, like, "input");
  if (view.sizes != Sizes{channels})
    value_error(function, "bias has shape " + shape_text(view.sizes) + " (wanted (" +
                              std::to_string(channels) + ",))");
  if (view.strides[0] != 1 && channels > 1)
    view.array = view.array.attr("copy")().cast<py::array>();
  return view;
}

py::array result_of(const View& view, bool batched) {
  if (!batched) return view.array;
  return view.array[py::int_(0)].cast<py::array>();
}

void check(const std::string& function, fastconv_status status) {
  switch (status) {
    case FASTCONV_OK: return;
    case FASTCONV_INVALID_ARGUMENT: value_error(function, fastconv_last_error());
    case FASTCONV_OUT_OF_MEMORY: throw std::bad_alloc();
    case FASTCONV_INTERNAL_ERROR: break;
  }
  throw std::runtime_error(function + ": " + fastconv_last_error());
}

std::string shape_text(const Sizes& sizes) {
  std::string text = "(";
  for (std::size_t i = 0; i < sizes.size(); ++i)
    text += (i ? ", " : "") + std::to_string(sizes[i]);
  return text + (sizes.size() == 1 ? ",)" : ")");
}

}  // namespace fastconv::python
