// Rows in and out: strips are packed from arrays of any strides, results are stored to them.
#pragma once

#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace fastconv::FASTCONV_ISA {
namespace {

// Stride is a constant where that lets the compiler vectorise the loop; 0 is any other.
template <class T, int Stride>
void pack_rows(const PackArgs<T>& args) {
  const Index stride = Stride ? Stride : args.column_stride;
  T* __restrict target = args.target;
  const T* row = args.source;
  for (Index r = 0; r < args.rows; ++r, row += args.row_stride) {
    for (Index i = 0; i < args.before; ++i) *target++ = args.fill;
    for (Index i = 0; i < args.columns; ++i) target[i] = row[i * stride];
    target += args.columns;
    for (Index i = 0; i < args.after; ++i) *target++ = args.fill;
  }
}

template <class T>
void pack(const PackArgs<T>& args) {
  switch (args.column_stride) {
    case 1: return pack_rows<T, 1>(args);
    case 2: return pack_rows<T, 2>(args);
    default: return pack_rows<T, 0>(args);
  }
}

template <class T, int Stride>
void store_rows(const StoreArgs<T>& args) {
  const Index stride = Stride ? Stride : args.column_stride;
  for (Index r = 0; r < args.rows; ++r) {
    const T* sum = args.sum + r * args.sum_pitch;
    T* __restrict target = args.target + r * args.row_stride;
    for (Index i = 0; i < args.columns; ++i) target[i * stride] = sum[i] + args.bias;
  }
}

template <class T>
void store_sums(const StoreArgs<T>& args) {
  switch (args.column_stride) {
    case 1: return store_rows<T, 1>(args);
    case 2: return store_rows<T, 2>(args);
    default: return store_rows<T, 0>(args);
  }
}

// Each row is summed by itself, so that no partial sum grows with the whole array.
template <class T>
T total(const T* source, Index rows, Index row_stride, Index columns, Index column_stride) {
  T lane[kLanes<T>] = {};
  for (Index r = 0; r < rows; ++r, source += row_stride) {
    Vec<T> sum = {};
    Index i = 0;
    if (column_stride == 1)
      for (; i + kLanes<T> <= columns; i += kLanes<T>) sum += load(source + i);
    for (; i < columns; ++i) lane[i % kLanes<T>] += source[i * column_stride];
    for (Index l = 0; l < kLanes<T>; ++l) lane[l] += sum[l];
  }
  T all = 0;
  for (Index l = 0; l < kLanes<T>; ++l) all += lane[l];
  return all;
}

}  // namespace
}  // namespace fastconv::FASTCONV_ISA
