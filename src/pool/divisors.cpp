#include <algorithm>

#include "pool/windows.hpp"

namespace fastconv {
namespace {

// How many of the taps 0, dilation, 2 * dilation ... lie below `distance`.
std::int64_t taps_below(std::int64_t distance, const Axis& axis) {
  if (distance <= 0) return 0;
  return std::min(axis.kernel, (distance - 1) / axis.dilation + 1);
}

}  // namespace

template <class T>
Divisors<T>::Divisors(const PoolShape& shape) {
  for (int i = 0; i < 3; ++i) {
    const Axis& axis = shape.axis[i];
    const bool padded = shape.count_include_pad;
    const std::int64_t begin = padded ? -axis.pad_before : 0;
    const std::int64_t end = axis.input + (padded ? axis.pad_after : 0);
    const bool given = shape.divisor_override != 0;
    for (std::int64_t o = 0; o < axis.output; ++o) {
      const std::int64_t start = o * axis.stride - axis.pad_before;
      const std::int64_t taps = taps_below(end - start, axis) - taps_below(begin - start, axis);
      // A window without a tap has the sum 0.
      count[i].push_back(given ? T{1} : static_cast<T>(std::max<std::int64_t>(taps, 1)));
    }
    if (given && i == 2)
      std::fill(count[i].begin(), count[i].end(), static_cast<T>(shape.divisor_override));
  }
}

template <class T>
bool Divisors<T>::uniform() const {
  return std::all_of(count, count + 3, [](const std::vector<T>& axis) {
    return std::all_of(axis.begin(), axis.end(), [&](T n) { return n == axis.front(); });
  });
}

template struct Divisors<float>;
template struct Divisors<double>;

}  // namespace fastconv
