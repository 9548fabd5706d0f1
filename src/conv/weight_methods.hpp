// Two ways to sum a unit of the weight gradient over one strip: dot products, with a vector of
// pixels for each output, where the output channels are few; outer products, with a vector of
// output channels for each tap, where they fill one.
#pragma once

#include <cmath>

#include "plan/strip.hpp"

namespace fastconv {

// A block of one group's gradient: output channels x (input channel, tap).
struct Unit {
  std::int64_t g;
  std::int64_t row, rows;        // output channels of the group
  std::int64_t column, columns;  // ic * taps + tap
};

// The gradient of the output for one unit and strip.
template <class T>
struct GradBlock {
  const T* source;
  std::int64_t channel_stride, row_stride, column_stride;
};

// The input as a unit meets it: strips, one for each of some images, `step` apart.
template <class T>
struct InputStrips {
  const T* first;
  Index images, step, pitch, pixel_step;
};

// A unit's finished sums: rows of columns.
template <class T>
struct UnitSums {
  const T* first;
  std::int64_t row_stride;
};

template <class T>
class DotMethod {
 public:
  using Valid = typename DotArgs<T>::Mask;
  static constexpr bool kGapsCost = true;  // pixels between the rows are multiplied as well
  static constexpr bool kAnyStrips = false;  // of one image, as StripLayout packs it

  DotMethod(const Kernels<T>& kernels, const StripLayout& layout)
      : kernels_(kernels),
        layout_(layout),
        pixels_((layout.most_pixels() + kernels.lanes - 1) / kernels.lanes * kernels.lanes) {}

  // A unit's sums take a vector for each output: a quarter of the second cache.
  static std::int64_t row_step(const Kernels<T>&) { return 1; }
  static std::int64_t unit_rows(const Kernels<T>&) { return 32; }
  static std::int64_t unit_columns() { return 128; }
  static bool by_taps(const Kernels<T>&, std::int64_t, std::int64_t) { return false; }
  bool finite(const Unit&, const Block&, std::int64_t, const T*) const { return true; }

  // Packing may write a vector past the end; the mask stands behind the gradient.
  std::int64_t grad_size(std::int64_t rows) const { return (rows + 1) * pixels_ + kernels_.lanes; }
  std::int64_t sum_size(std::int64_t rows, std::int64_t columns) const {
    return rows * columns * kernels_.lanes;
  }

  // With the strip's pitch and zeros between the rows.
  void pack_grad(const Unit& unit, const Block& block, const GradBlock<T>& from, T* grad) const {
    const Index done = (block.rows - 1) * layout_.pitch, gap = layout_.pitch - block.columns;
    for (std::int64_t m = 0; m < unit.rows; ++m) {
      const T* source = from.source + m * from.channel_stride;
      T* target = grad + m * pixels_;
      kernels_.pack({source, from.row_stride, from.column_stride, block.rows - 1, 0, block.columns,
                     gap, target, T{0}});
      // The last row is filled up to the end of a vector.
      kernels_.pack({source + (block.rows - 1) * from.row_stride, 0, from.column_stride, 1, 0,
                     block.columns, pixels_ - done - block.columns, target + done, T{0}});
    }
    Valid* valid = mask(unit, grad);
    std::fill(valid, valid + pixels_, Valid{0});
    for (std::int64_t r = 0; r < block.rows; ++r)
      std::fill_n(valid + r * layout_.pitch, block.columns, Valid{-1});
  }

