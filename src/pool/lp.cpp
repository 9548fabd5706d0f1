// Lp pooling as PyTorch computes it (torch.nn.functional.lp_pool2d): with the mean m of x^p over a
// window of k elements, the output is (k m)^(1/p); where a window is clipped or padded, k stays. Of
// p = infinity it is the largest absolute value. With z = k m the gradient is
// x^(p-1) * sum over windows of k / divisor * z^(1/p-1) * grad_output, and 0 where z is.
#include <cmath>

#include "plan/elements.hpp"
#include "pool/pool.hpp"
#include "runtime/memory.hpp"

namespace fastconv {
namespace {

constexpr double kPowerCost = 40, kProductCost = 4;

// x^(kHalves / 2), of those that are cheaper than a power.
template <int kHalves, class T>
T half_power(T x) {
  if constexpr (kHalves == 4) return x * x;
  if constexpr (kHalves == 1) return std::sqrt(x);
  if constexpr (kHalves == -1) return T{1} / std::sqrt(x);
  return x;
}

// Calls use(function, cost), which raises to the power `p`: one of the halves, or any. Each is a loop
// of its own wherever it is used.
template <class T, int... kHalves, class Use>
void with_power(double p, const Use& use) {
  const bool cheap =
      ((2 * p == kHalves &&
        (use([](T x) { return half_power<kHalves>(x); }, kProductCost), true)) || ...);
  if (cheap) return;
  const T power = static_cast<T>(p);
  use([power](T x) { return std::pow(x, power); }, kPowerCost);
}

bool channels_last(const PoolShape& shape) { return shape.c > 1 && shape.input.channel == 1; }

// What is pooled, the powers or absolute values of the input, in memory of its own.
template <class T>
struct Powers {
  Powers(const PoolShape& given, const T* input)
      : shape(given), values(static_cast<std::size_t>(inputs_of(given).count())) {
    const Elements all = inputs_of(shape);
    shape.input = all.packed(channels_last(given));
    T* const to = values.data();
    if (std::isinf(shape.norm)) {
      for_elements(all, given.input, shape.input, kProductCost,
                   [&](auto from, auto i) { to[i] = std::abs(input[from]); });
      return;
    }
    with_power<T, 2, 4>(shape.norm, [&](const auto& power, double cost) {
      for_elements(all, given.input, shape.input, cost,
                   [&](auto from, auto i) { to[i] = power(input[from]); });
    });
  }

  PoolShape shape;
  Buffer<T> values;
};

// The gradient goes to the largest absolute value, with its sign.
template <class T>
void maximum_backward(const Kernels<T>& kernels, const PoolShape& shape, const T* grad_output,
                      const T* input, T* grad_input) {
  Powers<T> absolute(shape, input);
  PoolShape& inner = absolute.shape;
  const Elements outputs = outputs_of(shape);
  inner.output = inner.indices = outputs.packed(channels_last(shape));
  const auto count = static_cast<std::size_t>(outputs.count());
  const Buffer<T> largest(count);
  const Buffer<std::int64_t> indices(count);
  max_pool_forward(kernels, inner, absolute.values.data(), largest.data(), indices.data());
  PoolShape back = shape;
  back.indices = inner.indices;
  max_pool_backward(back, grad_output, indices.data(), grad_input);
  for_elements(inputs_of(shape), shape.input, shape.input, kProductCost, [&](auto i, auto) {
    const T x = input[i];
    grad_input[i] *= static_cast<T>((x > 0) - (x < 0));
  });
}

}  // namespace

template <class T>
void lp_pool_forward(const Kernels<T>& kernels, const PoolShape& shape, const T* input,
                     T* output) {
  const Powers<T> powers(shape, input);
  const Elements outputs = outputs_of(shape);
  if (std::isinf(shape.norm)) {
    max_pool_forward<T>(kernels, powers.shape, powers.values.data(), output, nullptr);
    // Of a window without an element it is 0.
    return for_elements(outputs, shape.output, shape.output, kProductCost,
                        [&](auto i, auto) { output[i] = output[i] < 0 ? T{0} : output[i]; });
  }
  avg_pool_forward(kernels, powers.shape, powers.values.data(), output);
  const T taps = static_cast<T>(shape.taps());
  with_power<T, 2, 1>(1 / shape.norm, [&](const auto& root, double cost) {
    for_elements(outputs, shape.output, shape.output, cost,
                 [&](auto i, auto) { output[i] = root(output[i] * taps); });
  });
}

template <class T>
void lp_pool_backward(const Kernels<T>& kernels, const PoolShape& shape, const T* grad_output,
                      const T* input, T* grad_input) {
  if (std::isinf(shape.norm))
    return maximum_backward(kernels, shape, grad_output, input, grad_input);
  const Elements outputs = outputs_of(shape);
  const Buffer<T> sums(static_cast<std::size_t>(outputs.count()));
  T* const sum = sums.data();
  {
    Powers<T> powers(shape, input);
    powers.shape.output = outputs.packed(channels_last(shape));
    avg_pool_forward(kernels, powers.shape, powers.values.data(), sum);
  }
  PoolShape back = shape;
  back.output = outputs.packed(channels_last(shape));
  const T taps = static_cast<T>(shape.taps());
  with_power<T, -1>(1 / shape.norm - 1, [&](const auto& power, double cost) {
    for_elements(outputs, shape.output, back.output, cost, [&](auto from, auto i) {
      const T z = sum[i] * taps;
      sum[i] = z == 0 ? T{0} : grad_output[from] * power(z) * taps;
    });
  });
  avg_pool_backward(kernels, back, sum, grad_input);
  with_power<T, 2, 4>(shape.norm - 1, [&](const auto& power, double cost) {
    for_elements(inputs_of(shape), shape.input, shape.input, cost, [&](auto i, auto) {
      const T gradient = grad_input[i];
      grad_input[i] = gradient == 0 ? T{0} : gradient * power(input[i]);
    });
  });
}

template void lp_pool_forward(const Kernels<float>&, const PoolShape&, const float*, float*);
template void lp_pool_forward(const Kernels<double>&, const PoolShape&, const double*, double*);
template void lp_pool_backward(const Kernels<float>&, const PoolShape&, const float*, const float*,
                               float*);
template void lp_pool_backward(const Kernels<double>&, const PoolShape&, const double*,
                               const double*, double*);

}  // namespace fastconv
