// The register tile of the tiled convolution, MR pixels x NV vectors of output channels, and what
// brings operands into its layout and sums out of it.
#pragma once

#include "kernels/epilogue.hpp"
#include "kernels/permute.hpp"
#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace fastconv::FASTCONV_ISA {
namespace {

// A set of 16 registers wants pixels whose channels stand side by side (conv/channel_strip.hpp): its
// tile loads more for each multiply-add, so that instructions count that address what it loads.
constexpr bool kChannelsAdjacent = kRegisters == 16 && !kSmallSet;
constexpr int kChannelVectors = kChannelsAdjacent ? 3 : 2;

// The accumulators, NV vectors of weights and one broadcast pixel.
template <class T>
constexpr int channel_pixels(int vectors) {
  constexpr int kMost = kChannelsAdjacent ? 8 : kMaxChannelPixels;
  const int most = (kTileRegisters<T> - 1) / vectors - 1;
  return most < kMost ? most : kMost;
}

// Whether tiles of so many registers ask for the next weights as each tap begins.
template <class T, int MR, int NV>
constexpr bool kAskByTaps = kChannelsAdjacent && kEverySize<T> && NV == kChannelVectors && MR > 2;

template <class T, int MR, int NV, bool PixelsAdjacent, bool AskByTaps>
FASTCONV_INLINE void channel_sums(const ChannelTileArgs<T>& args, Vec<T> (&sum)[MR][NV]) {
  constexpr Index kWidth = NV * kLanes<T>;
  const Index pixel_step = PixelsAdjacent ? 1 : args.pixel_step;
  const T* next = args.next_weight;
  for (Index t = 0; t < args.taps; ++t) {
    const T* pixels = args.pixels + args.tap[t].offset;
    const T* weight = args.weight + args.tap[t].index * args.tap_channels * kWidth;
    const auto add = [&]() FASTCONV_LAMBDA {
      // 2048 channels of 7 x 7 to 512 take 13% less (AVX-512; below, 15%, a Zen 3).
      if constexpr (!kChannelsAdjacent) {
        __builtin_prefetch(next, 0, 2);
        next += args.next_step;
      }
      Vec<T> channel[NV];
      FASTCONV_UNROLL
      for (int v = 0; v < NV; ++v) channel[v] = load(weight + v * kLanes<T>);
      FASTCONV_UNROLL
      for (int m = 0; m < MR; ++m) {
        const Vec<T> pixel = broadcast(pixels[m * pixel_step]);
        FASTCONV_UNROLL
        for (int v = 0; v < NV; ++v) sum[m][v] += pixel * channel[v];
      }
      pixels += kChannelsAdjacent ? 1 : args.channel_step;
      weight += kWidth;
    };
    if constexpr (AskByTaps) {
      constexpr Index kLine = 64 / static_cast<Index>(sizeof(T));
      for (Index i = 0; i < args.next_step; i += kLine) __builtin_prefetch(next + i, 0, 2);
      next += args.next_step;
    }
    if constexpr (kChannelsAdjacent && kEverySize<T> && MR * NV >= 8) {
      FASTCONV_UNROLL_BY_4
      for (Index c = 0; c < args.channels; ++c) add();
    } else {
      for (Index c = 0; c < args.channels; ++c) add();
    }
  }
}

template <class T, int MR, int NV>
FASTCONV_INLINE void begin_sums(const ChannelTileArgs<T>& args, Vec<T> (&sum)[MR][NV]) {
  FASTCONV_UNROLL
  for (int m = 0; m < MR; ++m) {
    FASTCONV_UNROLL
    for (int v = 0; v < NV; ++v)
      sum[m][v] =
          args.before ? load(args.before + m * args.before_step + v * kLanes<T>) : Vec<T>{};
  }
}

// Biases are kBiasStep apart from one m to the next.
template <class T, int MR, int NV, Index kBiasStep>
FASTCONV_INLINE void end_sums(const ChannelTileArgs<T>& args, Vec<T> (&sum)[MR][NV]) {
  T* target = args.sum;
  const Index step = args.sum_step;
  if (args.finish) {
    const Vec<T> floor = broadcast(args.floor), ceiling = broadcast(args.ceiling);
    if (args.bias) {
      FASTCONV_UNROLL
      for (int v = 0; v < NV; ++v) {
        FASTCONV_UNROLL
        for (int m = 0; m < MR; ++m) sum[m][v] += load(args.bias + m * kBiasStep + v * kLanes<T>);
      }
    }
    if (args.residual) {
      FASTCONV_UNROLL
      for (int m = 0; m < MR; ++m) {
        FASTCONV_UNROLL
        for (int v = 0; v < NV; ++v) sum[m][v] += load(args.residual + m * step + v * kLanes<T>);
      }
    }
    FASTCONV_UNROLL
    for (int m = 0; m < MR; ++m) {
      FASTCONV_UNROLL
      for (int v = 0; v < NV; ++v) {
        sum[m][v] = sum[m][v] < floor ? floor : sum[m][v];
        sum[m][v] = sum[m][v] > ceiling ? ceiling : sum[m][v];
      }
    }
  }
  FASTCONV_UNROLL
  for (int m = 0; m < MR; ++m, target += step) {
    FASTCONV_UNROLL
    for (int v = 0; v < NV; ++v) store(target + v * kLanes<T>, sum[m][v]);
  }
}

template <class T, int MR, int NV>
void channel_tile(const ChannelTileArgs<T>& args) {
  Vec<T> sum[MR][NV];
  begin_sums<T, MR, NV>(args, sum);
  if (!kChannelsAdjacent && args.pixel_step == 1)
    channel_sums<T, MR, NV, !kChannelsAdjacent, false>(args, sum);
  else if (kAskByTaps<T, MR, NV> && args.next_step > 0)
    channel_sums<T, MR, NV, false, kAskByTaps<T, MR, NV>>(args, sum);
  else
    channel_sums<T, MR, NV, false, false>(args, sum);
  end_sums<T, MR, NV, 0>(args, sum);
}

// MT tiles of one pixel at once: memory gives several streams of weights sooner than one, and sums
// that wait for each other are further apart.
template <class T, int MT, int NV>
void channel_tiles(const ChannelTileArgs<T>& args) {
  constexpr Index kWidth = NV * kLanes<T>;
  Vec<T> sum[MT][NV];
  begin_sums<T, MT, NV>(args, sum);
  for (Index t = 0; t < args.taps; ++t) {
    const T* pixel = args.pixels + args.tap[t].offset;
    const T* weight = args.weight + args.tap[t].index * args.tap_channels * kWidth;
    for (Index c = 0; c < args.channels; ++c, pixel += args.channel_step, weight += kWidth) {
      const Vec<T> factor = broadcast(*pixel);
      FASTCONV_UNROLL
      for (int m = 0; m < MT; ++m) {
        FASTCONV_UNROLL
        for (int v = 0; v < NV; ++v)
          sum[m][v] += factor * load(weight + m * args.weight_step + v * kLanes<T>);
      }
    }
  }
  end_sums<T, MT, NV, kWidth>(args, sum);
}

// A square of lanes x lanes elements at a time, where there is a whole one.
template <class T>
void pack_weight(const PackWeightArgs<T>& args) {
  constexpr Index N = kLanes<T>;
  const Index depth = args.channels * args.taps;
  for (Index first = 0; first < args.width; first += N) {
    const T* source = args.source + first * args.row_stride;
    const Index rows = args.rows - first < N ? args.rows - first : N;
    T* const target = args.target + first;
    Index channel = 0, tap = 0;
    const auto next = [&] {
      T* const place = target + (tap * args.channels + channel) * args.width;
      if (++tap == args.taps) tap = 0, ++channel;
      return place;
    };
    Index k = 0;
    for (; k + N <= depth; k += N) {
      Vec<T> square[N];
      FASTCONV_UNROLL
      for (Index r = 0; r < N; ++r)
        square[r] = r < rows ? load(source + r * args.row_stride + k) : Vec<T>{};
      transpose_square<T>(square);
      FASTCONV_UNROLL
      for (Index j = 0; j < N; ++j) store(next(), square[j]);
    }
    for (; k < depth; ++k) {
      T* const place = next();
      for (Index r = 0; r < N; ++r) place[r] = r < rows ? source[r * args.row_stride + k] : T{0};
    }
  }
}

// The taps of one channel, which stand together in each row, in any order: squares of all rows
// first, for the taps stand far apart in the target, often at one place of a page.
template <class T>
void pack_taps(const PackTapsArgs<T>& args) {
  constexpr Index N = kLanes<T>, kWidth = kMaxChannelVectors * N, kFew = N / 4;
  for (Index panel = 0; panel < args.width; panel += kWidth) {
    const Index width = args.width - panel < kWidth ? args.width - panel : kWidth;
    const auto rows_of = [&](Index first) { return args.rows - panel - first; };
    for (Index begin = 0; begin < args.span; begin += N) {
      const T* const source = args.source + panel * args.row_stride + begin;
      const Index count = args.span - begin;
      alignas(kVectorBytes) T column[N][kWidth];
      for (Index first = 0; first < width; first += N) {
        const T* const from = source + first * args.row_stride;
        for (Index j = 0; j < count && count <= kFew; ++j)
          for (Index r = 0; r < N; ++r)
            column[j][first + r] = r < rows_of(first) ? from[r * args.row_stride + j] : T{0};
        if (count <= kFew) continue;
        const LaneRange<T> lanes(0, count);
        Vec<T> square[N];
        FASTCONV_UNROLL
        for (Index r = 0; r < N; ++r)
          square[r] = r < rows_of(first) ? load_lanes(from + r * args.row_stride, lanes) : Vec<T>{};
        transpose_square<T>(square);
        FASTCONV_UNROLL
        for (Index j = 0; j < N; ++j) store(&column[j][first], square[j]);
      }
      for (Index t = 0; t < args.taps; ++t) {
        const Index j = args.offset[t] - begin;
        for (Index first = 0; first < width && j >= 0 && j < N; first += N)
          store(args.target + t * args.tap_step + panel + first, load(&column[j][first]));
      }
    }
  }
}

// Rows become columns, a square at a time.
template <class T>
void pack_panel(const T* source, Index rows, Index row_stride, Index depth, T* target) {
  constexpr Index N = kLanes<T>;
  Index k = 0;
  for (; rows <= N && k + N <= depth; k += N) {
    Vec<T> square[N];
    FASTCONV_UNROLL
    for (Index r = 0; r < N; ++r)
      square[r] = r < rows ? load(source + r * row_stride + k) : Vec<T>{};
    transpose_square<T>(square);
    FASTCONV_UNROLL
    for (Index j = 0; j < N; ++j) store_first(target + (k + j) * rows, square[j], rows);
  }
  for (; k < depth; ++k)
    for (Index r = 0; r < rows; ++r) target[k * rows + r] = source[r * row_stride + k];
}

// Channels that stand side by side in the target.
template <class T>
FASTCONV_INLINE void store_pixels(const StoreChannelsArgs<T>& args) {
  const Index each = (args.columns - 1) / args.phases + 1;
  for (Index row = 0; row < args.rows; ++row)
    for (Index column = 0; column < args.columns; ++column) {
      const T* sum = args.sum + column % args.phases * args.phase_step +
                     (row * each + column / args.phases) * args.width;
      const Index at = row * args.row_stride + column * args.column_stride;
      const T* residual = args.residual ? args.residual + at : nullptr;
      T own[kMaxChannelVectors * kLanes<T>];  // what would be read where vectors overlap
      if (residual == args.target + at && args.channels % kLanes<T> != 0) {
        for (Index c = 0; c < args.channels; ++c) own[c] = residual[c];
        residual = own;
      }
      cover<T>(args.channels, [&](auto lanes, Index c) {
        constexpr Index N = decltype(lanes)::value;
        Part<T, N> vector = load<T, N>(sum + c);
        if (args.bias) vector += load<T, N>(args.bias + c);
        store(args.target + at + c,
              finish<T, N>(vector, residual ? residual + c : nullptr, args.epilogue));
      });
    }
}

// A row of pixels of each of `lanes` channels, P phases of them in turns.
template <class T, int P>
void store_planes(const StoreChannelsArgs<T>& args, const T* sum, Index first_channel,
                  Index columns, Index at) {
  constexpr Index N = kLanes<T>;
  const Index channels = args.channels - first_channel < N ? args.channels - first_channel : N;
  const T* bias = args.bias ? args.bias + first_channel : nullptr;
  const Bounds<T> bounds(args.epilogue);
  const bool whole_channels = channels == N && args.column_stride == 1 && bounds.exact;
  const Index each = columns / P;  // and a rest, which belongs to the first phases
  sum += first_channel;
  at += first_channel * args.channel_stride;
  for (Index i = 0; i * P < columns; i += N) {
    // A row's last vector overlaps the one before, unless the residual is there.
    if (i + N > each && each >= N && i < each && args.residual != args.target) i = each - N;
    const Index pixels = each - i < N ? each - i : N;  // of each phase
    alignas(kVectorBytes) T line[P][N][N];
    for (int p = 0; p < P; ++p) {
      const T* source = sum + p * args.phase_step + i * args.width;
      const Index count = pixels < N ? (columns + P - 1 - p) / P - i : N;
      Vec<T> square[N];
      FASTCONV_UNROLL
      for (Index k = 0; k < N; ++k)
        square[k] = k < count ? load(source + k * args.width) : Vec<T>{};
      transpose_square<T>(square);
      if (P == 1 && whole_channels) {
        const LaneRange<T> lanes(0, pixels);
        FASTCONV_UNROLL
        for (Index c = 0; c < N; ++c) {
          const Index place = at + c * args.channel_stride + i;
          if (bias) square[c] += bias[c];
          if (args.residual)
            square[c] += pixels == N ? load(args.residual + place)
                                     : load_lanes(args.residual + place, lanes);
          store_first(args.target + place, bounds(square[c]), pixels);
        }
        continue;
      }
      FASTCONV_UNROLL
      for (Index c = 0; c < N; ++c) store(line[p][c], square[c]);
    }
    if (P == 1 && whole_channels) continue;
    for (Index c = 0; c < channels; ++c) {
      Vec<T> vector[P];
      FASTCONV_UNROLL
      for (int p = 0; p < P; ++p) {
        vector[p] = load(line[p][c]);
        if (bias) vector[p] += bias[c];
      }
      zip_all<T, N>(vector);
      const Index place = at + c * args.channel_stride;
      FASTCONV_UNROLL
      for (int p = 0; p < P; ++p) {
        const Index first = i * P + p * N, rest = columns - first;
        if (pixels == N)
          store_row<T>(vector[p], args, place + first * args.column_stride);
        else if (rest > 0)
          store_some<T>(vector[p], args, place + first * args.column_stride, rest < N ? rest : N);
      }
    }
  }
}

template <class T, int P>
void store_rows_of_phases(const StoreChannelsArgs<T>& args) {
  const bool flat = args.row_stride == args.columns * args.column_stride && args.columns % P == 0;
  const Index rows = flat ? 1 : args.rows, columns = flat ? args.rows * args.columns : args.columns;
  const Index each = (columns - 1) / P + 1;
  for (Index c = 0; c < args.channels; c += kLanes<T>)
    for (Index row = 0; row < rows; ++row)
      store_planes<T, P>(args, args.sum + row * each * args.width, c, columns,
                         row * args.row_stride);
}

template <class T>
void store_channels(const StoreChannelsArgs<T>& args) {
  if (args.channel_stride == 1) return store_pixels(args);
  switch (args.phases) {
    case 1: return store_rows_of_phases<T, 1>(args);
    case 2: return store_rows_of_phases<T, 2>(args);
    case 3:
      if constexpr (kEverySize<T>) return store_rows_of_phases<T, 3>(args);
      break;
    case 4: return store_rows_of_phases<T, 4>(args);
    case 8: return store_rows_of_phases<T, 8>(args);
  }
  const Index each = (args.columns - 1) / args.phases + 1;
  for (Index row = 0; row < args.rows; ++row)
    for (Index p = 0; p < args.phases && p < args.columns; ++p) {
      StoreChannelsArgs<T> one = args;
      const Index at = row * args.row_stride + p * args.column_stride;
      one.sum += p * args.phase_step + row * each * args.width;
      one.rows = 1;
      one.columns = (args.columns - p - 1) / args.phases + 1;
      one.target += at;
      if (one.residual) one.residual += at;
      one.column_stride *= args.phases;
      store_rows_of_phases<T, 1>(one);
    }
}

// As many independent sums as hide the latency of the machines at hand.
constexpr int kPeakSums = kRegisters == 32 ? 24 : 12;

template <class T>
void peak(Index rounds, T* sink) {
  Vec<T> sum[kPeakSums];
  FASTCONV_UNROLL
  for (int i = 0; i < kPeakSums; ++i) sum[i] = broadcast(sink[i]);
  const Vec<T> a = broadcast(sink[0]), b = broadcast(sink[1]);
  for (Index round = 0; round < rounds; ++round) {
    FASTCONV_UNROLL
    for (int i = 0; i < kPeakSums; ++i) sum[i] = sum[i] * a + b;
    asm volatile("" ::: "memory");
  }
  FASTCONV_UNROLL
  for (int i = 0; i < kPeakSums; ++i) store(sink + i * kLanes<T>, sum[i]);
}

}  // namespace
}  // namespace fastconv::FASTCONV_ISA
