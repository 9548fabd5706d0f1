// Vectors of the instruction set this is compiled for, by the compiler's vector extensions.
//
// Everything has internal linkage: a copy compiled for a new machine must never be the one that
// the linker keeps for an old one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#elif defined(__x86_64__)
#include <emmintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#include "kernels/table.hpp"

#if defined(__clang__)
#define FASTCONV_UNROLL _Pragma("clang loop unroll(full)")
#define FASTCONV_UNROLL_BY_4 _Pragma("clang loop unroll_count(4)")
#else
#define FASTCONV_UNROLL _Pragma("GCC unroll 32")
#define FASTCONV_UNROLL_BY_4 _Pragma("GCC unroll 4")
#endif
// Keeps a loaded vector in its register: GCC would load it again for each of its uses, and a vector
// that crosses a cache line takes two cycles to load.
#if defined(__AVX512F__)
#define FASTCONV_KEEP(vector) asm("" : "+v"(vector))
#elif defined(__x86_64__)
#define FASTCONV_KEEP(vector) asm("" : "+x"(vector))
#elif defined(__aarch64__)
#define FASTCONV_KEEP(vector) asm("" : "+w"(vector))
#else
#define FASTCONV_KEEP(vector)
#endif
#define FASTCONV_INLINE inline __attribute__((always_inline))
#if defined(__AVX2__) || defined(__aarch64__)
#define FASTCONV_INLINE_IF_LARGE FASTCONV_INLINE
#else
#define FASTCONV_INLINE_IF_LARGE __attribute__((noinline))  // the small set's
#endif
#define FASTCONV_LAMBDA __attribute__((always_inline))  // between a lambda's parameters and body

namespace fastconv::FASTCONV_ISA {
namespace {

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64, kRegisters = 32;
#elif defined(__AVX2__)
constexpr int kVectorBytes = 32, kRegisters = 16;
#elif defined(__aarch64__)
constexpr int kVectorBytes = 16, kRegisters = 32;
#else
constexpr int kVectorBytes = 16, kRegisters = 16;
#endif

// Float64, and all of the baseline set, have fewer sizes of a kernel and smaller tiles: half of the
// library was theirs.
constexpr bool kSmallSet = kRegisters * kVectorBytes < 512;
template <class T>
constexpr bool kEverySize = sizeof(T) == 4 && !kSmallSet;
template <class T>
constexpr int kTileRegisters = kSmallSet ? 11 : sizeof(T) == 4 ? kRegisters : 16;

template <class T, std::size_t Bytes>
struct VectorOf {
  typedef T type __attribute__((vector_size(Bytes)));
};
template <class T>
using Vec = typename VectorOf<T, kVectorBytes>::type;
// A vector of N lanes, at most a whole one.
template <class T, Index N>
using Part = typename VectorOf<T, N * sizeof(T)>::type;

// The integer as wide as T, of which comparisons and masks are made.
template <class T>
struct MaskOf;
template <>
struct MaskOf<float> {
  using type = std::int32_t;
};
template <>
struct MaskOf<double> {
  using type = std::int64_t;
};
template <>
struct MaskOf<std::int32_t> {
  using type = std::int32_t;
};
template <>
struct MaskOf<std::int64_t> {
  using type = std::int64_t;
};
template <class T>
using Mask = typename MaskOf<T>::type;

template <class T>
constexpr Index kLanes = kVectorBytes / static_cast<Index>(sizeof(T));

template <class T, Index N = kLanes<T>>
FASTCONV_INLINE Part<T, N> load(const T* source) {
  Part<T, N> vector;
  std::memcpy(&vector, source, sizeof vector);
  return vector;
}

template <class V, class T>
FASTCONV_INLINE void store(T* target, V vector) {
  std::memcpy(target, &vector, sizeof vector);
}

// `scalar + Vec{}` would emit a real addition, since -0.0 + 0.0 is 0.0.
template <class T>
FASTCONV_INLINE Vec<T> broadcast(T scalar) {
  return scalar - Vec<T>{};
}

// Lane i is lane index[i] of a, or, from N on, lane index[i] - N of b. The index is a constant.
template <class T, Index N = kLanes<T>>
FASTCONV_INLINE Part<T, N> shuffle(Part<T, N> a, Part<T, N> b, Part<Mask<T>, N> index) {
#if defined(__clang__)
  Part<T, N> result;
  FASTCONV_UNROLL
  for (Index i = 0; i < N; ++i) result[i] = index[i] < N ? a[index[i]] : b[index[i] - N];
  return result;
#else
  return __builtin_shuffle(a, b, index);
#endif
}

// Whether an instruction stores some lanes alone, as fast as all.
#if defined(__AVX512F__)
constexpr bool kStoresLanes = true;
#else
constexpr bool kStoresLanes = false;
#endif

// The lanes from `first` up to, not including, `last`; none if it is not behind.
template <class T>
struct LaneRange {
  LaneRange() = default;
  LaneRange(Index first_, Index last_) {
    const Index first = first_ < 0 ? 0 : first_ > kLanes<T> ? kLanes<T> : first_;
    const Index last = last_ < 0 ? 0 : last_ > kLanes<T> ? kLanes<T> : last_;
#if defined(__AVX512F__)
    mask = ~0U << first & ~(~0U << last);
#elif defined(__AVX2__)
    Vec<Mask<T>> lane;
    FASTCONV_UNROLL
    for (Index i = 0; i < kLanes<T>; ++i) lane[i] = static_cast<Mask<T>>(i);
    mask = (lane >= static_cast<Mask<T>>(first)) & (lane < static_cast<Mask<T>>(last));
#else
    begin = first, end = last;
#endif
  }

#if defined(__AVX512F__)
  std::uint32_t mask;
#elif defined(__AVX2__)
  Vec<Mask<T>> mask;
#else
  Index begin, end;
#endif
};

// Those lanes of what stands at `source`, zero elsewhere; nothing else is read.
template <class T>
FASTCONV_INLINE Vec<T> load_lanes(const T* source, const LaneRange<T>& lanes) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4)
    return reinterpret_cast<Vec<T>>(
        _mm512_maskz_loadu_ps(static_cast<__mmask16>(lanes.mask), source));
  else
    return reinterpret_cast<Vec<T>>(
        _mm512_maskz_loadu_pd(static_cast<__mmask8>(lanes.mask), source));
#elif defined(__AVX2__)
  const auto mask = reinterpret_cast<__m256i>(lanes.mask);
  if constexpr (sizeof(T) == 4)
    return reinterpret_cast<Vec<T>>(_mm256_maskload_ps(source, mask));
  else
    return reinterpret_cast<Vec<T>>(_mm256_maskload_pd(source, mask));
#else
  Vec<T> vector{};
  for (Index i = lanes.begin; i < lanes.end; ++i) vector[i] = source[i];
  return vector;
#endif
}

