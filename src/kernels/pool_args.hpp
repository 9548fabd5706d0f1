// What a pooling kernel is told: axes, how a row is folded, where a block of the result lies.
//
// A pooling joins (takes the maximum of, or adds) what each window holds, first along one axis and
// then along the others. `group` elements stand side by side and belong to different channels: 1
// where rows are contiguous (NCHW), a chunk of the channels where those are (NHWC).
#pragma once

#include <cstddef>
#include <cstdint>

namespace fastconv {

using Index = std::ptrdiff_t;

constexpr Index kPoolRing = 8;  // lines that are filled, then folded

// Target j takes the sources at positions j * stride - pad + t * dilation, t < kernel; source i
// stands at position i * spread. Spread is 1 but for gradients, where it is the pooling's stride.
struct PoolAxis {
  Index sources, targets, kernel, stride, dilation, pad, spread;

  // Whether target j takes source j * stride and no other. (Inline in each kernel set: out of line,
  // one set's would serve all.)
  [[gnu::always_inline]] bool takes_one_each() const {
    return kernel == 1 && pad == 0 && spread == 1 && (targets - 1) * stride < sources;
  }
};

// A row of windows. Level 0 is the row itself, between fills; element i of level l + 1 joins the
// elements i, i + step, i + 2 step, i + 3 step of level l, step being 4^l * dilation * group; a
// window joins elements of the levels, of which there are fewer than of the window's own.
struct PoolLine {
  static constexpr int kMostLevels = 16, kMostTaps = 3 * kMostLevels;
  struct Tap {
    Index level, offset;
  };
  Index group;
  Index left, length, right;  // elements: fill, row, fill
  Index first;                // of the line, where the first window starts
  bool alone;                 // each window by itself, clipped, from a row without fills
  Index levels, taps;         // levels above 0
  Tap tap[kMostTaps];
};

// kernels/pool_boxes.hpp, pool_rows_first.hpp, pool_columns_first.hpp, pool_windows.hpp,
// pool_doubled.hpp, pool_whole.hpp, pool_repeat.hpp, pool_joined.hpp
enum class PoolWay { boxes, rows, columns, windows, doubled, whole, repeat, joined };

template <class T>
struct PoolArgs {
  PoolWay way;
  PoolAxis axis[3];  // depth, height, width
  PoolLine line;
  bool turn;        // planes are lanes: kernels/pool_turn.hpp
  Index source_size, target_size;  // elements of a plane that is turned
  Index apart;      // of a gradient: its elements in the line
  bool slide;       // along the height by prefixes and suffixes of blocks as long as a window
  Index planes;     // that many, one after the other
  const T* source;
  Index source_plane, source_stride[3];
  T* target;
  Index target_plane, target_stride[3];
  std::int64_t* index;  // or null
  Index index_plane, index_stride[3];
  Index depth, depths, row, rows;  // the block of targets
  Index band;                      // rows between the stages
  // A mean's divisor is the product of three: of the axes' positions; those of the width stand for
  // each element of a group.
  const T* divisor[3];
  T* workspace;
};

}  // namespace fastconv
