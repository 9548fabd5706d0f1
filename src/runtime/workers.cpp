#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <thread>
#include <vector>

#include "runtime/split.hpp"
#include "runtime/threads.hpp"

namespace fastconv {
namespace {

// An idle worker looks out for work so long before it sleeps: a network's layers follow each other
// quicker, and a sleeper has to be woken by the system.
constexpr std::chrono::microseconds kSpin{100};

void pause() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Held for less time than the system takes to put a waiter to sleep and to wake it: with a mutex
// the workers begin 1.2 us after their caller, with this 0.35.
class SpinLock {
 public:
  void lock() noexcept {
    for (int spins = 0; held_.exchange(true, std::memory_order_acquire); ++spins) rest(spins);
  }
  void unlock() noexcept { held_.store(false, std::memory_order_release); }

  // Between two looks: who is waited for may want this core.
  static void rest(int spins) noexcept {
    if (spins < 1000)
      pause();
    else
      std::this_thread::yield();
  }

 private:
  std::atomic<bool> held_{false};
};

#if defined(__linux__)
int current_cpu() noexcept { return sched_getcpu(); }

// The system may wake a worker on the very core that its caller computes on, and leave it there for
// milliseconds beside an idle one: one call in ten took twice its time. It moves away itself.
void leave(int cpu) noexcept {
  if (sched_getcpu() != cpu) return;
  cpu_set_t allowed;
  if (pthread_getaffinity_np(pthread_self(), sizeof allowed, &allowed) != 0) return;
  cpu_set_t others = allowed;
  CPU_CLR(cpu, &others);
  if (CPU_COUNT(&others) == 0) return;
  if (pthread_setaffinity_np(pthread_self(), sizeof others, &others) == 0)
    pthread_setaffinity_np(pthread_self(), sizeof allowed, &allowed);
}
#else
int current_cpu() noexcept { return -1; }
void leave(int) noexcept {}
#endif

// Each thread begins with a run of tasks of its own, so that the same work on the same memory falls
// to the core whose cache holds it from the time before; then it takes from the others' runs.
struct Job {
  static constexpr int kMostRuns = 64;
  struct alignas(64) Run {
    std::atomic<std::int64_t> next;
    std::int64_t end;
  };

  Job(const void* body_, TaskCall call_, std::int64_t tasks, int threads)
      : body(body_), call(call_), runs(std::min(threads, kMostRuns)), places(threads - 1) {
    const Split split(tasks, (tasks - 1) / runs + 1);
    runs = static_cast<int>(split.parts);
    for (int i = 0; i < runs; ++i) {
      run[i].next.store(split.begin(i), std::memory_order_relaxed);
      run[i].end = split.begin(i) + split.size(i);
    }
  }

  void work(int thread) {
    for (int i = 0; i < runs; ++i) {
      Run& own = run[(thread + i) % runs];
      for (std::int64_t task; (task = own.next.fetch_add(1, std::memory_order_relaxed)) < own.end;)
        call(body, task, thread);
    }
  }
  bool is_open() const {
    for (int i = 0; i < runs; ++i)
      if (run[i].next.load(std::memory_order_relaxed) < run[i].end) return true;
    return false;
  }

  const void* body;
  TaskCall call;
  const int cpu = current_cpu();  // the caller's
  int runs;
  int places;  // for workers that may still join; under the lock, as is joined
  int joined = 0;
  std::atomic<int> active{0};  // workers that joined and have not left
  Run run[kMostRuns];
};

class Workers {
 public:
  void run(Job& job) noexcept {
    const int sleepers = open(job);
    for (int i = 0; i < sleepers; ++i) wake_.notify_one();
    job.work(0);
    close(job);
    for (int spins = 0; job.active.load(std::memory_order_acquire) > 0; ++spins)
      SpinLock::rest(spins);
  }

