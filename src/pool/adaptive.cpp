// Adaptive pooling where windows differ in size, as PyTorch lays them: window o of an axis begins
// at floor(o * input / output) and ends at ceil((o + 1) * input / output). Element i then lies in the
// windows from floor(i * output / input) to ceil((i + 1) * output / input): the gradient of a mean
// is a sum over the same kind of windows, with input and output exchanged.
//
// A row of targets joins its rows of sources to a line, and then the line's windows; where channels
// stand side by side, each window joins its elements, all channels at a time.
#include <algorithm>

#include "pool/adaptive_grid.hpp"
#include "pool/pool.hpp"
#include "runtime/memory.hpp"

namespace fastconv {
namespace {

using Index = std::int64_t;

// Calls body(i, offset) for each element of a line and its place in the row it comes from.
template <class Body>
void for_line(Index width, Index step, const Body& body) {
  if (step == 1)
    for (Index i = 0; i < width; ++i) body(i, i);
  else
    for (Index i = 0; i < width; ++i) body(i, i * step);
}

// The row of targets before this one.
template <class T>
void repeat(T* row, Index above, Index width, Index step, Index group) {
  if (step == group)
    std::copy_n(row - above, width * group, row);
  else
    for (Index w = 0; w < width; ++w)
      for (Index k = 0; k < group; ++k) row[w * step + k] = row[w * step - above + k];
}

// What windows join, and what divides: sources by their row and their column, results.
template <class T>
struct Sum {
  Sum(const PoolShape& shape, bool gradient_)
      : size{AdaptiveGrid::windows(shape.axis[0], false),
             AdaptiveGrid::windows(shape.axis[1], false),
             AdaptiveGrid::windows(shape.axis[2], false)},
        gradient(gradient_) {}

  static constexpr T kStart = 0;
  static T join(T sum, T value) { return sum + value; }
  T count(Index d, Index h) const { return static_cast<T>(size[0].size(d) * size[1].size(h)); }
  T count(Index w) const { return static_cast<T>(size[2].size(w)); }
  T row(Index d, Index h) const { return gradient ? count(d, h) : T{1}; }
  T column(Index w) const { return gradient ? count(w) : T{1}; }
  T result(const AdaptiveGrid::Row& at, Index w) const {
    return gradient ? T{1} : count(at.d, at.h) * count(w);
  }

