// What is kept between calls: plans by their problem, packed weights by their format.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <variant>

#include "conv/conv.hpp"
#include "dispatch/dispatch.hpp"
#include "fastconv/fastconv.h"
#include "runtime/memory.hpp"

namespace fastconv {

using AnyCorrelation = std::variant<Correlation<float>, Correlation<double>>;

// The plan of this problem, made if it is not among the last ones. Any thread may call.
std::shared_ptr<const AnyCorrelation> find_correlation(const ConvShape& shape,
                                                       fastconv_direction direction,
                                                       Algorithm algorithm,
                                                       const KernelTable& table);

void describe(const AnyCorrelation& correlation, const ConvShape& shape,
              fastconv_plan_info& info);

// A private copy of weights, and what plans made of it: each packed format once.
template <class T>
class Prepared {
 public:
  Prepared(const ConvShape& shape, const T* weight);

  std::shared_ptr<const T> packed(const KernelTable& table, fastconv_direction direction,
                                  const Correlation<T>& correlation) const;

 private:
  Buffer<T> weight_;
  mutable std::mutex mutex_;
  mutable std::map<std::string, std::shared_ptr<const T>> packed_;
};

// Floating-point operations a second of multiply-adds in registers, on all threads.
template <class T>
double measure_peak(const Kernels<T>& kernels);

}  // namespace fastconv
