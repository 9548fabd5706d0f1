// Passes along the columns of matrices: softmax with its gradient, and local response
// normalisation (Krizhevsky et al. 2012) with its own. A vector is so many columns side by side.
#pragma once

#include "kernels/epilogue.hpp"
#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace fastconv::FASTCONV_ISA {
namespace {

// The sum of term(c) for c below `length`, in partial sums of 64: one serial sum over many
// thousands would lose digits.
template <class T, class Term>
FASTCONV_INLINE Vec<T> sum_of(Index length, const Term& term) {
  constexpr Index kPart = 64;
  Vec<T> total{};
  for (Index begin = 0; begin < length; begin += kPart) {
    const Index end = length < begin + kPart ? length : begin + kPart;
    Vec<T> sum{};
    for (Index c = begin; c < end; ++c) sum += term(c);
    total += sum;
  }
  return total;
}

template <class T>
FASTCONV_INLINE Vec<T> logarithm(Vec<T> x) {
  for (Index i = 0; i < kLanes<T>; ++i)
    x[i] = sizeof(T) == 4 ? static_cast<T>(__builtin_logf(static_cast<float>(x[i])))
                          : static_cast<T>(__builtin_log(static_cast<double>(x[i])));
  return x;
}

// e^(x - max) / sum, or its logarithm x - max - log(sum); the maximum is taken off so that nothing
// overflows.
template <class T>
void softmax(const ColumnArgs<T>& args, bool log) {
  for_vectors<T>(args.count, [&](const auto& part, Index i) {
    const T* x = args.input + i;
    T* y = args.output + i;
    Vec<T> most = broadcast(static_cast<T>(-__builtin_inf()));
    for (Index c = 0; c < args.length; ++c) {
      const Vec<T> value = part.load(x + c * args.pitch);
      most = value > most ? value : most;
    }
    const Vec<T> sum = sum_of<T>(args.length, [&](Index c) {
      const Vec<T> power = exp_negative<T, kLanes<T>>(part.load(x + c * args.pitch) - most);
      if (!log) part.store(y + c * args.pitch, power);
      return power;
    });
    const Vec<T> shift = log ? logarithm<T>(sum) : sum;
    for (Index c = 0; c < args.length; ++c) {
      T* to = y + c * args.pitch;
      part.store(to, log ? part.load(x + c * args.pitch) - most - shift : part.load(to) / sum);
    }
  });
}

// With y the softmax: y (g - sum of g y); with y its logarithm: g - e^y (sum of g).
template <class T>
void softmax_backward(const ColumnArgs<T>& args, bool log) {
  for_vectors<T>(args.count, [&](const auto& part, Index i) {
    const T *g = args.input + i, *y = args.other + i;
    T* target = args.output + i;
    const Vec<T> sum = sum_of<T>(args.length, [&](Index c) {
      const Vec<T> grad = part.load(g + c * args.pitch);
      return log ? grad : grad * part.load(y + c * args.pitch);
    });
    for (Index c = 0; c < args.length; ++c) {
      const Vec<T> grad = part.load(g + c * args.pitch), out = part.load(y + c * args.pitch);
      part.store(target + c * args.pitch,
                 log ? grad - exp_negative<T, kLanes<T>>(out) * sum : (grad - sum) * out);
    }
  });
}

// Calls use(c, sum) for c below `length` in turn, the sum being that of value(j) over the window
// from c - before to c + after, of `size` places, without those outside. Two additions an element
// whatever the size, and no subtraction: a window is the end of one block of `size` places and the
// beginning of the next (van Herk 1992). `ends` has room for `size` vectors.
template <class T, class Value, class Use>
FASTCONV_INLINE void for_windows(Index length, Index before, Index after, T* ends,
                                 const Value& value, const Use& use) {
  const Index size = before + after + 1;
  const auto at = [&](Index j) { return j >= 0 && j < length ? value(j) : Vec<T>{}; };
  for (Index begin = 0; begin < length; begin += size) {
    Vec<T> end{}, beginning{};
    for (Index r = size; r-- > 0;) {
      end += at(begin - before + r);
      store(ends + r * kLanes<T>, end);
    }
    for (Index r = 0; r < size && begin + r < length; ++r) {
      use(begin + r, load(ends + r * kLanes<T>) + beginning);
      beginning += at(begin + r + after + 1);
    }
  }
}

// d^-beta. The usual 3/4 by roots; any other power by the C library, element by element.
template <class T>
FASTCONV_INLINE Vec<T> inverse_power(Vec<T> d, T beta) {
  if (beta == T{0.75}) {
    const Vec<T> root = square_root<T>(d);
    return T{1} / (root * square_root<T>(root));
  }
  for (Index i = 0; i < kLanes<T>; ++i)
    d[i] = sizeof(T) == 4 ? static_cast<T>(__builtin_powf(static_cast<float>(d[i]),
                                                          static_cast<float>(-beta)))
                          : static_cast<T>(__builtin_pow(static_cast<double>(d[i]),
                                                         static_cast<double>(-beta)));
  return d;
}

// y(c) = x(c) / d(c)^beta, d(c) = k + scale * sum of x(j)^2 over the window of c.
template <class T>
void local_response(const ColumnArgs<T>& args, const ResponseArgs<T>& response) {
  for_vectors<T>(args.count, [&](const auto& part, Index i) {
    const auto x = [&](Index c) { return part.load(args.input + c * args.pitch + i); };
    for_windows<T>(
        args.length, response.before, response.after, args.scratch,
        [&](Index j) {
          const Vec<T> value = x(j);
          return value * value;
        },
        [&](Index c, Vec<T> sum) {
          const Vec<T> d = response.k + response.scale * sum;
          part.store(args.output + c * args.pitch + i,
                     x(c) * inverse_power<T>(d, response.beta));
        });
  });
}

// With t(j) = g(j) x(j) / d(j)^(beta + 1), and the windows that reach c in place of those of c:
// g(c) / d(c)^beta - 2 scale beta x(c) * sum of t(j).
template <class T>
void local_response_backward(const ColumnArgs<T>& args, const ResponseArgs<T>& response) {
  constexpr Index N = kLanes<T>;
  T* const power = args.scratch;
  T* const t = power + args.length * N;
  T* const ends = t + args.length * N;
  for_vectors<T>(args.count, [&](const auto& part, Index i) {
    const auto g = [&](Index c) { return part.load(args.input + c * args.pitch + i); };
    const auto x = [&](Index c) { return part.load(args.other + c * args.pitch + i); };
    for_windows<T>(
        args.length, response.before, response.after, ends,
        [&](Index j) {
          const Vec<T> value = x(j);
          return value * value;
        },
        [&](Index c, Vec<T> sum) {
          const Vec<T> d = response.k + response.scale * sum;
          const Vec<T> p = inverse_power<T>(d, response.beta);
          store(power + c * N, p);
          store(t + c * N, g(c) * x(c) * p / d);
        });
    for_windows<T>(
        args.length, response.after, response.before, ends,
        [&](Index j) { return load(t + j * N); },
        [&](Index c, Vec<T> sum) {
          part.store(args.output + c * args.pitch + i,
                     g(c) * load(power + c * N) -
                         T{2} * response.scale * response.beta * x(c) * sum);
        });
  });
}

}  // namespace
}  // namespace fastconv::FASTCONV_ISA
