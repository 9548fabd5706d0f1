// A strip: the input elements that a block of output rows meets, zero-padded, with the stride
// taken out, one channel after the other:
//
//   [channel][depth slot][height slot][width slot][row][column]      (slots: plan/taps.hpp)
//
// Output pixel (row, column) of the block is q = row * pitch + column, and the element that tap t
// of q meets is offset[t] + q, for every stride, dilation and padding. A kernel can therefore run
// over q as over one long row; the pixels between the end of a row and the next one are computed
// in vain and dropped.
#pragma once

#include "kernels/table.hpp"
#include "plan/split.hpp"
#include "plan/taps.hpp"

namespace fastconv {

// Where a block stands among the outputs of its axes.
struct Block {
  std::int64_t depth, row, column;  // of the first output
  std::int64_t rows, columns;
};

class StripLayout {
 public:
  // For strips whose elements are each multiplied by so many rows of weights.
  StripLayout(const TapAxis& depth, const TapAxis& height, const TapAxis& width,
              std::int64_t rows_of_weights);

  std::int64_t blocks() const { return depth.output * rows.parts * columns.parts; }
  Block block(std::int64_t index) const;

  // From the first pixel of a block to behind its last.
  Index pixels(const Block& block) const { return (block.rows - 1) * pitch + block.columns; }
  Index most_pixels() const { return (rows.largest() - 1) * pitch + columns.largest(); }

  // Copies what `block` meets of the channel at `source`, strides as in Strides::axis.
  template <class T>
  void pack(const Kernels<T>& kernels, const T* source, const std::int64_t (&stride)[3],
            const Block& block, T fill, T* target) const;

  TapAxis depth, height, width;
  Split rows, columns;        // of the outputs, into blocks
  Index pitch;                // from one row of a block to the next
  Index channel;              // elements of one channel
  std::vector<Index> offset;  // of each tap in a channel, width innermost

 private:
  double uses(std::int64_t rows_of_weights) const;

  SlotAxis depth_slots_, height_slots_, width_slots_;
};

}  // namespace fastconv
