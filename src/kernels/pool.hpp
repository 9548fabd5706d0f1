// Windows over a strip: the maximum with its place, and the sum.
#pragma once

#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace fastconv::FASTCONV_ISA {
namespace {

// In the order of the taps, so that the first of equal maxima stays; a NaN beats every number and
// the last NaN all others. Both loops may run past `pixels` to the end of a vector.
template <class T, bool WithTap>
void max_taps(const MaxArgs<T>& args) {
  for (Index q = 0; q < args.pixels; q += kLanes<T>) {
    Vec<T> best = broadcast(static_cast<T>(-__builtin_inf()));
    Vec<Mask<T>> tap = Vec<Mask<T>>{} - 1;
    for (Index t = 0; t < args.taps; ++t) {
      const Vec<T> pixel = load(args.strip + args.offset[t] + q);
      const Vec<Mask<T>> wins = (pixel > best) | (pixel != pixel);
      best = wins ? pixel : best;
      if (WithTap) tap = wins ? static_cast<Mask<T>>(t) - Vec<Mask<T>>{} : tap;
    }
    store(args.best + q, best);
    if (WithTap) std::memcpy(args.tap + q, &tap, sizeof tap);
  }
}

template <class T>
void max(const MaxArgs<T>& args) {
  args.tap ? max_taps<T, true>(args) : max_taps<T, false>(args);
}

template <class T>
void add(const T* strip, const Index* offset, Index taps, Index pixels, T* sum) {
  for (Index q = 0; q < pixels; q += kLanes<T>) {
    Vec<T> all = {};
    for (Index t = 0; t < taps; ++t) all += load(strip + offset[t] + q);
    store(sum + q, all);
  }
}

}  // namespace
}  // namespace fastconv::FASTCONV_ISA
