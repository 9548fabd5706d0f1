// The rows of windows joined into lines between fills, then each line along itself: maxima and
// means, the values coming straight from the caller's rows.
#pragma once

#include "kernels/pool_rows.hpp"

namespace fastconv::FASTCONV_ISA {
namespace {

// Where the stages of a plane keep their rows in the workspace.
template <class T>
struct Rooms {
  explicit Rooms(const PoolArgs<T>& args)
      : pitch(pitch_of<T>(args.line.left + args.line.length + args.line.right)),
        row(pitch_of<T>(args.axis[2].targets * args.line.group)),
        lines(args.workspace),
        levels(lines + args.band * pitch),
        result(levels + (args.line.levels + 1) * pitch),
        slide(result + args.band * row) {}
  Index pitch, row;
  T *lines, *levels, *result, *slide;
};

template <class Op, bool Mean, class T>
void rows_first(const PoolArgs<T>& args) {
  const PoolAxis &depth = args.axis[0], &height = args.axis[1], &width = args.axis[2];
  const PoolLine& line = args.line;
  const Index group = line.group, pixels = line.length / group;
  const Index source_row = args.source_stride[1], source_pixel = args.source_stride[2];
  const Rooms<T> rooms(args);
  for (Index r = 0; r < args.band; ++r) {
    T* row = rooms.lines + r * rooms.pitch;
    fill_run(row, line.left, Op::identity());
    fill_run(row + line.left + line.length, line.right, Op::identity());
  }
  const bool flat = source_pixel == group, flat_target = args.target_stride[2] == group;
  const bool direct = flat && line.left == 0 && line.right == 0 &&
                      depth.takes_one_each() && height.takes_one_each();
  // Runs of a row: all of it, or a group at a time.
  const Index runs = flat ? 1 : pixels, run = flat ? line.length : group;

  // Folds the rows of targets [begin, begin + rows) into lines.
  const auto fold_band = [&](const T* source, const Reach& z, Index begin, Index rows) {
    for (Index r = 0; r < rows;) {
      const Reach y = reach(height, begin + r);
      Index same = 1;
      while (r + same < rows) {
        const Reach next = reach(height, begin + r + same);
        if (next.count != y.count || next.first != y.first + same * height.stride) break;
        ++same;
      }
      T* const row = rooms.lines + r * rooms.pitch + line.left;
      r += same;
      if (z.count * y.count == 0) {
        for (Index i = 0; i < same; ++i)
          fill_run(row + i * rooms.pitch, line.length, Op::identity());
        continue;
      }
      const Box box = {{z.count, y.count, 1},
                       {z.step * args.source_stride[0], y.step * source_row, 0},
                       {0, 0, 0}};
      for (Index i = 0; i < runs; ++i)
        FoldRows<Op>{box, source + y.first * source_row + i * source_pixel,
                     height.stride * source_row, row + i * group, rooms.pitch, same, run}();
    }
  };

  for (Index plane = 0; plane < args.planes; ++plane)
    for (Index od = args.depth; od < args.depth + args.depths; ++od) {
      const Reach z = reach(depth, od);
      const T* source = args.source + plane * args.source_plane + z.first * args.source_stride[0];
      for (Index begin = args.row; begin < args.row + args.rows; begin += args.band) {
        const Index rest = args.row + args.rows - begin;
        const Index rows = rest < args.band ? rest : args.band;
        if (args.slide) {
          Slide<Op>{height, begin, begin + rows, source, source_row, 0,
                    rooms.lines + line.left, rooms.pitch, rooms.slide, rooms.slide + rooms.pitch,
                    runs, run, source_pixel, group}();
        } else if (!direct) {
          fold_band(source, z, begin, rows);
        }
        T* target = args.target + plane * args.target_plane + od * args.target_stride[0] +
                    begin * args.target_stride[1];
        T* const to = flat_target ? target : rooms.result;
        const Index to_step = flat_target ? args.target_stride[1] : rooms.row;
        const T* from = direct ? source + begin * height.stride * source_row : rooms.lines;
        const Index from_step = direct ? height.stride * source_row : rooms.pitch;
        if constexpr (Mean) {
          const StoreMeans<T> finish{to, to_step, args.divisor[2], args.divisor[1] + begin,
                                     args.divisor[0][od]};
          FoldLines<Op, StoreMeans<T>>{line, width, from, from_step, rows,
                                       rooms.levels, rooms.pitch, finish}();
        } else {
          FoldLines<Op, StoreRows<Op>>{line, width, from, from_step, rows, rooms.levels,
                                       rooms.pitch, {to, to_step}}();
        }
        for (Index r = 0; r < rows && !flat_target; ++r)
          spread_row(to + r * to_step, width.targets, group, target + r * args.target_stride[1],
                     args.target_stride[2]);
      }
    }
}

}  // namespace
}  // namespace fastconv::FASTCONV_ISA
