// The lanes of several vectors dealt out, gathered again, or turned.
#pragma once

#include "kernels/simd.hpp"

namespace fastconv::FASTCONV_ISA {
namespace {

// The lanes of a and b in turns.
template <class T, Index N>
FASTCONV_INLINE void zip(Part<T, N>& a, Part<T, N>& b) {
  Part<Mask<T>, N> low, high;
  FASTCONV_UNROLL
  for (Index i = 0; i < N; ++i) {
    low[i] = static_cast<Mask<T>>(i % 2 * N + i / 2);
    high[i] = static_cast<Mask<T>>((N + i) % 2 * N + (N + i) / 2);
  }
  const Part<T, N> first = shuffle<T, N>(a, b, low);
  b = shuffle<T, N>(a, b, high);
  a = first;
}

// The lanes of three vectors in turns.
template <class T>
FASTCONV_INLINE void zip_three(Vec<T> (&vector)[3]) {
  constexpr Index N = kLanes<T>;
  Vec<T> zipped[3];
  FASTCONV_UNROLL
  for (Index v = 0; v < 3; ++v) {
    Vec<Mask<T>> two, third;
    FASTCONV_UNROLL
    for (Index i = 0; i < N; ++i) {
      const Index place = (v * N + i) / 3, from = (v * N + i) % 3;
      two[i] = static_cast<Mask<T>>(from == 1 ? N + place : place);
      third[i] = static_cast<Mask<T>>(from == 2 ? N + place : i);
    }
    zipped[v] = shuffle<T>(shuffle<T>(vector[0], vector[1], two), vector[2], third);
  }
  FASTCONV_UNROLL
  for (Index v = 0; v < 3; ++v) vector[v] = zipped[v];
}

// The lanes of P vectors in turns, P 3 or a power of two: those of the even vectors and of the odd
// ones, then both.
template <class T, Index N, int P>
FASTCONV_INLINE void zip_all(Part<T, N> (&vector)[P]) {
  if constexpr (P == 3) {
    zip_three<T>(vector);
  } else if constexpr (P > 1) {
    Part<T, N> even[P / 2], odd[P / 2];
    FASTCONV_UNROLL
    for (int i = 0; i < P / 2; ++i) even[i] = vector[2 * i], odd[i] = vector[2 * i + 1];
    zip_all<T, N, P / 2>(even);
    zip_all<T, N, P / 2>(odd);
    FASTCONV_UNROLL
    for (int i = 0; i < P / 2; ++i) {
      zip<T, N>(even[i], odd[i]);
      vector[2 * i] = even[i], vector[2 * i + 1] = odd[i];
    }
  }
}

// Every second element of two neighbouring vectors, `Bytes` of each at a time: of 16 it is a cheaper
// shuffle than one across the whole vector. What is made of them is brought to order in the end.
template <class T, Index Bytes = 16>
struct Halves {
  static constexpr Index N = kLanes<T>, L = Bytes / static_cast<Index>(sizeof(T)), H = L / 2;

  Halves() {
    FASTCONV_UNROLL
    for (Index i = 0; i < N; ++i) {
      const Index piece = i / L * L, place = i % L;
      const Index from = piece + 2 * (place % H) + (place < H ? 0 : N);
      even[i] = static_cast<Mask<T>>(from);
      odd[i] = static_cast<Mask<T>>(from + 1);
      order[i] = static_cast<Mask<T>>(at(i));
    }
  }
  // The lane of the even or odd element i.
  static constexpr Index at(Index i) {
    const Index half = i % (N / 2);
    return half / H * L + half % H + (i < N / 2 ? 0 : H);
  }
  // A vector in the order of the even or odd elements.
  FASTCONV_INLINE Vec<T> dealt(Vec<T> vector) const {
    Vec<Mask<T>> from;
    FASTCONV_UNROLL
    for (Index i = 0; i < N; ++i) from[at(i)] = static_cast<Mask<T>>(i);
    return shuffle<T>(vector, vector, from);
  }
  template <class Element>
  FASTCONV_INLINE Vec<Element> in_order(Vec<Element> vector) const {
    return L == N ? vector : shuffle<Element>(vector, vector, order);
  }

  Vec<Mask<T>> even, odd, order;
};

// row[i][j] becomes row[j][i]: in each stage, blocks of twice the size swap their off-diagonal
// halves.
template <class T, Index Half = 1>
FASTCONV_INLINE void transpose_square(Vec<T> (&row)[kLanes<T>]) {
  constexpr Index N = kLanes<T>;
  if constexpr (Half < N) {
    Vec<Mask<T>> upper, lower;
    FASTCONV_UNROLL
    for (Index j = 0; j < N; ++j) {
      upper[j] = static_cast<Mask<T>>(j & Half ? N + j - Half : j);
      lower[j] = static_cast<Mask<T>>(j & Half ? N + j : j + Half);
    }
    FASTCONV_UNROLL
    for (Index i = 0; i < N; ++i)
      if (!(i & Half)) {
        const Vec<T> a = row[i], b = row[i + Half];
        row[i] = shuffle<T>(a, b, upper);
        row[i + Half] = shuffle<T>(a, b, lower);
      }
    transpose_square<T, 2 * Half>(row);
  }
}

}  // namespace
}  // namespace fastconv::FASTCONV_ISA
