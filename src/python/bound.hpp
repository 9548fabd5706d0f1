// Calls on memory that stays, made again and again: all that a call finds out is found out before.
#pragma once

#include <string>
#include <vector>

#include "python/plans.hpp"

namespace fastconv::python {

class Bound {
 public:
  Bound(std::string function, std::shared_ptr<const Planned> planned,
        const fastconv_buffers& buffers, std::vector<py::object> kept)
      : function_(std::move(function)),
        planned_(std::move(planned)),
        buffers_(buffers),
        kept_(std::move(kept)) {}

  void call() const { execute(function_.c_str(), *planned_, buffers_); }

  // On another input of the same sizes, strides and dtype, in aligned elements, in place of the one
  // that it was made with, which it keeps no longer.
  void call_on(const py::array& input) {
    kept_.front() = py::none();
    fastconv_buffers buffers = buffers_;
    buffers.input = input.data();
    execute(function_.c_str(), *planned_, buffers);
  }

 private:
  std::string function_;
  std::shared_ptr<const Planned> planned_;
  fastconv_buffers buffers_;
  std::vector<py::object> kept_;  // what `buffers_` points into, the input first
};

// As a function's `out`, asks for the call that would write there, not for the result.
struct Binding {
  py::array out;
};

}  // namespace fastconv::python
