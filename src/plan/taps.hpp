// A window's taps along an axis, and where a strip keeps the elements they meet.
//
// Forward and input gradient are one operation: output o, written to position start + o * stride
// of its array, meets input o * step + offset(t) through each of a list of taps. Forward has every
// tap, with step the stride. The gradient of the inputs that leave remainder r by the stride
// meets, with step 1, the taps k with (r + pad - k * dilation) divisible by the stride.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "plan/shape.hpp"

namespace fastconv {

// From `begin` up to, not including, `end`.
struct Range {
  std::int64_t begin, end;
  std::int64_t size() const { return end - begin; }
};

struct Tap {
  std::int64_t kernel;  // index into the kernel
  std::int64_t offset;  // of the input element that output 0 meets
  std::int64_t phase;   // of the outputs that meet it
};

struct TapAxis {
  std::int64_t output, start, stride;  // what is computed, and where it goes
  std::int64_t input, step;
  std::vector<Tap> taps;
  // Several outputs that meet the same input may go side by side: those of phase p to position
  // start + o * stride + p, up to `extent` of them in all. Taps are then in the order of phases.
  std::int64_t phases, extent;

  // Where the taps of a phase begin.
  std::int64_t first_tap(std::int64_t phase) const;
};

inline bool meets(const TapAxis& axis, std::int64_t output, const Tap& tap) {
  const std::int64_t i = output * axis.step + tap.offset;
  return i >= 0 && i < axis.input;
}

// The outputs of [begin, end) that meet the image through a tap.
inline Range met_by(const TapAxis& axis, const Tap& tap, std::int64_t begin, std::int64_t end) {
  if (tap.offset < 0) begin = std::max(begin, (-tap.offset - 1) / axis.step + 1);
  const std::int64_t room = axis.input - 1 - tap.offset;
  end = room < 0 ? begin : std::min(end, room / axis.step + 1);
  return {begin, std::max(begin, end)};
}

// Of all pairs of output and tap, those that meet the image.
double share_of(const TapAxis& axis);

// Taps that look at padding for every output are left out, unless `every` tap is wanted: a window
// may be larger than memory.
TapAxis forward_taps(const Axis& axis, bool every = false);
TapAxis backward_taps(const Axis& axis, std::int64_t remainder);

// The axes of all remainders as the phases of one.
TapAxis interleaved(const std::vector<TapAxis>& remainders);

// How a strip holds the elements that `count` neighbouring outputs meet. In slot s, element i is
// input (first + i) * step + origin[s], and tap t of output first + i is element i + shift[t] of
// slot[t]. Taps that leave the same remainder by the step may share a slot, which then has
// count + (largest shift) elements, or each tap has a slot of its own: more to copy, nothing
// between the outputs to compute in vain. The cheaper is taken, where each element of a slot's
// length is copied once for each slot and used in `uses` multiplications.
struct SlotAxis {
  SlotAxis(const TapAxis& axis, std::int64_t count, double uses);

  std::int64_t length;  // of one slot
  std::vector<std::int64_t> origin;
  std::vector<std::int64_t> slot, shift;  // of each tap
};

}  // namespace fastconv
