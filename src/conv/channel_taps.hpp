// The taps of the tiled algorithm's tiles: width by width, and for each width those of the depths and
// heights that meet the image.
#pragma once

#include <algorithm>
#include <vector>

#include "conv/channel_strip.hpp"
#include "conv/part.hpp"

namespace fastconv {

class ChannelTaps {
 public:
  // `slots`: depths are counted, as in a strip, and not a step apart. `runs`: widths may be summed in
  // one run of channels.
  ChannelTaps(const PartAxes& axes, const PixelSteps& step, bool slots, bool runs)
      : axes_(axes), step_{step.axis[0], step.axis[1], step.axis[2]}, slots_(slots) {
    const std::int64_t phases = axes.width.phases;
    for (std::int64_t p = 0; p <= phases; ++p) first_width_.push_back(axes.width.first_tap(p));
    for (std::int64_t p = 0; p < phases; ++p) {
      width_step_.push_back(runs ? even_step(p) : 0);
      met_by_all_.push_back(common(p));
    }
  }

  // Writes the taps of an output row, and returns how many there are of each width.
  Index find(std::int64_t od, std::int64_t oh, std::int64_t phase, ChannelTap* target) const {
    Index count = 0;
    for (Index i = 0; i < widths(phase); ++i) {
      const Tap& w = width(phase, i);
      Index index = i, slot = -1;
      count = 0;
      for (const Tap& d : axes_.depth.taps) {
        ++slot;
        for (const Tap& h : axes_.height.taps) {
          if (meets(axes_.depth, od, d) && meets(axes_.height, oh, h)) {
            *target++ = {(slots_ ? slot : d.offset) * step_[0] + h.offset * step_[1] +
                             w.offset * step_[2],
                         index};
            ++count;
          }
          index += widths(phase);
        }
      }
    }
    return count;
  }

  // The taps of the width that a phase has.
  Index widths(std::int64_t phase) const {
    const auto p = static_cast<std::size_t>(phase);
    return first_width_[p + 1] - first_width_[p];
  }
  const Tap& width(std::int64_t phase, Index w) const {
    const Index first = first_width_[static_cast<std::size_t>(phase)];
    return axes_.width.taps[static_cast<std::size_t>(first + w)];
  }

  // From a width's pixel to the next one's; 0 where they do not follow evenly, or no run is wanted.
  Index width_step(std::int64_t phase) const {
    return width_step_[static_cast<std::size_t>(phase)];
  }

  // The outputs that meet the image through every tap of a phase.
  Range met_by_all(std::int64_t phase) const {
    return met_by_all_[static_cast<std::size_t>(phase)];
  }

 private:
  Range common(std::int64_t phase) const {
    Range all{0, axes_.width.output};
    for (Index w = 0; w < widths(phase); ++w) {
      const Range met = met_by(axes_.width, width(phase, w), 0, axes_.width.output);
      all = {std::max(all.begin, met.begin), std::min(all.end, met.end)};
    }
    return all;
  }
  Index even_step(std::int64_t phase) const {
    Index step = 0;
    for (Index w = 1; w < widths(phase); ++w) {
      const Index next = (width(phase, w).offset - width(phase, w - 1).offset) * step_[2];
      if (w > 1 && next != step) return 0;
      step = next;
    }
    return step;
  }

  PartAxes axes_;
  Index step_[3];
  bool slots_;
  std::vector<Index> first_width_;  // of each phase, and behind the last one's
  std::vector<Index> width_step_;   // of each phase
  std::vector<Range> met_by_all_;   // as well
};

}  // namespace fastconv