// The same with the lanes of `other` elsewhere.
template <class T>
FASTCONV_INLINE Vec<T> load_lanes_or(const T* source, const LaneRange<T>& lanes, Vec<T> other) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4)
    return reinterpret_cast<Vec<T>>(_mm512_mask_loadu_ps(
        reinterpret_cast<__m512>(other), static_cast<__mmask16>(lanes.mask), source));
  else
    return reinterpret_cast<Vec<T>>(_mm512_mask_loadu_pd(
        reinterpret_cast<__m512d>(other), static_cast<__mmask8>(lanes.mask), source));
#elif defined(__AVX2__)
  return lanes.mask ? load_lanes(source, lanes) : other;
#else
  for (Index i = lanes.begin; i < lanes.end; ++i) other[i] = source[i];
  return other;
#endif
}

// Those lanes, and nothing else is written; for kStoresLanes.
template <class T>
FASTCONV_INLINE void store_lanes(T* target, Vec<T> vector, const LaneRange<T>& lanes) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4)
    _mm512_mask_storeu_ps(target, static_cast<__mmask16>(lanes.mask),
                          reinterpret_cast<__m512>(vector));
  else
    _mm512_mask_storeu_pd(target, static_cast<__mmask8>(lanes.mask),
                          reinterpret_cast<__m512d>(vector));
#endif
}

// The first `count` lanes, and nothing else is written.
template <class T>
FASTCONV_INLINE void store_first(T* target, Vec<T> vector, Index count) {
  if (count >= kLanes<T>) return store(target, vector);
#if defined(__AVX512F__)
  const auto mask = static_cast<std::uint32_t>((1U << count) - 1);
  if constexpr (sizeof(T) == 4)
    _mm512_mask_storeu_ps(target, static_cast<__mmask16>(mask), reinterpret_cast<__m512>(vector));
  else
    _mm512_mask_storeu_pd(target, static_cast<__mmask8>(mask), reinterpret_cast<__m512d>(vector));
#else
  std::memcpy(target, &vector, static_cast<std::size_t>(count) * sizeof(T));
#endif
}

