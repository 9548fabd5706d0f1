// Batch norm's sums and maps over a block: of one channel, a run of memory from each of some images,
// or of rows of channels side by side. Sums over a block are made in T, and added up in double outside.
#pragma once

#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace fastconv::FASTCONV_ISA {
namespace {

template <class T>
double lane_total(Vec<T> sums) {
  double total = 0;
  for (Index i = 0; i < kLanes<T>; ++i) total += static_cast<double>(sums[i]);
  return total;
}

template <class T>
FASTCONV_INLINE void store_doubles(double* target, Vec<T> vector, Index count) {
  for (Index i = 0; i < count; ++i) target[i] = static_cast<double>(vector[i]);
}

// Calls body(part, place) for each vector of a channel's runs.
template <class T, class Body>
FASTCONV_INLINE void for_run(const NormBlock<T>& block, const Body& body) {
  for (Index r = 0; r < block.rows; ++r)
    for_vectors<T>(block.columns,
                   [&](const auto& part, Index i) { body(part, r * block.pitch + i); });
}

// mean, and squares = sum of (x - mean)^2: by the sum of the distances from a first mean, rounded
// in T, and that of their squares.
template <class T>
void moments_of_run(const NormBlock<T>& block, double* mean, double* squares) {
  const auto count = static_cast<double>(block.rows * block.columns);
  Vec<T> sum{}, rest{}, square{};
  for_run<T>(block, [&](const auto& part, Index at) { sum += part.load(block.x + at); });
  const T middle = static_cast<T>(lane_total<T>(sum) / count);
  const Vec<T> shift = broadcast(middle);
  for_run<T>(block, [&](const auto& part, Index at) {
    const Vec<T> distance = part.load(block.x + at) - part.only(shift);
    rest += distance;
    square += distance * distance;
  });
  const double left = lane_total<T>(rest);
  *mean = static_cast<double>(middle) + left / count;
  *squares = lane_total<T>(square) - left * left / count;
}

template <class T>
void moments_of_rows(const NormBlock<T>& block, double* mean, double* squares) {
  const auto count = static_cast<double>(block.rows);
  for_vectors<T>(block.columns, [&](const auto& part, Index i) {
    Vec<T> sum{}, rest{}, square{};
    for (Index r = 0; r < block.rows; ++r) sum += part.load(block.x + r * block.pitch + i);
    const Vec<T> middle = sum / static_cast<T>(block.rows);
    for (Index r = 0; r < block.rows; ++r) {
      const Vec<T> distance = part.load(block.x + r * block.pitch + i) - middle;
      rest += distance;
      square += distance * distance;
    }
    for (Index lane = 0; lane < part.count; ++lane) {
      const auto left = static_cast<double>(rest[lane]);
      mean[i + lane] = static_cast<double>(middle[lane]) + left / count;
      squares[i + lane] = static_cast<double>(square[lane]) - left * left / count;
    }
  });
}

// The sums of g and of g (x - mean).
template <class T>
void gradients_of_run(const NormBlock<T>& block, const T* mean, double* sum, double* product) {
  Vec<T> sums{}, products{};
  const Vec<T> middle = broadcast(*mean);
  for_run<T>(block, [&](const auto& part, Index at) {
    const Vec<T> g = part.load(block.g + at);
    sums += g;
    products += g * (part.load(block.x + at) - part.only(middle));
  });
  *sum = lane_total<T>(sums);
  *product = lane_total<T>(products);
}

template <class T>
void gradients_of_rows(const NormBlock<T>& block, const T* mean, double* sum, double* product) {
  for_vectors<T>(block.columns, [&](const auto& part, Index i) {
    Vec<T> sums{}, products{};
    const Vec<T> middle = part.load(mean + i);
    for (Index r = 0; r < block.rows; ++r) {
      const Vec<T> g = part.load(block.g + r * block.pitch + i);
      sums += g;
      products += g * (part.load(block.x + r * block.pitch + i) - middle);
    }
    store_doubles<T>(sum + i, sums, part.count);
    store_doubles<T>(product + i, products, part.count);
  });
}

// out = (x - mean) * scale + shift, and, where there is g, + g * factor.
template <class T>
FASTCONV_INLINE Vec<T> mapped(Vec<T> x, const Vec<T> (&map)[4], const Vec<T>* g) {
  const Vec<T> result = (x - map[0]) * map[1] + map[2];
  return g ? *g * map[3] + result : result;
}

template <class T>
void map_run(const NormBlock<T>& block, const NormMap<T>& map) {
  const Vec<T> constant[4] = {broadcast(*map.mean), broadcast(*map.scale), broadcast(*map.shift),
                              broadcast(*map.factor)};
  for_vectors<T>(block.columns, [&](const auto& part, Index i) {
    const Vec<T> x = part.load(block.x + i);
    if (!block.g) return part.store(block.out + i, mapped<T>(x, constant, nullptr));
    const Vec<T> g = part.load(block.g + i);
    part.store(block.out + i, mapped<T>(x, constant, &g));
  });
}

template <class T>
void map_rows(const NormBlock<T>& block, const NormMap<T>& map) {
  for (Index r = 0; r < block.rows; ++r)
    for_vectors<T>(block.columns, [&](const auto& part, Index i) {
      const Vec<T> constant[4] = {part.load(map.mean + i), part.load(map.scale + i),
                                  part.load(map.shift + i), part.load(map.factor + i)};
      const Index at = r * block.pitch + i;
      const Vec<T> x = part.load(block.x + at);
      if (!block.g) return part.store(block.out + at, mapped<T>(x, constant, nullptr));
      const Vec<T> g = part.load(block.g + at);
      part.store(block.out + at, mapped<T>(x, constant, &g));
    });
}

}  // namespace
}  // namespace fastconv::FASTCONV_ISA
