// C(i, j) = sum over p of A(i, p) * B(p, j), by the five loops of Goto and van de Geijn (2008):
//
//   loop 5  columns of B and C in blocks of NC       the caller's: one call is one block
//   loop 4  the sum in blocks of KC                  B's block is packed: [NR panel][p][NR]
//   loop 3  rows of A and C in blocks of MC          A is packed before: [MR panel][p][MR]
//   loop 2  columns in panels of NR
//   loop 1  rows in panels of MR                     the register tile sums over p
#pragma once

#include <vector>

#include "kernels/table.hpp"
#include "runtime/split.hpp"

namespace fastconv {

template <class T>
class Gemm {
 public:
  // For M rows of A, K products a sum and at most `columns` of B.
  Gemm(const Kernels<T>& kernels, std::int64_t m, std::int64_t k, std::int64_t columns);

  const Split& panels() const { return panels_; }  // of A's rows
  // Elements of the packed block of B.
  std::int64_t workspace() const { return kc_ * columns_; }
  // C's rows are this far apart and written up to the end of a panel.
  Index c_stride() const { return columns_; }
  void run(const T* packed_a, const T* b, Index b_stride, std::int64_t columns, T* c,
           T* workspace) const;

 private:
  const Kernels<T>& kernels_;
  std::int64_t k_;
  Split panels_;
  Index nr_;  // columns of a panel of B
  std::int64_t kc_, columns_;
  std::vector<Index> offset_;  // of p in a panel of B
};

}  // namespace fastconv
