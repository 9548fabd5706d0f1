#include "pool/axes.hpp"

#include <algorithm>

namespace fastconv {

std::int64_t up(std::int64_t a, std::int64_t b) { return a <= 0 ? 0 : (a - 1) / b + 1; }

PoolAxis trimmed(const Axis& axis) {
  const std::int64_t last = (axis.output - 1) * axis.stride;
  const std::int64_t first_tap = up(axis.pad_before - last, axis.dilation);
  const std::int64_t behind = (axis.input - 1 + axis.pad_before) / axis.dilation + 1;
  const std::int64_t taps = std::min(axis.kernel, behind) - first_tap;
  return {axis.input,    axis.output,   std::max<std::int64_t>(taps, 1),
          axis.stride,   axis.dilation, axis.pad_before - first_tap * axis.dilation,
          /*spread=*/1};
}

PoolAxis reversed(const PoolAxis& axis) {
  return {axis.targets, axis.sources, axis.kernel, 1, axis.dilation,
          (axis.kernel - 1) * axis.dilation - axis.pad, axis.stride};
}

bool covers_all(const PoolAxis& axis) {
  return axis.targets == 1 && axis.dilation == 1 && axis.spread == 1 && axis.pad >= 0 &&
         axis.kernel - axis.pad >= axis.sources;
}

bool worth_doubling(const PoolAxis (&axis)[3], std::int64_t longest, std::int64_t lanes) {
  const PoolAxis &height = axis[1], &width = axis[2];
  const std::int64_t vectors = up(width.targets, lanes);
  return axis[0].takes_one_each() && height.stride == 1 && width.stride == 1 &&
         std::max(height.kernel, width.kernel) <= longest && vectors <= 16 &&
         4 * width.targets >= 3 * vectors * lanes;
}

bool tiles(const PoolAxis& axis) {
  return axis.pad == 0 && axis.dilation == 1 && axis.targets * axis.kernel <= axis.sources &&
         (axis.stride == axis.kernel || axis.targets == 1);
}

std::int64_t span(const PoolAxis& axis, std::int64_t count) {
  const std::int64_t length =
      (count - 1) * axis.stride + (axis.kernel - 1) * axis.dilation + 1;
  return std::min<std::int64_t>(axis.sources, up(length, axis.spread) + 1);
}

PoolLine make_line(const PoolAxis& axis, std::int64_t group, bool sum, std::int64_t lanes) {
  PoolLine line{};
  line.group = group;
  line.length = axis.sources * group;
  const std::int64_t end = (axis.targets - 1) * axis.stride - axis.pad +
                           (axis.kernel - 1) * axis.dilation + 1;
  const std::int64_t left = std::max<std::int64_t>(axis.pad, 0);
  const std::int64_t right = std::max<std::int64_t>(end - axis.sources, 0);
  const std::int64_t k = axis.kernel;
  // Vectors loaded, either way; of windows by themselves, some steps to join the lanes.
  double steps = 1;
  for (std::int64_t q = k; q > 6; q /= 4) steps += 2;
  const double alone = static_cast<double>(axis.targets) * (static_cast<double>(k / lanes) + 8);
  const double together = static_cast<double>(axis.sources) / static_cast<double>(lanes) *
                              (steps + static_cast<double>(std::min<std::int64_t>(k, 6))) +
                          (axis.stride > 2 ? 2.0 * static_cast<double>(axis.targets) : 0.0);
  line.alone = left + right > 4 * axis.sources + 4096 ||
               (group == 1 && axis.dilation == 1 && axis.spread == 1 &&
                (axis.targets == 1 || alone < together));
  if (line.alone) return line;

  // Rows begin where vectors are aligned.
  line.left = up(left * group, lanes) * lanes;
  if (line.left % group) line.left = left * group;
  line.right = right * group;
  line.first = line.left - axis.pad * group;
  std::int64_t size = 1;  // of a highest level's element
  if (k > 6)
    for (; size * 4 <= k; size *= 4) ++line.levels;
  const auto take = [&](std::int64_t tap, Index level) {
    line.tap[line.taps++] = {level, line.first + tap * axis.dilation * group};
  };
  std::int64_t at = 0;
  for (Index level = line.levels; level >= 0; --level, size /= 4) {
    for (; at + size <= k; at += size) take(at, level);
    if (!sum && at < k) {
      take(k - size, level);
      break;
    }
  }
  return line;
}

}  // namespace fastconv
