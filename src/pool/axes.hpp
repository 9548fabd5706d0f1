// The axes of a pooling as its kernels see them, and how a row of windows is joined.
#pragma once

#include "kernels/pool_args.hpp"
#include "plan/shape.hpp"

namespace fastconv {

// a / b rounded up, 0 where a is negative.
std::int64_t up(std::int64_t a, std::int64_t b);

// Without the taps that meet padding in every window: a window may be larger than memory.
PoolAxis trimmed(const Axis& axis);

// Of a gradient: each source takes the targets it went to.
PoolAxis reversed(const PoolAxis& axis);

// Whether there is one target, of all sources.
bool covers_all(const PoolAxis& axis);

// Whether windows of at most `longest` neighbours are quicker by PoolWay::doubled: a row's targets
// fill three quarters of some vectors, not so many that a strip of rows leaves the first cache.
// (32 x 512 planes of 13 x 13 by 5 x 5 take 0.98 ms in place of 1.58, with places 2.4 of 4.4.)
bool worth_doubling(const PoolAxis (&axis)[3], std::int64_t longest, std::int64_t lanes);

// Whether each source lies in at most one window, and each window in the sources.
bool tiles(const PoolAxis& axis);

// How many sources `count` neighbouring targets take, at most.
std::int64_t span(const PoolAxis& axis, std::int64_t count);

// A row of `axis` (of which the sources may stand apart already), its windows joined as a maximum
// may be (elements twice) or as a sum.
PoolLine make_line(const PoolAxis& axis, std::int64_t group, bool sum, std::int64_t lanes);

}  // namespace fastconv
