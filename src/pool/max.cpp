// Max pooling. NaN wins over numbers, the first of equal maxima and the last of several NaNs gives
// the index, as in PyTorch (aten/native/cpu/MaxPoolKernel.cpp).
#include <algorithm>
#include <atomic>

#include "pool/pool.hpp"
#include "pool/windows.hpp"
#include "runtime/split.hpp"

namespace fastconv {
namespace {

// One window after the other, by its definition: for planes so large that the lanes of a vector
// cannot count their elements.
template <class T>
void plain_forward(const PoolShape& shape, const T* input, T* output, std::int64_t* indices) {
  const Axis &d = shape.axis[0], &h = shape.axis[1], &w = shape.axis[2];
  const std::int64_t outputs = shape.outputs(), windows = shape.n * shape.c * outputs;
  const auto offset = [](const Strides& stride, std::int64_t n, std::int64_t c, std::int64_t z,
                         std::int64_t y, std::int64_t x) {
    return n * stride.outer + c * stride.channel + z * stride.axis[0] + y * stride.axis[1] +
           x * stride.axis[2];
  };
  parallel_for(windows, threads_for(windows, shape.work()), [&](std::int64_t window, int) {
    const std::int64_t plane = window / outputs, n = plane / shape.c, c = plane % shape.c;
    const std::int64_t od = window % outputs / w.output / h.output;
    const std::int64_t oh = window / w.output % h.output, ow = window % w.output;
    T best = static_cast<T>(-__builtin_inf());
    std::int64_t place = -1;
    const auto each = [](const Axis& axis, std::int64_t o, const auto& body) {
      for (std::int64_t k = 0; k < axis.kernel; ++k) {
        const std::int64_t i = o * axis.stride - axis.pad_before + k * axis.dilation;
        if (i >= axis.input) break;
        if (i >= 0) body(i);
      }
    };
    each(d, od, [&](std::int64_t z) {
      each(h, oh, [&](std::int64_t y) {
        each(w, ow, [&](std::int64_t x) {
          const T value = input[offset(shape.input, n, c, z, y, x)];
          if (place >= 0 && !(value > best || value != value)) return;
          best = value;
          place = (z * h.input + y) * w.input + x;
        });
      });
    });
    output[offset(shape.output, n, c, od, oh, ow)] = best;
    indices[offset(shape.indices, n, c, od, oh, ow)] = place;
  });
}

// Rows of gradients and of the indices they go to, of channels that stand side by side.
template <class T>
struct Gradients {
  const T* grad;
  const std::int64_t* index;
  std::int64_t columns, grad_stride, index_stride;
  std::int64_t channels;
};

// Adds them to a plane of `inputs` elements, of which element i lies at place(i); false if an index
// lies outside. Index -1 stands for a window without an element.
template <class T, class Place>
bool scatter(const Gradients<T> from, std::int64_t inputs, T* target, const Place& place) {
  bool good = true;
  const auto add = [&](std::int64_t i, T grad, std::int64_t channel) {
    if (static_cast<std::uint64_t>(i) < static_cast<std::uint64_t>(inputs))
      target[place(i) + channel] += grad;
    else
      good &= i == -1;
  };
  if (from.channels == 1 && from.grad_stride == 1 && from.index_stride == 1)
    for (std::int64_t o = 0; o < from.columns; ++o) add(from.index[o], from.grad[o], 0);
  else
    for (std::int64_t o = 0; o < from.columns; ++o)
      for (std::int64_t c = 0; c < from.channels; ++c)
        add(from.index[o * from.index_stride + c], from.grad[o * from.grad_stride + c], c);
  return good;
}

// Whether the elements of an image are evenly spaced, and so may be counted as one row.
bool even(const std::int64_t (&stride)[3], std::int64_t d, std::int64_t h, std::int64_t w) {
  return (h == 1 || stride[1] == w * stride[2]) && (d == 1 || stride[0] == h * w * stride[2]);
}

// Sets `channels` side by side of every element of a plane with the input's shape to zero.
template <class T>
void clear(const PoolShape& shape, T* plane, std::int64_t channels) {
  const auto& stride = shape.input.axis;
  const Axis &d = shape.axis[0], &h = shape.axis[1], &w = shape.axis[2];
  if (even(stride, d.input, h.input, w.input) && stride[2] == channels) {
    std::fill(plane, plane + shape.inputs() * channels, T{0});
    return;
  }
  for (std::int64_t z = 0; z < d.input; ++z)
    for (std::int64_t y = 0; y < h.input; ++y)
      for (std::int64_t x = 0; x < w.input; ++x) {
        T* element = plane + z * stride[0] + y * stride[1] + x * stride[2];
        std::fill(element, element + channels, T{0});
      }
}

}  // namespace

template <class T>
void max_pool_forward(const Kernels<T>& kernels, const PoolShape& shape, const T* input, T* output,
                      std::int64_t* indices) {
  if (indices && sizeof(T) == 4 && shape.inputs() > INT32_MAX)
    return plain_forward(shape, input, output, indices);
  run_pooling<T>(kernels, shape, indices ? PoolKind::max_index : PoolKind::max,
                 {input, shape.input, output, shape.output, indices, shape.indices}, nullptr);
}

template <class T>
bool max_pool_backward(const PoolShape& shape, const T* grad_output, const std::int64_t* indices,
                       T* grad_input) {
  const Axis &d = shape.axis[0], &h = shape.axis[1], &w = shape.axis[2];
  const Strides &to = shape.input, &from = shape.output, &places = shape.indices;
  const bool flat = even(to.axis, d.input, h.input, w.input);
  const bool whole = even(from.axis, d.output, h.output, w.output) &&
                     even(places.axis, d.output, h.output, w.output);
  // A thread owns some channels where they stand side by side, else a plane. Few chunks: each one
  // passes over the memory of all.
  const bool last = shape.c > 1 && to.channel == 1 && from.channel == 1 && places.channel == 1;
  const std::int64_t line = 64 / static_cast<std::int64_t>(sizeof(T));
  const std::int64_t some = shape.n >= 4 ? shape.c : (shape.c + 4 * line - 1) / (4 * line) * line;
  const Split chunks(shape.c, last ? std::max(some, 2 * line) : 1);
  const std::int64_t planes = shape.n * chunks.parts;
  const double work =
      kElementCost * static_cast<double>(shape.n * shape.c) * static_cast<double>(shape.outputs());

  std::atomic<bool> valid{true};
  const Split tasks(planes, std::max<std::int64_t>(planes / 64, 1));
  const auto one = [&](std::int64_t plane) {
    const std::int64_t image = plane / chunks.parts, chunk = plane % chunks.parts;
    const std::int64_t channel = chunks.begin(chunk), channels = chunks.size(chunk);
    T* const target = grad_input + image * to.outer + channel * to.channel;
    clear(shape, target, channels);
    Gradients<T> row{grad_output + image * from.outer + channel * from.channel,
                     indices + image * places.outer + channel * places.channel,
                     whole ? shape.outputs() : w.output, from.axis[2], places.axis[2], channels};
    const auto add = [&](const Gradients<T>& part) {
      if (flat && to.axis[2] == 1)
        return scatter(part, shape.inputs(), target, [](auto i) { return i; });
      if (flat) return scatter(part, shape.inputs(), target, [&](auto i) { return i * to.axis[2]; });
      return scatter(part, shape.inputs(), target, [&](auto i) {
        return i / w.input / h.input * to.axis[0] + i / w.input % h.input * to.axis[1] +
               i % w.input * to.axis[2];
      });
    };
    if (whole) return add(row);
    bool good = true;
    for (std::int64_t od = 0; od < d.output; ++od)
      for (std::int64_t oh = 0; oh < h.output; ++oh) {
        Gradients<T> part = row;
        part.grad += od * from.axis[0] + oh * from.axis[1];
        part.index += od * places.axis[0] + oh * places.axis[1];
        good &= add(part);
      }
    return good;
  };
  parallel_for(tasks.parts, threads_for(tasks.parts, work), [&](std::int64_t task, int) {
    for (std::int64_t i = 0; i < tasks.size(task); ++i)
      if (!one(tasks.begin(task) + i)) valid = false;
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
