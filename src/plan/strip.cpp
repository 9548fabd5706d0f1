#include "plan/strip.hpp"

#include <new>

namespace fastconv {
namespace {

// Of `length` elements that begin at `first`, those that lie inside the input.
Range range_inside(std::int64_t first, const TapAxis& axis, std::int64_t length) {
  Range range{0, 0};
  if (first < 0) range.begin = std::min(length, (-first - 1) / axis.step + 1);
  if (first < axis.input) range.end = std::min(length, (axis.input - first - 1) / axis.step + 1);
  range.end = std::max(range.begin, range.end);
  return range;
}

}  // namespace

StripLayout::StripLayout(const TapAxis& depth_axis, const TapAxis& height_axis,
                         const TapAxis& width_axis, double rows_of_weights,
                         std::int64_t block_pixels)
    : depth(depth_axis),
      height(height_axis),
      width(width_axis),
      rows(height.output, std::max<std::int64_t>(1, block_pixels / std::min(width.output,
                                                                            block_pixels))),
      columns(width.output, block_pixels),
      depth_slots_(depth, 1, kUnfold),  // a block has one depth, a slot one plane
      height_slots_(height, rows.largest(), rows_of_weights == kUnfold ? kUnfold : 0),
      width_slots_(width, columns.largest(), uses(rows_of_weights)) {
  pitch = width_slots_.length;
  const auto row_count = height_slots_.length;
  const auto width_slots = static_cast<std::int64_t>(width_slots_.origin.size());
  const auto height_slots = static_cast<std::int64_t>(height_slots_.origin.size());
  const auto depth_slots = static_cast<std::int64_t>(depth_slots_.origin.size());
  Index plane;
  if (__builtin_mul_overflow(row_count, pitch, &plane) ||
      __builtin_mul_overflow(plane, width_slots * height_slots * depth_slots, &channel))
    throw std::bad_alloc();
  offset.reserve(depth.taps.size() * height.taps.size() * width.taps.size());
  for (std::size_t d = 0; d < depth.taps.size(); ++d)
    for (std::size_t h = 0; h < height.taps.size(); ++h)
      for (std::size_t w = 0; w < width.taps.size(); ++w) {
        const std::int64_t slot =
            (depth_slots_.slot[d] * height_slots + height_slots_.slot[h]) * width_slots +
            width_slots_.slot[w];
        offset.push_back(slot * plane + height_slots_.shift[h] * pitch + width_slots_.shift[w]);
      }
}

// Multiplications of an output row, over the rows that are copied for it.
double StripLayout::uses(double rows_of_weights) const {
  if (rows_of_weights == kUnfold) return kUnfold;
  const auto taps = static_cast<double>(depth.taps.size() * height.taps.size()) *
                    static_cast<double>(width.taps.size());
  const auto slots = depth_slots_.origin.size() * height_slots_.origin.size();
  const auto copied = static_cast<double>(slots) * static_cast<double>(height_slots_.length);
  const auto outputs = static_cast<double>(rows.largest());
  return copied > 0 ? taps * rows_of_weights * outputs / copied : 0;
}

Block StripLayout::block(std::int64_t index) const {
  const std::int64_t column = index % columns.parts;
  const std::int64_t row = index / columns.parts % rows.parts;
  return {index / columns.parts / rows.parts, rows.begin(row), columns.begin(column),
          rows.size(row), columns.size(column)};
}

bool StripLayout::inside() const {
  for (const TapAxis* axis : {&depth, &height, &width})
    for (const Tap& tap : axis->taps)
      if (tap.offset < 0 || (axis->output - 1) * axis->step + tap.offset >= axis->input)
        return false;
  return true;
}

BlockPart StripLayout::inside(const Block& block, std::int64_t tap) const {
  const auto offset_of = [](const TapAxis& axis, std::size_t t) { return axis.taps[t].offset; };
  const auto t = static_cast<std::size_t>(tap);
  const std::size_t w = width.taps.size(), h = height.taps.size();
  const std::int64_t z = block.depth * depth.step + offset_of(depth, t / w / h);
  const std::int64_t y = block.row * height.step + offset_of(height, t / w % h);
  const std::int64_t x = block.column * width.step + offset_of(width, t % w);
  const bool in_depth = z >= 0 && z < depth.input;
  return {in_depth ? range_inside(y, height, block.rows) : Range{0, 0},
          range_inside(x, width, block.columns)};
}

template <class Body>
void StripLayout::for_each_slot(const std::int64_t (&stride)[3], const Block& block,
                                const Body& body) const {
  const std::int64_t length = height_slots_.length;
  for (std::int64_t d : depth_slots_.origin) {
    const std::int64_t z = block.depth * depth.step + d;
    const bool in_depth = z >= 0 && z < depth.input;
    for (std::int64_t h : height_slots_.origin) {
      const std::int64_t y = block.row * height.step + h;
      const Range row = range_inside(y, height, length);
      for (std::int64_t w : width_slots_.origin) {
        const std::int64_t x = block.column * width.step + w;
        const Range column = range_inside(x, width, pitch);
        if (!in_depth || row.begin == row.end || column.begin == column.end)
          body(SlotRows{0, length, 0, 0, pitch, 0, 0});
        else
          body(SlotRows{z * stride[0] + (y + row.begin * height.step) * stride[1] +
                            (x + column.begin * width.step) * stride[2],
                        row.begin, row.end - row.begin, length - row.end, column.begin,
                        column.end - column.begin, pitch - column.end});
      }
    }
  }
}

template <class T>
void StripLayout::pack(const Kernels<T>& kernels, const T* source, const std::int64_t (&stride)[3],
                       const Block& block, T fill, T* target) const {
  for_each_slot(stride, block, [&](const SlotRows& slot) {
    T* const first = target + slot.before * pitch;
    T* const last = first + slot.rows * pitch;
    std::fill(target, first, fill);
    if (slot.rows > 0)
      kernels.pack({source + slot.offset, height.step * stride[1], width.step * stride[2],
                    slot.rows, slot.left, slot.columns, slot.right, first, fill});
    target = last + slot.after * pitch;
    std::fill(last, target, fill);
  });
}

template void StripLayout::pack(const Kernels<float>&, const float*, const std::int64_t (&)[3],
                                const Block&, float, float*) const;
template void StripLayout::pack(const Kernels<double>&, const double*, const std::int64_t (&)[3],
                                const Block&, double, double*) const;

}  // namespace fastconv
