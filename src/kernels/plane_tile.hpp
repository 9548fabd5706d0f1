// Depthwise convolution on channels-last memory, a vector of channels at a time, each with its own
// weights: a register tile of MR pixels for any taps, and rows of pixels for 3 x 3.
#pragma once

#include "kernels/epilogue.hpp"
#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace fastconv::FASTCONV_ISA {
namespace {

constexpr int kPlanePixels = kSmallSet ? 4 : kMaxPlanePixels;

template <class T, int MR>
void plane_tile(const PlaneTileArgs<T>& args) {
  const Bounds<T> bounds(args.epilogue);
  for_vectors<T>(args.channels, [&](const auto& part, Index c) FASTCONV_LAMBDA {
    Vec<T> sum[MR] = {};
    for (Index i = 0; i < args.taps; ++i) {
      const Index t = args.tap ? args.tap[i] : i;
      const Vec<T> weight = part.load(args.weight + t * args.weight_step + c);
      const T* pixels = args.pixels + args.offset[t] + c;
      FASTCONV_UNROLL
      for (int p = 0; p < MR; ++p) sum[p] += part.load(pixels + p * args.pixel_step) * weight;
    }
    FASTCONV_UNROLL
    for (int p = 0; p < MR; ++p) {
      const Index at = p * args.target_step + c;
      if (args.bias) sum[p] += part.load(args.bias + c);
      if (args.residual) sum[p] += part.load(args.residual + at);
      sum[p] = bounds.exact ? bounds(sum[p]) : activate_apart<T, kLanes<T>>(sum[p], args.epilogue);
      part.store(args.target + at, sum[p]);
    }
  });
}

template <class T>
void copy_groups(const T* source, Index step, Index ahead, Index pixels, Index group, T* target) {
  Vec<Mask<T>> first;
  for (Index l = 0; l < kLanes<T>; ++l) first[l] = static_cast<Mask<T>>(l);
  first &= static_cast<Mask<T>>(-group);
  for (Index p = 0; p < pixels; ++p, source += step) {
    const Vec<T> channels = load(source);
    __builtin_prefetch(source + ahead);
    for (Index j = 0; j < group; ++j, target += kLanes<T>)
      store(target, shuffle<T>(channels, channels, first + static_cast<Mask<T>>(j)));
  }
}

// R rows of a 3 x 3 window with stride S. Weights stay in registers, and each pixel is loaded once
// for all outputs of the row that meet it; those are asked for that the next row of outputs meets
// besides (96 channels of 112 x 112, stride 2, from memory: 0.32 ms in place of 0.38). Channels are
// whole vectors.
template <class T, int R, int S>
void plane_row(const PlaneRowArgs<T>& args) {
  const Bounds<T> bounds(args.epilogue);
  for (Index c = 0; c < args.channels; c += kLanes<T>) {
    Vec<T> weight[3][R];
    FASTCONV_UNROLL
    for (int w = 0; w < 3; ++w) {
      FASTCONV_UNROLL
      for (int r = 0; r < R; ++r)
        weight[w][r] = load(args.weight + (w * args.weight_rows + r) * args.weight_step + c);
    }
    const Vec<T> bias = args.bias ? load(args.bias + c) : Vec<T>{};
    const T* pixels = args.pixels + c;
    T* target = args.target + c;
    Vec<T> column[R];
    const auto next = [&]() FASTCONV_LAMBDA {
      FASTCONV_UNROLL
      for (int r = 0; r < R; ++r) column[r] = load(pixels + r * args.row_step);
      FASTCONV_UNROLL
      for (int r = R; r < R + S; ++r) __builtin_prefetch(pixels + r * args.row_step, 0, 2);
      pixels += args.pixel_step;
    };
    const auto add = [&](Vec<T>& sum, int w) FASTCONV_LAMBDA {
      FASTCONV_UNROLL
      for (int r = 0; r < R; ++r) sum += column[r] * weight[w][r];
    };
    const auto put = [&](Vec<T> sum) FASTCONV_LAMBDA {
      if (args.bias) sum += bias;
      store(target, bounds(sum));
      target += args.target_step;
    };
    const Vec<T> zero = {};
    Vec<T> first = zero, second = zero;  // outputs that lack their last column, and last two
    if (args.before == 0) next(), add(S == 1 ? second : first, 0);
    if constexpr (S == 1) {
      next(), add(first = second, 1), add(second = zero, 0);
      for (Index i = 0; i < args.whole; ++i) {
        next(), add(first, 2), put(first);
        add(first = second, 1), add(second = zero, 0);
      }
    } else {
      for (Index i = 0; i < args.whole; ++i) {
        next(), add(first, 1);
        next(), add(first, 2), put(first);
        add(first = zero, 0);
      }
      if (args.after) next(), add(first, 1);
    }
    if (args.after) put(first);
  }
}

}  // namespace
}  // namespace fastconv::FASTCONV_ISA
