#include "conv/pixel_method.hpp"

namespace fastconv {

template <class T>
PartPtr<T> make_direct(const Kernels<T>& kernels, const CorrelationShape& shape,
                       const PartAxes& axes) {
  using Strips = StripPart<T, PixelMethod<T>>;
  if (PartPtr<T> planes = make_planes(kernels, shape, axes)) return planes;
  PartPtr<T> strips = std::make_unique<Strips>(kernels, shape, axes);
  PartPtr<T> rows = make_rows(kernels, shape, axes);
  return rows && rows->cost() < strips->cost() ? std::move(rows) : std::move(strips);
}

template PartPtr<float> make_direct(const Kernels<float>&, const CorrelationShape&,
                                    const PartAxes&);
template PartPtr<double> make_direct(const Kernels<double>&, const CorrelationShape&,
                                     const PartAxes&);

}  // namespace fastconv
