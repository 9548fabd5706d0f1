#include "plan/taps.hpp"

#include <algorithm>
#include <unordered_map>

namespace fastconv {
namespace {

// What it costs to copy an element of a short row, in multiplications of a vector's lane.
constexpr double kCopyCost = 6;

std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0); }

}  // namespace

double share_of(const TapAxis& axis) {
  double met = 0;
  for (const Tap& tap : axis.taps)
    met += static_cast<double>(met_by(axis, tap, 0, axis.output).size());
  return axis.taps.empty() ? 1
                           : met / static_cast<double>(axis.output) /
                                 static_cast<double>(axis.taps.size());
}

TapAxis forward_taps(const Axis& axis, bool every) {
  TapAxis result{axis.output, 0, 1, axis.input, axis.stride, {}, 1, axis.output};
  std::int64_t first = 0, last = axis.kernel - 1;
  if (!every) {
    const std::int64_t before = axis.pad_before - (axis.output - 1) * axis.stride;
    if (before > 0) first = (before - 1) / axis.dilation + 1;
    last = std::min(last, (axis.input - 1 + axis.pad_before) / axis.dilation);
  }
  for (std::int64_t k = first; k <= last; ++k)
    result.taps.push_back({k, k * axis.dilation - axis.pad_before, 0});
  return result;
}

TapAxis backward_taps(const Axis& axis, std::int64_t remainder) {
  const std::int64_t count = (axis.input - remainder + axis.stride - 1) / axis.stride;
  TapAxis result{count, remainder, axis.stride, axis.output, 1, {}, 1, count};
  for (std::int64_t k = 0; k < axis.kernel; ++k) {
    const std::int64_t distance = remainder + axis.pad_before - k * axis.dilation;
    if (distance % axis.stride == 0) result.taps.push_back({k, distance / axis.stride, 0});
  }
  return result;
}

TapAxis interleaved(const std::vector<TapAxis>& remainders) {
  TapAxis result = remainders.front();
  result.phases = static_cast<std::int64_t>(remainders.size());
  result.extent = 0;
  result.taps.clear();
  for (std::int64_t p = 0; p < result.phases; ++p) {
    const TapAxis& axis = remainders[static_cast<std::size_t>(p)];
    result.extent += axis.output;
    for (Tap tap : axis.taps) result.taps.push_back({tap.kernel, tap.offset, p});
  }
  return result;
}

std::int64_t TapAxis::first_tap(std::int64_t phase) const {
  std::size_t first = 0;
  while (first < taps.size() && taps[first].phase < phase) ++first;
  return static_cast<std::int64_t>(first);
}

SlotAxis::SlotAxis(const TapAxis& axis, std::int64_t count, double uses) : length(count) {
  const std::int64_t step = axis.step;
  std::vector<std::int64_t> remainders;  // one for each slot
  std::unordered_map<std::int64_t, std::int64_t> slot_of;
  std::int64_t low = INT64_MAX, high = INT64_MIN;
  for (const Tap& tap : axis.taps) {
    const std::int64_t whole = floor_div(tap.offset, step);
    low = std::min(low, whole);
    high = std::max(high, whole);
    const std::int64_t remainder = tap.offset - whole * step;
    const auto next = static_cast<std::int64_t>(remainders.size());
    const auto [found, is_new] = slot_of.emplace(remainder, next);
    if (is_new) remainders.push_back(remainder);
    slot.push_back(found->second);
    shift.push_back(whole);
  }
  if (axis.taps.empty()) return;

  const auto cost = [&](double slots, double slot_length) {
    return slot_length * (slots * kCopyCost + uses);
  };
  const auto outputs = static_cast<double>(count);
  if (cost(static_cast<double>(remainders.size()), outputs + static_cast<double>(high - low)) <=
      cost(static_cast<double>(axis.taps.size()), outputs)) {
    length = count + high - low;
    for (std::int64_t remainder : remainders) origin.push_back(low * step + remainder);
    for (std::int64_t& s : shift) s -= low;
  } else {
    for (std::size_t t = 0; t < axis.taps.size(); ++t) {
      origin.push_back(axis.taps[t].offset);
      slot[t] = static_cast<std::int64_t>(t);
      shift[t] = 0;
    }
  }
}

}  // namespace fastconv
