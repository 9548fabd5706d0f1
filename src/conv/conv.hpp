// Convolution in its three directions, on memory that the shape's strides describe.
#pragma once

#include "kernels/table.hpp"
#include "plan/shape.hpp"

namespace fastconv {

template <class T>
struct ConvForward {
  const T *input, *weight, *bias;  // bias may be null
  T* output;
};

template <class T>
struct ConvBackwardInput {
  const T *grad_output, *weight;
  T* grad_input;
};

template <class T>
struct ConvBackwardWeight {
  const T *grad_output, *input;
  T *grad_weight, *grad_bias;  // either may be null
};

template <class T>
void conv_forward(const Kernels<T>& kernels, const ConvShape& shape, const ConvForward<T>& arrays);
template <class T>
void conv_backward_input(const Kernels<T>& kernels, const ConvShape& shape,
                         const ConvBackwardInput<T>& arrays);
template <class T>
void conv_backward_weight(const Kernels<T>& kernels, const ConvShape& shape,
                          const ConvBackwardWeight<T>& arrays);

}  // namespace fastconv