// Every S-th of the S (N - 1) + 1 elements from `source` on, and not one element more is read: the
// last lanes come from the last N of them.
template <class T, Index N, Index S>
FASTCONV_INLINE Part<T, N> load_every(const T* source) {
  constexpr Index kLast = (S - 1) * (N - 1);
  Part<T, N> vector = load<T, N>(source);
  if constexpr (N < S) {
    for (Index i = 1; i < N; ++i) vector[i] = source[i * S];
    return vector;
  }
  FASTCONV_UNROLL
  for (Index part = 1; part < S; ++part) {
    const Index from = part < S - 1 ? part * N : kLast;
    Part<Mask<T>, N> lane;
    FASTCONV_UNROLL
    for (Index i = 0; i < N; ++i)
      lane[i] = static_cast<Mask<T>>(i * S < part * N ? (part == 1 ? i * S : i) : i * S - from + N);
    vector = shuffle<T, N>(vector, load<T, N>(source + from), lane);
  }
  return vector;
}

// The 2 N elements from `source` on, dealt out in turns.
template <class T, Index N>
FASTCONV_INLINE void load_pairs(const T* source, Part<T, N>& first, Part<T, N>& second) {
  const Part<T, N> low = load<T, N>(source), high = load<T, N>(source + N);
  Part<Mask<T>, N> lane;
  FASTCONV_UNROLL
  for (Index i = 0; i < N; ++i) lane[i] = static_cast<Mask<T>>(2 * i);
  first = shuffle<T, N>(low, high, lane);
  second = shuffle<T, N>(low, high, lane + 1);
}

// The lanes of `vector` at every second element of 2 N, zeros between.
template <class T, Index N>
FASTCONV_INLINE void store_apart(T* target, Part<T, N> vector) {
  Part<Mask<T>, N> lane;
  FASTCONV_UNROLL
  for (Index i = 0; i < N; ++i) lane[i] = static_cast<Mask<T>>(i % 2 ? N : i / 2);
  store(target, shuffle<T, N>(vector, Part<T, N>{}, lane));
  FASTCONV_UNROLL
  for (Index i = 0; i < N; ++i) lane[i] = static_cast<Mask<T>>((i + N) % 2 ? N : (i + N) / 2);
  store(target + N, shuffle<T, N>(vector, Part<T, N>{}, lane));
}

// The larger lanes of the two, NaN where either is NaN.
template <class T, Index N = kLanes<T>>
FASTCONV_INLINE Part<T, N> maximum(Part<T, N> a, Part<T, N> b) {
#if defined(__AVX512F__)
  if constexpr (N == kLanes<T> && sizeof(T) == 4) {
    const auto x = reinterpret_cast<__m512>(a), y = reinterpret_cast<__m512>(b);
    return reinterpret_cast<Part<T, N>>(
        _mm512_mask_max_ps(x, _mm512_cmp_ps_mask(x, x, _CMP_ORD_Q), x, y));
  } else if constexpr (N == kLanes<T>) {
    const auto x = reinterpret_cast<__m512d>(a), y = reinterpret_cast<__m512d>(b);
    return reinterpret_cast<Part<T, N>>(
        _mm512_mask_max_pd(x, _mm512_cmp_pd_mask(x, x, _CMP_ORD_Q), x, y));
  }
#endif
#if defined(__AVX2__) && !defined(__AVX512F__)
  if constexpr (N == kLanes<T> && sizeof(T) == 4) {  // max gives the second where one is NaN
    const auto x = reinterpret_cast<__m256>(a), y = reinterpret_cast<__m256>(b);
    return reinterpret_cast<Part<T, N>>(
        _mm256_blendv_ps(_mm256_max_ps(x, y), x, _mm256_cmp_ps(x, x, _CMP_UNORD_Q)));
  }
#endif
  const Part<T, N> larger = a > b ? a : b;
  return a == a ? larger : a;
}

