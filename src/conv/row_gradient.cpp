// The weight gradient of depthwise convolution and of groups with few channels, over rows: the sums
// of each pair of an output and an input channel stay in registers for a plane. Where channels
// stand side by side, those of a task are turned into planes, image by image (96 channels of
// 112 x 112, 3 x 3 at stride 2, take 0.24 ms, 0.95 as other groups do).
#include <algorithm>

#include "conv/conv.hpp"
#include "runtime/memory.hpp"
#include "runtime/split.hpp"
#include "runtime/threads.hpp"

namespace fastconv {
namespace {

// Pairs of a group, at most: more share what is loaded in a tile of their own.
constexpr std::int64_t kMostPairs = 16;
constexpr std::int64_t kFewestPairs = 16;
// Neighbouring pairs that a task takes through the images together, as they stand in memory.
constexpr std::int64_t kTaskPairs = 4;

// Whether pixels stand side by side.
bool are_planes(const ConvShape& shape) {
  return shape.input.axis[2] == 1 && shape.output.axis[2] == 1;
}

// Channels of one image, turned into planes a whole number of vectors apart.
template <class T>
class Planes {
 public:
  Planes(const Kernels<T>& kernels, const Strides& source, std::int64_t depth,
         std::int64_t height, std::int64_t width)
      : kernels_(kernels),
        pixels_(depth * height * width),
        step_(source.axis[2]),
        pitch_((pixels_ + kernels.lanes - 1) / kernels.lanes * kernels.lanes),
        axis_{height * width, width, 1} {
    constexpr std::int64_t kPage = 4096 / static_cast<std::int64_t>(sizeof(T));
    if (pitch_ % kPage == 0) pitch_ += kernels.lanes;
  }

  // Whether all pixels of an image are evenly apart, its channels side by side, and planes of a
  // vector of them at most 64 MiB (float32, AVX-512).
  static bool serves(const Strides& source, std::int64_t depth, std::int64_t height,
                     std::int64_t width) {
    constexpr std::int64_t kMostPixels = 1 << 20;
    return source.channel == 1 && source.axis[1] == width * source.axis[2] &&
           (depth == 1 || source.axis[0] == height * source.axis[1]) &&
           depth * height * width <= kMostPixels;
  }

  std::int64_t size(std::int64_t channels) const { return channels * pitch_; }
  Strides strides() const { return {0, pitch_, {axis_[0], axis_[1], axis_[2]}}; }
  void turn(const T* source, std::int64_t channels, T* target) const {
    kernels_.transpose({source, pixels_, step_, 1, 0, channels, 1, target, pitch_});
  }

 private:
  const Kernels<T>& kernels_;
  std::int64_t pixels_, step_, pitch_, axis_[3];
};

template <class T>
class RowGradients {
 public:
  RowGradients(const Kernels<T>& kernels, const ConvShape& shape,
               const ConvBackwardWeight<T>& arrays)
      : kernels_(kernels),
        shape_(shape),
        arrays_(arrays),
        turned_(!are_planes(shape)),
        input_planes_(kernels, shape.input, shape.axis[0].input, shape.axis[1].input,
                      shape.axis[2].input),
        output_planes_(kernels, shape.output, shape.axis[0].output, shape.axis[1].output,
                       shape.axis[2].output),
        input_(turned_ ? input_planes_.strides() : shape.input),
        output_(turned_ ? output_planes_.strides() : shape.output),
        pairs_(shape.g * shape.oc * shape.ic,
               turned_ ? kernels.lanes * std::max(shape.oc, shape.ic) : kTaskPairs),
        taps_(shape.axis[1].kernel * shape.axis[2].kernel),
        row_count_((shape.axis[1].output - 1) * shape.axis[1].stride + shape.axis[1].kernel) {}

  std::int64_t tasks() const { return pairs_.parts; }
  // [row of zeros][pointers to rows][sums of each pair][planes], in elements.
  std::int64_t workspace_size() const {
    return zeros() + pointers() + pairs_.largest() * sums() + planes();
  }

