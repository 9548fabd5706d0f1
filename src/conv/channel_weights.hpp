// The tiled algorithm's weights, packed: [tap][ic][vectors of output channels].
#pragma once

#include <algorithm>

#include "conv/part.hpp"

namespace fastconv {

template <class T>
class ChannelWeights {
 public:
  ChannelWeights(const Kernels<T>& kernels, const CorrelationShape& shape, const PartAxes& axes)
      : kernels_(kernels),
        shape_(shape),
        axes_(axes),
        weight_offset_(weight_offsets(shape, axes)) {
    if (weight_offset_.size() < 2) return;
    const auto [least, most] = std::minmax_element(weight_offset_.begin(), weight_offset_.end());
    first_offset_ = *least, span_ = *most - *least + 1;
    if (span_ > 2 * axes.taps() + kernels.lanes) return;
    for (Index offset : weight_offset_) tap_offset_.push_back(offset - first_offset_);
  }

  // Of `rows` output channels, in so many vectors.
  void pack(const T* source, std::int64_t rows, std::int64_t units, std::int64_t channels,
            T* target) const {
    const Strides& stride = shape_.weight;
    const Index width = units * kernels_.lanes;
    if (weights_in_order(shape_, axes_))
      return kernels_.pack_weight({source + first_weight(shape_, axes_), rows, stride.outer,
                                   channels, axes_.taps(), target, width});
    // Tap by tap within a channel: its weights stand together.
    const bool in_squares = !tap_offset_.empty() && stride.outer != 1;
    for (std::int64_t ic = 0; ic < channels; ++ic, target += width) {
      const T* const channel = source + ic * stride.channel;
      prefetch_weights(channel, shape_, rows);
      if (in_squares) {
        kernels_.pack_taps({channel + first_offset_, rows, stride.outer, span_, tap_offset_.data(),
                            axes_.taps(), target, channels * width, width});
        continue;
      }
      T* place = target;
      for (Index offset : weight_offset_) {
        const T* from = channel + offset;
        if (stride.outer == 1)
          std::copy_n(from, rows, place);
        else
          for (std::int64_t m = 0; m < rows; ++m) place[m] = from[m * stride.outer];
        std::fill(place + rows, place + width, T{0});
        place += channels * width;
      }
    }
  }

 private:
  const Kernels<T>& kernels_;
  CorrelationShape shape_;
  PartAxes axes_;
  std::vector<Index> weight_offset_;
  Index first_offset_ = 0, span_ = 0;  // of them
  std::vector<Index> tap_offset_;      // from the first one, where they stand together
};

}  // namespace fastconv
