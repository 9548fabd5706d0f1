#include "conv/channel_method.hpp"

namespace fastconv {

template <class T>
PartPtr<T> make_tiled(const Kernels<T>& kernels, const CorrelationShape& shape,
                      const PartAxes& axes) {
  return std::make_unique<StripPart<T, ChannelMethod<T>>>(kernels, shape, axes);
}

template PartPtr<float> make_tiled(const Kernels<float>&, const CorrelationShape&,
                                   const PartAxes&);
template PartPtr<double> make_tiled(const Kernels<double>&, const CorrelationShape&,
                                    const PartAxes&);

}  // namespace fastconv
