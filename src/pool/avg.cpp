// Average pooling: the sum of a window over its divisor. In ceil mode the divisor clips the window
// to the padded input, as in PyTorch (aten/native/cpu/AvgPoolKernel.cpp).
#include "pool/planes.hpp"
#include "pool/pool.hpp"

namespace fastconv {
namespace {

// The divisor of each output: a product of one count for each axis.
template <class T>
class Divisors {
 public:
  explicit Divisors(const PoolShape& shape) : override_(static_cast<T>(shape.divisor_override)) {
    for (int i = 0; i < 3; ++i) {
      const Axis& axis = shape.axis[i];
      const bool padded = shape.count_include_pad;
      const std::int64_t begin = padded ? -axis.pad_before : 0;
      const std::int64_t end = axis.input + (padded ? axis.pad_after : 0);
      for (std::int64_t o = 0; o < axis.output; ++o) {
        const std::int64_t start = o * axis.stride - axis.pad_before;
        count_[i].push_back(static_cast<T>(taps_below(end - start, axis) -
                                           taps_below(begin - start, axis)));
      }
    }
  }

  // out[i] = in[i] / divisor for the outputs (od, oh, ow + i).
  void divide(std::int64_t od, std::int64_t oh, std::int64_t ow, std::int64_t columns, const T* in,
              std::int64_t in_stride, T* out) const {
    const T rows =
        count_[0][static_cast<std::size_t>(od)] * count_[1][static_cast<std::size_t>(oh)];
    const T* count = count_[2].data() + ow;
    for (std::int64_t i = 0; i < columns; ++i) {
      const T divisor = override_ != 0 ? override_ : rows * count[i];
      out[i] = divisor != 0 ? in[i * in_stride] / divisor : T{0};
    }
  }

 private:
  // How many of the taps 0, dilation, 2 * dilation ... lie below `distance`.
  static std::int64_t taps_below(std::int64_t distance, const Axis& axis) {
    if (distance <= 0) return 0;
    return std::min(axis.kernel, (distance - 1) / axis.dilation + 1);
  }

  T override_;
  std::vector<T> count_[3];
};

// to += from, element by element.
template <class T>
void add(std::int64_t count, const T* from, T* to, std::int64_t to_stride) {
  if (to_stride == 1)
    for (std::int64_t i = 0; i < count; ++i) to[i] += from[i];
  else
    for (std::int64_t i = 0; i < count; ++i) to[i * to_stride] += from[i];
}

}  // namespace

template <class T>
void avg_pool_forward(const Kernels<T>& kernels, const PoolShape& shape, const T* input,
                      T* output) {
  const StripLayout layout(forward_taps(shape.axis[0]), forward_taps(shape.axis[1]),
                           forward_taps(shape.axis[2]), 1);
  const Divisors<T> divisors(shape);
  const auto taps = static_cast<Index>(layout.offset.size());
  for_each_strip(kernels, shape, layout, input, T{0}, [&](std::int64_t plane, const Block& block,
                                                          const T* strip, T* sum, T*) {
    kernels.add(strip, layout.offset.data(), taps, layout.pixels(block), sum);
    for (std::int64_t r = 0; r < block.rows; ++r) {
      T* row = sum + r * layout.pitch;
      divisors.divide(block.depth, block.row + r, block.column, block.columns, row, 1, row);
    }
    const auto& stride = shape.output.axis;
    kernels.store({sum, layout.pitch, block.rows, block.columns,
                   plane_of(shape, output, shape.output, plane) + block.depth * stride[0] +
                       block.row * stride[1] + block.column * stride[2],
                   stride[1], stride[2], T{0}, nullptr, {}});
  });
}

template <class T>
void avg_pool_backward(const PoolShape& shape, const T* grad_output, T* grad_input) {
  const Divisors<T> divisors(shape);
  const Axis &d = shape.axis[0], &h = shape.axis[1], &w = shape.axis[2];
  const auto& from = shape.output.axis;
  const auto& to = shape.input.axis;

  const auto depth = forward_taps(d).taps, height = forward_taps(h).taps,
             width = forward_taps(w).taps;
  // For each tap of a row, the outputs [first, last) that meet the input through it.
  struct Range {
    std::int64_t first, last;
  };
  std::vector<Range> range;
  for (const Tap& tap : width) {
    const std::int64_t behind = w.input - tap.offset;  // outputs o: o * stride < behind
    const std::int64_t first = tap.offset < 0 ? (-tap.offset - 1) / w.stride + 1 : 0;
    const std::int64_t last = behind > 0 ? (behind - 1) / w.stride + 1 : 0;
    range.push_back({first, std::min(last, w.output)});
  }

  const int threads = threads_for(shape.n * shape.c, shape.work());
  const std::int64_t buffer = w.output + w.input;
  const Buffer<T> rows(static_cast<std::size_t>(threads * buffer));
  for_each_item(shape.n * shape.c, threads, [&](std::int64_t plane, int thread) {
    T* row = rows.data() + thread * buffer;
    T* line = row + w.output;
    T* target = plane_of(shape, grad_input, shape.input, plane);
    clear_plane(shape, to, target);
    for (std::int64_t od = 0; od < d.output; ++od)
      for (std::int64_t oh = 0; oh < h.output; ++oh) {
        const T* grad = plane_of(shape, grad_output, shape.output, plane) + od * from[0] +
                        oh * from[1];
        divisors.divide(od, oh, 0, w.output, grad, from[2], row);
        // What the row gives to a line of the input, then that to each line of the window.
        std::fill(line, line + w.input, T{0});
        for (std::size_t t = 0; t < width.size(); ++t)
          add(range[t].last - range[t].first, row + range[t].first,
              line + range[t].first * w.stride + width[t].offset, w.stride);
        for (const Tap& z : depth) {
          const std::int64_t id = od * d.stride + z.offset;
          if (id < 0 || id >= d.input) continue;
          for (const Tap& y : height) {
            const std::int64_t ih = oh * h.stride + y.offset;
            if (ih < 0 || ih >= h.input) continue;
            add(w.input, line, target + id * to[0] + ih * to[1], to[2]);
          }
        }
      }
  });
}

template void avg_pool_forward(const Kernels<float>&, const PoolShape&, const float*, float*);
template void avg_pool_forward(const Kernels<double>&, const PoolShape&, const double*, double*);
template void avg_pool_backward(const PoolShape&, const float*, float*);
template void avg_pool_backward(const PoolShape&, const double*, double*);

}  // namespace fastconv
