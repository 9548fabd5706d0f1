#include "elementwise/elementwise.hpp"

namespace fastconv {

template <class T>
void sgd_step(const Kernels<T>& kernels, const SgdArgs<T>& args) {
  for_each_block(args.count, (args.buffer ? 5 : 3) * sizeof(T),
                 [&](std::int64_t begin, std::int64_t count) {
                   SgdArgs<T> block = args;
                   block.count = count;
                   block.param += begin, block.grad += begin;
                   if (block.buffer) block.buffer += begin;
                   kernels.sgd(block);
                 });
}

template <class T>
void adam_step(const Kernels<T>& kernels, const AdamArgs<T>& args) {
  for_each_block(args.count, (args.largest ? 9 : 7) * sizeof(T),
                 [&](std::int64_t begin, std::int64_t count) {
                   AdamArgs<T> block = args;
                   block.count = count;
                   block.param += begin, block.grad += begin;
                   block.mean += begin, block.square += begin;
                   if (block.largest) block.largest += begin;
                   kernels.adam(block);
                 });
}

template void sgd_step(const Kernels<float>&, const SgdArgs<float>&);
template void sgd_step(const Kernels<double>&, const SgdArgs<double>&);
template void adam_step(const Kernels<float>&, const AdamArgs<float>&);
template void adam_step(const Kernels<double>&, const AdamArgs<double>&);

}  // namespace fastconv
