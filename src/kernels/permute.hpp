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

// The lanes of P vectors in turns, P a power of two: those of the even vectors and those of the odd
// ones, then both.
template <class T, Index N, int P>
FASTCONV_INLINE void zip_all(Part<T, N> (&vector)[P]) {
  if constexpr (P > 1) {
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

// The reverse: vector p gets every P-th of all lanes, from lane p on.
template <class T, Index N, int P>
FASTCONV_INLINE void unzip_all(Part<T, N> (&vector)[P]) {
  if constexpr (P > 1) {
    Part<Mask<T>, N> lane;
    FASTCONV_UNROLL
    for (Index i = 0; i < N; ++i) lane[i] = static_cast<Mask<T>>(2 * i);
    Part<T, N> even[P / 2], odd[P / 2];
    FASTCONV_UNROLL
    for (int i = 0; i < P / 2; ++i) {
      even[i] = shuffle<T, N>(vector[2 * i], vector[2 * i + 1], lane);
      odd[i] = shuffle<T, N>(vector[2 * i], vector[2 * i + 1], lane + 1);
    }
    unzip_all<T, N, P / 2>(even);
    unzip_all<T, N, P / 2>(odd);
    FASTCONV_UNROLL
    for (int i = 0; i < P / 2; ++i) vector[2 * i] = even[i], vector[2 * i + 1] = odd[i];
  }
}

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
