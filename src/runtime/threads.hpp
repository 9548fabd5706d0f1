// Threads: how many a call gets, and the one loop that runs on them.
//
// OpenMP says how many (OMP_NUM_THREADS, threadpoolctl); the workers are our own. An OpenMP region
// ends when each of its threads has had its turn, and beside another library's spinning pool
// (NumPy's BLAS keeps one) a turn can be milliseconds away: the demo's training step, with its
// linear layers in BLAS, took 8.2 ms on two cores and takes 4.6. Here the caller does the tasks
// itself, workers that wake in time take some off it, and nobody waits for those that do not. A
// child that fork made starts workers of its own.
#pragma once

#include <cstdint>

#include "runtime/memory.hpp"

namespace fastconv {

void set_num_threads(int n) noexcept;
int get_num_threads() noexcept;

// As long as it lives, calls of the calling thread get n threads; n = 0: as many as ever.
class ThreadsOfCall {
 public:
  explicit ThreadsOfCall(int n) noexcept;
  ~ThreadsOfCall();
  ThreadsOfCall(const ThreadsOfCall&) = delete;
  ThreadsOfCall& operator=(const ThreadsOfCall&) = delete;
};

// Threads for `tasks` independent tasks that cost `work` operations altogether: one where starting
// more would cost more than it saves, and inside somebody's OpenMP region.
int threads_for(std::int64_t tasks, double work) noexcept;

// Calls call(body, task, thread) for each task on at most `threads` threads, the caller's among
// them, which are numbered from 0 on.
using TaskCall = void (*)(const void* body, std::int64_t task, int thread);
void run_tasks(std::int64_t tasks, int threads, const void* body, TaskCall call) noexcept;

// Calls body(task, thread) for each task in [0, tasks), in any order; in a rehearsal, for none. The
// body must not throw.
template <class Body>
void parallel_for(std::int64_t tasks, int threads, const Body& body) noexcept {
  if (Rehearsal::is_on()) return;
  run_tasks(tasks, threads, &body, [](const void* own, std::int64_t task, int thread) {
    (*static_cast<const Body*>(own))(task, thread);
  });
}

}  // namespace fastconv
