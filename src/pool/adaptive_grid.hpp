// The windows of adaptive pooling, and the loop over rows of its targets.
#pragma once

#include <vector>

#include "plan/shape.hpp"
#include "runtime/split.hpp"
#include "runtime/threads.hpp"

namespace fastconv {

// The windows of one axis over its sources.
struct AdaptiveWindows {
  AdaptiveWindows(std::int64_t sources_, std::int64_t targets_)
      : sources(sources_), targets(targets_) {
    for (std::int64_t o = 0; o < targets; ++o) {
      const auto at = [&](__int128 product) {
        return static_cast<std::int64_t>(product / targets);
      };
      begin.push_back(at(static_cast<__int128>(o) * sources));
      end.push_back(at(static_cast<__int128>(o + 1) * sources + targets - 1));
    }
  }
  std::int64_t size(std::int64_t o) const { return end[at(o)] - begin[at(o)]; }
  std::int64_t first(std::int64_t o) const { return begin[at(o)]; }
  std::int64_t behind(std::int64_t o) const { return end[at(o)]; }

  std::int64_t sources, targets;

 private:
  static std::size_t at(std::int64_t o) { return static_cast<std::size_t>(o); }
  std::vector<std::int64_t> begin, end;
};

// Targets and their sources: of a gradient those are the outputs.
struct AdaptiveGrid {
  explicit AdaptiveGrid(const PoolShape& shape, bool gradient = false)
      : n(shape.n),
        c(shape.c),
        axis{windows(shape.axis[0], gradient), windows(shape.axis[1], gradient),
             windows(shape.axis[2], gradient)},
        source(gradient ? shape.output : shape.input),
        target(gradient ? shape.input : shape.output) {
    side_by_side = c > 1 && source.channel == 1 && target.channel == 1;
    chunk = side_by_side ? std::min(c, kChannels) : 1;
    const Split rows = tasks();
    threads = threads_for(rows.parts, kElementCost / 4 * static_cast<double>(n * c) *
                                          static_cast<double>(sources() + targets()));
  }

  static AdaptiveWindows windows(const Axis& axis, bool gradient) {
    return gradient ? AdaptiveWindows(axis.output, axis.input)
                    : AdaptiveWindows(axis.input, axis.output);
  }

  // One row of targets, of `group` channels from c on; `again` where it equals the one before it.
  struct Row {
    std::int64_t n, c, group, d, h;
    int thread;
    bool again;
    std::int64_t at(const Strides& s) const {
      return n * s.outer + c * s.channel + d * s.axis[0] + h * s.axis[1];
    }
  };

  // Calls body(row) for each row of targets.
  template <class Body>
  void for_rows(const Body& body) const {
    const Split chunks(c, chunk), all = tasks();
    const std::int64_t height = axis[1].targets, depth = axis[0].targets;
    parallel_for(all.parts, threads, [&](std::int64_t task, int thread) {
      for (std::int64_t i = 0; i < all.size(task); ++i) {
        const std::int64_t at = all.begin(task) + i, th = at % height, td = at / height % depth;
        const std::int64_t part = at / height / depth % chunks.parts;
        const std::int64_t image = at / height / depth / chunks.parts;
        const bool again = i > 0 && th > 0 && axis[1].first(th) == axis[1].first(th - 1) &&
                           axis[1].behind(th) == axis[1].behind(th - 1);
        body(Row{image, chunks.begin(part), chunks.size(part), td, th, thread, again});
      }
    });
  }

  // Calls body(d, h, offset) for each row of sources of a row of targets.
  template <class Body>
  void for_sources(const Row& row, const Body& body) const {
    for (std::int64_t d = axis[0].first(row.d); d < axis[0].behind(row.d); ++d)
      for (std::int64_t h = axis[1].first(row.h); h < axis[1].behind(row.h); ++h)
        body(d, h, Row{row.n, row.c, row.group, d, h, 0, false}.at(source));
  }

  std::int64_t sources() const { return axis[0].sources * axis[1].sources * axis[2].sources; }
  std::int64_t targets() const { return axis[0].targets * axis[1].targets * axis[2].targets; }
  Split tasks() const {
    const std::int64_t rows = n * Split(c, chunk).parts * axis[0].targets * axis[1].targets;
    return {rows, kTaskElements / std::max<std::int64_t>(axis[2].sources * chunk, 1)};
  }

  // Of a task; and channels of a window, whose sums stay in the first-level cache.
  static constexpr std::int64_t kTaskElements = 8192, kChannels = 1024;
  std::int64_t n, c;
  AdaptiveWindows axis[3];
  Strides source, target;
  bool side_by_side;  // channels, of which `chunk` are joined together
  std::int64_t chunk;
  int threads;
};

}  // namespace fastconv
