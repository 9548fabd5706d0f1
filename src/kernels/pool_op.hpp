// What joins the elements of a window: their sum, their maximum, their maximum and its place.
//
// An operation works on items of N lanes from a source: an array, or two that stand beside each
// other. `join` is associative; where it is not commutative the earlier element comes first.
#pragma once

#include <utility>

#include "kernels/simd.hpp"

namespace fastconv::FASTCONV_ISA {
namespace {

// The lower or the upper half of a vector.
template <class T, Index N, std::size_t... I>
FASTCONV_INLINE Part<T, N / 2> half_of(Part<T, N> vector, bool upper, std::index_sequence<I...>) {
  if constexpr (N == 2)
    return Part<T, 1>{upper ? vector[1] : vector[0]};
  else
    return upper ? __builtin_shufflevector(vector, vector, (I + N / 2)...)
                 : __builtin_shufflevector(vector, vector, I...);
}
template <class T, Index N>
FASTCONV_INLINE Part<T, N / 2> half_of(Part<T, N> vector, bool upper) {
  return half_of<T, N>(vector, upper, std::make_index_sequence<N / 2>{});
}

// The same of integers, twice as wide. GCC 12 would widen two at a time.
FASTCONV_INLINE Vec<std::int64_t> widened(Vec<std::int32_t> vector, bool upper) {
  constexpr Index N = kLanes<std::int32_t>;
  const Part<std::int32_t, N / 2> half = half_of<std::int32_t, N>(vector, upper);
#if defined(__AVX2__) && !defined(__AVX512F__)
  return reinterpret_cast<Vec<std::int64_t>>(
      _mm256_cvtepi32_epi64(reinterpret_cast<__m128i>(half)));
#else
  return __builtin_convertvector(half, Vec<std::int64_t>);
#endif
}

// index[i] = base + place[i] for the first `count` lanes.
template <class T>
FASTCONV_INLINE void store_places(std::int64_t* index, std::int64_t base, Vec<Mask<T>> place,
                                  Index count) {
  if constexpr (sizeof(T) == 8) {
    store_first(index, place + base, count);
  } else {
    constexpr Index kHalf = kLanes<T> / 2;
    store_first(index, widened(place, false) + base, count < kHalf ? count : kHalf);
    if (count > kHalf) store_first(index + kHalf, widened(place, true) + base, count - kHalf);
  }
}

// N elements from `source` on, `stride` apart.
template <class T, Index N>
FASTCONV_INLINE Part<T, N> load_each(const T* source, Index stride) {
  Part<T, N> vector{};
  FASTCONV_UNROLL
  for (Index i = 0; i < N; ++i) vector[i] = source[i * stride];
  return vector;
}

template <class T>
struct Values {
  using Element = T;
  using Source = const T*;
  using Target = T*;
  template <Index N>
  using Item = Part<T, N>;

