// Rows in and out: strips are packed from arrays of any strides, results are stored to them.
#pragma once

#include "kernels/epilogue.hpp"
#include "kernels/permute.hpp"
#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace fastconv::FASTCONV_ISA {
namespace {

// Fills are stored as whole vectors, over what is written next: they may reach a vector past the
// last row.
template <class T>
FASTCONV_INLINE void fill(T* target, Index count, T value) {
  for (Index i = 0; i < count; i += kLanes<T>) store(target + i, broadcast(value));
}

// Stride is 1 to 4, where vectors serve; 0 is any other.
template <class T, int Stride>
void pack_rows(const PackArgs<T>& args) {
  T* __restrict target = args.target;
  const T* row = args.source;
  for (Index r = 0; r < args.rows; ++r, row += args.row_stride) {
    fill(target, args.before, args.fill);
    target += args.before;
    if constexpr (Stride == 1) {
      cover<T>(args.columns, [&](auto lanes, Index i) {
        store(target + i, load<T, decltype(lanes)::value>(row + i));
      });
    } else if constexpr (Stride != 0) {
      cover<T>(args.columns, [&](auto lanes, Index i) {
        store(target + i, load_every<T, decltype(lanes)::value, Stride>(row + Stride * i));
      });
    } else {
      for (Index i = 0; i < args.columns; ++i) target[i] = row[i * args.column_stride];
    }
    target += args.columns;
    fill(target, args.after, args.fill);
    target += args.after;
  }
}

template <class T>
void pack(const PackArgs<T>& args) {
  switch (args.column_stride) {
    case 1: return pack_rows<T, 1>(args);
    case 2: return pack_rows<T, 2>(args);
    case 3: return pack_rows<T, 3>(args);
    case 4: return pack_rows<T, 4>(args);
    default: return pack_rows<T, 0>(args);
  }
}

// Sums of P phases in turns, P a power of two or 3.
template <class T, int P>
void store_phases(const StoreArgs<T>& args) {
  constexpr Index N = kLanes<T>;
  const Index each = args.columns / P;  // and a rest, which belongs to the first phases
  const bool plain = args.epilogue.activation == Activation::none && !args.residual &&
                     args.column_stride == 1;
  for (Index r = 0; r < args.rows; ++r) {
    const T* sum = args.sum + r * args.sum_pitch;
    const Index at = r * args.row_stride;
    for (Index i = 0; i * P < args.columns; i += N) {
      // A row's last vector overlaps the one before, unless the residual is there.
      if (i + N > each && each >= N && i < each && args.residual != args.target) i = each - N;
      Vec<T> vector[P];
      FASTCONV_UNROLL
      for (int p = 0; p < P; ++p) {
        const T* source = sum + p * args.phase_step + i;
        const Index count = (args.columns + P - 1 - p) / P - i;
        vector[p] = (i + N <= each ? load(source) : load_lanes(source, LaneRange<T>(0, count))) +
                    args.bias;
      }
      zip_all<T, N>(vector);
      FASTCONV_UNROLL
      for (int p = 0; p < P; ++p) {
        const Index first = i * P + p * N, rest = args.columns - first;
        const Index place = at + first * args.column_stride;
        if (i + N > each && rest < N) {
          if (rest > 0) store_some<T>(vector[p], args, place, rest);
        } else if (plain) {
          store(args.target + place, vector[p]);
        } else {
          store_row<T>(vector[p], args, place);
        }
      }
    }
  }
}

template <class T>
void store_sums(const StoreArgs<T>& args) {
  switch (args.phases) {
    case 1: return store_phases<T, 1>(args);
    case 2: return store_phases<T, 2>(args);
    case 3:
      if constexpr (kEverySize<T>) return store_phases<T, 3>(args);
      break;
    case 4: return store_phases<T, 4>(args);
    case 8: return store_phases<T, 8>(args);
  }
  for (Index p = 0; p < args.phases && p < args.columns; ++p) {
    StoreArgs<T> one = args;
    const Index at = p * args.column_stride;
    one.sum += p * args.phase_step;
    one.columns = (args.columns - p - 1) / args.phases + 1;
    one.target += at;
    if (one.residual) one.residual += at;
    one.column_stride *= args.phases;
    store_phases<T, 1>(one);
  }
}

// The lanes of a vector added up: halves, then halves of halves.
template <class T, Index N = kLanes<T>>
FASTCONV_INLINE T add_lanes(Part<T, N> vector) {
  if constexpr (N == 1) {
    return vector[0];
  } else {
    T lane[N];
    store(lane, vector);
    return add_lanes<T, N / 2>(load<T, N / 2>(lane) + load<T, N / 2>(lane + N / 2));
  }
}

// Each row is summed by itself, so that no partial sum grows with the whole array; rows without
// gaps are one. Four sums hide what an addition takes.
template <class T>
T total(const T* source, Index rows, Index row_stride, Index columns, Index column_stride) {
  if (column_stride == 1 && row_stride == columns) columns *= rows, rows = 1;
  T all = 0;
  for (Index r = 0; r < rows; ++r, source += row_stride) {
    Vec<T> sum[4] = {};
    Index i = 0;
    if (column_stride == 1) {
      for (; i + 4 * kLanes<T> <= columns; i += 4 * kLanes<T>) {
        FASTCONV_UNROLL
        for (Index v = 0; v < 4; ++v) sum[v] += load(source + i + v * kLanes<T>);
      }
      for (; i + kLanes<T> <= columns; i += kLanes<T>) sum[0] += load(source + i);
    }
    T rest = 0;
    for (; i < columns; ++i) rest += source[i * column_stride];
    all += add_lanes<T>((sum[0] + sum[1]) + (sum[2] + sum[3])) + rest;
  }
  return all;
}

template <class T>
void reduce(const T* source, Index groups, T* target) {
  for (Index group = 0; group < groups; ++group)
    target[group] = add_lanes<T>(load(source + group * kLanes<T>));
}

}  // namespace
}  // namespace fastconv::FASTCONV_ISA
