// The canonical shapes: three spatial axes (depth, height, width), of which 1-D and 2-D leave the
// first ones at size 1; element strides; asymmetric padding. Valid once made (api/check.hpp).
#pragma once

#include <cstdint>

namespace fastconv {

enum class Dtype { float32, float64 };

// An element that is moved and not multiplied costs about as much as so many multiplications.
constexpr double kElementCost = 16;

// One spatial axis of a sliding window: output o looks at input o * stride + k * dilation
// - pad_before for each k of the kernel.
struct Axis {
  std::int64_t input = 1, kernel = 1, output = 1;
  std::int64_t stride = 1, dilation = 1;
  std::int64_t pad_before = 0, pad_after = 0;

  std::int64_t extent() const { return dilation * (kernel - 1) + 1; }
};

// Strides in elements: (n, c, d, h, w) of an array, (oc, ic, kd, kh, kw) of a weight.
struct Strides {
  std::int64_t outer, channel, axis[3];
};

struct ConvShape {
  Dtype dtype;
  std::int64_t n, g, ic, oc;  // channels are counted in one group
  Axis axis[3];
  Strides input, weight, output;

  std::int64_t taps() const { return axis[0].kernel * axis[1].kernel * axis[2].kernel; }
  std::int64_t outputs() const { return axis[0].output * axis[1].output * axis[2].output; }
  // Multiplications and additions of one direction.
  double flop() const {
    return 2.0 * static_cast<double>(n * g) * static_cast<double>(ic * oc) *
           static_cast<double>(taps()) * static_cast<double>(outputs());
  }
};

struct PoolShape {
  Dtype dtype;
  bool max;
  std::int64_t n, c;
  Axis axis[3];
  bool count_include_pad;
  std::int64_t divisor_override;  // 0 where there is none
  bool adaptive;                  // windows of more than one size: pool/adaptive.cpp
  double norm;                    // of Lp pooling, else 0
  Strides input, output, indices;

  std::int64_t taps() const { return axis[0].kernel * axis[1].kernel * axis[2].kernel; }
  std::int64_t inputs() const { return axis[0].input * axis[1].input * axis[2].input; }
  std::int64_t outputs() const { return axis[0].output * axis[1].output * axis[2].output; }
  // What all windows cost.
  double work() const {
    return kElementCost * static_cast<double>(n * c) * static_cast<double>(outputs()) *
           static_cast<double>(taps());
  }
};

// Elements that move between the places of a pooling and those of its input.
struct UnpoolShape {
  Dtype dtype;
  std::int64_t n, c;
  std::int64_t input[3], output[3];  // depth, height, width
  Strides from, indices, to;

  std::int64_t inputs() const { return input[0] * input[1] * input[2]; }
  std::int64_t outputs() const { return output[0] * output[1] * output[2]; }
};

// The windows of images as columns, (n, c * kernel elements, windows).
struct UnfoldShape {
  Dtype dtype;
  std::int64_t n, c;
  Axis axis[3];  // the first one of size 1
  Strides image;
  std::int64_t columns[3];  // strides

  std::int64_t taps() const { return axis[1].kernel * axis[2].kernel; }
  std::int64_t outputs() const { return axis[1].output * axis[2].output; }
};

}  // namespace fastconv
