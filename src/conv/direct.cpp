#include "conv/pixel_method.hpp"

namespace fastconv {

template <class T>
PartPtr<T> make_direct(const Kernels<T>& kernels, const CorrelationShape& shape,
                       const PartAxes& axes) {
  using Strips = StripPart<T, PixelMethod<T>>;
  if (PartPtr<T> planes = make_planes(kernels, shape, axes)) return planes;
  PartPtr<T> best = std::make_unique<Strips>(kernels, shape, axes);
  for (const auto make : {make_rows<T>, make_groups<T>})
    if (PartPtr<T> part = make(kernels, shape, axes); part && part->cost() < best->cost())
      best = std::move(part);
  return best;
}

template PartPtr<float> make_direct(const Kernels<float>&, const CorrelationShape&,
                                    const PartAxes&);
template PartPtr<double> make_direct(const Kernels<double>&, const CorrelationShape&,
                                     const PartAxes&);

}  // namespace fastconv