  // offset(i) is that of column i of the unit in the strip.
  template <class Offset>
  void accumulate(const Unit& unit, const Block&, const InputStrips<T>& strips,
                  const Offset& offset_of, T* grad, bool, bool add, T* sum) const {
    const Split row_tiles(unit.rows, kernels_.dot_rows);
    for (std::int64_t r = 0; r < row_tiles.parts; ++r) {
      const std::int64_t row = row_tiles.begin(r), rows = row_tiles.size(r);
      const Split column_tiles(unit.columns, kernels_.dot_columns[rows]);
      for (std::int64_t c = 0; c < column_tiles.parts; ++c) {
        const std::int64_t column = column_tiles.begin(c), columns = column_tiles.size(c);
        Index offset[kMaxDotColumns];
        for (std::int64_t i = 0; i < columns; ++i) offset[i] = offset_of(column + i);
        kernels_.dot[rows][columns]({grad + row * pixels_, pixels_, strips.first, offset,
                                     mask(unit, grad), pixels_ / kernels_.lanes,
                                     sum + (row * unit.columns + column) * kernels_.lanes,
                                     unit.columns * kernels_.lanes, add});
      }
    }
  }

  // The vectors of partial sums become numbers, in place.
  std::int64_t finish_size(std::int64_t, std::int64_t) const { return 0; }
  UnitSums<T> finish(const Unit& unit, T* sum, T*) const {
    kernels_.reduce(sum, unit.rows * unit.columns, sum);
    return {sum, unit.columns};
  }

 private:
  Valid* mask(const Unit& unit, T* grad) const {
    return reinterpret_cast<Valid*>(grad + unit.rows * pixels_ + kernels_.lanes);
  }

  const Kernels<T>& kernels_;
  const StripLayout& layout_;
  Index pixels_;  // of a strip, to the end of a vector
};

template <class T>
class OuterMethod {
 public:
  static constexpr bool kGapsCost = false;
  static constexpr bool kAnyStrips = true;

  OuterMethod(const Kernels<T>& kernels, const StripLayout& layout)
      : kernels_(kernels), layout_(layout) {}

  // The transposed gradient of a strip, 512 pixels x 8 vectors, takes a quarter of the second
  // cache, as do the sums.
  static std::int64_t row_step(const Kernels<T>& kernels) { return kernels.lanes; }
  static std::int64_t unit_rows(const Kernels<T>& kernels) { return 8 * kernels.lanes; }
  static std::int64_t unit_columns() { return 512; }
  // Whether tiles of so many rows and channels are wide enough to be of one tap each.
  static bool by_taps(const Kernels<T>& kernels, std::int64_t rows, std::int64_t channels) {
    const std::int64_t vectors = (rows - 1) / kernels.lanes + 1;
    return 2 * channels >= kernels.outer_rows[std::min<std::int64_t>(vectors, kMaxOuterVectors)];
  }

  std::int64_t grad_size(std::int64_t rows) const {
    return layout_.rows.largest() * layout_.columns.largest() * width(rows);
  }
  std::int64_t sum_size(std::int64_t rows, std::int64_t columns) const {
    return columns * width(rows);
  }

  void pack_grad(const Unit& unit, const Block& block, const GradBlock<T>& from, T* grad) const {
    const Split panels = panels_of(unit);
    for (std::int64_t p = 0; p < panels.parts; ++p) {
      const Index first = panels.begin(p) * kernels_.lanes, wide = panels.size(p) * kernels_.lanes;
      kernels_.transpose({from.source + first * from.channel_stride,
                          std::min<Index>(wide, unit.rows - first), from.channel_stride,
                          block.rows, from.row_stride, block.columns, from.column_stride,
                          grad + first * block.rows * block.columns, wide});
    }
  }

  // Whether the packed gradient of some images has neither infinity nor NaN (nor sums that large).
  bool finite(const Unit& unit, const Block& block, std::int64_t images, const T* grad) const {
    const Index size = images * block.rows * block.columns * width(unit.rows);
    return std::isfinite(kernels_.total(grad, 1, 0, size, 1));
  }

