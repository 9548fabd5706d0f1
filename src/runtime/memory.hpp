// Aligned memory that is used again.
//
// The first touch of fresh pages costs more than most convolutions, so freed blocks wait in a
// bounded pool for the next request of their size class. Outputs and workspaces come from here, or
// where a caller brings memory of its own for an execution, workspaces from there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace fastconv {

constexpr std::size_t kAlignment = 64;

// `count` elements and as many more as keep what stands behind them aligned.
template <class T>
constexpr std::int64_t aligned_size(std::int64_t count) {
  constexpr auto kLine = static_cast<std::int64_t>(kAlignment / sizeof(T));
  return (count + kLine - 1) / kLine * kLine;
}

// A block of at least `bytes`, aligned to kAlignment; throws std::bad_alloc.
void* pool_allocate(std::size_t bytes);
void pool_free(void* block) noexcept;
void pool_release() noexcept;
void pool_set_poison(bool on) noexcept;

// As long as it lives, what the calling thread allocates is cut from the caller's memory, one block
// behind the other, and freeing does nothing; a block that does not fit throws WorkspaceTooSmall.
class Workspace {
 public:
  Workspace(void* memory, std::size_t bytes) noexcept;
  ~Workspace();
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

 private:
  friend void* pool_allocate(std::size_t bytes);
  friend void pool_free(void* block) noexcept;
  std::uintptr_t next_, begin_, end_;
};
struct WorkspaceTooSmall {};

// As long as it lives, what the calling thread allocates comes from the pool: it outlives the call.
class OutsideWorkspace {
 public:
  OutsideWorkspace() noexcept;
  ~OutsideWorkspace();
  OutsideWorkspace(const OutsideWorkspace&) = delete;
  OutsideWorkspace& operator=(const OutsideWorkspace&) = delete;

 private:
  Workspace* before_;
};

// As long as it lives, the calling thread does no tasks (see threads.hpp), and what it allocates is
// counted: how large a Workspace the same call would want.
class Rehearsal {
 public:
  Rehearsal() noexcept;
  ~Rehearsal();
  Rehearsal(const Rehearsal&) = delete;
  Rehearsal& operator=(const Rehearsal&) = delete;
  std::size_t bytes() const noexcept { return bytes_; }
  static bool is_on() noexcept;

 private:
  friend void* pool_allocate(std::size_t bytes);
  std::size_t bytes_ = kAlignment;  // wherever the memory begins
};

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
