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
#include "runtime/split.hpp"
#include "plan/taps.hpp"

namespace fastconv {

// Where a block stands among the outputs of its axes.
struct Block {
  std::int64_t depth, row, column;  // of the first output
  std::int64_t rows, columns;
};

// The outputs of a block, counted from its first.
struct BlockPart {
  Range rows, columns;
};

// Elements of one source plane that stand behind each other in the target: `before` rows of
// padding, then rows with padding at either end, then `after` rows of padding.
struct SlotRows {
  Index offset;  // of the first element from the source
  std::int64_t before, rows, after;
  std::int64_t left, columns, right;
};

class StripLayout {
 public:
  // For strips whose elements are each multiplied by so many rows of weights, of which the ones
  // between rows are computed in vain.
  StripLayout(const TapAxis& depth, const TapAxis& height, const TapAxis& width,
              double rows_of_weights, std::int64_t block_pixels = kBlockPixels);

  std::int64_t blocks() const { return depth.output * rows.parts * columns.parts; }
  Block block(std::int64_t index) const;
  // As many blocks of the largest size as there are outputs for.
  double mean_blocks() const {
    return static_cast<double>(depth.output * height.output) * static_cast<double>(width.output) /
           static_cast<double>(rows.largest() * columns.largest());
  }

  // As rows_of_weights: every tap has a slot of its own, on all axes.
  static constexpr double kUnfold = 1e18;

  // From the first pixel of a block to behind its last.
  Index pixels(const Block& block) const { return (block.rows - 1) * pitch + block.columns; }
  Index most_pixels() const { return (rows.largest() - 1) * pitch + columns.largest(); }

  // Copies what `block` meets of the channel at `source`, strides as in Strides::axis.
  template <class T>
  void pack(const Kernels<T>& kernels, const T* source, const std::int64_t (&stride)[3],
            const Block& block, T fill, T* target) const;

  // Whether no output meets padding.
  bool inside() const;
  // The outputs of `block` whose tap `tap`, counted as in `offset`, meets no padding.
  BlockPart inside(const Block& block, std::int64_t tap) const;

  // Pixels of a block: enough to spread the cost of its halo, few enough that 50 channels of a
  // strip stay in the second-level cache.
  static constexpr std::int64_t kBlockPixels = 512;

  TapAxis depth, height, width;
  Split rows, columns;        // of the outputs, into blocks
  Index pitch;                // from one row of a block to the next
  Index channel;              // elements of one channel
  std::vector<Index> offset;  // of each tap in a channel, width innermost

 private:
  double uses(double rows_of_weights) const;
  template <class Body>
  void for_each_slot(const std::int64_t (&stride)[3], const Block& block, const Body& body) const;

  SlotAxis depth_slots_, height_slots_, width_slots_;
};

}  // namespace fastconv