// Calls body(N, i), N a constant, so that the ranges of N lanes from i on cover [0, count) and
// nothing beyond: whole vectors, or smaller ones of a row shorter than a vector. The last two may
// overlap: body must not read what it writes. Vectors of shorter rows are `Step` times smaller, as
// often as need be: each size is a copy of the body.
template <class T, Index Step = 2, Index N = kLanes<T>, class Body>
FASTCONV_INLINE void cover(Index count, const Body& body) {
  using Lanes = std::integral_constant<Index, N>;
  if (count >= N) {
    for (Index i = 0, next; i < count; i = next) {
      next = i + N;
      if (next > count) i = count - N;  // one body for both: it is most of a kernel's code
      body(Lanes{}, i);
    }
  } else if constexpr (N > 1) {
    cover<T, Step, (N > Step ? N / Step : 1)>(count, body);
  }
}

// The lanes of `vector` where `mask` is all ones, zero where it is all zeros.
template <class T>
FASTCONV_INLINE Vec<T> select(Vec<Mask<T>> mask, Vec<T> vector) {
  return reinterpret_cast<Vec<T>>(mask & reinterpret_cast<Vec<Mask<T>>>(vector));
}

template <class T>
FASTCONV_INLINE Vec<T> square_root(Vec<T> x) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4)
    return reinterpret_cast<Vec<T>>(_mm512_maskz_sqrt_ps(0xFFFF, reinterpret_cast<__m512>(x)));
  else
    return reinterpret_cast<Vec<T>>(_mm512_maskz_sqrt_pd(0xFF, reinterpret_cast<__m512d>(x)));
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == 4)
    return reinterpret_cast<Vec<T>>(_mm256_sqrt_ps(reinterpret_cast<__m256>(x)));
  else
    return reinterpret_cast<Vec<T>>(_mm256_sqrt_pd(reinterpret_cast<__m256d>(x)));
#elif defined(__x86_64__)
  if constexpr (sizeof(T) == 4)
    return reinterpret_cast<Vec<T>>(_mm_sqrt_ps(reinterpret_cast<__m128>(x)));
  else
    return reinterpret_cast<Vec<T>>(_mm_sqrt_pd(reinterpret_cast<__m128d>(x)));
#elif defined(__aarch64__)
  if constexpr (sizeof(T) == 4)
    return reinterpret_cast<Vec<T>>(vsqrtq_f32(reinterpret_cast<float32x4_t>(x)));
  else
    return reinterpret_cast<Vec<T>>(vsqrtq_f64(reinterpret_cast<float64x2_t>(x)));
#else
  for (Index i = 0; i < kLanes<T>; ++i) x[i] = static_cast<T>(__builtin_sqrt(x[i]));
  return x;
#endif
}

// Where a vector stands in an array that a pass goes through: whole, or its last few elements.
template <class T>
struct WholeVector {
  FASTCONV_INLINE Vec<T> load(const T* source) const { return FASTCONV_ISA::load(source); }
  FASTCONV_INLINE void store(T* target, Vec<T> vector) const {
    FASTCONV_ISA::store(target, vector);
  }
  FASTCONV_INLINE Vec<T> only(Vec<T> vector) const { return vector; }
  static constexpr Index count = kLanes<T>;
};
template <class T>
struct FirstLanes {
  explicit FirstLanes(Index count_) : count(count_), lanes(0, count_) {}
  FASTCONV_INLINE Vec<T> load(const T* source) const { return load_lanes(source, lanes); }
  FASTCONV_INLINE void store(T* target, Vec<T> vector) const {
    store_first(target, vector, count);
  }
  // Zero in the lanes that it leaves out, as what `load` gives.
  FASTCONV_INLINE Vec<T> only(Vec<T> vector) const {
    T lane[kLanes<T>] = {};
    store_first(lane, vector, count);
    return FASTCONV_ISA::load(lane);
  }
  Index count;
  LaneRange<T> lanes;
};

// Calls body(part, i) for each vector of `count` elements, part being one of the two. Nothing is
// read or written twice, so the body may write over what it read.
template <class T, class Body>
FASTCONV_INLINE void for_vectors(Index count, const Body& body) {
  Index i = 0;
  for (; i + kLanes<T> <= count; i += kLanes<T>) body(WholeVector<T>{}, i);
  if (i < count) body(FirstLanes<T>(count - i), i);
}

}  // namespace
}  // namespace fastconv::FASTCONV_ISA
