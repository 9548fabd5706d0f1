// Vectors of the instruction set this is compiled for, by the compiler's vector extensions.
//
// Everything has internal linkage: a copy compiled for a new machine must never be the one that
// the linker keeps for an old one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/table.hpp"

#if defined(__clang__)
#define FASTCONV_UNROLL _Pragma("clang loop unroll(full)")
#else
#define FASTCONV_UNROLL _Pragma("GCC unroll 32")
#endif
#define FASTCONV_INLINE inline __attribute__((always_inline))

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

template <class T>
struct VectorOf {
  typedef T type __attribute__((vector_size(kVectorBytes)));
};
template <class T>
using Vec = typename VectorOf<T>::type;

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
template <class T>
using Mask = typename MaskOf<T>::type;

template <class T>
constexpr Index kLanes = kVectorBytes / static_cast<Index>(sizeof(T));

template <class T>
FASTCONV_INLINE Vec<T> load(const T* source) {
  Vec<T> vector;
  std::memcpy(&vector, source, sizeof vector);
  return vector;
}

template <class T>
FASTCONV_INLINE void store(T* target, Vec<T> vector) {
  std::memcpy(target, &vector, sizeof vector);
}

// `scalar + Vec{}` would emit a real addition, since -0.0 + 0.0 is 0.0.
template <class T>
FASTCONV_INLINE Vec<T> broadcast(T scalar) {
  return scalar - Vec<T>{};
}

// The lanes of `vector` where `mask` is all ones, zero where it is all zeros.
template <class T>
FASTCONV_INLINE Vec<T> select(Vec<Mask<T>> mask, Vec<T> vector) {
  return reinterpret_cast<Vec<T>>(mask & reinterpret_cast<Vec<Mask<T>>>(vector));
}

}  // namespace
}  // namespace fastconv::FASTCONV_ISA
