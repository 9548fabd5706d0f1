// The C entry points of passes along an axis.
#include "norm/norm.hpp"

#include <cmath>

#include "api/pass.hpp"
#include "runtime/memory.hpp"

using namespace fastconv;

namespace {

AxisShape shape_of(const fastconv_axis_desc& desc) {
  std::int64_t count;
  if (desc.outer < 0 || desc.length < 0 || desc.inner < 0 ||
      __builtin_mul_overflow(desc.outer, desc.length, &count) ||
      __builtin_mul_overflow(count, desc.inner, &count) || count > std::int64_t{1} << 46)
    invalid("outer, length and inner are " + std::to_string(desc.outer) + ", " +
            std::to_string(desc.length) + ", " + std::to_string(desc.inner) +
            " (wanted 0 to 2**46 elements)");
  return {desc.outer, desc.length, desc.inner};
}

template <class Args>
void check_args(const Args* args) {
  if (!args) invalid("args is NULL");
  if (args->size != sizeof(Args))
    invalid("the arguments' size is " + std::to_string(args->size) + " (wanted " +
            std::to_string(sizeof(Args)) + ")");
}

template <class T>
ResponseArgs<T> response_of(const fastconv_local_response* response, const AxisShape& shape) {
  if (!response) invalid("response is NULL");
  const std::int64_t window = response->window;
  if (window < 1) invalid("size is " + std::to_string(window) + " (wanted at least 1)");
  const std::int64_t most = std::max<std::int64_t>(shape.length - 1, 0);
  return {std::min(window / 2, most), std::min((window - 1) / 2, most),
          static_cast<T>(response->alpha / static_cast<double>(window)),
          static_cast<T>(response->k), static_cast<T>(response->beta)};
}

template <class T>
CrossEntropy<T> cross_entropy_of(const fastconv_axis_desc& desc,
                                 const fastconv_cross_entropy_args* args) {
  check_args(args);
  const CrossEntropy<T> problem{shape_of(desc),
                                static_cast<const T*>(args->input),
                                args->labels,
                                static_cast<const T*>(args->probabilities),
                                static_cast<const T*>(args->weight),
                                args->ignore_index,
                                args->label_smoothing};
  if (problem.shape.length < 1) invalid("input has no class (wanted at least one)");
  if (!(args->label_smoothing >= 0 && args->label_smoothing <= 1))
    invalid("label_smoothing is " + std::to_string(args->label_smoothing) + " (wanted 0 to 1)");
  if (args->reduction < FASTCONV_REDUCTION_NONE || args->reduction > FASTCONV_REDUCTION_SUM)
    invalid("reduction is " + std::to_string(args->reduction) + " (wanted a fastconv_reduction)");
  if (problem.shape.count() == 0) return problem;
  read<T>("input", args->input);
  if (!problem.labels == !problem.probabilities)
    invalid("labels and probabilities are both NULL, or both given (wanted one of them)");
  if (!problem.labels) return problem;
  if (const std::int64_t* wrong = wrong_label(problem))
    invalid("target has class " + std::to_string(*wrong) + " (wanted 0 to " +
            std::to_string(desc.length - 1) + ", or ignore_index " +
            std::to_string(args->ignore_index) + ")");
  return problem;
}

template <class T>
NormParameters<T> parameters_of(const fastconv_batch_norm_args& args) {
  return {static_cast<const T*>(args.weight), static_cast<const T*>(args.bias), args.eps};
}

// The moments to compute with where they are the running ones: those as doubles.
template <class T>
Moments running(const fastconv_batch_norm_args& args, std::int64_t channels,
                const Buffer<double>& memory) {
  const T* mean = read<T>("running_mean", args.running_mean);
  const T* variance = read<T>("running_var", args.running_var);
  for (std::int64_t c = 0; c < channels; ++c) {
    memory[static_cast<std::size_t>(c)] = static_cast<double>(mean[c]);
    memory[static_cast<std::size_t>(channels + c)] = static_cast<double>(variance[c]);
  }
  return {memory.data(), memory.data() + channels};
}

template <class T>
void move(void* running, const double* batch, std::int64_t channels, double momentum,
          double factor) {
  T* const values = static_cast<T*>(running);
  for (std::int64_t c = 0; values && c < channels; ++c)
    values[c] = static_cast<T>((1 - momentum) * static_cast<double>(values[c]) +
                               momentum * factor * batch[c]);
}

}  // namespace

fastconv_status fastconv_softmax(const fastconv_axis_desc* desc, int32_t log, const void* input,
                                 void* output) {
  return run(desc, [&](auto type, const auto& kernels) {
    using T = decltype(type);
    const AxisShape shape = shape_of(*desc);
    if (shape.count() == 0) return;
    softmax<T>(kernels, shape, log != 0, read<T>("input", input), write<T>("output", output));
  });
}

fastconv_status fastconv_softmax_backward(const fastconv_axis_desc* desc, int32_t log,
                                          const void* grad_output, const void* output,
                                          void* grad_input) {
  return run(desc, [&](auto type, const auto& kernels) {
    using T = decltype(type);
    const AxisShape shape = shape_of(*desc);
    if (shape.count() == 0) return;
    softmax_backward<T>(kernels, shape, log != 0,
                        {read<T>("grad_output", grad_output), read<T>("output", output)},
                        write<T>("grad_input", grad_input));
  });
}

