// The table's kernels that pass over arrays once: activations, norms, optimisers.
#include "kernels/batch_norm.hpp"
#include "kernels/columns.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/isa_parts.hpp"
#include "kernels/optimizer.hpp"

namespace fastconv::FASTCONV_ISA {
namespace {

template <class T>
void add(Kernels<T>& kernels) {
  kernels.activate = activate_each<T>;
  kernels.activate_backward = activate_backward<T>;
  kernels.softmax = softmax<T>;
  kernels.softmax_backward = softmax_backward<T>;
  kernels.local_response = local_response<T>;
  kernels.local_response_backward = local_response_backward<T>;
  kernels.moments[0] = moments_of_run<T>, kernels.moments[1] = moments_of_rows<T>;
  kernels.gradient_sums[0] = gradients_of_run<T>, kernels.gradient_sums[1] = gradients_of_rows<T>;
  kernels.norm_map[0] = map_run<T>, kernels.norm_map[1] = map_rows<T>;
  kernels.sgd = sgd<T>;
  kernels.adam = adam<T>;
}

}  // namespace

void add_passes(Kernels<float>& kernels) noexcept { add(kernels); }
void add_passes(Kernels<double>& kernels) noexcept { add(kernels); }

}  // namespace fastconv::FASTCONV_ISA
