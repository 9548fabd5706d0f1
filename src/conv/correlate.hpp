// A whole correlation: parts that together make all outputs, each by the algorithm that suits it.
// Never changes once made; any number of threads may run it at once.
#pragma once

#include <vector>

#include "conv/part.hpp"
#include "runtime/memory.hpp"

namespace fastconv {

enum class Algorithm { automatic, direct, im2col, tiled };

// What a plan tells of itself, for one execution with `threads` threads.
struct CorrelationInfo {
  PartInfo part;  // of the first part
  std::size_t parts;
  int threads;
  std::int64_t tasks, workspace_bytes, packed_bytes;
  struct Candidate {
    std::string algorithm;
    double cycles;
  };
  std::vector<Candidate> candidates;
};

template <class T>
class Correlation {
 public:
  // Each combination of one depth, one height and one width in `axes` is a part. What is in none
  // of them meets no input.
  Correlation(const Kernels<T>& kernels, const CorrelationShape& shape,
              const std::vector<TapAxis> (&axes)[3], Algorithm algorithm);

  // The weights in the order in which `run` reads them. Plans with one format can share them.
  const std::string& packed_format() const { return format_; }
  std::int64_t packed_size() const { return packed_size_; }
  void pack(const T* weight, T* packed) const;

  void run(const CorrelationArrays<T>& arrays, const T* packed) const;
  // On weights that are not packed.
  void run(const CorrelationArrays<T>& arrays) const;

  CorrelationInfo info() const;

 private:
  int threads() const;
  std::vector<Tasks> tasks(int threads) const;
  void pack(const T* weight, T* packed, const Part<T>& part) const;
  // packed: of each part, or null where its tasks pack.
  void run(const CorrelationArrays<T>& arrays, const std::vector<const T*>& packed) const;
  void fill(const CorrelationArrays<T>& arrays) const;
  Buffer<T> residual_apart(CorrelationArrays<T>& arrays) const;

  const Kernels<T>& kernels_;
  CorrelationShape shape_;
  std::vector<PartPtr<T>> parts_;
  std::string format_;
  std::int64_t packed_size_;
  double work_;
  bool covered_;  // whether every output is in a part
  std::vector<CorrelationInfo::Candidate> candidates_;
};

}  // namespace fastconv
