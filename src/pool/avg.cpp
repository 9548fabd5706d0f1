// Average pooling: the sum of a window over its divisor; of gradients, the sum of what each window
// gives to its elements.
#include "pool/pool.hpp"
#include "pool/windows.hpp"

namespace fastconv {

template <class T>
void avg_pool_forward(const Kernels<T>& kernels, const PoolShape& shape, const T* input,
                      T* output) {
  const Divisors<T> divisors(shape);
  run_pooling(kernels, shape, PoolKind::mean,
              PoolArrays<T>{input, shape.input, output, shape.output, nullptr, {}}, &divisors);
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
