// Max pooling. NaN wins over numbers, the first of equal maxima and the last of several NaNs gives
// the index, as in PyTorch (aten/native/cpu/MaxPoolKernel.cpp).
#include <atomic>

#include "pool/planes.hpp"
#include "pool/pool.hpp"
#include "pool/windows.hpp"

namespace fastconv {
namespace {

// A row of gradients and of the indices they go to.
template <class T>
struct Row {
  const T* grad;
  std::int64_t grad_stride;
  const std::int64_t* index;
  std::int64_t index_stride, columns;
};

// Adds a row to a plane of `inputs` elements, of which element i lies at place(i); false if an
// index lies outside. Index -1 stands for a window without an element.
template <class T, class Place>
bool scatter(const Row<T> row, std::int64_t inputs, T* target, const Place& place) {
  bool good = true;
  for (std::int64_t column = 0; column < row.columns; ++column) {
    const std::int64_t i = row.index[column * row.index_stride];
    if (static_cast<std::uint64_t>(i) < static_cast<std::uint64_t>(inputs))
      target[place(i)] += row.grad[column * row.grad_stride];
    else
      good &= i == -1;
  }
  return good;
}

}  // namespace

template <class T>
void max_pool_forward(const Kernels<T>& kernels, const PoolShape& shape, const T* input, T* output,
                      std::int64_t* indices) {
  run_pooling<T>(kernels, shape, indices ? PoolKind::max_index : PoolKind::max,
                 {input, shape.input, output, shape.output, indices, shape.indices}, nullptr);
}

template <class T>
bool max_pool_backward(const PoolShape& shape, const T* grad_output, const std::int64_t* indices,
                       T* grad_input) {
  const Axis &d = shape.axis[0], &h = shape.axis[1], &w = shape.axis[2];
  const auto &to = shape.input.axis, &from = shape.output.axis, &places = shape.indices.axis;
  // A plane without gaps takes the flat index as it is.
  const bool flat = to[2] == 1 && to[1] == w.input && (d.input == 1 || to[0] == w.input * h.input);
  std::atomic<bool> valid{true};
  const int threads = threads_for(shape.n * shape.c, shape.work());
  for_each_item(shape.n * shape.c, threads, [&](std::int64_t plane, int) {
    T* target = plane_of(shape, grad_input, shape.input, plane);
    clear_plane(shape, to, target);
    for (std::int64_t od = 0; od < d.output; ++od)
      for (std::int64_t oh = 0; oh < h.output; ++oh) {
        const Row<T> row{plane_of(shape, grad_output, shape.output, plane) + od * from[0] +
                             oh * from[1],
                         from[2],
                         plane_of(shape, indices, shape.indices, plane) + od * places[0] +
                             oh * places[1],
                         places[2], w.output};
        const bool good = flat ? scatter(row, shape.inputs(), target, [](auto i) { return i; })
                               : scatter(row, shape.inputs(), target, [&](auto i) {
                                   return i / w.input / h.input * to[0] +
                                          i / w.input % h.input * to[1] + i % w.input * to[2];
                                 });
        if (!good) valid = false;
      }
  });
  return valid;
}

template void max_pool_forward(const Kernels<float>&, const PoolShape&, const float*, float*,
                               std::int64_t*);
template void max_pool_forward(const Kernels<double>&, const PoolShape&, const double*, double*,
                               std::int64_t*);
template bool max_pool_backward(const PoolShape&, const float*, const std::int64_t*, float*);
template bool max_pool_backward(const PoolShape&, const double*, const std::int64_t*, double*);

}  // namespace fastconv
