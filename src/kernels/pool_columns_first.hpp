// Each row joined along itself, then the rows: the maximum with its place (so that the first of equal
// ones is the first in the plane), and the gradient of a mean, whose rows are divided on the way.
#pragma once

#include "kernels/pool_rows.hpp"

namespace fastconv::FASTCONV_ISA {
namespace {

// Hands out parts of a workspace: of values, or of values and places.
template <class T>
struct Workspace {
  T* next;
  T* take(Index count) {
    T* part = next;
    next += count;
    return part;
  }
  template <class Op>
  typename Op::Target rows(Index count) {
    if constexpr (std::is_same_v<Op, MaxPlace<T>>)
      return {take(count), reinterpret_cast<Mask<T>*>(take(count))};
    else
      return take(count);
  }
};

// The columns of each element of a line; in the fills, where the first element of a window that
// begins there would stand, which is its place if all of it is -inf.
template <class T>
void number_columns(const PoolArgs<T>& args, Mask<T>* place) {
  const PoolLine& line = args.line;
  const Index dilation = args.axis[2].dilation, group = line.group;
  const Index all = (line.left + line.length + line.right) / group, first = line.left / group;
  for (Index i = 0; i < all; ++i) {
    Index column = i - first;
    if (column < 0) column += (-column - 1) / dilation * dilation + dilation;
    fill_run(place + i * group, group, static_cast<Mask<T>>(column));
  }
}

// A row of the source between the line's fills: as it is, or, of a gradient, divided and with
// zeros between its elements.
template <bool Gradient, class T>
FASTCONV_INLINE void fetch(const PoolArgs<T>& args, const T* source, T rows, T* line) {
  const Index group = args.line.group, step = args.source_stride[2], apart = args.apart * group;
  const Index pixels = (args.line.length - group) / apart + 1;
  const bool flat = step == group && apart == group;
  const Index runs = flat ? 1 : pixels, run = flat ? args.line.length : group;
  if (Gradient && group == 1 && step == 1 && apart == 2) {
    cover<T>(pixels, [&](auto lanes, Index i) FASTCONV_LAMBDA {
      constexpr Index N = decltype(lanes)::value;
      store_apart<T, N>(line + 2 * i, load<T, N>(source + i) / (load<T, N>(args.divisor[2] + i) * rows));
    });
    return;
  }
  for (Index p = 0; p < runs; ++p)
    cover<T>(run, [&](auto lanes, Index i) FASTCONV_LAMBDA {
      constexpr Index N = decltype(lanes)::value;
      const auto item = load<T, N>(source + p * step + i);
      if constexpr (Gradient)
        store(line + p * apart + i,
              item / (load<T, N>(args.divisor[2] + p * group + i) * rows));
      else
        store(line + p * apart + i, item);
    });
}

// Places of a row, counted from `base` on, as indices of the plane.
template <class T>
FASTCONV_INLINE void write_index(const PoolArgs<T>& args, const Mask<T>* place, bool none,
                                 std::int64_t base, std::int64_t* index) {
  const PoolAxis& width = args.axis[2];
  const Index group = args.line.group, step = args.index_stride[2];
  const bool flat = step == group;
  const Index runs = flat ? 1 : width.targets, run = flat ? width.targets * group : group;
  for (Index o = 0; o < runs; ++o) {
    if (none) fill_run<std::int64_t>(index + o * step, run, -1);
    for_vectors<T>(none ? 0 : run, [&](auto part, Index i) FASTCONV_LAMBDA {
      const Vec<T> bits = part.load(reinterpret_cast<const T*>(place + o * run + i));
      store_places<T>(index + o * step + i, base, reinterpret_cast<Vec<Mask<T>>>(bits), part.count);
    });
  }
  if (width.dilation == 1) return;
  for (Index o = 0; o < width.targets; ++o)
    if (reach(width, o).count == 0) fill_run<std::int64_t>(index + o * step, group, -1);
}

template <class Op, class T>
void columns_first(const PoolArgs<T>& args) {
  constexpr bool kPlaces = std::is_same_v<Op, MaxPlace<T>>;
  const PoolAxis &depth = args.axis[0], &height = args.axis[1], &width = args.axis[2];
  const PoolLine& line = args.line;
  const Index group = line.group, columns = width.targets * group;
  const Index pitch = pitch_of<T>(line.left + line.length + line.right);
  const Index row_pitch = pitch_of<T>(columns);
  const Span zs(depth, args.depth, args.depths), ys(height, args.row, args.rows);

  Workspace<T> workspace{args.workspace};
  T* const ring = workspace.take(kPoolRing * pitch);
  fill_run(ring, kPoolRing * pitch, Op::identity());
  auto* const place = reinterpret_cast<Mask<T>*>(workspace.take(pitch));
  if (kPlaces) number_columns(args, place);
  const auto levels = workspace.template rows<Op>((line.levels + 1) * pitch);
  const auto lines = workspace.template rows<Op>(zs.size() * ys.size() * row_pitch);
  const auto results = workspace.template rows<Op>(args.rows * row_pitch);
  const auto slide = workspace.template rows<Op>(args.slide ? 2 * row_pitch : 0);
  const bool direct = kPlaces && line.left == 0 && line.right == 0 &&
                      args.source_stride[2] == group;
  const bool flat_target = args.target_stride[2] == group;

  // Folds the lines at `source` along themselves.
  const auto along = [&](const T* source, Index step, Index rows, typename Op::Target to) {
    const StoreRows<Op> finish{to, row_pitch};
    if constexpr (kPlaces)
      FoldLines<Op, StoreRows<Op>>{line, width, {source, place}, step, rows, levels, pitch,
                                   finish}();
    else
      FoldLines<Op, StoreRows<Op>>{line, width, source, step, rows, levels, pitch, finish}();
  };

  for (Index plane = 0; plane < args.planes; ++plane) {
    for (Index z = zs.begin; z < zs.end; ++z) {
      const T* source = args.source + plane * args.source_plane + z * args.source_stride[0];
      const auto to = lines + (z - zs.begin) * ys.size() * row_pitch;
      if (direct) {
        along(source + ys.begin * args.source_stride[1], args.source_stride[1], ys.size(), to);
        continue;
      }
      for (Index begin = ys.begin; begin < ys.end; begin += kPoolRing) {
        const Index rows = ys.end - begin < kPoolRing ? ys.end - begin : kPoolRing;
        for (Index r = 0; r < rows; ++r)
          fetch<!kPlaces>(args, source + (begin + r) * args.source_stride[1],
                          kPlaces ? T{1} : args.divisor[0][z] * args.divisor[1][begin + r],
                          ring + r * pitch + line.left);
        along(ring, pitch, rows, to + (begin - ys.begin) * row_pitch);
      }
    }
    for (Index od = args.depth; od < args.depth + args.depths; ++od) {
      const Reach z = reach(depth, od);
      T* const target = args.target + plane * args.target_plane + od * args.target_stride[0] +
                        args.row * args.target_stride[1];
      auto result = results;
      Index result_step = row_pitch;
      if constexpr (!kPlaces)
        if (flat_target) result = target, result_step = args.target_stride[1];
      if (args.slide)
        Slide<Op>{height, args.row, args.row + args.rows,
                  lines + ((z.first - zs.begin) * ys.size() - ys.begin) * row_pitch, row_pitch,
                  width.sources, result, result_step, slide, slide + row_pitch, 1, columns, 0,
                  0}();
      for (Index r = 0; r < args.rows;) {
        const Reach y = reach(height, args.row + r);
        Index same = 1;
        while (!args.slide && r + same < args.rows && height.spread == 1) {
          const Reach next = reach(height, args.row + r + same);
          if (next.count != y.count || next.first != y.first + same * height.stride) break;
          ++same;
        }
        const bool none = z.count * y.count == 0;
        if (!none && !args.slide) {
          const Box box = {{z.count, y.count, 1},
                           {z.step * ys.size() * row_pitch, y.step * row_pitch, 0},
                           {z.step * height.sources * width.sources, y.step * width.sources, 0}};
          FoldRows<Op>{box,
                       lines + ((z.first - zs.begin) * ys.size() + (y.first - ys.begin)) *
                                   row_pitch,
                       height.stride * row_pitch, result + r * result_step, result_step, same,
                       columns}();
        }
        for (Index end = r + same; r < end; ++r) {
          const auto row = result + r * result_step;
          T* const to = target + r * args.target_stride[1];
          if constexpr (kPlaces) {
            if (none) fill_run(row.value, columns, Op::identity());
            spread_row(row.value, width.targets, group, to, args.target_stride[2]);
            const Index top = args.slide ? 0 : y.first + (r - (end - same)) * height.stride;
            write_index(args, row.place, none, (z.first * height.sources + top) * width.sources,
                        args.index + plane * args.index_plane + od * args.index_stride[0] +
                            (args.row + r) * args.index_stride[1]);
          } else {
            if (none) fill_run(row, columns, Op::identity());
            if (!flat_target)
              spread_row(row, width.targets, group, to, args.target_stride[2]);
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace fastconv::FASTCONV_ISA
