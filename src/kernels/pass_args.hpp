// What is done to each element: activations, the optimizers' rules, passes along an axis.
#pragma once

#include <cstddef>

namespace fastconv {

using Index = std::ptrdiff_t;

enum class Activation { none, relu, relu6, leaky_relu, sigmoid, tanh, silu, hard_swish };

// What is done to a finished sum: output = activation(sum + bias + residual).
template <class T>
struct Epilogue {
  Activation activation;
  T slope;  // of leaky_relu
};

// output[i] = activation(input[i]); the two may be one array.
template <class T>
struct ActivateArgs {
  Index count;
  const T* input;
  T* output;
  Epilogue<T> epilogue;
};

// grad_input[i] = grad_output[i] * activation'(x[i]), where `start` is x or, `from_output`, what the
// activation made of it; all may be one array.
template <class T>
struct ActivateBackwardArgs {
  Index count;
  const T *grad_output, *start;
  bool from_output;
  T* grad_input;
  Epilogue<T> epilogue;
};

// With g = grad + weight_decay * param: buffer = momentum * buffer + (1 - dampening) * g, or g where
// `first`; param -= lr * step, the step being the buffer, with nesterov g + momentum * buffer, and
// without a buffer g.
template <class T>
struct SgdArgs {
  Index count;
  T* param;
  const T* grad;
  T* buffer;  // or null
  T lr, momentum, share, weight_decay;  // share: 1 - dampening
  bool nesterov, first;
};

// With g = grad + weight_decay * param: mean += (1 - beta1) * (g - mean),
// square = beta2 * square + (1 - beta2) * g^2, largest = max(largest, square),
// param -= step * mean / (scale * sqrt(largest or square) + eps).
template <class T>
struct AdamArgs {
  Index count;
  T* param;
  const T* grad;
  T *mean, *square;
  T* largest;  // or null
  T share1, beta2, share2, weight_decay;  // share: 1 - beta
  T step, scale, eps;
};

// Matrices of `length` rows, `pitch` apart, and `count` columns, along which a pass goes. The output
// may be one of the inputs, but for the local response, which reads a window of its input.
template <class T>
struct ColumnArgs {
  Index length, pitch, count;
  const T *input, *other;  // for gradients: grad_output, and the output or input of the forward
  T* output;
  T* scratch;  // of the local response's windows
};

// d = k + scale * (sum of squares over the window from c - before to c + after), to the power beta.
template <class T>
struct ResponseArgs {
  Index before, after;
  T scale, k, beta;
  // Vectors of scratch for columns of that length.
  Index scratch(Index length) const { return before + after + 1 + 2 * length; }
};

// Of batch norm: `rows` runs of `columns` elements, `pitch` apart: of one channel, or as many
// channels side by side.
template <class T>
struct NormBlock {
  Index rows, columns, pitch;
  const T *x, *g;  // g: the gradient of the output, or null
  T* out;
};

// out = (x - mean) * scale + shift + g * factor: one number each, or one a column.
template <class T>
struct NormMap {
  const T *mean, *scale, *shift, *factor;
};

}  // namespace fastconv
