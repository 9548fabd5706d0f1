// Activations of whole arrays and their gradients, in one pass each. NaN passes through all.
#pragma once

#include "kernels/epilogue.hpp"
#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace fastconv::FASTCONV_ISA {
namespace {

// Calls body(kind) with the activation as a constant, so that a loop has one alone inside.
template <class Body>
FASTCONV_INLINE void with_activation(Activation activation, const Body& body) {
  using A = Activation;
  switch (activation) {
    case A::none: return body(std::integral_constant<A, A::none>{});
    case A::relu: return body(std::integral_constant<A, A::relu>{});
    case A::relu6: return body(std::integral_constant<A, A::relu6>{});
    case A::leaky_relu: return body(std::integral_constant<A, A::leaky_relu>{});
    case A::sigmoid: return body(std::integral_constant<A, A::sigmoid>{});
    case A::tanh: return body(std::integral_constant<A, A::tanh>{});
    case A::silu: return body(std::integral_constant<A, A::silu>{});
    case A::hard_swish: return body(std::integral_constant<A, A::hard_swish>{});
  }
}

template <class T>
void activate_each(const ActivateArgs<T>& args) {
  with_activation(args.epilogue.activation, [&](auto kind) {
    const Epilogue<T> epilogue{kind, args.epilogue.slope};
    for_vectors<T>(args.count, [&](const auto& part, Index i) {
      part.store(args.output + i, activate<T, kLanes<T>>(part.load(args.input + i), epilogue));
    });
  });
}

// g times the slope of the activation, which has `start` as its input or, `from_output`, as its
// result; silu and hard_swish are taken from the input alone.
template <class T>
FASTCONV_INLINE Vec<T> times_slope(Vec<T> g, Vec<T> start, bool from_output, Epilogue<T> epilogue) {
  constexpr Index N = kLanes<T>;
  const Vec<T> zero{};
  switch (epilogue.activation) {
    case Activation::none: return g;
    case Activation::relu: return start <= 0 ? zero : g;
    case Activation::relu6: return (start <= 0) | (start >= 6) ? zero : g;
    case Activation::leaky_relu: return start > 0 ? g : g * epilogue.slope;
    case Activation::sigmoid: {
      const Vec<T> s = from_output ? start : sigmoid<T, N>(start);
      return (T{1} - s) * s * g;
    }
    case Activation::tanh: {
      const Vec<T> t = from_output ? start : tanh<T, N>(start);
      return (T{1} - t * t) * g;
    }
    case Activation::silu: {
      const Vec<T> s = sigmoid<T, N>(start);
      return ((T{1} - s) * start + T{1}) * s * g;
    }
    case Activation::hard_swish: {
      const Vec<T> inner = (start / T{3} + T{0.5}) * g;
      return start <= -3 ? zero : start >= 3 ? g : inner;
    }
  }
  return g;
}

template <class T>
void activate_backward(const ActivateBackwardArgs<T>& args) {
  with_activation(args.epilogue.activation, [&](auto kind) {
    const Epilogue<T> epilogue{kind, args.epilogue.slope};
    for_vectors<T>(args.count, [&](const auto& part, Index i) {
      const Vec<T> g = part.load(args.grad_output + i), start = part.load(args.start + i);
      part.store(args.grad_input + i, times_slope<T>(g, start, args.from_output, epilogue));
    });
  });
}

}  // namespace
}  // namespace fastconv::FASTCONV_ISA