  void run(std::int64_t task, T* workspace) const {
    T* const sum = workspace + zeros() + pointers();
    std::fill_n(workspace, zeros(), T{0});
    std::fill_n(sum, pairs_.largest() * sums(), T{0});
    const Pair first = pair(pairs_.begin(task)), last = pair(pairs_.begin(task + 1) - 1);
    const std::int64_t first_input = first.oc / shape_.oc * shape_.ic;
    T* const planes = sum + pairs_.largest() * sums();
    for (std::int64_t n = 0; n < shape_.n; ++n) {
      const T* input = arrays_.input + n * shape_.input.outer;
      const T* grad = arrays_.grad_output + n * shape_.output.outer;
      if (turned_) {
        const std::int64_t inputs = (last.oc / shape_.oc + 1) * shape_.ic - first_input;
        input_planes_.turn(input + first_input, inputs, planes);
        output_planes_.turn(grad + first.oc, last.oc + 1 - first.oc,
                            planes + input_planes_.size(inputs));
        input = planes - first_input * input_.channel;
        grad = planes + input_planes_.size(inputs) - first.oc * output_.channel;
      }
      for (std::int64_t i = 0; i < pairs_.size(task); ++i)
        add_image(input, grad, pair(pairs_.begin(task) + i), workspace, sum + i * sums());
    }
    for (std::int64_t i = 0; i < pairs_.size(task); ++i) {
      T* const own = sum + i * sums();
      kernels_.reduce(own, shape_.axis[0].kernel * taps_, own);
      store(own, pair(pairs_.begin(task) + i));
    }
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

  struct Pair {
    std::int64_t oc, ic;  // oc: of all groups, ic: of its group
  };
  Pair pair(std::int64_t i) const { return {i / shape_.ic, i % shape_.ic}; }

  // Planes of the most channels that a task's pairs have.
  std::int64_t planes() const {
    if (!turned_) return 0;
    const std::int64_t groups = (pairs_.largest() - 1) / (shape_.oc * shape_.ic) + 2;
    return input_planes_.size(groups * shape_.ic) + output_planes_.size(groups * shape_.oc);
  }

  void add_image(const T* input, const T* grad, const Pair& pair, T* workspace, T* sum) const {
    input += (pair.oc / shape_.oc * shape_.ic + pair.ic) * input_.channel;
    grad += pair.oc * output_.channel;
    const Axis& depth = shape_.axis[0];
    for (std::int64_t od = 0; od < depth.output; ++od)
      for (std::int64_t kd = 0; kd < depth.kernel; ++kd) {
        const std::int64_t id = od * depth.stride + kd * depth.dilation - depth.pad_before;
        if (id >= 0 && id < depth.input)
          add_plane(input + id * input_.axis[0], grad + od * output_.axis[0], workspace,
                    sum + kd * taps_ * kernels_.lanes);
      }
  }
  void add_plane(const T* input, const T* grad, T* workspace, T* sum) const {
    const Axis &height = shape_.axis[1], &width = shape_.axis[2];
    auto** const rows = reinterpret_cast<const T**>(workspace + zeros());
    for (std::int64_t j = 0; j < row_count_; ++j) {
      const std::int64_t ih = j - height.pad_before;
      rows[j] = ih >= 0 && ih < height.input ? input + ih * input_.axis[1] : workspace;
    }
    RowGradientArgs<T> args{};
    args.grad_stride = output_.axis[1], args.columns = width.output;
    args.taps = width.kernel, args.dilation = width.dilation, args.pad = width.pad_before;
    args.width = width.input, args.sum = sum, args.accumulate = true;
    const auto kernel = kernels_.row_gradient(static_cast<int>(height.kernel),
                                              static_cast<int>(height.stride));
    const std::int64_t band = band_rows();
    for (std::int64_t row = 0; row < height.output; row += band) {
      args.rows = rows + row * height.stride, args.grad = grad + row * args.grad_stride;
      args.grad_rows = std::min(band, height.output - row);
      kernel(args);
    }
  }
  // Rows of a band, whose input stays in the first-level cache for all columns: 32 images of 96
  // channels of 112 x 112, 3 x 3 at stride 2, take 9.7 ms in place of 10.6. (Asking for the next
  // band takes a fifth longer.)
  std::int64_t band_rows() const {
    constexpr std::int64_t kBandBytes = 16384;
    const std::int64_t bytes = input_.axis[1] * shape_.axis[1].stride *
                               static_cast<std::int64_t>(sizeof(T));
    return std::max<std::int64_t>(kBandBytes / std::max<std::int64_t>(bytes, 1) / 4 * 4, 4);
  }

  // From [kd][kw][kh].
  void store(const T* sum, const Pair& pair) const {
    const Strides& stride = shape_.weight;
    T* const target = arrays_.grad_weight + pair.oc * stride.outer + pair.ic * stride.channel;
    for (std::int64_t kd = 0; kd < shape_.axis[0].kernel; ++kd)
      for (std::int64_t kw = 0; kw < shape_.axis[2].kernel; ++kw)
        for (std::int64_t kh = 0; kh < shape_.axis[1].kernel; ++kh)
          target[kd * stride.axis[0] + kh * stride.axis[1] + kw * stride.axis[2]] = *sum++;
  }

  const Kernels<T>& kernels_;
  const ConvShape& shape_;
  const ConvBackwardWeight<T>& arrays_;
  bool turned_;
  Planes<T> input_planes_, output_planes_;
  Strides input_, output_;  // as the sums read them
  Split pairs_;
  std::int64_t taps_, row_count_;
};

template <class T>
bool serves(const Kernels<T>& kernels, const ConvShape& shape) {
  const Axis &depth = shape.axis[0], &height = shape.axis[1], &width = shape.axis[2];
  const std::int64_t pairs = shape.ic * shape.oc;
  const bool readable = are_planes(shape) ||
                        (Planes<T>::serves(shape.input, depth.input, height.input, width.input) &&
                         Planes<T>::serves(shape.output, depth.output, height.output,
                                           width.output));
  return pairs <= kMostPairs && shape.g * pairs >= kFewestPairs && readable &&
         height.dilation == 1 && height.stride == width.stride && height.kernel <= 7 &&
         height.stride <= 2 &&
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
