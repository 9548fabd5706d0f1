// The entries of the table: a block of a pooling, plane after plane, in the way it was planned.
#pragma once

#include "kernels/pool_boxes.hpp"
#include "kernels/pool_columns_first.hpp"
#include "kernels/pool_doubled.hpp"
#include "kernels/pool_joined.hpp"
#include "kernels/pool_repeat.hpp"
#include "kernels/pool_rows_first.hpp"
#include "kernels/pool_turn.hpp"
#include "kernels/pool_whole.hpp"
#include "kernels/pool_windows.hpp"
#include "kernels/table.hpp"

namespace fastconv::FASTCONV_ISA {
namespace {

template <class T, class Way>
FASTCONV_INLINE void either(const PoolArgs<T>& args, const Way& way) {
  args.turn ? turned(args, way) : way(args);
}

template <class T>
void pool_max(const PoolArgs<T>& args) {
  if (args.way == PoolWay::windows) return windows<Max<T>, false>(args);
  if constexpr (kLongestDoubled<T> > 0)
    if (args.way == PoolWay::doubled) return doubled<Max<T>, false>(args);
  if (args.way == PoolWay::whole) return whole<Max<T>, false>(args);
  if (args.way == PoolWay::joined) return joined<Max<T>, false>(args);
  either(args, [](const PoolArgs<T>& a) {
    a.way == PoolWay::boxes ? boxes<Max<T>, false>(a) : rows_first<Max<T>, false>(a);
  });
}

template <class T>
void pool_max_index(const PoolArgs<T>& args) {
  if (args.way == PoolWay::windows) return windows<MaxPlace<T>, false>(args);
  if constexpr (kLongestDoubled<T> > 0)
    if (args.way == PoolWay::doubled) return doubled<MaxPlace<T>, false>(args);
  either(args, [](const PoolArgs<T>& a) {
    a.way == PoolWay::boxes ? boxes<MaxFind<T>, false>(a) : columns_first<MaxPlace<T>>(a);
  });
}

template <class T>
void pool_mean(const PoolArgs<T>& args) {
  if (args.way == PoolWay::windows) return windows<Sum<T>, true>(args);
  if constexpr (kLongestDoubled<T> > 0)
    if (args.way == PoolWay::doubled) return doubled<Sum<T>, true>(args);
  if (args.way == PoolWay::whole) return whole<Sum<T>, true>(args);
  if (args.way == PoolWay::joined) return joined<Sum<T>, true>(args);
  either(args, [](const PoolArgs<T>& a) {
    a.way == PoolWay::boxes ? boxes<Sum<T>, true>(a) : rows_first<Sum<T>, true>(a);
  });
}

template <class T>
void pool_mean_gradient(const PoolArgs<T>& args) {
  if (args.way == PoolWay::repeat) return repeat(args);
  either(args, [](const PoolArgs<T>& a) {
    a.way == PoolWay::boxes ? boxes<Sum<T>, true>(a) : columns_first<Sum<T>>(a);
  });
}

}  // namespace
}  // namespace fastconv::FASTCONV_ISA
