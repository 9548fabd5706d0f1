#include <utility>

#include "conv/channel_method.hpp"

namespace fastconv {
namespace {

// Rows as columns.
CorrelationShape turned(CorrelationShape shape) {
  for (Strides* strides : {&shape.input, &shape.weight, &shape.output})
    std::swap(strides->axis[1], strides->axis[2]);
  std::swap(shape.outputs[1], shape.outputs[2]);
  return shape;
}

}  // namespace

// Tiles of a tall and narrow image run down its columns, where fewer of them are near a side: the
// input gradient of 49 taps to 73 x 8 in 8.3 ms along rows and 5.4 down columns (one thread).
template <class T>
PartPtr<T> make_tiled(const Kernels<T>& kernels, const CorrelationShape& shape,
                      const PartAxes& axes) {
  using Tiled = StripPart<T, ChannelMethod<T>>;
  PartPtr<T> part = std::make_unique<Tiled>(kernels, shape, axes);
  PartPtr<T> products = make_products(kernels, shape, axes);
  if (products && products->cost() < part->cost()) return products;
  if (axes.width.phases > 1 || axes.width.output >= axes.height.output) return part;
  PartPtr<T> other = std::make_unique<Tiled>(kernels, turned(shape),
                                             PartAxes{axes.depth, axes.width, axes.height});
  return other->cost() < part->cost() ? std::move(other) : std::move(part);
}

template PartPtr<float> make_tiled(const Kernels<float>&, const CorrelationShape&,
                                   const PartAxes&);
template PartPtr<double> make_tiled(const Kernels<double>&, const CorrelationShape&,
                                    const PartAxes&);

}  // namespace fastconv
