// A block of a pooling, plane after plane, by one of three ways:
//
//   boxes    each pixel's window at once, lanes being channels: small windows of NHWC
//   rows     a window's rows first, into a line between fills, then along the line: the values
//            come straight from the caller's rows
//   columns  along each row first, then over the rows: the maximum with its place (so that the
//            first of equal ones is the first in the plane), and the gradient of a mean
#pragma once

#include "kernels/pool_line.hpp"
#include "kernels/table.hpp"

namespace fastconv::FASTCONV_ISA {
namespace {

template <class T>
FASTCONV_INLINE void fill_run(T* target, Index count, T value) {
  for (Index i = 0; i < count; ++i) target[i] = value;
}

// index[i] = base + place[i]
template <class T, Index N>
FASTCONV_INLINE void store_index(std::int64_t* index, std::int64_t base,
                                 Part<Mask<T>, N> place) {
  Mask<T> lane[N];
  store(lane, place);
  FASTCONV_UNROLL
  for (Index i = 0; i < N; ++i) index[i] = base + lane[i];
}

// A row of results into memory where groups may stand apart.
template <class V>
FASTCONV_INLINE void spread_row(const V* row, Index pixels, Index group, V* target, Index step) {
  if (step == group) {
    for (Index i = 0; i < pixels * group; ++i) target[i] = row[i];
    return;
  }
  for (Index o = 0; o < pixels; ++o)
    for (Index i = 0; i < group; ++i) target[o * step + i] = row[o * group + i];
}

// Rows of the source that targets [begin, begin + count) take.
struct Span {
  Index begin, end;
  Index size() const { return end - begin; }
  Span(const PoolAxis& axis, Index first, Index count) {
    const Index low = first * axis.stride - axis.pad;
    const Index high = (first + count - 1) * axis.stride - axis.pad +
                       (axis.kernel - 1) * axis.dilation;
    begin = ceil_div(low, axis.spread);
    end = high < 0 ? 0 : high / axis.spread + 1;
    if (end > axis.sources) end = axis.sources;
    if (begin > end) begin = end;
  }
};

// Whether target j takes source j * stride and no other.
FASTCONV_INLINE bool one_each(const PoolAxis& axis) {
  return axis.kernel == 1 && axis.pad == 0 && axis.spread == 1 &&
         (axis.targets - 1) * axis.stride < axis.sources;
}

template <class T>
FASTCONV_INLINE Index pitch_of(Index elements) {
  return (elements + kLanes<T> - 1) / kLanes<T> * kLanes<T>;
}

template <class Op, bool Mean, class T>
void boxes(const PoolArgs<T>& args) {
  const PoolAxis &depth = args.axis[0], &height = args.axis[1], &width = args.axis[2];
  const Index group = args.line.group;
  for (Index plane = 0; plane < args.planes; ++plane)
    for (Index od = args.depth; od < args.depth + args.depths; ++od) {
      const Reach z = reach(depth, od);
      for (Index oh = args.row; oh < args.row + args.rows; ++oh) {
        const Reach y = reach(height, oh);
        const T rows = Mean ? args.divisor[0][od] * args.divisor[1][oh] : T{1};
        const T* row = args.source + plane * args.source_plane +
                       z.first * args.source_stride[0] + y.first * args.source_stride[1];
        T* target = args.target + plane * args.target_plane + od * args.target_stride[0] +
                    oh * args.target_stride[1];
        std::int64_t* index = args.index;
        if (index)
          index += plane * args.index_plane + od * args.index_stride[0] +
                   oh * args.index_stride[1];
        for (Index ow = 0; ow < width.targets; ++ow) {
          const Reach x = reach(width, ow);
          const Box box = {{z.count, y.count, x.count},
                           {z.step * args.source_stride[0], y.step * args.source_stride[1],
                            x.step * args.source_stride[2]},
                           {z.step * height.sources * width.sources, y.step * width.sources,
                            x.step}};
          const std::int64_t base =
              (z.first * height.sources + y.first) * width.sources + x.first;
          const T divisor = Mean ? rows * args.divisor[2][ow] : T{1};
          T* pixel = target + ow * args.target_stride[2];
          std::int64_t* place = index ? index + ow * args.index_stride[2] : nullptr;
          const auto finish = [&](auto lanes, Index i, auto item) FASTCONV_LAMBDA {
            constexpr Index N = decltype(lanes)::value;
            if constexpr (Mean) {
              store(pixel + i, item / divisor);
            } else if constexpr (std::is_same_v<Op, MaxFind<T>>) {
              store(pixel + i, item.value);
              store_index<T, N>(place + i, base, item.place);
            } else {
              store(pixel + i, item);
            }
          };
          if (box.total() > 0) {
            fold<Op>(box, row + x.first * args.source_stride[2], 0, group, finish);
          } else {
            fill_run(pixel, group, Op::identity());
            if (place) fill_run<std::int64_t>(place, group, -1);
          }
        }
      }
    }
}

// Where the stages of a plane keep their rows in the workspace.
template <class T>
struct Rooms {
  explicit Rooms(const PoolArgs<T>& args)
      : pitch(pitch_of<T>(args.line.left + args.line.length + args.line.right)),
        row(pitch_of<T>(args.axis[2].targets * args.line.group)),
        lines(args.workspace),
        levels(lines + args.band * pitch),
        result(levels + (args.line.levels + 1) * pitch),
        suffix(result + args.band * row) {}
  Index pitch, row;
  T *lines, *levels, *result, *suffix;
};

// What becomes of a row of joined windows.
template <class Op>
struct StoreRows {
  typename Op::Target target;
  Index step;
  FASTCONV_INLINE StoreRows row(Index r) const { return {target + r * step, step}; }
  template <class Lanes, class Item>
  FASTCONV_INLINE void operator()(Lanes, Index i, Item item) const {
    Op::template store<Lanes::value>(target + i, item);
  }
};
template <class T>
struct StoreMeans {
  T* target;
  Index step;
  const T *columns, *rows;  // divisors
  T divisor;                // of the depth; of a row, the product of both
  FASTCONV_INLINE StoreMeans row(Index r) const {
    return {target + r * step, step, columns, rows, divisor * rows[r]};
  }
  template <class Lanes, class Item>
  FASTCONV_INLINE void operator()(Lanes, Index i, Item item) const {
    store(target + i, item / (load<T, Lanes::value>(columns + i) * divisor));
  }
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
  const bool direct = flat && line.left == 0 && line.right == 0 && one_each(depth) &&
                      one_each(height);
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
          for (Index i = 0; i < runs; ++i)
            Slide<Op>{height, begin, begin + rows, source + i * source_pixel, source_row, 0,
                      rooms.lines + line.left + i * group, rooms.pitch, rooms.suffix}(run);
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
  const Index dilation = args.axis[2].dilation;
  for (Index i = 0; i < line.left + line.length + line.right; ++i) {
    Index column = i / line.group - line.left / line.group;
    if (column < 0) column += (-column - 1) / dilation * dilation + dilation;
    place[i] = static_cast<Mask<T>>(column);
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
  if (step == group && !none)
    for (Index i = 0; i < width.targets * group; ++i) index[i] = base + place[i];
  else
    for (Index o = 0; o < width.targets; ++o)
      for (Index i = 0; i < group; ++i)
        index[o * step + i] = none ? -1 : base + place[o * group + i];
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
  const auto suffix = workspace.template rows<Op>(
      args.slide ? (height.kernel < ys.size() ? height.kernel : ys.size()) * kLanes<T> : 0);
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
                  width.sources, result, result_step, suffix}(columns);
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

template <class T>
void pool_max(const PoolArgs<T>& args) {
  args.way == PoolWay::boxes ? boxes<Max<T>, false>(args) : rows_first<Max<T>, false>(args);
}

template <class T>
void pool_max_index(const PoolArgs<T>& args) {
  args.way == PoolWay::boxes ? boxes<MaxFind<T>, false>(args) : columns_first<MaxPlace<T>>(args);
}

template <class T>
void pool_mean(const PoolArgs<T>& args) {
  args.way == PoolWay::boxes ? boxes<Sum<T>, true>(args) : rows_first<Sum<T>, true>(args);
}

template <class T>
void pool_mean_gradient(const PoolArgs<T>& args) {
  args.way == PoolWay::boxes ? boxes<Sum<T>, true>(args) : columns_first<Sum<T>>(args);
}

}  // namespace
}  // namespace fastconv::FASTCONV_ISA
