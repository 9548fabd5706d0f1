// Aligned memory that is used again.
//
// The first touch of fresh pages costs more than most convolutions, so freed blocks wait in a
// bounded pool for the next request of their size class. Outputs and workspaces come from here.
#pragma once

#include <cstddef>
#include <memory>

namespace fastconv {

constexpr std::size_t kAlignment = 64;

// A block of at least `bytes`, aligned to kAlignment; throws std::bad_alloc.
void* pool_allocate(std::size_t bytes);
void pool_free(void* block) noexcept;
void pool_release() noexcept;
void pool_set_poison(bool on) noexcept;

struct PoolDeleter {
  void operator()(void* block) const noexcept { pool_free(block); }
};

// An array of `count` elements from the pool, its contents undefined.
template <class T>
class Buffer {
 public:
  explicit Buffer(std::size_t count)
      : block_(count ? pool_allocate(bytes_of(count)) : nullptr) {}
  T* data() const noexcept { return static_cast<T*>(block_.get()); }
  T& operator[](std::size_t i) const noexcept { return data()[i]; }

 private:
  static std::size_t bytes_of(std::size_t count) {
    std::size_t bytes;
    if (__builtin_mul_overflow(count, sizeof(T), &bytes)) throw std::bad_alloc();
    return bytes;
  }
  std::unique_ptr<void, PoolDeleter> block_;
};

}  // namespace fastconv