  AdaptiveWindows size[3];
  bool gradient;
};

// NaN wins over numbers, and stays.
template <class T>
bool wins(T value, T best) {
  return value > best || value != value;
}

template <class T>
struct Maximum {
  static constexpr T kStart = static_cast<T>(-__builtin_inf());
  static T join(T best, T value) { return wins(value, best) ? value : best; }
  static T row(Index, Index) { return 1; }
  static T column(Index) { return 1; }
  static T result(const AdaptiveGrid::Row&, Index) { return 1; }
};

template <class T, class Op>
void join_line(const AdaptiveGrid& grid, const Op& op, const AdaptiveGrid::Row& row,
               const T* source, T* line, T* target) {
  const AdaptiveWindows& width = grid.axis[2];
  std::fill_n(line, width.sources, Op::kStart);
  grid.for_sources(row, [&](Index d, Index h, Index offset) {
    const T* const from = source + offset;
    const T divisor = op.row(d, h);
    if (divisor == 1)
      for_line(width.sources, grid.source.axis[2],
               [&](Index i, Index at) { line[i] = Op::join(line[i], from[at]); });
    else
      for_line(width.sources, grid.source.axis[2],
               [&](Index i, Index at) { line[i] = Op::join(line[i], from[at] / divisor); });
  });
  for (Index x = 0; x < width.sources; ++x) line[x] /= op.column(x);
  for (Index w = 0; w < width.targets; ++w) {
    T value = Op::kStart;
    for (Index x = width.first(w); x < width.behind(w); ++x) value = Op::join(value, line[x]);
    target[w * grid.target.axis[2]] = value / op.result(row, w);
  }
}

template <class T, class Op>
void join_channels(const AdaptiveGrid& grid, const Op& op, const AdaptiveGrid::Row& row,
                   const T* source, T* target) {
  const AdaptiveWindows& width = grid.axis[2];
  for (Index w = 0; w < width.targets; ++w) {
    T* const to = target + w * grid.target.axis[2];
    std::fill_n(to, row.group, Op::kStart);
    grid.for_sources(row, [&](Index d, Index h, Index offset) {
      for (Index x = width.first(w); x < width.behind(w); ++x) {
        const T* const from = source + offset + x * grid.source.axis[2];
        const T divisor = op.row(d, h) * op.column(x);
        if (divisor == 1)
          for (Index k = 0; k < row.group; ++k) to[k] = Op::join(to[k], from[k]);
        else
          for (Index k = 0; k < row.group; ++k) to[k] = Op::join(to[k], from[k] / divisor);
      }
    });
    const T divisor = op.result(row, w);
    if (divisor != 1)
      for (Index k = 0; k < row.group; ++k) to[k] /= divisor;
  }
}

template <class T, class Op>
void join(const AdaptiveGrid& grid, const Op& op, const T* source, T* target) {
  const Index room = grid.side_by_side ? 0 : grid.axis[2].sources;
  const Buffer<T> lines(static_cast<std::size_t>(room * grid.threads));
  grid.for_rows([&](const AdaptiveGrid::Row& row) {
    T* const to = target + row.at(grid.target);
    if (row.again)
      repeat(to, grid.target.axis[1], grid.axis[2].targets, grid.target.axis[2], row.group);
    else if (grid.side_by_side)
      join_channels(grid, op, row, source, to);
    else
      join_line(grid, op, row, source, lines.data() + row.thread * room, to);
  });
}

// Element after element of a window: the first of equal maxima wins, and the last NaN.
template <class T>
void maxima_with_indices(const PoolShape& shape, const T* source, T* target, Index* indices) {
  const AdaptiveGrid grid(shape);
  const AdaptiveWindows& width = grid.axis[2];
  const Index height = grid.axis[1].sources, step = grid.source.axis[2];
  grid.for_rows([&](const AdaptiveGrid::Row& row) {
    for (Index w = 0; w < width.targets; ++w) {
      T* const best = target + row.at(grid.target) + w * grid.target.axis[2];
      Index* const index = indices + row.at(shape.indices) + w * shape.indices.axis[2];
      const Index apart = shape.indices.channel;
      for (Index k = 0; k < row.group; ++k) index[k * apart] = -1;
      if (row.group == 1) {
        T value = Maximum<T>::kStart;
        Index place = -1;
        grid.for_sources(row, [&](Index d, Index h, Index offset) {
          for (Index x = width.first(w); x < width.behind(w); ++x)
            if (place < 0 || wins(source[offset + x * step], value))
              value = source[offset + x * step], place = (d * height + h) * width.sources + x;
        });
        *best = value, *index = place;
        continue;
      }
      grid.for_sources(row, [&](Index d, Index h, Index offset) {
        for (Index x = width.first(w); x < width.behind(w); ++x) {
          const T* const from = source + offset + x * step;
          const Index place = (d * height + h) * width.sources + x;
          for (Index k = 0; k < row.group; ++k) {
            const bool better = index[k * apart] < 0 || wins(from[k], best[k]);
            best[k] = better ? from[k] : best[k];
            index[k * apart] = better ? place : index[k * apart];
          }
        }
      });
    }
  });
}

}  // namespace

template <class T>
void adaptive_max_forward(const PoolShape& shape, const T* input, T* output,
                          std::int64_t* indices) {
  if (indices) return maxima_with_indices(shape, input, output, indices);
  join(AdaptiveGrid(shape), Maximum<T>(), input, output);
}

template <class T>
void adaptive_avg_forward(const PoolShape& shape, const T* input, T* output) {
  join(AdaptiveGrid(shape), Sum<T>(shape, false), input, output);
}

template <class T>
void adaptive_avg_backward(const PoolShape& shape, const T* grad_output, T* grad_input) {
  join(AdaptiveGrid(shape, true), Sum<T>(shape, true), grad_output, grad_input);
}

template void adaptive_max_forward(const PoolShape&, const float*, float*, std::int64_t*);
template void adaptive_max_forward(const PoolShape&, const double*, double*, std::int64_t*);
template void adaptive_avg_forward(const PoolShape&, const float*, float*);
template void adaptive_avg_forward(const PoolShape&, const double*, double*);
template void adaptive_avg_backward(const PoolShape&, const float*, float*);
template void adaptive_avg_backward(const PoolShape&, const double*, double*);

}  // namespace fastconv