  // Tiles are of columns side by side, or, `by_taps`, of channels side by side that one tap meets
  // and of the outputs where it meets no padding.
  template <class Offset>
  void accumulate(const Unit& unit, const Block& block, const InputStrips<T>& strips,
                  const Offset& offset_of, const T* grad, bool by_taps, bool add, T* sum) const {
    const BlockPart all{{0, block.rows}, {0, block.columns}};
    const std::int64_t taps = by_taps ? static_cast<std::int64_t>(layout_.offset.size()) : 1;
    const Index wide = width(unit.rows);
    const Split panels = panels_of(unit);
    OuterArgs<T> args{};
    args.images = strips.images, args.image_step = strips.step;
    args.pitch = strips.pitch, args.pixel_step = strips.pixel_step;
    args.grad_image = block.rows * block.columns * wide;
    args.sum_stride = taps * wide, args.accumulate = add;
    for (std::int64_t p = 0; p < panels.parts; ++p) {
      const Index channel = panels.begin(p) * kernels_.lanes;
      args.grad_stride = panels.size(p) * kernels_.lanes;
      args.grad_row = block.columns * args.grad_stride;
      const Split tiles(unit.columns / taps, tile_rows(panels.size(p), offset_of, taps));
      for (std::int64_t tap = 0; tap < taps; ++tap) {
        const BlockPart part = by_taps ? layout_.inside(block, tap) : all;
        const Range &rows = part.rows, &columns = part.columns;
        const bool flat = columns.size() == block.columns &&
                          strips.pitch == block.columns * strips.pixel_step;
        const T* const strip =
            strips.first + rows.begin * strips.pitch + columns.begin * strips.pixel_step;
        args.rows = flat ? 1 : rows.size();
        args.columns = rows.size() * columns.size() / std::max<Index>(args.rows, 1);
        args.grad = grad + channel * block.rows * block.columns + rows.begin * args.grad_row +
                    columns.begin * args.grad_stride;
        for (std::int64_t t = 0; t < tiles.parts; ++t) {
          const std::int64_t first = tiles.begin(t) * taps + tap;
          Index offset[kMaxOuterRows];
          for (std::int64_t i = 0; i < tiles.size(t); ++i)
            offset[i] = offset_of(first + i * taps) - offset_of(first);
          // Of a single tap each tile's input is new (480 channels of 14 x 14, batch 32: 6.5 to 5.8
          // ms); what several taps share costs more to ask for than it takes.
          const std::int64_t next = first + tiles.size(t) * taps;
          const bool ahead =
              layout_.offset.size() == 1 && strips.pixel_step == 1 && next < unit.columns;
          args.ahead = ahead ? offset_of(next) - offset_of(first) : 0;
          args.strip = strip + offset_of(first);
          args.offset = offset, args.sum = sum + first * wide + channel;
          kernels_.outer[tiles.size(t)][panels.size(p)](args);
        }
      }
    }
  }

  // Columns of rows become rows of columns.
  std::int64_t finish_size(std::int64_t rows, std::int64_t columns) const {
    return rows * width(columns);
  }
  UnitSums<T> finish(const Unit& unit, T* sum, T* target) const {
    kernels_.transpose({sum, unit.columns, width(unit.rows), 1, 0, unit.rows, 1, target,
                        width(unit.columns)});
    return {target, width(unit.columns)};
  }

 private:
  // Rows a page apart share a few lines of the first cache.
  template <class Offset>
  std::int64_t tile_rows(std::int64_t vectors, const Offset& offset_of, std::int64_t step) const {
    constexpr int kFew = 7;
    const bool page = (offset_of(step) - offset_of(0)) * static_cast<Index>(sizeof(T)) % 4096 == 0;
    return page ? std::min(kernels_.outer_rows[vectors], kFew) : kernels_.outer_rows[vectors];
  }
  // Output channels of a register tile stand together, pixel by pixel.
  Split panels_of(const Unit& unit) const {
    return {width(unit.rows) / kernels_.lanes, kMaxOuterVectors};
  }
  std::int64_t width(std::int64_t rows) const {
    return (rows + kernels_.lanes - 1) / kernels_.lanes * kernels_.lanes;
  }

  const Kernels<T>& kernels_;
  const StripLayout& layout_;
};

}  // namespace fastconv
