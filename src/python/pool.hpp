// What the bindings of pooling share: a problem, its execution forward and backward.
#pragma once

#include <optional>

#include "python/arguments.hpp"
#include "python/plans.hpp"

namespace fastconv::python {

using PoolKey = Key<fastconv_pool_desc>;

// How windows are laid and, of means, what divides them; as Python gave it.
struct Pooling {
  fastconv_pool_kind kind;
  py::handle kernel;
  Window window;
  bool ceil_mode, count_include_pad = true;
  py::handle divisor = Py_None;
  double norm_type = 0;
};

// So many windows of an adaptive pooling: an int or a tuple, in which None is the input's size.
struct Adaptive {
  fastconv_pool_kind kind;
  py::handle output_size;
};

struct Pool {
  View input;
  PoolKey key;

  Pool(const char* function, const Form& form, const py::array& input, const Pooling& pooling);
  Pool(const char* function, const Form& form, const py::array& input, const Adaptive& adaptive);

 private:
  Pool(const char* function, const Form& form, const py::array& input, fastconv_pool_kind kind);
};

// The output or, where they are wanted, a pair of it and the indices.
py::object pool_forward(const char* function, Pool& pool, bool return_indices,
                        const py::object& out);

// The gradient of maxima: indices are those given or, where that is None, found again.
py::array max_pool_backward(const char* function, Pool& pool, const py::array& grad_output,
                            const py::object& indices);

// The gradient of means and norms.
py::array pool_backward(const char* function, Pool& pool, const py::array& grad_output);

}  // namespace fastconv::python
