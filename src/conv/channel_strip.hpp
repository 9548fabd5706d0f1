// A copy of the input that a block of outputs meets, in which channels stand side by side, so that
// a register tile reads its pixels from few lines and pages:
//
//   [depth tap][row][column][channel]
//
// Nothing is there for what lies outside of the image: it must not be read. But left and right of
// it there are zeros where channels are few.
#pragma once

#include <algorithm>
#include <new>
#include <utility>

#include "conv/part.hpp"
#include "plan/strip.hpp"

namespace fastconv {

// Where the pixels of a block stand, from one to the next.
struct PixelSteps {
  Index axis[3];  // of the input; of the depth, in a strip, from tap to tap
  Index row, column, channel;
};

inline PixelSteps steps_in_place(const CorrelationShape& shape, const PartAxes& axes) {
  const Index(&axis)[3] = shape.input.axis;
  return {{axis[0], axis[1], axis[2]}, axes.height.step * axis[1], axes.width.step * axis[2],
          shape.input.channel};
}

// Bytes of the first cache that one array may take.
constexpr std::int64_t kNearBytes = 24 << 10;

// Whether a copy has zeros left and right of the image: of few channels, so that summing them costs
// less than summing what meets the image by itself. (Planes to channels-last, AVX-512, two threads:
// 3 channels 3 x 3 to 64 of 32 images of 32 x 32 take 0.69 of 0.96 ms, one channel 5 x 5 to 32 of
// 50 of 28 x 28 0.38 of 0.66, the first layer of ResNet-50 1.20 of 1.27.)
inline bool few_between_zeros(const PartAxes& axes, std::int64_t channels) {
  constexpr std::int64_t kFew = 8;
  constexpr double kLeastShare = 0.9;
  const double share = share_of(axes.width);
  return channels <= kFew && share > kLeastShare && share < 1;
}

// Whether tiles read the caller's memory, so many channels at a time. Planes are read in place
// where a tile's pixels share lines, one tap meets them, or all stays near: 104 channels of 56 x 16,
// down whose columns each pixel has a line, take 0.48 ms in place and 0.26 copied (to 16 channels,
// 3x3, AVX-512).
template <class T>
bool reads_in_place(const Kernels<T>& kernels, const CorrelationShape& shape,
                    const PartAxes& axes, std::int64_t channels) {
  constexpr auto size = static_cast<Index>(sizeof(T));
  if (shape.input.channel == 1 || axes.taps() == 0) return true;
  if (few_between_zeros(axes, channels)) return false;
  if (shape.ic == 1) return true;
  if (kernels.channels_adjacent) return false;
  const Index plane = axes.depth.input * axes.height.input * axes.width.input;
  return axes.taps() == 1 || 2 * axes.width.step * shape.input.axis[2] * size < 64 ||
         channels * plane * size < 2 * kNearBytes;
}

template <class T>
class ChannelStrip {
 public:
  ChannelStrip(const CorrelationShape& shape, const PartAxes& axes, const StripLayout& layout,
               std::int64_t channels, Index lanes)
      : stride_{shape.input.axis[0], shape.input.axis[1], shape.input.axis[2]},
        channel_stride_(shape.input.channel),
        axes_(axes),
        row_offsets_(offsets(axes.height)),
        column_offsets_(offsets(axes.width)),
        rows_(most(axes.height, row_offsets_, layout.rows)),
        columns_(most(axes.width, column_offsets_, layout.columns)),
        width_(channels < lanes ? channels : (channels + lanes - 1) / lanes * lanes),
        padded_(few_between_zeros(axes, channels)) {
    if (padded_)
      columns_ = (layout.columns.largest() - 1) * axes.width.step + column_offsets_.size();
    // Pixels a page apart would share a few lines of the first cache.
    if (width_ * static_cast<Index>(sizeof(T)) % 2048 == 0) width_ += lanes;
    const auto planes = static_cast<Index>(axes.depth.taps.size());
    if (__builtin_mul_overflow(rows_, columns_, &size_) ||
        __builtin_mul_overflow(size_, planes, &size_) ||
        __builtin_mul_overflow(size_, width_ * static_cast<Index>(sizeof(T)), &size_))
      throw std::bad_alloc();
    size_ /= static_cast<Index>(sizeof(T));
  }

