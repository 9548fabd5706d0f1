#include "runtime/memory.hpp"

#include <pthread.h>
#include <sys/mman.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

namespace fastconv {
namespace {

// Enough for the activations of a training step of the small networks this is for; what does not
// fit goes back to the system.
constexpr std::size_t kMaxCachedBytes = std::size_t{512} << 20;
constexpr std::size_t kMaxCachedBlocks = 256;

// Stands in front of every block; a whole alignment unit, so that the block stays aligned.
struct alignas(kAlignment) Header {
  std::size_t bytes;
  void* memory;  // as the system gave it
};
static_assert(sizeof(Header) == kAlignment);

class Pool {
 public:
  Pool() {
    const char* poison = std::getenv("FASTCONV_POISON");
    poison_ = poison && *poison && std::strcmp(poison, "0") != 0;
    free_.reserve(kMaxCachedBlocks);
  }

  void* allocate(std::size_t bytes) {
    const std::size_t rounded = round_up(bytes);
    Header* header = take(rounded);
    if (!header) {
      header = fresh(rounded);
      if (!header) throw std::bad_alloc();
    }
    void* block = header + 1;
    poison(block, rounded);
    return block;
  }

  // All bits set is a NaN in both dtypes.
  void poison(void* block, std::size_t bytes) const noexcept {
    if (poison_) std::memset(block, 0xff, bytes);
  }

  // What was freed longest ago makes room: a program that goes on with other sizes has them cached.
  void free(void* block) noexcept {
    Header* const header = static_cast<Header*>(block) - 1;
    if (header->bytes > kMaxCachedBytes) return std::free(header->memory);
    std::lock_guard lock(mutex_);
    std::size_t old = 0;
    for (; free_.size() - old == kMaxCachedBlocks || cached_ + header->bytes > kMaxCachedBytes;
         ++old) {
      cached_ -= free_[old]->bytes;
      std::free(free_[old]->memory);
    }
    free_.erase(free_.begin(), free_.begin() + static_cast<std::ptrdiff_t>(old));
    free_.push_back(header);
    cached_ += header->bytes;
  }

  void release() noexcept {
    std::lock_guard lock(mutex_);
    for (Header* header : free_) std::free(header->memory);
    free_.clear();
    cached_ = 0;
  }

  void set_poison(bool on) noexcept { poison_ = on; }
  std::mutex& mutex() noexcept { return mutex_; }

 private:
  // Large blocks are offered pages of 2 MiB, as NumPy's are: gradients of 32 images take a twelfth
  // less (`peers.py bwd -k b32`). They do not all begin at one place of a page, where what is
  // written would stand in the way of what is read beside it (a 3x3 filter of 4 MiB: 20%).
  Header* fresh(std::size_t bytes) noexcept {
    constexpr std::size_t kHugePage = std::size_t{2} << 20, kPage = 4096, kSkew = 2 * kAlignment;
    const bool large = bytes >= 2 * kHugePage;
    const std::size_t skew = large ? large_blocks_++ * 7 % (kPage / kSkew) * kSkew : 0;
    const std::size_t all = bytes + sizeof(Header) + skew;
    void* memory = nullptr;
    if (posix_memalign(&memory, large ? kHugePage : kAlignment, all) != 0) return nullptr;
#ifdef MADV_HUGEPAGE
    if (large) madvise(memory, all, MADV_HUGEPAGE);
#endif
    return new (static_cast<char*>(memory) + skew) Header{bytes, memory};
  }

  // Size classes an eighth of a power of two apart: at most 1/8 is wasted, and sizes that differ
  // by a little share blocks.
  static std::size_t round_up(std::size_t bytes) {
    if (bytes > PTRDIFF_MAX / 2) throw std::bad_alloc();
    std::size_t step = kAlignment;
    while (step * 16 < bytes) step *= 2;
    return (bytes + step - 1) / step * step;
  }

  // The youngest cached block of that class: the likeliest to be in cache.
  Header* take(std::size_t rounded) noexcept {
    std::lock_guard lock(mutex_);
    for (std::size_t i = free_.size(); i-- > 0;) {
      Header* header = free_[i];
      if (header->bytes != rounded) continue;
      free_.erase(free_.begin() + static_cast<std::ptrdiff_t>(i));
      cached_ -= rounded;
      return header;
    }
    return nullptr;
  }

  std::mutex mutex_;
  std::vector<Header*> free_;
  std::size_t cached_ = 0;
  std::atomic<bool> poison_{false};
  std::atomic<std::size_t> large_blocks_{0};  // ever allocated
};

// Never destroyed: arrays that live longer than static storage still free into it. The lock is
// held across fork, so that a child never inherits it locked by a thread that is gone.
Pool& pool() {
  static Pool* instance = [] {
    pthread_atfork([] { pool().mutex().lock(); }, [] { pool().mutex().unlock(); },
                   [] { pool().mutex().unlock(); });
    return new Pool;
  }();
  return *instance;
}

}  // namespace

namespace {

thread_local Workspace* workspace = nullptr;
thread_local Rehearsal* rehearsal = nullptr;

constexpr std::uintptr_t aligned(std::uintptr_t place) {
  return (place + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace

Workspace::Workspace(void* memory, std::size_t bytes) noexcept
    : next_(aligned(reinterpret_cast<std::uintptr_t>(memory))), begin_(next_),
      end_(reinterpret_cast<std::uintptr_t>(memory) + bytes) {
  workspace = this;
}
Workspace::~Workspace() { workspace = nullptr; }

OutsideWorkspace::OutsideWorkspace() noexcept : before_(std::exchange(workspace, nullptr)) {}
OutsideWorkspace::~OutsideWorkspace() { workspace = before_; }

Rehearsal::Rehearsal() noexcept { rehearsal = this; }
Rehearsal::~Rehearsal() { rehearsal = nullptr; }
bool Rehearsal::is_on() noexcept { return rehearsal != nullptr; }

void* pool_allocate(std::size_t bytes) {
  if (rehearsal) rehearsal->bytes_ += aligned(bytes);
  if (!workspace) return pool().allocate(bytes);
  Workspace& own = *workspace;
  if (own.next_ > own.end_ || own.end_ - own.next_ < bytes) throw WorkspaceTooSmall();
  void* const block = reinterpret_cast<void*>(own.next_);
  pool().poison(block, bytes);
  own.next_ = aligned(own.next_ + bytes);
  return block;
}

void pool_free(void* block) noexcept {
  if (!block) return;
  const auto place = reinterpret_cast<std::uintptr_t>(block);
  if (workspace && workspace->begin_ <= place && place < workspace->end_) return;
  pool().free(block);
}

void pool_release() noexcept { pool().release(); }

void pool_set_poison(bool on) noexcept { pool().set_poison(on); }

}  // namespace fastconv
