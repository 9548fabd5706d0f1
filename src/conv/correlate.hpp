// The direct algorithm: sums of products over strips, in register tiles.
//
//   output(n, oc, o) = bias(oc)
//                      + sum over ic, taps of input(n, ic, o meets tap) * weight(oc, ic, tap)
//
// in that order of the sum: channels, then the taps of a window row by row. Threads share blocks
// of outputs, never a sum.
#pragma once

#include <vector>

#include "kernels/table.hpp"
#include "plan/shape.hpp"
#include "plan/taps.hpp"

namespace fastconv {

template <class T>
struct Correlation {
  std::int64_t n, g, ic, oc;  // channels are counted in one group
  const T* input;
  Strides input_strides;
  const T* weight;
  Strides weight_strides;      // (oc, ic, taps), from group to group: weight_group
  std::int64_t weight_group;
  const T* bias;  // or null
  T* output;
  Strides output_strides;
};

// Each combination of one depth, one height and one width in `axes` is a part of the outputs.
template <class T>
void correlate(const Kernels<T>& kernels, const Correlation<T>& operands,
               const std::vector<TapAxis> (&axes)[3]);

}  // namespace fastconv
