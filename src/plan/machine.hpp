// What things cost, in cycles of a core that does one vector multiply-add a cycle: the measure by
// which algorithms are compared. Rough, but the order it gives is what counts.
#pragma once

#include <algorithm>
#include <cstdint>

namespace fastconv {

// A step of the sum in a register tile of `vectors` x `scalars`: the multiply-adds, or what it
// loads (two scalars a cycle; a vector takes one, or two where it crosses cache lines), or the
// latency of one multiply-add.
inline double tile_cycles(std::int64_t vectors, std::int64_t scalars, double vector_load) {
  const auto v = static_cast<double>(vectors), s = static_cast<double>(scalars);
  return std::max({v * s, v * vector_load + s / 2, 4.0});
}

// An element of a strip whose row neighbours are so many elements apart.
inline double copy_cycles(std::int64_t column_stride) {
  return column_stride == 1 ? 0.3 : column_stride == 2 ? 0.5 : 1.2;
}

}  // namespace fastconv
