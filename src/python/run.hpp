// Calls of the C API while other Python threads run.
#pragma once

#include "python/errors.hpp"

namespace fastconv::python {

// Releases the GIL as long as it lives. pybind11's does more, which a small call would notice.
class WithoutGil {
 public:
  WithoutGil() : state_(PyEval_SaveThread()) {}
  ~WithoutGil() { PyEval_RestoreThread(state_); }
  WithoutGil(const WithoutGil&) = delete;
  WithoutGil& operator=(const WithoutGil&) = delete;

 private:
  PyThreadState* state_;
};

// Throws what the status of `call` stands for.
template <class Call>
void run(const char* function, const Call& call) {
  fastconv_status status;
  {
    const WithoutGil released;
    status = call();
  }
  check(function, status);
}

}  // namespace fastconv::python
