// The optimizers' rules, each in one pass over a parameter, its gradient and its state.
#pragma once

#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace fastconv::FASTCONV_ISA {
namespace {

// Without decay a parameter that is infinite adds nothing.
template <class T>
FASTCONV_INLINE Vec<T> decayed(Vec<T> grad, Vec<T> param, T weight_decay) {
  return weight_decay != 0 ? grad + weight_decay * param : grad;
}

template <class T>
void sgd(const SgdArgs<T>& args) {
  for_vectors<T>(args.count, [&](const auto& part, Index i) {
    const Vec<T> param = part.load(args.param + i);
    Vec<T> step = decayed(part.load(args.grad + i), param, args.weight_decay);
    if (args.buffer) {
      Vec<T> buffer = step;
      if (!args.first) buffer = args.momentum * part.load(args.buffer + i) + args.share * step;
      part.store(args.buffer + i, buffer);
      step = args.nesterov ? step + args.momentum * buffer : buffer;
    }
    part.store(args.param + i, param - args.lr * step);
  });
}

template <class T>
void adam(const AdamArgs<T>& args) {
  for_vectors<T>(args.count, [&](const auto& part, Index i) {
    const Vec<T> param = part.load(args.param + i), old = part.load(args.mean + i);
    const Vec<T> g = decayed(part.load(args.grad + i), param, args.weight_decay);
    const Vec<T> mean = old + args.share1 * (g - old);
    Vec<T> square = args.beta2 * part.load(args.square + i) + args.share2 * (g * g);
    part.store(args.mean + i, mean);
    part.store(args.square + i, square);
    if (args.largest) {
      const Vec<T> largest = part.load(args.largest + i);
      square = (square > largest) | (square != square) ? square : largest;  // NaN wins
      part.store(args.largest + i, square);
    }
    const Vec<T> size = square_root<T>(square) * args.scale + args.eps;
    part.store(args.param + i, param - args.step * (mean / size));
  });
}

}  // namespace
}  // namespace fastconv::FASTCONV_ISA
