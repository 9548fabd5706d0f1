// What is done to a finished sum before it is stored: the residual is added, the activation
// applied. NaN passes through all of them.
#pragma once

#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace fastconv::FASTCONV_ISA {
namespace {

// Constants of e^x, for each type: the coefficients 1 / i! up to `terms`, where the next one is
// below the rounding of 1 for |r| <= log(2) / 2.
template <class T>
struct Exp;
template <>
struct Exp<float> {
  static constexpr int terms = 7, mantissa = 23, bias = 127;
  static constexpr float lowest = -87, magic = 12582912;  // 1.5 * 2^23
  static constexpr float log2_high = 0.693359375F, log2_low = -2.12194440e-4F;
};
template <>
struct Exp<double> {
  static constexpr int terms = 13, mantissa = 52, bias = 1023;
  static constexpr double lowest = -708, magic = 6755399441055744;  // 1.5 * 2^52
  static constexpr double log2_high = 6.93145751953125e-1, log2_low = 1.42860682030941723212e-6;
};

// e^x for x <= 0: x = n log(2) + r, e^x = 2^n e^r (Cody and Waite 1980). Below `lowest`, where
// float32 and float64 have no normal numbers left, it is 0.
template <class T, Index N>
FASTCONV_INLINE_IF_LARGE Part<T, N> exp_negative(Part<T, N> x) {
  using C = Exp<T>;
  using Bits = Part<Mask<T>, N>;
  const Bits below = x < C::lowest;
  x = below ? C::lowest - Part<T, N>{} : x;
  const Part<T, N> shifted = x * static_cast<T>(1.44269504088896340736) + C::magic;
  const Part<T, N> n = shifted - C::magic;
  const Part<T, N> r = (x - n * C::log2_high) - n * C::log2_low;
  T coefficient[C::terms + 1] = {1};
  FASTCONV_UNROLL
  for (int i = 1; i <= C::terms; ++i) coefficient[i] = coefficient[i - 1] / static_cast<T>(i);
  Part<T, N> power = coefficient[C::terms] - Part<T, N>{};
  FASTCONV_UNROLL
  for (int i = C::terms - 1; i >= 0; --i) power = power * r + coefficient[i];
  const Part<T, N> base = C::magic - Part<T, N>{};
  const Bits exponent = reinterpret_cast<Bits>(shifted) - reinterpret_cast<Bits>(base) + C::bias;
  const Part<T, N> result = power * reinterpret_cast<Part<T, N>>(exponent << C::mantissa);
  return below ? Part<T, N>{} : result;
}

template <class T, Index N>
FASTCONV_INLINE Part<T, N> sigmoid(Part<T, N> x) {
  const Part<T, N> e = exp_negative<T, N>(x > 0 ? -x : x);
  return (x > 0 ? T{1} - Part<T, N>{} : e) / (e + T{1});
}

// Near 0 the quotient would lose digits to 1 - e: there the continued fraction of Lambert (1768).
template <class T, Index N>
FASTCONV_INLINE Part<T, N> tanh(Part<T, N> x) {
  const Part<T, N> size = x < 0 ? -x : x;
  const Part<T, N> e = exp_negative<T, N>(T{-2} * size);
  const Part<T, N> far = (T{1} - e) / (e + T{1});
  const Part<T, N> s = x * x;
  const Part<T, N> near = size * (((s + T{378}) * s + T{17325}) * s + T{135135}) /
                          (((T{28} * s + T{3150}) * s + T{62370}) * s + T{135135});
  const Part<T, N> result = size < static_cast<T>(0.25) ? near : far;
  return x < 0 ? -result : result;
}

template <class T, Index N>
FASTCONV_INLINE Part<T, N> clamp6(Part<T, N> x) {
  const Part<T, N> zero{}, six = T{6} - Part<T, N>{};
  x = x < 0 ? zero : x;
  return x > 6 ? six : x;
}

template <class T, Index N>
FASTCONV_INLINE Part<T, N> activate(Part<T, N> x, Epilogue<T> epilogue) {
  switch (epilogue.activation) {
    case Activation::none: return x;
    case Activation::relu: return x < 0 ? Part<T, N>{} : x;
    case Activation::relu6: return clamp6<T, N>(x);
    case Activation::leaky_relu: return x > 0 ? x : x * epilogue.slope;
    case Activation::sigmoid: return sigmoid<T, N>(x);
    case Activation::tanh: return tanh<T, N>(x);
    case Activation::silu: return x * sigmoid<T, N>(x);
    case Activation::hard_swish: return x * clamp6<T, N>(x + T{3}) / T{6};
  }
  return x;
}

// The same where convolutions store: what takes an exponential is called, as there are so many
// places: in line, isa.cpp has 1.6 times the code and takes twice the time to compile.
template <class T, Index N>
__attribute__((noinline)) Part<T, N> activate_apart(Part<T, N> x, Epilogue<T> epilogue) {
  return activate<T, N>(x, epilogue);
}
template <class T, Index N>
FASTCONV_INLINE Part<T, N> activate_sum(Part<T, N> x, Epilogue<T> epilogue) {
  if (epilogue.activation == Activation::none) return x;
  if (epilogue.activation == Activation::relu) return x < 0 ? Part<T, N>{} : x;
  if (epilogue.activation == Activation::relu6) return clamp6<T, N>(x);
  return activate_apart<T, N>(x, epilogue);
}

template <class T, Index N>
FASTCONV_INLINE Part<T, N> finish(Part<T, N> sum, const T* residual, Epilogue<T> epilogue) {
  if (residual) sum += load<T, N>(residual);
  return activate_sum<T, N>(sum, epilogue);
}

// The activations that only bound a sum, which cost two instructions where it is stored.
template <class T>
struct Bounds {
  explicit Bounds(Epilogue<T> epilogue)
      : exact(epilogue.activation == Activation::none || epilogue.activation == Activation::relu ||
              epilogue.activation == Activation::relu6),
        floor(broadcast(epilogue.activation == Activation::none ? static_cast<T>(-__builtin_inf())
                                                                : T{0})),
        ceiling(broadcast(epilogue.activation == Activation::relu6
                              ? T{6}
                              : static_cast<T>(__builtin_inf()))) {}
  FASTCONV_INLINE Vec<T> operator()(Vec<T> sum) const {
    sum = sum < floor ? floor : sum;
    return sum > ceiling ? ceiling : sum;
  }
  bool exact;  // whether they are all that the activation does
  Vec<T> floor, ceiling;
};

// Finishes the first `count` columns of a row and stores them `column_stride` apart: for the ends
// of rows and for strides, apart from the loops over whole vectors.
template <class T, class Args>
__attribute__((noinline)) void store_some(Vec<T> sum, const Args& args, Index at, Index count) {
  const Index step = args.column_stride;
  if (step == 1) {
    if (args.residual) sum += load_lanes(args.residual + at, LaneRange<T>(0, count));
    return store_first(args.target + at, activate_apart<T, kLanes<T>>(sum, args.epilogue), count);
  }
  T lane[kLanes<T>];
  store(lane, sum);
  for (Index i = 0; i < count && args.residual; ++i) lane[i] += args.residual[at + i * step];
  store(lane, activate_apart<T, kLanes<T>>(load(lane), args.epilogue));
  for (Index i = 0; i < count; ++i) args.target[at + i * step] = lane[i];
}

// A vector of columns.
template <class T, class Args>
FASTCONV_INLINE void store_row(Vec<T> sum, const Args& args, Index at) {
  if (args.column_stride != 1) return store_some<T>(sum, args, at, kLanes<T>);
  store(args.target + at, finish<T, kLanes<T>>(sum, args.residual ? args.residual + at : nullptr,
                                               args.epilogue));
}

}  // namespace
}  // namespace fastconv::FASTCONV_ISA
