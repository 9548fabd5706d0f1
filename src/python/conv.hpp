// What the bindings of convolution, of transposed convolution and of frozen layers share.
#pragma once

#include <optional>

#include "python/arguments.hpp"
#include "python/plans.hpp"

namespace fastconv::python {

using ConvKey = Key<fastconv_conv_desc>;

// How sums are made, and what is done to the finished ones.
struct Method {
  int algorithm = 0, activation = 0;  // fastconv_algorithm, fastconv_activation
  double slope = 0;
};

void describe_method(const Method& method, fastconv_conv_desc& desc);

// Weights are (out, in / groups, kernel...); channels that do not fit are a ValueError.
void describe_weight(const char* function, const View& input, const Sizes& weight,
                     std::int64_t groups, fastconv_conv_desc& desc);

// Weights packed once for each kind of plan that uses them.
struct Weights {
  Weights(const char* function, const py::array& weight, std::int64_t groups);

  WeightsHandle handle;
  fastconv_dtype dtype;
  std::int64_t groups;
  Sizes sizes;
};

// The arrays of a forward pass that may be None.
class Extras {
 public:
  Extras(const py::object& bias, const py::object& residual, const py::object& out)
      : bias_(bias), residual_(residual), out_(out) {}

  bool has_out() const { return !out_.is_none(); }
  const py::object& out() const { return out_; }
  // Sets bias and residual in `buffers`. What is written must be apart from all that is read.
  void read(const char* function, const View& input, const View* weight, const View& output,
            fastconv_buffers& buffers);

 private:
  const py::object &bias_, &residual_, &out_;
  std::optional<View> bias_view_, residual_view_;
};

// Convolves `input` with `weight`, or with `prepared` weights where there are any; `key` says how.
py::object conv_forward(const char* function, ConvKey& key, const View& input, const View* weight,
                        const Weights* prepared, Extras& extras);

// What a plan chose.
py::dict describe_plan(const char* function, const Planned& planned);

}  // namespace fastconv::python
