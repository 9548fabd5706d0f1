#include "python/dense.hpp"

#include <new>

#include "python/errors.hpp"

namespace fastconv::python {
namespace {

using py::detail::npy_api;

bool is_dense(const py::array& array) {
  const int flags = array.flags();
  if (!(flags & npy_api::NPY_ARRAY_ALIGNED_)) return false;
  if (flags & npy_api::NPY_ARRAY_C_CONTIGUOUS_) return true;
  // Each axis in turn must step over just what the axes before it hold.
  const py::ssize_t *sizes = array.shape(), *strides = array.strides();
  py::ssize_t step = array.itemsize();
  const py::ssize_t all = array.nbytes();
  if (all == 0) return true;
  while (step < all) {
    py::ssize_t i = 0;
    while (i < array.ndim() && (sizes[i] == 1 || strides[i] != step)) ++i;
    if (i == array.ndim()) return false;
    step *= sizes[i];
  }
  return true;
}

bool same_order(const py::array& a, const py::array& b) {
  for (py::ssize_t i = 0; i < a.ndim(); ++i)
    if (a.shape()[i] != 1 && a.strides()[i] != b.strides()[i]) return false;
  return true;
}

bool same_shape(const py::array& a, const py::array& b) {
  return a.ndim() == b.ndim() && std::equal(a.shape(), a.shape() + a.ndim(), b.shape());
}

}  // namespace

Dense dense_of(const char* function, const char* name, const py::array& array) {
  const fastconv_dtype dtype = float_dtype(function, name, array);
  return {is_dense(array) ? array : array.attr("copy")("K").cast<py::array>(), dtype};
}

Dense dense_of(const char* function, const char* name, const py::array& array, const Dense& like,
               const char* like_name) {
  const fastconv_dtype dtype = float_dtype(function, name, array);
  if (dtype != like.dtype)
    type_error(function, std::string(like_name) + " is " + name_of(like.array.dtype()) + ", " +
                             name + " is " + name_of(array.dtype()) + " (wanted one dtype)");
  if (!same_shape(array, like.array))
    value_error(function, std::string(name) + " has shape " + shape_text(array) + ", " +
                              like_name + " has shape " + shape_text(like.array) +
                              " (wanted one shape)");
  if (same_order(array, like.array) && is_dense(array)) return {array, dtype};
  Dense copy = allocate_like(like);
  copy.array[py::ellipsis()] = array;
  return copy;
}

Dense allocate_like(const Dense& like) {
  const py::array& array = like.array;
  void* block = fastconv_allocate(static_cast<std::size_t>(std::max<py::ssize_t>(
      array.nbytes(), array.itemsize())));
  if (!block) throw std::bad_alloc();
  const py::capsule owner(block, [](void* memory) { fastconv_free(memory); });
  const auto axes = array.ndim();
  return {py::array(array.dtype(), {array.shape(), array.shape() + axes},
                    {array.strides(), array.strides() + axes}, block, owner),
          like.dtype};
}

InPlace::InPlace(const char* function, const char* name, const py::array& array)
    : target_(array), dense_(dense_of(function, name, array)) {
  check_writeable(function, name);
}

InPlace::InPlace(const char* function, const char* name, const py::array& array, const Dense& like,
                 const char* like_name)
    : target_(array), dense_(dense_of(function, name, array, like, like_name)) {
  check_writeable(function, name);
}

void InPlace::check_writeable(const char* function, const char* name) const {
  if (!target_.writeable())
    value_error(function, std::string(name) + " is read-only (wanted a writeable array)");
}

void InPlace::finish() {
  if (!dense_.array.is(target_)) target_[py::ellipsis()] = dense_.array;
}

}  // namespace fastconv::python
