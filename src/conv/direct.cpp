// Forward and input gradient by the direct algorithm: both are a correlation (conv/correlate.hpp).
#include "conv/conv.hpp"
#include "conv/correlate.hpp"
#include "runtime/threads.hpp"

namespace fastconv {
namespace {

template <class T>
void fill_zero(const ConvShape& shape, T* array) {
  const Strides& stride = shape.input;
  const std::int64_t channels = shape.g * shape.ic;
  const std::int64_t depth = shape.axis[0].input, height = shape.axis[1].input,
                     width = shape.axis[2].input;
  const double work =
      kElementCost * static_cast<double>(shape.n * channels * depth * height * width);
  parallel_for(shape.n * channels, threads_for(shape.n * channels, work),
               [&](std::int64_t plane, int) {
                 T* target = array + plane / channels * stride.outer +
                             plane % channels * stride.channel;
                 for (std::int64_t d = 0; d < depth; ++d)
                   for (std::int64_t h = 0; h < height; ++h)
                     for (std::int64_t w = 0; w < width; ++w)
                       target[d * stride.axis[0] + h * stride.axis[1] + w * stride.axis[2]] = 0;
               });
}

}  // namespace

template <class T>
void conv_forward(const Kernels<T>& kernels, const ConvShape& shape, const ConvForward<T>& arrays) {
  const Correlation<T> operands{shape.n,      shape.g,       shape.ic,
                                shape.oc,     arrays.input,  shape.input,
                                arrays.weight, shape.weight, shape.oc * shape.weight.outer,
                                arrays.bias,  arrays.output, shape.output};
  const std::vector<TapAxis> axes[3] = {{forward_taps(shape.axis[0])},
                                        {forward_taps(shape.axis[1])},
                                        {forward_taps(shape.axis[2])}};
  correlate(kernels, operands, axes);
}

template <class T>
void conv_backward_input(const Kernels<T>& kernels, const ConvShape& shape,
                         const ConvBackwardInput<T>& arrays) {
  std::vector<TapAxis> axes[3];
  bool some_unmet = false;  // inputs that no window looks at
  for (int i = 0; i < 3; ++i) {
    const Axis& axis = shape.axis[i];
    for (std::int64_t r = 0; r < std::min(axis.stride, axis.input); ++r) {
      TapAxis taps = backward_taps(axis, r);
      if (taps.taps.empty())
        some_unmet = true;
      else
        axes[i].push_back(std::move(taps));
    }
  }
  if (some_unmet) fill_zero(shape, arrays.grad_input);
  const Strides weight{shape.weight.channel,
                       shape.weight.outer,
                       {shape.weight.axis[0], shape.weight.axis[1], shape.weight.axis[2]}};
  const Correlation<T> operands{shape.n,       shape.g,            shape.oc,
                                shape.ic,      arrays.grad_output, shape.output,
                                arrays.weight, weight,             shape.oc * shape.weight.outer,
                                nullptr,       arrays.grad_input,  shape.input};
  correlate(kernels, operands, axes);
}

template void conv_forward(const Kernels<float>&, const ConvShape&, const ConvForward<float>&);
template void conv_forward(const Kernels<double>&, const ConvShape&, const ConvForward<double>&);
template void conv_backward_input(const Kernels<float>&, const ConvShape&,
                                  const ConvBackwardInput<float>&);
template void conv_backward_input(const Kernels<double>&, const ConvShape&,
                                  const ConvBackwardInput<double>&);

}  // namespace fastconv
