// The weight gradient of depthwise convolution and of groups with few channels, over rows: each
// pair of an output and an input channel is a task, whose sums stay in registers for a plane.
#include "conv/conv.hpp"
#include "plan/taps.hpp"
#include "runtime/memory.hpp"
#include "runtime/threads.hpp"

namespace fastconv {
namespace {

// Pairs of a group, at most: more share what is loaded in a tile of their own.
constexpr std::int64_t kMostPairs = 16;
constexpr std::int64_t kFewestTasks = 16;

template <class T>
class RowGradients {
 public:
  RowGradients(const Kernels<T>& kernels, const ConvShape& shape,
               const ConvBackwardWeight<T>& arrays)
      : kernels_(kernels),
        shape_(shape),
        arrays_(arrays),
        taps_(shape.axis[1].kernel * shape.axis[2].kernel),
        row_count_((shape.axis[1].output - 1) * shape.axis[1].stride + shape.axis[1].kernel) {}

  std::int64_t tasks() const { return shape_.g * shape_.oc * shape_.ic; }
  // [rows of zeros][sums][pointers to rows], in elements.
  std::int64_t workspace_size() const { return zeros() + sums() + pointers(); }

  void run(std::int64_t task, T* workspace) const {
    const std::int64_t ic = task % shape_.ic, oc = task / shape_.ic;  // oc of all groups
    const T* input = arrays_.input + (oc / shape_.oc * shape_.ic + ic) * shape_.input.channel;
    const T* grad = arrays_.grad_output + oc * shape_.output.channel;
    std::fill_n(workspace, zeros(), T{0});
    T* const sum = workspace + zeros();
    std::fill_n(sum, sums(), T{0});
    const Axis& depth = shape_.axis[0];
    for (std::int64_t n = 0; n < shape_.n; ++n)
      for (std::int64_t od = 0; od < depth.output; ++od)
        for (std::int64_t kd = 0; kd < depth.kernel; ++kd) {
          const std::int64_t id = od * depth.stride + kd * depth.dilation - depth.pad_before;
          if (id < 0 || id >= depth.input) continue;
          add_plane(input + n * shape_.input.outer + id * shape_.input.axis[0],
                    grad + n * shape_.output.outer + od * shape_.output.axis[0], workspace,
                    sum + kd * taps_ * kernels_.lanes);
        }
    kernels_.reduce(sum, depth.kernel * taps_, sum);
    store(sum, oc, ic);
  }

 private:
  std::int64_t zeros() const {
    return (shape_.axis[2].input + kernels_.lanes - 1) / kernels_.lanes * kernels_.lanes;
  }
  std::int64_t sums() const { return shape_.axis[0].kernel * taps_ * kernels_.lanes; }
  std::int64_t pointers() const {
    constexpr std::size_t kPointer = sizeof(T*), kElement = sizeof(T);
    return row_count_ * static_cast<std::int64_t>(kPointer / kElement) + kernels_.lanes;
  }

  void add_plane(const T* input, const T* grad, T* workspace, T* sum) const {
    const Axis &height = shape_.axis[1], &width = shape_.axis[2];
    auto** const rows = reinterpret_cast<const T**>(workspace + zeros() + sums());
    for (std::int64_t j = 0; j < row_count_; ++j) {
      const std::int64_t ih = j - height.pad_before;
      rows[j] = ih >= 0 && ih < height.input ? input + ih * shape_.input.axis[1] : workspace;
    }
    RowGradientArgs<T> args{};
    args.rows = rows, args.grad = grad, args.grad_rows = height.output;
    args.grad_stride = shape_.output.axis[1], args.columns = width.output;
    args.taps = width.kernel, args.dilation = width.dilation, args.pad = width.pad_before;
    args.width = width.input, args.sum = sum, args.accumulate = true;
    kernels_.row_gradient(static_cast<int>(height.kernel), static_cast<int>(height.stride))(args);
  }

  // From [kd][kw][kh].
  void store(const T* sum, std::int64_t oc, std::int64_t ic) const {
    const Strides& stride = shape_.weight;
    T* const target = arrays_.grad_weight + oc * stride.outer + ic * stride.channel;
    for (std::int64_t kd = 0; kd < shape_.axis[0].kernel; ++kd)
      for (std::int64_t kw = 0; kw < shape_.axis[2].kernel; ++kw)
        for (std::int64_t kh = 0; kh < shape_.axis[1].kernel; ++kh)
          target[kd * stride.axis[0] + kh * stride.axis[1] + kw * stride.axis[2]] = *sum++;
  }

  const Kernels<T>& kernels_;
  const ConvShape& shape_;
  const ConvBackwardWeight<T>& arrays_;
  std::int64_t taps_, row_count_;
};

template <class T>
bool serves(const Kernels<T>& kernels, const ConvShape& shape) {
  const Axis &height = shape.axis[1], &width = shape.axis[2];
  const std::int64_t pairs = shape.ic * shape.oc;
  return pairs <= kMostPairs && shape.g * pairs >= kFewestTasks && shape.input.axis[2] == 1 &&
         shape.output.axis[2] == 1 && height.dilation == 1 && height.stride == width.stride &&
         height.kernel <= 7 && height.stride <= 2 &&
         kernels.row_gradient(static_cast<int>(height.kernel), static_cast<int>(height.stride));
}

}  // namespace

template <class T>
bool row_weight_gradient(const Kernels<T>& kernels, const ConvShape& shape,
                         const ConvBackwardWeight<T>& arrays) {
  if (!serves(kernels, shape)) return false;
  const RowGradients<T> gradients(kernels, shape, arrays);
  const int threads = threads_for(gradients.tasks(), shape.flop());
  const std::int64_t size = gradients.workspace_size();
  const Buffer<T> workspace(static_cast<std::size_t>(threads * size));
  parallel_for(gradients.tasks(), threads, [&](std::int64_t task, int thread) {
    gradients.run(task, workspace.data() + thread * size);
  });
  return true;
}

template bool row_weight_gradient(const Kernels<float>&, const ConvShape&,
                                  const ConvBackwardWeight<float>&);
template bool row_weight_gradient(const Kernels<double>&, const ConvShape&,
                                  const ConvBackwardWeight<double>&);

}  // namespace fastconv
