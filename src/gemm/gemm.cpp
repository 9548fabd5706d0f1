#include "gemm/gemm.hpp"

namespace fastconv {
namespace {

// A panel of B (512 x 48 floats) and one of A stay in the second cache.
constexpr std::int64_t kKc = 512;
// Rows of A that meet B's block before the next ones: 128 x 512 floats are a quarter of it.
constexpr std::int64_t kMc = 128;

}  // namespace

template <class T>
Gemm<T>::Gemm(const Kernels<T>& kernels, std::int64_t m, std::int64_t k, std::int64_t columns)
    : kernels_(kernels),
      k_(k),
      panels_(m, kernels.tile_rows),
      nr_(kernels.tile_vectors[panels_.largest()] * kernels.lanes),
      kc_(std::min(k, kKc)),
      columns_((columns - 1) / nr_ * nr_ + nr_) {
  for (std::int64_t p = 0; p < kc_; ++p) offset_.push_back(p * nr_);
}

template <class T>
void Gemm<T>::run(const T* packed_a, const T* b, Index b_stride, std::int64_t columns, T* c,
                  T* workspace) const {
  if (k_ == 0) return std::fill_n(c, panels_.total * columns_, T{0}), void();
  const Split depths(k_, kc_), panels((columns - 1) / nr_ + 1, 1);
  for (std::int64_t pc = 0; pc < depths.parts; ++pc) {
    const std::int64_t p0 = depths.begin(pc), depth = depths.size(pc);
    for (std::int64_t jr = 0; jr < panels.parts; ++jr) {
      const Index width = std::min<Index>(nr_, columns - jr * nr_);
      kernels_.pack({b + p0 * b_stride + jr * nr_, b_stride, 1, depth, 0, width, nr_ - width,
                     workspace + jr * kc_ * nr_, T{0}});
    }
    const Split blocks(panels_.parts, kMc / panels_.largest());
    for (std::int64_t ic = 0; ic < blocks.parts; ++ic)
      for (std::int64_t jr = 0; jr < panels.parts; ++jr)
        for (std::int64_t ir = blocks.begin(ic); ir < blocks.begin(ic) + blocks.size(ic); ++ir) {
          const std::int64_t row = panels_.begin(ir), rows = panels_.size(ir);
          TileArgs<T> args{workspace + jr * kc_ * nr_,
                           offset_.data(),
                           depth,
                           packed_a + row * k_ + p0 * rows,
                           c + row * columns_ + jr * nr_,
                           columns_,
                           pc > 0,
                           false,
                           0,
                           0,
                           nullptr,
                           nullptr};
          kernels_.tile[rows][nr_ / kernels_.lanes](args);
        }
  }
}

template class Gemm<float>;
template class Gemm<double>;

}  // namespace fastconv
