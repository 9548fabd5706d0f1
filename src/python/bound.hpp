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

 private:
  std::string function_;
  std::shared_ptr<const Planned> planned_;
  fastconv_buffers buffers_;
  std::vector<py::object> kept_;  // what `buffers_` points into
};

// As a function's `out`, asks for the call that would write there, not for the result.
struct Binding {
  py::array out;
};

}  // namespace fastconv::python
