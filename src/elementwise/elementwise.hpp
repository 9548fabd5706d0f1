// Passes over whole arrays in one run of memory, element by element.
#pragma once

#include "kernels/table.hpp"
#include "runtime/split.hpp"
#include "runtime/threads.hpp"

namespace fastconv {

// Calls body(begin, count) for blocks that cover `count` elements, on threads where there are many
// bytes. Blocks begin at multiples of 64, so that vectors of aligned memory stay aligned.
template <class Body>
void for_each_block(std::int64_t count, std::int64_t bytes_per_element, const Body& body) {
  constexpr std::int64_t kUnit = 64, kBlockBytes = 1 << 17;
  // By which two threads start at 400 KB. One thread or two take, in us, for relu 6 or 6 with
  // 512 KiB of traffic and 25 or 17 with 2 MiB, for sigmoid 22 or 17 and 87 or 49 (float32).
  constexpr double kWorkPerByte = 1;
  const Split blocks((count + kUnit - 1) / kUnit, kBlockBytes / (kUnit * bytes_per_element));
  const double work = kWorkPerByte * static_cast<double>(count * bytes_per_element);
  parallel_for(blocks.parts, threads_for(blocks.parts, work), [&](std::int64_t block, int) {
    const std::int64_t begin = blocks.begin(block) * kUnit;
    body(begin, std::min(count - begin, blocks.size(block) * kUnit));
  });
}

template <class T>
void activate(const Kernels<T>& kernels, const ActivateArgs<T>& args);
template <class T>
void activate_backward(const Kernels<T>& kernels, const ActivateBackwardArgs<T>& args);

template <class T>
void sgd_step(const Kernels<T>& kernels, const SgdArgs<T>& args);
template <class T>
void adam_step(const Kernels<T>& kernels, const AdamArgs<T>& args);

}  // namespace fastconv
