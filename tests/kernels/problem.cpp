#include "problem.hpp"

#include <random>

namespace fastconv::test {
namespace {

std::size_t place(std::int64_t i) { return static_cast<std::size_t>(i); }

}  // namespace

Values draw_integers(std::int64_t count) {
  static std::mt19937 engine(0);
  Values values;
  for (std::int64_t i = 0; i < count; ++i) values.push_back(static_cast<double>(engine() % 5) - 2);
  return values;
}

ConvData::ConvData(const Window& w)
    : input(draw_integers(w.n * w.g * w.ic * w.inputs())),
      weight(draw_integers(w.g * w.oc * w.ic * w.taps())),
      grad_output(draw_integers(w.n * w.g * w.oc * w.outputs())),
      bias(draw_integers(w.g * w.oc)),
      input_bias(draw_integers(w.g * w.ic)),
      residual(draw_integers(w.n * w.g * w.oc * w.outputs())),
      output(residual),
      grad_input(input.size()),
      grad_weight(weight.size()),
      grad_bias(bias.size()) {
  for (std::int64_t n = 0; n < w.n; ++n)
    for (std::int64_t oc = 0; oc < w.g * w.oc; ++oc) {
      const std::int64_t y = (n * w.g * w.oc + oc) * w.outputs();
      for (std::int64_t o = 0; o < w.outputs(); ++o) {
        output[place(y + o)] += bias[place(oc)];
        grad_bias[place(oc)] += grad_output[place(y + o)];
      }
      for (std::int64_t c = 0; c < w.ic; ++c) {
        const std::int64_t x = (n * w.g * w.ic + oc / w.oc * w.ic + c) * w.inputs();
        const std::int64_t k = (oc * w.ic + c) * w.taps();
        for_each_meeting(w, [&](std::int64_t o, std::int64_t i, std::int64_t t) {
          output[place(y + o)] += input[place(x + i)] * weight[place(k + t)];
          grad_input[place(x + i)] += grad_output[place(y + o)] * weight[place(k + t)];
          grad_weight[place(k + t)] += grad_output[place(y + o)] * input[place(x + i)];
        });
      }
    }
  for (std::int64_t plane = 0; plane < w.n * w.g * w.ic; ++plane)
    for (std::int64_t i = 0; i < w.inputs(); ++i)
      grad_input[place(plane * w.inputs() + i)] += input_bias[place(plane % (w.g * w.ic))];
}

PoolData::PoolData(const Window& w)
    : input(draw_integers(w.n * w.g * w.inputs())),
      grad_output(draw_integers(w.n * w.g * w.outputs())),
      max(grad_output.size(), -std::numeric_limits<double>::infinity()),
      indices(grad_output.size(), -1),
      mean(grad_output.size()),
      grad_max(input.size()),
      grad_mean(input.size()) {
  const auto divisor = static_cast<double>(w.taps());
  for (std::int64_t plane = 0; plane < w.n * w.g; ++plane) {
    const std::int64_t x = plane * w.inputs(), y = plane * w.outputs();
    for_each_meeting(w, [&](std::int64_t o, std::int64_t i, std::int64_t) {
      const double pixel = input[place(x + i)];
      if (pixel > max[place(y + o)])
        max[place(y + o)] = pixel, indices[place(y + o)] = static_cast<double>(i);
      mean[place(y + o)] += pixel / divisor;
      grad_mean[place(x + i)] += grad_output[place(y + o)] / divisor;
    });
    for (std::int64_t o = 0; o < w.outputs(); ++o)
      grad_max[place(x + static_cast<std::int64_t>(indices[place(y + o)]))] +=
          grad_output[place(y + o)];
  }
}

}  // namespace fastconv::test
