// Passes along one axis of arrays in one run of memory: [outer][length][inner]. For images of
// (N, C, H, W) and the channels, that is N x C x HW, or where channels lie last NHW x C x 1.
#pragma once

#include "kernels/table.hpp"

namespace fastconv {

struct AxisShape {
  std::int64_t outer, length, inner;
  std::int64_t positions() const { return outer * inner; }
  std::int64_t count() const { return outer * length * inner; }
};

template <class T>
void softmax(const Kernels<T>& kernels, const AxisShape& shape, bool log, const T* input,
             T* output);
// Starts from the output of the forward pass.
template <class T>
void softmax_backward(const Kernels<T>& kernels, const AxisShape& shape, bool log,
                      const T* const (&grad_and_output)[2], T* grad_input);

template <class T>
void local_response(const Kernels<T>& kernels, const AxisShape& shape,
                    const ResponseArgs<T>& response, const T* input, T* output);
template <class T>
void local_response_backward(const Kernels<T>& kernels, const AxisShape& shape,
                             const ResponseArgs<T>& response,
                             const T* const (&grad_and_input)[2], T* grad_input);

// Cross entropy of a position: the sum over classes c of -q(c) log softmax(x)(c). With labels,
// q(c) = weight(c) ((1 - smoothing) [c is the label] + smoothing / classes), and 0 where the label
// is `ignored`; with probabilities, these stand in for [c is the label].
template <class T>
struct CrossEntropy {
  AxisShape shape;
  const T* input;
  const std::int64_t* labels;  // or null
  const T* probabilities;      // or null
  const T* weight;             // or null
  std::int64_t ignored;
  double smoothing;
};
// The first label that is neither a class nor ignored; null if there is none.
template <class T>
const std::int64_t* wrong_label(const CrossEntropy<T>& problem);
// What the sum of losses is divided by for their mean.
template <class T>
double total_weight(const CrossEntropy<T>& problem);
template <class T>
void cross_entropy(const Kernels<T>& kernels, const CrossEntropy<T>& problem, T* losses);
// Gradients times grad[position * grad_step]; either may be null, that of labels is.
template <class T>
void cross_entropy_backward(const Kernels<T>& kernels, const CrossEntropy<T>& problem,
                            const T* grad, std::int64_t grad_step, T* grad_input,
                            T* grad_probabilities);

// Of each channel, the mean and the mean square distance from it.
struct Moments {
  double *mean, *variance;
};
template <class T>
void batch_moments(const Kernels<T>& kernels, const AxisShape& shape, const T* input,
                   const Moments& moments);
// weight (x - mean) / sqrt(variance + eps) + bias; weight and bias may be null.
template <class T>
struct NormParameters {
  const T *weight, *bias;
  double eps;
};
template <class T>
void batch_norm(const Kernels<T>& kernels, const AxisShape& shape, const Moments& moments,
                const NormParameters<T>& parameters, const T* input, T* output);

template <class T>
struct NormGradients {
  const T *grad_output, *input;
  T *grad_input, *grad_weight, *grad_bias;  // or null
};
// `constant` says that the moments did not come from the input.
template <class T>
void batch_norm_backward(const Kernels<T>& kernels, const AxisShape& shape, const Moments& moments,
                         const NormParameters<T>& parameters, bool constant,
                         const NormGradients<T>& arrays);

}  // namespace fastconv