fastconv_status fastconv_local_response_norm(const fastconv_axis_desc* desc,
                                             const fastconv_local_response* response,
                                             const void* input, void* output) {
  return run(desc, [&](auto type, const auto& kernels) {
    using T = decltype(type);
    const AxisShape shape = shape_of(*desc);
    const auto arguments = response_of<T>(response, shape);
    if (shape.count() == 0) return;
    local_response<T>(kernels, shape, arguments, read<T>("input", input),
                      write<T>("output", output));
  });
}

fastconv_status fastconv_local_response_norm_backward(const fastconv_axis_desc* desc,
                                                      const fastconv_local_response* response,
                                                      const void* grad_output, const void* input,
                                                      void* grad_input) {
  return run(desc, [&](auto type, const auto& kernels) {
    using T = decltype(type);
    const AxisShape shape = shape_of(*desc);
    const auto arguments = response_of<T>(response, shape);
    if (shape.count() == 0) return;
    local_response_backward<T>(kernels, shape, arguments,
                               {read<T>("grad_output", grad_output), read<T>("input", input)},
                               write<T>("grad_input", grad_input));
  });
}

fastconv_status fastconv_cross_entropy(const fastconv_axis_desc* desc,
                                       const fastconv_cross_entropy_args* args) {
  return run(desc, [&](auto type, const auto& kernels) {
    using T = decltype(type);
    const auto problem = cross_entropy_of<T>(*desc, args);
    const std::int64_t positions = problem.shape.positions();
    const bool each = args->reduction == FASTCONV_REDUCTION_NONE;
    const Buffer<T> memory(each ? 0 : static_cast<std::size_t>(positions));
    T* const loss = each && positions == 0 ? nullptr : write<T>("loss", args->loss);
    T* const losses = each ? loss : memory.data();
    if (positions > 0) cross_entropy<T>(kernels, problem, losses);
    if (each) return;
    double total = 0;
    for (std::int64_t p = 0; p < positions; ++p) total += static_cast<double>(losses[p]);
    const bool mean = args->reduction == FASTCONV_REDUCTION_MEAN;
    *loss = static_cast<T>(mean ? total / total_weight(problem) : total);
  });
}

fastconv_status fastconv_cross_entropy_backward(const fastconv_axis_desc* desc,
                                                const fastconv_cross_entropy_args* args) {
  return run(desc, [&](auto type, const auto& kernels) {
    using T = decltype(type);
    const auto problem = cross_entropy_of<T>(*desc, args);
    if (problem.shape.count() == 0) return;
    const T* grad = read<T>("grad_output", args->grad_output);
    const bool each = args->reduction == FASTCONV_REDUCTION_NONE;
    T one = *grad;
    if (args->reduction == FASTCONV_REDUCTION_MEAN)
      one = static_cast<T>(static_cast<double>(one) / total_weight(problem));
    cross_entropy_backward<T>(kernels, problem, each ? grad : &one, each,
                              static_cast<T*>(args->grad_input),
                              static_cast<T*>(args->grad_probabilities));
  });
}

fastconv_status fastconv_batch_norm(const fastconv_axis_desc* desc,
                                    const fastconv_batch_norm_args* args) {
  return run(desc, [&](auto type, const auto& kernels) {
    using T = decltype(type);
    const AxisShape shape = shape_of(*desc);
    check_args(args);
    if (shape.count() == 0) return;
    const T* input = read<T>("input", args->input);
    T* output = write<T>("output", args->output);
    const Buffer<double> memory(static_cast<std::size_t>(2 * shape.length));
    Moments moments{memory.data(), memory.data() + shape.length};
    if (args->training) {
      if (args->mean) moments.mean = args->mean;
      if (args->variance) moments.variance = args->variance;
      const auto size = static_cast<double>(shape.positions());
      if (size == 1) invalid("input has one value a channel (wanted more in training)");
      batch_moments<T>(kernels, shape, input, moments);
      move<T>(args->running_mean, moments.mean, shape.length, args->momentum, 1);
      move<T>(args->running_var, moments.variance, shape.length, args->momentum,
              size / (size - 1));
    } else {
      moments = running<T>(*args, shape.length, memory);
    }
    batch_norm<T>(kernels, shape, moments, parameters_of<T>(*args), input, output);
  });
}

fastconv_status fastconv_batch_norm_backward(const fastconv_axis_desc* desc,
                                             const fastconv_batch_norm_args* args) {
  return run(desc, [&](auto type, const auto& kernels) {
    using T = decltype(type);
    const AxisShape shape = shape_of(*desc);
    check_args(args);
    const NormGradients<T> arrays{
        static_cast<const T*>(args->grad_output), static_cast<const T*>(args->input),
        static_cast<T*>(args->grad_input), static_cast<T*>(args->grad_weight),
        static_cast<T*>(args->grad_bias)};
    if (shape.count() == 0) {
      for (T* gradient : {arrays.grad_weight, arrays.grad_bias})
        if (gradient) std::fill_n(gradient, shape.length, T{0});
      return;
    }
    read<T>("grad_output", args->grad_output), read<T>("input", args->input);
    const Buffer<double> memory(static_cast<std::size_t>(2 * shape.length));
    Moments moments{args->mean, args->variance};
    if (!args->training) moments = running<T>(*args, shape.length, memory);
    if (!moments.mean || !moments.variance) invalid("mean or variance is NULL (wanted the batch's)");
    batch_norm_backward<T>(kernels, shape, moments, parameters_of<T>(*args), !args->training,
                           arrays);
  });
}
