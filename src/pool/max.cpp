// Max pooling. NaN wins over numbers, the first of equal maxima and the last of several NaNs gives
// the index, as in PyTorch (aten/native/cpu/MaxPoolKernel.cpp).
#include <atomic>

#include "pool/planes.hpp"
#include "pool/pool.hpp"

namespace fastconv {
namespace {

// Where in the plane the taps of a window lie.
class Places {
 public:
  Places(const PoolShape& shape, const StripLayout& layout) : shape_(shape) {
    const Axis &d = shape.axis[0], &h = shape.axis[1], &w = shape.axis[2];
    for (const Tap& z : layout.depth.taps)
      for (const Tap& y : layout.height.taps)
        for (const Tap& x : layout.width.taps)
          distance_.push_back((z.kernel * d.dilation * h.input + y.kernel * h.dilation) * w.input +
                              x.kernel * w.dilation);
  }

  // The flat indices of the taps that won in the windows of outputs (od, oh, ow + i).
  template <class Tap>
  void of_row(std::int64_t od, std::int64_t oh, std::int64_t ow, std::int64_t columns,
              const Tap* tap, std::int64_t* target, std::int64_t target_stride) const {
    const Axis &d = shape_.axis[0], &h = shape_.axis[1], &w = shape_.axis[2];
    const std::int64_t start =
        ((od * d.stride - d.pad_before) * h.input + oh * h.stride - h.pad_before) * w.input +
        ow * w.stride - w.pad_before;
    for (std::int64_t i = 0; i < columns; ++i)
      target[i * target_stride] =
          tap[i] < 0 ? first_of_window(od, oh, ow + i)
                     : start + i * w.stride + distance_[static_cast<std::size_t>(tap[i])];
  }

 private:
  // Where nothing beat -inf.
  std::int64_t first_of_window(std::int64_t od, std::int64_t oh, std::int64_t ow) const {
    const Axis &d = shape_.axis[0], &h = shape_.axis[1], &w = shape_.axis[2];
    const std::int64_t z = first(d, od), y = first(h, oh), x = first(w, ow);
    if (z >= d.input || y >= h.input || x >= w.input) return -1;
    return (z * h.input + y) * w.input + x;
  }

  static std::int64_t first(const Axis& axis, std::int64_t output) {
    const std::int64_t start = output * axis.stride - axis.pad_before;
    if (start >= 0) return start;
    return start + ((-start - 1) / axis.dilation + 1) * axis.dilation;
  }

  const PoolShape& shape_;
  std::vector<std::int64_t> distance_;
};

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
  const StripLayout layout(forward_taps(shape.axis[0]), forward_taps(shape.axis[1]),
                           forward_taps(shape.axis[2]), 1);
  const Places places(shape, layout);
  const auto taps = static_cast<Index>(layout.offset.size());
  const T lowest = static_cast<T>(-__builtin_inf());
  for_each_strip(kernels, shape, layout, input, lowest, [&](std::int64_t plane, const Block& block,
                                                            const T* strip, T* best, T* rest) {
    auto* tap = reinterpret_cast<typename MaxArgs<T>::Tap*>(rest);
    kernels.max({strip, layout.offset.data(), taps, layout.pixels(block), best,
                 indices ? tap : nullptr});
    const auto& stride = shape.output.axis;
    kernels.store({best, layout.pitch, block.rows, block.columns,
                   plane_of(shape, output, shape.output, plane) + block.depth * stride[0] +
                       block.row * stride[1] + block.column * stride[2],
                   stride[1], stride[2], T{0}, nullptr, {}});
    if (!indices) return;
    const auto& to = shape.indices.axis;
    std::int64_t* target = plane_of(shape, indices, shape.indices, plane);
    for (std::int64_t r = 0; r < block.rows; ++r) {
      const std::int64_t oh = block.row + r;
      places.of_row(block.depth, oh, block.column, block.columns, tap + r * layout.pitch,
                    target + block.depth * to[0] + oh * to[1] + block.column * to[2], to[2]);
    }
  });
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
