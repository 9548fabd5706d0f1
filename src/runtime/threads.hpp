// Threads: how many a call gets, and the one loop that runs on them.
#pragma once

#include <omp.h>

#include <cstdint>

namespace fastconv {

void set_num_threads(int n) noexcept;
int get_num_threads() noexcept;

// Threads for `tasks` independent tasks that cost `work` operations altogether: one where starting
// more would cost more than it saves, and in a child that fork made (OpenMP's threads did not come
// along, and libgomp waits for them for ever).
int threads_for(std::int64_t tasks, double work) noexcept;

// Calls body(task, thread) for each task in [0, tasks), in any order, on `threads` threads.
// The body must not throw.
template <class Body>
void parallel_for(std::int64_t tasks, int threads, const Body& body) noexcept {
  if (threads <= 1) {
    for (std::int64_t task = 0; task < tasks; ++task) body(task, 0);
    return;
  }
#pragma omp parallel num_threads(threads)
  {
    const int thread = omp_get_thread_num();
#pragma omp for schedule(dynamic, 1) nowait
    for (std::int64_t task = 0; task < tasks; ++task) body(task, thread);
  }
}

}  // namespace fastconv