 private:
  // Returns how many sleeping workers to wake.
  int open(Job& job) noexcept {
    const int places = job.places;
    {
      const std::lock_guard lock(list_);
      try {
        jobs_.push_back(&job);
        if (count_ < places) start(places);
      } catch (...) {  // no more threads or memory to be had: the caller works alone
      }
    }
    epoch_.fetch_add(1);
    const int sleepers = std::min(places, sleeping_.load());
    if (sleepers > 0) const std::lock_guard asleep(mutex_);  // whoever has not seen the job
    return sleepers;
  }

  // Signals stay with the threads of the program.
  void start(int count) {
    sigset_t every, before;
    sigfillset(&every);
    pthread_sigmask(SIG_BLOCK, &every, &before);
    try {
      for (; count_ < count; ++count_) std::thread([this] { serve(); }).detach();
    } catch (...) {
      pthread_sigmask(SIG_SETMASK, &before, nullptr);
      throw;
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  void close(Job& job) noexcept {
    const std::lock_guard lock(list_);
    const auto found = std::find(jobs_.begin(), jobs_.end(), &job);
    if (found != jobs_.end()) jobs_.erase(found);
  }

  void serve() noexcept {
    for (;;) {
      const std::uint64_t seen = epoch_.load(std::memory_order_acquire);
      int thread;
      if (Job* job = join(&thread)) {
        leave(job->cpu);
        job->work(thread);
        job->active.fetch_sub(1, std::memory_order_release);
      } else {
        await(seen);
      }
    }
  }

  // A job with a place left for the calling worker, and the number it has there.
  Job* join(int* thread) noexcept {
    const std::lock_guard lock(list_);
    for (Job* job : jobs_) {
      if (job->places == 0 || !job->is_open()) continue;
      --job->places;
      job->active.fetch_add(1, std::memory_order_relaxed);
      *thread = ++job->joined;
      return job;
    }
    return nullptr;
  }

  // Until another job was opened since `seen`: spins where there is a core to spare, then sleeps.
  void await(std::uint64_t seen) noexcept {
    const auto changed = [&] { return epoch_.load(std::memory_order_acquire) != seen; };
    if (count_ < cores_) {
      const auto end = std::chrono::steady_clock::now() + kSpin;
      do {
        for (int i = 0; i < 32; ++i) {
          if (changed()) return;
          pause();
        }
        std::this_thread::yield();  // to whoever else wants this core
      } while (std::chrono::steady_clock::now() < end);
    }
    // Who opens a job counts it, then the sleepers: those that it does not see will see it.
    const std::lock_guard lock(mutex_);
    ++sleeping_;
    // As wake_.wait(lock, ...), which with GCC 12 would want its libstdc++ where wheels run.
    while (epoch_.load() == seen) pthread_cond_wait(wake_.native_handle(), mutex_.native_handle());
    --sleeping_;
  }

  // Asked for once: the system reads a file, which took each worker 6 us before it looked for work.
  const int cores_ = static_cast<int>(std::thread::hardware_concurrency());
  SpinLock list_;           // of `jobs_` and what is a job's under the lock
  std::vector<Job*> jobs_;  // that workers may join
  std::mutex mutex_;        // of those that sleep
  std::condition_variable wake_;
  std::atomic<int> sleeping_{0};
  std::atomic<int> count_{0};
  std::atomic<std::uint64_t> epoch_{0};  // counts jobs
};

// Never destroyed: workers outlive static storage. A forked child has none of its parent's
// workers, nor a use for its lock.
std::atomic<Workers*> workers{nullptr};

Workers& current_workers() {
  static const int registered = pthread_atfork(nullptr, nullptr, [] { workers = new Workers; });
  static_cast<void>(registered);
  Workers* own = workers;
  if (own) return *own;
  Workers* fresh = new Workers;
  if (workers.compare_exchange_strong(own, fresh)) return *fresh;
  delete fresh;
  return *own;
}

}  // namespace

void run_tasks(std::int64_t tasks, int threads, const void* body, TaskCall call) noexcept {
  if (threads <= 1 || tasks <= 1) {
    for (std::int64_t task = 0; task < tasks; ++task) call(body, task, 0);
    return;
  }
  Job job(body, call, tasks, static_cast<int>(std::min<std::int64_t>(threads, tasks)));
  current_workers().run(job);
}

}  // namespace fastconv
