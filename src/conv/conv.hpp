// Convolution in its three directions, on memory that the shape's strides describe.
#pragma once

#include "conv/correlate.hpp"
#include "kernels/table.hpp"
#include "plan/shape.hpp"

namespace fastconv {

template <class T>
Correlation<T> plan_forward(const Kernels<T>& kernels, const ConvShape& shape,
                            Algorithm algorithm);
// A transposed convolution's forward pass is this, with its bias and epilogue.
template <class T>
Correlation<T> plan_backward_input(const Kernels<T>& kernels, const ConvShape& shape,
                                   Algorithm algorithm);

template <class T>
struct ConvBackwardWeight {
  const T *grad_output, *input;
  T *grad_weight, *grad_bias;  // either may be null
};

template <class T>
void conv_backward_weight(const Kernels<T>& kernels, const ConvShape& shape,
                          const ConvBackwardWeight<T>& arrays);
// The gradient of the weight alone, or false if this is not for such a problem.
template <class T>
bool row_weight_gradient(const Kernels<T>& kernels, const ConvShape& shape,
                         const ConvBackwardWeight<T>& arrays);

}  // namespace fastconv
