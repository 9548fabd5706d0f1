// A convolution or a pooling, its operands in double and C order, and its results by loops over all
// products. The operands are small integers, so that every result is exact.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

namespace fastconv::test {

using Values = std::vector<double>;

struct Window {
  const char* name;
  int spatial;
  std::int64_t n, g, ic, oc;  // channels are counted in one group; a pooling has oc = ic = 1
  std::int64_t input[3], kernel[3], stride[3], dilation[3], before[3], after[3];

  std::int64_t output(int axis) const {
    return (input[axis] + before[axis] + after[axis] - dilation[axis] * (kernel[axis] - 1) - 1) /
               stride[axis] + 1;
  }
  std::int64_t inputs() const { return input[0] * input[1] * input[2]; }
  std::int64_t outputs() const { return output(0) * output(1) * output(2); }
  std::int64_t taps() const { return kernel[0] * kernel[1] * kernel[2]; }
};

// Calls body(output, input, tap), places within a plane, for each input element that an output
// meets, output after output in the order of taps.
template <class Body>
void for_each_meeting(const Window& w, const Body& body) {
  const auto at = [&](int axis, std::int64_t o, std::int64_t k) {
    return o * w.stride[axis] + k * w.dilation[axis] - w.before[axis];
  };
  const auto inside = [&](int axis, std::int64_t i) { return i >= 0 && i < w.input[axis]; };
  std::int64_t output = 0;
  for (std::int64_t od = 0; od < w.output(0); ++od)
    for (std::int64_t oh = 0; oh < w.output(1); ++oh)
      for (std::int64_t ow = 0; ow < w.output(2); ++ow, ++output) {
        std::int64_t tap = 0;
        for (std::int64_t kd = 0; kd < w.kernel[0]; ++kd)
          for (std::int64_t kh = 0; kh < w.kernel[1]; ++kh)
            for (std::int64_t kw = 0; kw < w.kernel[2]; ++kw, ++tap) {
              const std::int64_t d = at(0, od, kd), h = at(1, oh, kh), v = at(2, ow, kw);
              if (inside(0, d) && inside(1, h) && inside(2, v))
                body(output, (d * w.input[1] + h) * w.input[2] + v, tap);
            }
      }
}

Values draw_integers(std::int64_t count);

struct ConvData {
  explicit ConvData(const Window& w);

  Values input, weight, grad_output;
  Values bias, input_bias;                   // of the output, of the input gradient
  Values residual;                           // of the output
  Values output, grad_input;                 // with the bias and, of the output, the residual
  Values grad_weight, grad_bias;
};

struct PoolData {
  explicit PoolData(const Window& w);

  Values input, grad_output;
  Values max, indices, mean, grad_max, grad_mean;  // the mean's divisor is the number of taps
};

}  // namespace fastconv::test