  template <Index N>
  static FASTCONV_INLINE Item<N> load(Source source, Index) {
    return fastconv::FASTCONV_ISA::load<T, N>(source);
  }
  template <Index N>
  static FASTCONV_INLINE Item<N> even(Source source) {
    return load_every<T, N, 2>(source);
  }
  template <Index N>
  static FASTCONV_INLINE void pairs(Source source, Item<N>& first, Item<N>& second) {
    load_pairs<T, N>(source, first, second);
  }
  // An item whose places are to count from so much further on.
  template <Index N>
  static FASTCONV_INLINE Item<N> lower(Item<N> item, Index) {
    return item;
  }
  template <Index N>
  static FASTCONV_INLINE void store(Target target, Item<N> item) {
    fastconv::FASTCONV_ISA::store(target, item);
  }
  template <Index N>
  static FASTCONV_INLINE Item<N / 2> half(Item<N> item, bool upper) {
    return half_of<T, N>(item, upper);
  }
};

template <class T>
struct Sum : Values<T> {
  static constexpr T identity() { return 0; }
  template <Index N>
  static FASTCONV_INLINE Part<T, N> none() {
    return identity() - Part<T, N>{};
  }
  template <Index N>
  static FASTCONV_INLINE Part<T, N> join(Part<T, N> a, Part<T, N> b) {
    return a + b;
  }
  template <Index N>
  static FASTCONV_INLINE Part<T, N> mix(Part<T, N> a, Part<T, N> b) {
    return a + b;
  }
};

// NaN where any element is.
template <class T>
struct Max : Values<T> {
  static constexpr T identity() { return static_cast<T>(-__builtin_inf()); }
  template <Index N>
  static FASTCONV_INLINE Part<T, N> none() {
    return identity() - Part<T, N>{};
  }
  template <Index N>
  static FASTCONV_INLINE Part<T, N> join(Part<T, N> a, Part<T, N> b) {
    return maximum<T, N>(a, b);
  }
  template <Index N>
  static FASTCONV_INLINE Part<T, N> mix(Part<T, N> a, Part<T, N> b) {
    return maximum<T, N>(a, b);
  }
};

template <class T>
struct Places {
  T* value;
  Mask<T>* place;
  FASTCONV_INLINE Places operator+(Index i) const { return {value + i, place + i}; }
};
template <class T>
struct ConstPlaces {
  const T* value;
  const Mask<T>* place;
  ConstPlaces() = default;
  ConstPlaces(const T* value_, const Mask<T>* place_) : value(value_), place(place_) {}
  ConstPlaces(Places<T> other) : value(other.value), place(other.place) {}
  FASTCONV_INLINE ConstPlaces operator+(Index i) const { return {value + i, place + i}; }
};

// A row further down: of places, one row of columns serves all.
template <class T>
FASTCONV_INLINE const T* down(const T* row, Index step) {
  return row + step;
}
template <class T>
FASTCONV_INLINE ConstPlaces<T> down(ConstPlaces<T> row, Index step) {
  return {row.value + step, row.place};
}

// The first of equal maxima, the last of several NaNs.
template <class T>
struct MaxPlace {
  using Element = T;
  using Source = ConstPlaces<T>;
  using Target = Places<T>;
  template <Index N>
  struct Item {
    Part<T, N> value;
    Part<Mask<T>, N> place;
  };
  static constexpr T identity() { return static_cast<T>(-__builtin_inf()); }
  template <Index N>
  static FASTCONV_INLINE Item<N> none() {
    return {identity() - Part<T, N>{}, Part<Mask<T>, N>{} - 1};
  }

  template <Index N>
  static FASTCONV_INLINE Item<N> load(Source source, Index beyond) {
    return {fastconv::FASTCONV_ISA::load<T, N>(source.value),
            fastconv::FASTCONV_ISA::load<Mask<T>, N>(source.place) + static_cast<Mask<T>>(beyond)};
  }
  template <Index N>
  static FASTCONV_INLINE Item<N> even(Source source) {
    return {load_every<T, N, 2>(source.value), load_every<Mask<T>, N, 2>(source.place)};
  }
  template <Index N>
  static FASTCONV_INLINE void pairs(Source source, Item<N>& first, Item<N>& second) {
    load_pairs<T, N>(source.value, first.value, second.value);
    load_pairs<Mask<T>, N>(source.place, first.place, second.place);
  }
  template <Index N>
  static FASTCONV_INLINE Item<N> lower(Item<N> item, Index by) {
    return {item.value, item.place - static_cast<Mask<T>>(by)};
  }
  template <Index N>
  static FASTCONV_INLINE void store(Target target, Item<N> item) {
    fastconv::FASTCONV_ISA::store(target.value, item.value);
    fastconv::FASTCONV_ISA::store(target.place, item.place);
  }
  template <Index N>
  static FASTCONV_INLINE Item<N> join(Item<N> a, Item<N> b) {
    const auto wins = (b.value > a.value) | (b.value != b.value);
    return {wins ? b.value : a.value, wins ? b.place : a.place};
  }
  template <Index N>
  static FASTCONV_INLINE Item<N / 2> half(Item<N> item, bool upper) {
    return {half_of<T, N>(item.value, upper), half_of<Mask<T>, N>(item.place, upper)};
  }
  // Of elements in any order: places decide.
  template <Index N>
  static FASTCONV_INLINE Item<N> mix(Item<N> a, Item<N> b) {
    const auto nan = a.value != a.value, later = b.place > a.place;
    const auto wins = (b.value > a.value) | ((b.value == a.value) & ~later) |
                      ((b.value != b.value) & (~nan | later));
    return {wins ? b.value : a.value, wins ? b.place : a.place};
  }
};

// The same from values alone: the place is where the tap stands.
template <class T>
struct MaxFind : MaxPlace<T> {
  using Source = const T*;
  template <Index N>
  static FASTCONV_INLINE typename MaxPlace<T>::template Item<N> load(Source source, Index place) {
    return {fastconv::FASTCONV_ISA::load<T, N>(source),
            Part<Mask<T>, N>{} + static_cast<Mask<T>>(place)};
  }
};

}  // namespace
}  // namespace fastconv::FASTCONV_ISA
