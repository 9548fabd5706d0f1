#include "conv/pixel_method.hpp"

namespace fastconv {

template <class T>
PartPtr<T> make_direct(const Kernels<T>& kernels, const CorrelationShape& shape,
                       const PartAxes& axes) {
  return std::make_unique<StripPart<T, PixelMethod<T>>>(kernels, shape, axes);
}

template PartPtr<float> make_direct(const Kernels<float>&, const CorrelationShape&,
                                    const PartAxes&);
template PartPtr<double> make_direct(const Kernels<double>&, const CorrelationShape&,
                                     const PartAxes&);

}  // namespace fastconv
