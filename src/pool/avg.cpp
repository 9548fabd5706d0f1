// Average pooling: the sum of a window over its divisor; of gradients, the sum of what each window
// gives to its elements.
#include "pool/pool.hpp"
#include "pool/windows.hpp"

namespace fastconv {
namespace {

// An output without gaps, its channels side by side where the input's are.
Strides plain_output(const PoolShape& shape) {
  const Axis &h = shape.axis[1], &w = shape.axis[2];
  const bool last = shape.c > 1 && shape.input.channel == 1;
  const std::int64_t pixel = last ? shape.c : 1;
  Strides plain{shape.c * shape.outputs(), last ? 1 : shape.outputs(), {}};
  plain.axis[2] = pixel;
  plain.axis[1] = w.output * pixel;
  plain.axis[0] = h.output * plain.axis[1];
  return plain;
}

// Whether arrays of the output's shape have their elements at the same places.
bool alike(const PoolShape& shape, const Strides& a, const Strides& b) {
  bool same = (shape.n == 1 || a.outer == b.outer) && (shape.c == 1 || a.channel == b.channel);
  for (int i = 0; i < 3; ++i)
    same = same && (shape.axis[i].output == 1 || a.axis[i] == b.axis[i]);
  return same;
}

template <class T>
void copy_output(const PoolShape& shape, const T* source, const Strides& from, T* target) {
  const Strides& to = shape.output;
  const Axis &d = shape.axis[0], &h = shape.axis[1], &w = shape.axis[2];
  parallel_for(shape.n * shape.c, threads_for(shape.n * shape.c, shape.work()),
               [&](std::int64_t plane, int) {
    const std::int64_t n = plane / shape.c, c = plane % shape.c;
    const T* read = source + n * from.outer + c * from.channel;
    T* write = target + n * to.outer + c * to.channel;
    for (std::int64_t z = 0; z < d.output; ++z)
      for (std::int64_t y = 0; y < h.output; ++y)
        for (std::int64_t x = 0; x < w.output; ++x)
          write[z * to.axis[0] + y * to.axis[1] + x * to.axis[2]] =
              read[z * from.axis[0] + y * from.axis[1] + x * from.axis[2]];
  });
}

}  // namespace

template <class T>
void avg_pool_forward(const Kernels<T>& kernels, const PoolShape& shape, const T* input,
                      T* output) {
  const Divisors<T> divisors(shape);
  const auto run = [&](T* target, const Strides& stride) {
    run_pooling(kernels, shape, PoolKind::mean,
                PoolArrays<T>{input, shape.input, target, stride, nullptr, {}}, &divisors);
  };
  // The order of a sum follows the memory it goes to, and must not follow the caller's.
  const Strides plain = plain_output(shape);
  if (alike(shape, shape.output, plain)) return run(output, plain);
  const Buffer<T> sums(static_cast<std::size_t>(shape.n * shape.c * shape.outputs()));
  run(sums.data(), plain);
  copy_output(shape, sums.data(), plain, output);
}

template <class T>
void avg_pool_backward(const Kernels<T>& kernels, const PoolShape& shape, const T* grad_output,
                       T* grad_input) {
  const Divisors<T> divisors(shape);
  run_pooling(kernels, shape, PoolKind::mean_gradient,
              PoolArrays<T>{grad_output, shape.output, grad_input, shape.input, nullptr, {}},
              &divisors);
}

template void avg_pool_forward(const Kernels<float>&, const PoolShape&, const float*, float*);
template void avg_pool_forward(const Kernels<double>&, const PoolShape&, const double*, double*);
template void avg_pool_backward(const Kernels<float>&, const PoolShape&, const float*, float*);
template void avg_pool_backward(const Kernels<double>&, const PoolShape&, const double*, double*);

}  // namespace fastconv