  Index size() const { return size_; }
  // Whether there are zeros left and right of the image.
  bool padded() const { return padded_; }
  // Elements of one channel, in a block.
  Index plane() const { return size() / width_; }
  PixelSteps steps() const {
    const Index row = columns_ * width_;
    return {{rows_ * row, row, width_}, axes_.height.step * row, axes_.width.step * width_, 1};
  }
  // Of the first output's pixel without a tap's offset, which may be outside.
  Index origin(const Block& block) const {
    const Index row = block.row * axes_.height.step - rows_of(block).begin;
    const Index first = block.column * axes_.width.step;
    const Index column = padded_ ? -column_offsets_.begin : first - columns_of(block).begin;
    return (row * columns_ + column) * width_;
  }

  void pack(const Kernels<T>& kernels, const T* source, const Block& block, std::int64_t channels,
            T* strip) const {
    const Range rows = rows_of(block), columns = columns_of(block);
    const bool flat = columns.size() == columns_;
    const Index left =
        padded_ ? columns.begin - block.column * axes_.width.step - column_offsets_.begin : 0;
    const Index right = padded_ ? columns_ - left - columns.size() : 0;
    const Index count = flat ? 1 : rows.size();
    for (const Tap& tap : axes_.depth.taps) {
      const std::int64_t depth = block.depth * axes_.depth.step + tap.offset;
      const T* from = source + depth * stride_[0] + rows.begin * stride_[1] +
                      columns.begin * stride_[2];
      T* target = strip;
      strip += rows_ * columns_ * width_;
      if (depth < 0 || depth >= axes_.depth.input) continue;
      for (Index row = 0; row < count; ++row) {
        T* const end = target + (left + columns.size()) * width_;
        kernels.transpose({from, channels, channel_stride_, flat ? rows.size() : 1, stride_[1],
                           columns.size(), stride_[2], target + left * width_, width_});
        std::fill_n(target, left * width_, T{0});
        std::fill_n(end, right * width_, T{0});
        from += stride_[1];
        target += columns_ * width_;
      }
    }
  }

 private:
  // The inputs that a block meets, from the first to the last.
  Range rows_of(const Block& block) const {
    return met(axes_.height, row_offsets_, block.row, block.rows);
  }
  Range columns_of(const Block& block) const {
    return met(axes_.width, column_offsets_, block.column, block.columns);
  }
  static Range met(const TapAxis& axis, Range offsets, std::int64_t first, std::int64_t count) {
    const std::int64_t begin = std::max<std::int64_t>(0, first * axis.step + offsets.begin);
    const std::int64_t end = std::min(axis.input, (first + count - 1) * axis.step + offsets.end);
    return {begin, std::max(begin, end)};
  }
  // At most; exactly where one block has all outputs.
  static Index most(const TapAxis& axis, Range offsets, const Split& blocks) {
    if (axis.taps.empty()) return 0;
    return std::min(axis.input, (blocks.largest() - 1) * axis.step + offsets.size());
  }
  // From the least of the taps to the largest.
  static Range offsets(const TapAxis& axis) {
    if (axis.taps.empty()) return {0, 0};
    const auto [least, largest] = std::minmax_element(
        axis.taps.begin(), axis.taps.end(),
        [](const Tap& a, const Tap& b) { return a.offset < b.offset; });
    return {least->offset, largest->offset + 1};
  }

  std::int64_t stride_[3], channel_stride_;
  const PartAxes axes_;
  Range row_offsets_, column_offsets_;  // of the taps
  Index rows_, columns_, width_;
  bool padded_;
  Index size_;
};

}  // namespace fastconv
