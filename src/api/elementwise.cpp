// The C entry points of passes that take each element for itself.
#include <cmath>

#include "api/pass.hpp"
#include "elementwise/elementwise.hpp"

using namespace fastconv;

namespace {

void check_count(std::int64_t count) {
  if (count < 0) invalid("count is " + std::to_string(count) + " (wanted at least 0)");
}

template <class T>
Epilogue<T> epilogue_of(const fastconv_activation_desc& desc) {
  check_count(desc.count);
  if (desc.activation < FASTCONV_ACTIVATION_NONE ||
      desc.activation > FASTCONV_ACTIVATION_HARD_SWISH)
    invalid("activation is " + std::to_string(desc.activation) +
            " (wanted a fastconv_activation)");
  return {static_cast<Activation>(desc.activation), static_cast<T>(desc.slope)};
}

}  // namespace

fastconv_status fastconv_activate(const fastconv_activation_desc* desc, const void* input,
                                  void* output) {
  return run(desc, [&](auto type, const auto& kernels) {
    using T = decltype(type);
    const auto epilogue = epilogue_of<T>(*desc);
    if (desc->count == 0) return;
    activate<T>(kernels, {static_cast<Index>(desc->count), read<T>("input", input),
                          write<T>("output", output), epilogue});
  });
}

fastconv_status fastconv_activate_backward(const fastconv_activation_desc* desc,
                                           const void* grad_output, const void* input,
                                           const void* output, void* grad_input) {
  return run(desc, [&](auto type, const auto& kernels) {
    using T = decltype(type);
    const auto epilogue = epilogue_of<T>(*desc);
    const bool from_output = !input;
    if (from_output && (epilogue.activation == Activation::silu ||
                        epilogue.activation == Activation::hard_swish))
      invalid("input is NULL (wanted it for silu and hard_swish)");
    if (desc->count == 0) return;
    activate_backward<T>(kernels,
                         {static_cast<Index>(desc->count), read<T>("grad_output", grad_output),
                          read<T>("output", from_output ? output : input), from_output,
                          write<T>("grad_input", grad_input), epilogue});
  });
}

fastconv_status fastconv_sgd_step(const fastconv_sgd_desc* desc, void* param, const void* grad,
                                  void* momentum_buffer) {
  return run(desc, [&](auto type, const auto& kernels) {
    using T = decltype(type);
    check_count(desc->count);
    if (desc->count == 0) return;
    sgd_step<T>(kernels,
                {static_cast<Index>(desc->count), write<T>("param", param), read<T>("grad", grad),
                 static_cast<T*>(momentum_buffer), static_cast<T>(desc->lr),
                 static_cast<T>(desc->momentum), static_cast<T>(1 - desc->dampening),
                 static_cast<T>(desc->weight_decay), desc->nesterov != 0, desc->first != 0});
  });
}

fastconv_status fastconv_adam_step(const fastconv_adam_desc* desc, void* param, const void* grad,
                                   void* exp_avg, void* exp_avg_sq, void* max_exp_avg_sq) {
  return run(desc, [&](auto type, const auto& kernels) {
    using T = decltype(type);
    check_count(desc->count);
    if (desc->step < 1) invalid("step is " + std::to_string(desc->step) + " (wanted at least 1)");
    if (desc->count == 0) return;
    const auto step = static_cast<double>(desc->step);
    const double correction1 = 1 - std::pow(desc->beta1, step);
    const double correction2 = 1 - std::pow(desc->beta2, step);
    adam_step<T>(kernels,
                 {static_cast<Index>(desc->count), write<T>("param", param), read<T>("grad", grad),
                  write<T>("exp_avg", exp_avg), write<T>("exp_avg_sq", exp_avg_sq),
                  static_cast<T*>(max_exp_avg_sq), static_cast<T>(1 - desc->beta1),
                  static_cast<T>(desc->beta2), static_cast<T>(1 - desc->beta2),
                  static_cast<T>(desc->weight_decay), static_cast<T>(desc->lr / correction1),
                  static_cast<T>(1 / std::sqrt(correction2)), static_cast<T>(desc->eps)});
  });
}
