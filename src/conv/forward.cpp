// Forward and input gradient: both are correlations.
#include "conv/conv.hpp"

namespace fastconv {

template <class T>
Correlation<T> plan_forward(const Kernels<T>& kernels, const ConvShape& shape,
                            Algorithm algorithm) {
  const Axis(&axis)[3] = shape.axis;
  return Correlation<T>(kernels,
                        {shape.n,
                         shape.g,
                         shape.ic,
                         shape.oc,
                         shape.input,
                         shape.weight,
                         shape.oc * shape.weight.outer,
                         shape.output,
                         {axis[0].output, axis[1].output, axis[2].output}},
                        {{forward_taps(axis[0])}, {forward_taps(axis[1])}, {forward_taps(axis[2])}},
                        algorithm);
}

// The inputs that leave one remainder by the stride meet the same taps; a remainder without taps
// is met by no output.
template <class T>
Correlation<T> plan_backward_input(const Kernels<T>& kernels, const ConvShape& shape,
                                   Algorithm algorithm) {
  const Axis(&axis)[3] = shape.axis;
  std::vector<TapAxis> axes[3];
  for (int i = 0; i < 3; ++i)
    for (std::int64_t r = 0; r < std::min(axis[i].stride, axis[i].input); ++r) {
      TapAxis taps = backward_taps(axis[i], r);
      if (!taps.taps.empty()) axes[i].push_back(std::move(taps));
    }
  return Correlation<T>(kernels,
                        {shape.n,
                         shape.g,
                         shape.oc,
                         shape.ic,
                         shape.output,
                         {shape.weight.channel,
                          shape.weight.outer,
                          {shape.weight.axis[0], shape.weight.axis[1], shape.weight.axis[2]}},
                         shape.oc * shape.weight.outer,
                         shape.input,
                         {axis[0].input, axis[1].input, axis[2].input}},
                        axes, algorithm);
}

template Correlation<float> plan_forward(const Kernels<float>&, const ConvShape&, Algorithm);
template Correlation<double> plan_forward(const Kernels<double>&, const ConvShape&, Algorithm);
template Correlation<float> plan_backward_input(const Kernels<float>&, const ConvShape&,
                                                Algorithm);
template Correlation<double> plan_backward_input(const Kernels<double>&, const ConvShape&,
                                                 Algorithm);

}  // namespace fastconv
