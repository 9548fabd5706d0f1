#include "runtime/threads.hpp"

#include <omp.h>

#include <algorithm>
#include <atomic>

namespace fastconv {
namespace {

// Operations worth one more thread: about 1 us of arithmetic, three times what it costs to hand out
// tasks while the workers spin.
constexpr double kWorkPerThread = 1e5;

std::atomic<int> chosen{0};  // by set_num_threads; 0 while it was not called

// Whether OpenMP's number in this thread follows `chosen`, so that any lower one is a limit.
thread_local bool chosen_here = false;

thread_local int of_call = 0;  // 0: no call has a number of its own

// What OpenMP allowed when the library was loaded: a lower value now is somebody's limit.
const int initial_max = omp_get_max_threads();

}  // namespace

void set_num_threads(int n) noexcept {
  omp_set_num_threads(n);
  chosen = n;
  chosen_here = true;
}

ThreadsOfCall::ThreadsOfCall(int n) noexcept { of_call = n; }
ThreadsOfCall::~ThreadsOfCall() { of_call = 0; }

int get_num_threads() noexcept {
  if (of_call > 0) return of_call;
  const int n = chosen;
  const int limit = omp_get_max_threads();
  if (n == 0) return limit;
  return limit == initial_max && !chosen_here ? n : std::min(n, limit);
}

int threads_for(std::int64_t tasks, double work) noexcept {
  if (omp_in_parallel()) return 1;
  const double useful = std::min(static_cast<double>(tasks), work / kWorkPerThread);
  const double most = get_num_threads();
  return static_cast<int>(std::max(1.0, std::min(most, useful)));
}

}  // namespace fastconv
