// Small planes turned so that each is a lane: what is left over at the end of every row, and any
// stride along it, then costs nothing, and turning them costs less.
#pragma once

#include "kernels/permute.hpp"
#include "kernels/pool_args.hpp"

namespace fastconv::FASTCONV_ISA {
namespace {

// target[i * lanes + p] = source[p * step + i] for the planes p, of which only `planes` are there:
// the last one stands for the others.
template <class T>
void turn_in(const T* source, Index step, Index planes, Index elements, T* target) {
  constexpr Index N = kLanes<T>;
  const T* plane[N];
  for (Index p = 0; p < N; ++p) plane[p] = source + (p < planes ? p : planes - 1) * step;
  Index i = 0;
  while (elements >= N && i < elements) {
    if (i + N > elements) i = elements - N;
    Vec<T> square[N];
    FASTCONV_UNROLL
    for (Index p = 0; p < N; ++p) square[p] = load(plane[p] + i);
    transpose_square<T>(square);
    FASTCONV_UNROLL
    for (Index p = 0; p < N; ++p) store(target + (i + p) * N, square[p]);
    i += N;
  }
  for (; i < elements; ++i)
    for (Index p = 0; p < N; ++p) target[i * N + p] = plane[p][i];
}

// target[p * step + i] = source[i * width + p] for the first `planes` planes p.
template <class T>
void turn_out(const T* source, Index width, Index planes, Index elements, T* target, Index step) {
  constexpr Index N = kLanes<T>;
  for (Index first = 0; first < planes; first += N, source += N, target += N * step) {
    const Index count = planes - first < N ? planes - first : N;
    Index i = 0;
    while (elements >= N && i < elements) {
      if (i + N > elements) i = elements - N;
      Vec<T> square[N];
      FASTCONV_UNROLL
      for (Index p = 0; p < N; ++p) square[p] = load(source + (i + p) * width);
      transpose_square<T>(square);
      FASTCONV_UNROLL
      for (Index p = 0; p < N; ++p)
        if (p < count) store(target + p * step + i, square[p]);
      i += N;
    }
    for (; i < elements; ++i)
      for (Index p = 0; p < count; ++p) target[p * step + i] = source[i * width + p];
  }
}

// Elements that are read next: as many streams as lanes are too many for the hardware to follow. A
// mean of 32 x 512 planes of 14 x 14 takes a fifth less with it.
template <class T>
FASTCONV_INLINE void ask_for(const T* source, Index elements) {
  for (Index i = 0; i < elements; i += 64 / static_cast<Index>(sizeof(T)))
    __builtin_prefetch(source + i);
}

// The planes of `args` turned, pooled by `way` and turned back, as many as there are lanes at once.
template <class T, class Way>
void turned(const PoolArgs<T>& args, const Way& way) {
  constexpr Index N = kLanes<T>;
  const Index sources = args.source_size, targets = args.target_size;
  PoolArgs<T> inner = args;
  T* const source = args.workspace;
  inner.source = source;
  inner.target = source + sources * N;
  inner.workspace = inner.target + targets * N;
  if (args.index) {
    inner.index = reinterpret_cast<std::int64_t*>(inner.workspace);
    inner.workspace += targets * N * static_cast<Index>(sizeof(std::int64_t) / sizeof(T));
  }
  inner.planes = 1;
  for (Index plane = 0; plane < args.planes; plane += N) {
    const Index planes = args.planes - plane < N ? args.planes - plane : N;
    for (Index p = plane + N; p < plane + 2 * N; ++p)
      ask_for(args.source + p * args.source_plane, sources);
    turn_in(args.source + plane * args.source_plane, args.source_plane, planes, sources, source);
    way(inner);
    turn_out(inner.target, N, planes, targets, args.target + plane * args.target_plane,
             args.target_plane);
    if (args.index)
      turn_out(inner.index, N, planes, targets, args.index + plane * args.index_plane,
               args.index_plane);
  }
}

}  // namespace
}  // namespace fastconv::FASTCONV_ISA
