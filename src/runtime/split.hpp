// An extent cut into parts of nearly equal size.
#pragma once

#include <algorithm>
#include <cstdint>

namespace fastconv {

struct Split {
  // As few parts as keep each within `most`.
  Split(std::int64_t total_, std::int64_t most)
      : total(total_),
        parts(total_ ? (total_ - 1) / std::max<std::int64_t>(most, 1) + 1 : 0),
        least(parts ? total / parts : 0),
        larger(total - least * parts) {}

  std::int64_t begin(std::int64_t part) const { return part * least + std::min(part, larger); }
  std::int64_t size(std::int64_t part) const { return least + (part < larger); }
  std::int64_t largest() const { return parts ? size(0) : 0; }

  std::int64_t total, parts;
  std::int64_t least, larger;  // the size of a part, and how many have one more
};

}  // namespace fastconv
