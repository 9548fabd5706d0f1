// The sizes of a transposed convolution, which the core knows as an input gradient only.
#pragma once

#include "python/arguments.hpp"

namespace fastconv::python {

// output = (input - 1) * stride - before - after + dilation * (kernel - 1) + 1 + output_padding
struct TransposedAxis {
  std::int64_t input, kernel, stride, dilation, before, after, output;
};

// The spatial axes, checked: every number in its range, and an output of at least one element.
class TransposedAxes {
 public:
  TransposedAxes(const char* function, int dims, const Sizes& input, const Sizes& weight);
  void read(const Window& window, py::handle output_padding, py::handle output_size);
  const TransposedAxis& operator[](int i) const { return axes_[i]; }

 private:
  using Numbers = std::int64_t[3];

  void check_range(const char* name, const std::int64_t* numbers, std::int64_t least) const;
  void set_output(int i, std::int64_t output_padding, fastconv_padding padding);
  std::string text(const std::int64_t* numbers) const;

  const char* function_;
  int dims_;
  TransposedAxis axes_[3];
};

// The channels of the convolution: in_channels are those of the transposed one's output.
void describe_transposed_channels(const char* function, std::int64_t channels,
                                  const Sizes& weight, fastconv_conv_desc& desc);

// A ValueError unless so many elements can be counted.
void check_count(const char* function, const char* name, const Sizes& sizes);

}  // namespace fastconv::python
