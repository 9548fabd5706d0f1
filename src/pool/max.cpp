// Max pooling. NaN wins over numbers, the first of equal maxima and the last of several NaNs gives
// the index, as in PyTorch (aten/native/cpu/MaxPoolKernel.cpp).
#include <atomic>

#include "pool/planes.hpp"
#include "pool/pool.hpp"

namespace fastconv {
namespace {

// Where in the plane each tap of a window lies.
class Places {
 public:
  explicit Places(const PoolShape& shape) : shape_(shape) {
    const Axis &d = shape.axis[0], &h = shape.axis[1], &w = shape.axis[2];
    for (std::int64_t kd = 0; kd < d.kernel; ++kd)
      for (std::int64_t kh = 0; kh < h.kernel; ++kh)
        for (std::int64_t kw = 0; kw < w.kernel; ++kw)
          distance_.push_back((kd * d.dilation * h.input + kh * h.dilation) * w.input +
                              kw * w.dilation);
  }

  // The flat index of tap `tap` of the window of output (od, oh, ow); of its first element where
  // nothing beat -inf.
  std::int64_t operator()(std::int64_t od, std::int64_t oh, std::int64_t ow,
                          std::int64_t tap) const {
    const Axis &d = shape_.axis[0], &h = shape_.axis[1], &w = shape_.axis[2];
    if (tap < 0) {
      const std::int64_t z = first(d, od), y = first(h, oh), x = first(w, ow);
      if (z >= d.input || y >= h.input || x >= w.input) return -1;
      return (z * h.input + y) * w.input + x;
    }
    return ((od * d.stride - d.pad_before) * h.input + oh * h.stride - h.pad_before) * w.input +
           ow * w.stride - w.pad_before + distance_[static_cast<std::size_t>(tap)];
  }

 private:
  static std::int64_t first(const Axis& axis, std::int64_t output) {
    const std::int64_t start = output * axis.stride - axis.pad_before;
    return start >= 0 ? start : start + (-start - 1) / axis.dilation * axis.dilation + axis.dilation;
  }

  const PoolShape& shape_;
  std::vector<std::int64_t> distance_;
};

}  // namespace

template <class T>
void max_pool_forward(const Kernels<T>& kernels, const PoolShape& shape, const T* input, T* output,
                      std::int64_t* indices) {
  const StripLayout layout(forward_taps(shape.axis[0]), forward_taps(shape.axis[1]),
                           forward_taps(shape.axis[2]));
  const Places places(shape);
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
                   stride[1], stride[2], T{0}});
    if (!indices) return;
    const auto& to = shape.indices.axis;
    std::int64_t* target = plane_of(shape, indices, shape.indices, plane);
    for (std::int64_t r = 0; r < block.rows; ++r)
      for (std::int64_t c = 0; c < block.columns; ++c) {
        const std::int64_t oh = block.row + r, ow = block.column + c;
        target[block.depth * to[0] + oh * to[1] + ow * to[2]] =
            places(block.depth, oh, ow, tap[r * layout.pitch + c]);
      }
  });
}

template <class T>
bool max_pool_backward(const PoolShape& shape, const T* grad_output, const std::int64_t* indices,
                       T* grad_input) {
  const std::int64_t height = shape.axis[1].input, width = shape.axis[2].input;
  const auto& to = shape.input.axis;
  // A plane without gaps takes the flat index as it is.
  const bool flat = to[2] == 1 && to[1] == width && to[0] == width * height;
  std::atomic<bool> valid{true};
  const double work = static_cast<double>(shape.n * shape.c * (shape.inputs() + shape.outputs()));
  const int threads = threads_for(shape.n * shape.c, work);
  for_each_item(shape.n * shape.c, threads, [&](std::int64_t plane, int) {
    const T* grad = plane_of(shape, grad_output, shape.output, plane);
    const std::int64_t* index = plane_of(shape, indices, shape.indices, plane);
    T* target = plane_of(shape, grad_input, shape.input, plane);
    clear_plane(shape, to, target);
    for (std::int64_t od = 0; od < shape.axis[0].output; ++od)
      for (std::int64_t oh = 0; oh < shape.axis[1].output; ++oh)
        for (std::int64_t ow = 0; ow < shape.axis[2].output; ++ow) {
          const auto& from = shape.indices.axis;
          const std::int64_t i = index[od * from[0] + oh * from[1] + ow * from[2]];
          if (i < 0 || i >= shape.inputs()) {
            if (i != -1) valid = false;
            continue;
          }
          const auto& stride = shape.output.axis;
          const std::int64_t place = flat ? i
                                          : i / width / height * to[0] + i / width % height * to[1] +
                                                i % width * to[2];
          target[place] += grad[od * stride[0] + oh * stride[1] + ow * stride[2]];
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
