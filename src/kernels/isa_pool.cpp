// The table's kernels of pooling.
#include "kernels/isa_parts.hpp"
#include "kernels/pool.hpp"

namespace fastconv::FASTCONV_ISA {
namespace {

template <class T>
void add(Kernels<T>& kernels) {
  kernels.has_windows = has_windows<T>;
  kernels.longest_doubled = kLongestDoubled<T>;
  kernels.pool_max = pool_max<T>;
  kernels.pool_max_index = pool_max_index<T>;
  kernels.pool_mean = pool_mean<T>;
  kernels.pool_mean_gradient = pool_mean_gradient<T>;
}

}  // namespace

void add_pooling(Kernels<float>& kernels) noexcept { add(kernels); }
void add_pooling(Kernels<double>& kernels) noexcept { add(kernels); }

}  // namespace fastconv::FASTCONV_ISA
