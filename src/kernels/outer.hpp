// The weight gradient by outer products: MR taps x NV vectors of output channels, one pixel's
// product added to them after the other.
#pragma once

#include "kernels/permute.hpp"
#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace fastconv::FASTCONV_ISA {
namespace {

// The accumulators, NV vectors of the gradient and one broadcast pixel.
template <class T>
constexpr int outer_rows(int vectors) {
  const int most = (kTileRegisters<T> - 1) / vectors - 1;
  return most < kMaxOuterRows ? most : kMaxOuterRows;
}

template <class T, int MR, int NV>
void outer(const OuterArgs<T>& args) {
  constexpr Index kLine = 64 / static_cast<Index>(sizeof(T));
  const Index run = args.ahead ? kLine : args.columns, step = args.pixel_step;
  Vec<T> sum[MR][NV] = {};
  for (Index image = 0; image < args.images; ++image)
    for (Index row = 0; row < args.rows; ++row) {
      const T* pixels = args.strip + image * args.image_step + row * args.pitch;
      const T* grad = args.grad + image * args.grad_image + row * args.grad_row;
      for (Index begin = 0; begin < args.columns; begin += run) {
        const Index count = begin + run < args.columns ? run : args.columns - begin;
        for (int m = 0; m < MR && args.ahead; ++m)
          __builtin_prefetch(pixels + args.offset[m] + args.ahead);
        for (const T* const end = pixels + count * step; pixels != end; pixels += step) {
          Vec<T> channels[NV];
          FASTCONV_UNROLL
          for (int v = 0; v < NV; ++v) channels[v] = load(grad + v * kLanes<T>);
          grad += args.grad_stride;
          FASTCONV_UNROLL
          for (int m = 0; m < MR; ++m) {
            const Vec<T> pixel = broadcast(pixels[m == 0 ? 0 : args.offset[m]]);
            FASTCONV_UNROLL
            for (int v = 0; v < NV; ++v) sum[m][v] += pixel * channels[v];
          }
        }
      }
    }
  if (args.accumulate) {
    FASTCONV_UNROLL
    for (int m = 0; m < MR; ++m) {
      FASTCONV_UNROLL
      for (int v = 0; v < NV; ++v)
        sum[m][v] = load(args.sum + m * args.sum_stride + v * kLanes<T>) + sum[m][v];
    }
  }
  T* target = args.sum;
  FASTCONV_UNROLL
  for (int m = 0; m < MR; ++m, target += args.sum_stride) {
    FASTCONV_UNROLL
    for (int v = 0; v < NV; ++v) store(target + v * kLanes<T>, sum[m][v]);
  }
}

// `count` pixels, at most a vector of them, of a vector of channels from c on: squares become their
// transposes, or, where channels stand side by side, are copied.
template <class T>
FASTCONV_INLINE void transpose_pixels(const TransposeArgs<T>& args, const T* source, Index c,
                                      Index count, T* target) {
  constexpr Index N = kLanes<T>;
  const bool pixels_first = args.column_stride == 1;
  const Index outer = pixels_first ? args.channel_stride : args.column_stride;
  const Index channels = args.channels - c < N ? args.channels - c : N;  // may be none
  const T* from = source + c * args.channel_stride;
  Vec<T> square[N];
  if (pixels_first) {
    const LaneRange<T> pixels(0, count);
    FASTCONV_UNROLL
    for (Index r = 0; r < N; ++r)
      square[r] = r >= channels ? Vec<T>{}
                  : count == N  ? load(from + r * outer)
                                : load_lanes(from + r * outer, pixels);
    transpose_square<T>(square);
  } else {
    const LaneRange<T> valid(0, channels);
    FASTCONV_UNROLL
    for (Index p = 0; p < N; ++p)
      square[p] = p >= count      ? Vec<T>{}
                  : channels == N ? load(from + p * outer)
                                  : load_lanes(from + p * outer, valid);
  }
  FASTCONV_UNROLL
  for (Index p = 0; p < N; ++p)
    if (p < count) store(target + p * args.width + c, square[p]);
}

// A row of pixels of three channels, without gaps: cheaper than by squares.
template <class T>
void transpose_three(const TransposeArgs<T>& args, const T* source, T* target) {
  constexpr Index N = kLanes<T>;
  for (Index rest = args.columns; rest > 0; rest -= N, source += N, target += 3 * N) {
    const LaneRange<T> pixels(0, rest < N ? rest : N);
    Vec<T> vector[3];
    FASTCONV_UNROLL
    for (Index c = 0; c < 3; ++c) vector[c] = load_lanes(source + c * args.channel_stride, pixels);
    zip_three<T>(vector);
    FASTCONV_UNROLL
    for (Index v = 0; v < 3; ++v) {
      const Index count = 3 * rest - v * N;
      if (count > 0) store_first(target + v * N, vector[v], count < N ? count : N);
    }
  }
}

template <class T>
void transpose(const TransposeArgs<T>& args) {
  constexpr Index N = kLanes<T>;
  const bool flat = args.row_stride == args.columns * args.column_stride;
  const Index rows = flat ? 1 : args.rows, columns = flat ? args.rows * args.columns : args.columns;
  const bool few = args.channels == 1 || args.channels == 3;
  if (kEverySize<T> && few && args.column_stride == 1 && args.width == args.channels) {
    for (Index row = 0; row < args.rows; ++row) {
      const T* const source = args.source + row * args.row_stride;
      T* const target = args.target + row * args.columns * args.width;
      if (args.channels == 3)
        transpose_three(args, source, target);
      else
        std::memcpy(target, source, static_cast<std::size_t>(args.columns) * sizeof(T));
    }
    return;
  }
  const bool in_vectors = args.column_stride == 1 || args.channel_stride == 1;
  // Along what stands side by side: all pixels of some channels, or the other way round.
  const Index step = args.column_stride == 1 ? N : args.width;
  for (Index begin = 0; begin < args.width; begin += step) {
    T* target = args.target;
    for (Index row = 0; row < rows; ++row)
      for (Index first = 0; first < columns; first += N) {
        const Index count = columns - first < N ? columns - first : N;
        const T* source = args.source + row * args.row_stride + first * args.column_stride;
        for (Index c = begin; c < begin + step && in_vectors; c += N)
          transpose_pixels(args, source, c, count, target);
        for (Index p = 0; p < count && !in_vectors; ++p)
          for (Index c = 0; c < args.width; ++c)
            target[p * args.width + c] =
                c < args.channels ? source[c * args.channel_stride + p * args.column_stride] : T{0};
        target += count * args.width;
      }
  }
}

}  // namespace
}  // namespace fastconv::FASTCONV_ISA
