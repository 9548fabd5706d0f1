// fastconv: convolution and pooling on the CPU from C++17, over fastconv.h.
//
// A description says what to compute, in shapes as NumPy writes them, (N, C, spatial...) and
// (out, in / groups, kernel...); a Convolution or Pooling plans it once and runs it on the caller's
// memory, in as many threads at a time as call it. Statuses become exceptions: a wrong value
// std::invalid_argument, refused memory std::bad_alloc, anything else std::runtime_error.
//
//   #include <fastconv/fastconv.hpp>
//   #include <cstdio>
//   #include <vector>
//
//   int main() {
//     const auto desc = fastconv::ConvDesc({1, 3, 32, 32}, {8, 3, 3, 3}).same().relu();
//     const fastconv::Convolution<float> conv(desc);
//     std::vector<float> x(3 * 32 * 32, 1), w(8 * 3 * 3 * 3, 0.5f), b(8, 1);
//     std::vector<float> y(conv.output_count());
//     conv.forward(x.data(), w.data(), y.data(), {b.data()});
//     std::vector<float> gx(x.size()), gw(w.size()), gb(b.size());
//     conv.backward_input(y.data(), w.data(), gx.data());
//     conv.backward_weight(y.data(), x.data(), gw.data(), gb.data());
//     std::printf("%g on %s\n", y[0], fastconv_isa());
//   }
#ifndef FASTCONV_FASTCONV_HPP
#define FASTCONV_FASTCONV_HPP

#include <cstdint>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "fastconv.h"

namespace fastconv {
// A name of its own: programs that link the library statically hold its insides too.
inline namespace interface {

inline void check(fastconv_status status) {
  switch (status) {
    case FASTCONV_OK: return;
    case FASTCONV_INVALID_ARGUMENT: throw std::invalid_argument(fastconv_last_error());
    case FASTCONV_OUT_OF_MEMORY: throw std::bad_alloc();
    default: throw std::runtime_error(fastconv_last_error());
  }
}

using Sizes = std::vector<std::int64_t>;

inline std::int64_t product(const Sizes& sizes) {
  std::int64_t count = 1;
  for (std::int64_t size : sizes) count *= size;
  return count;
}

// Of an array of that shape whose channels, the second axis, lie last in memory.
inline Sizes channels_last_strides(const Sizes& shape) {
  Sizes strides(shape.size(), 1);
  std::int64_t step = shape.at(1);
  for (std::size_t i = shape.size(); i-- > 2; step *= shape[i]) strides[i] = step;
  strides[0] = step;
  return strides;
}

// What the descriptions of convolution and pooling share. Lists have a number for each spatial
// dimension, or one for all of them.
template <class Self, class Desc>
class WindowDesc {
 public:
  Self& stride(const Sizes& steps) { return set(desc_.stride, steps); }
  Self& dilation(const Sizes& steps) { return set(desc_.dilation, steps); }
  Self& padding(const Sizes& both) { return padding(both, both); }
  Self& padding(const Sizes& before, const Sizes& after) {
    desc_.padding = FASTCONV_PADDING_EXPLICIT;
    set(desc_.pad_before, before);
    return set(desc_.pad_after, after);
  }
  Self& padding(fastconv_padding rule) { return desc_.padding = rule, self(); }
  Self& same() { return padding(FASTCONV_PADDING_SAME); }
  // Input, output and their gradients; strides of any other kind go with input_strides.
  Self& channels_last() { return channels_last_ = true, self(); }
  Self& input_strides(Sizes strides) { return input_strides_ = std::move(strides), self(); }
  Self& output_strides(Sizes strides) { return output_strides_ = std::move(strides), self(); }

  // The C description with its pointers, which this object keeps, for arrays of that output shape.
  Desc get(fastconv_dtype dtype, const Sizes& output_shape = {}) {
    desc_.size = sizeof desc_;
    desc_.dtype = dtype;
    if (channels_last_) {
      input_strides_ = channels_last_strides(input_shape_);
      if (!output_shape.empty()) output_strides_ = channels_last_strides(output_shape);
    }
    desc_.input_strides = pointer(input_strides_);
    desc_.output_strides = pointer(output_strides_);
    return desc_;
  }

 protected:
  WindowDesc(const Sizes& input, const Sizes& kernel) : input_shape_(input) {
    if (input.size() < 3 || input.size() > 5)
      throw std::invalid_argument("the input has " + std::to_string(input.size()) +
                                  " dimensions (wanted batch, channels and 1 to 3 more)");
    desc_.spatial = static_cast<std::int32_t>(input.size()) - 2;
    desc_.batch = input[0];
    set(desc_.input, Sizes(input.begin() + 2, input.end()));
    set(desc_.kernel, kernel);
    set(desc_.stride, {1});
    set(desc_.dilation, {1});
  }
  Self& set(std::int64_t (&target)[3], const Sizes& values) {
    const auto dims = static_cast<std::size_t>(desc_.spatial);
    if (values.size() != dims && values.size() != 1)
      throw std::invalid_argument(std::to_string(values.size()) + " numbers for " +
                                  std::to_string(dims) + " spatial dimensions");
    for (std::size_t i = 0; i < dims; ++i) target[i] = values[values.size() == 1 ? 0 : i];
    return self();
  }
  const std::int64_t* pointer(const Sizes& strides) const {
    if (!strides.empty() && strides.size() != input_shape_.size())
      throw std::invalid_argument("strides have another number of dimensions than the input");
    return strides.empty() ? nullptr : strides.data();
  }
  Self& self() { return static_cast<Self&>(*this); }

  Desc desc_{};
  Sizes input_shape_, input_strides_, output_strides_;
  bool channels_last_ = false;
};

class ConvDesc : public WindowDesc<ConvDesc, fastconv_conv_desc> {
 public:
  ConvDesc(const Sizes& input, const Sizes& weight)
      : WindowDesc(input, Sizes(weight.begin() + (weight.size() < 2 ? 0 : 2), weight.end())) {
    if (weight.size() != input.size() || weight[1] < 1)
      throw std::invalid_argument("the weight is not (out, in / groups, kernel...)");
    desc_.in_channels = input[1], desc_.out_channels = weight[0];
    desc_.groups = input[1] / weight[1];
    if (desc_.groups * weight[1] != input[1])
      throw std::invalid_argument("the weight has " + std::to_string(weight[1]) +
                                  " input channels a group, the input " + std::to_string(input[1]));
  }
  ConvDesc& algorithm(fastconv_algorithm which) { return desc_.algorithm = which, *this; }
  ConvDesc& activation(fastconv_activation which, double slope = 0) {
    return desc_.activation = which, desc_.activation_slope = slope, *this;
  }
  ConvDesc& relu() { return activation(FASTCONV_ACTIVATION_RELU); }
};

class PoolDesc : public WindowDesc<PoolDesc, fastconv_pool_desc> {
 public:
  // Windows stand side by side where no stride is given.
  PoolDesc(fastconv_pool_kind kind, const Sizes& input, const Sizes& kernel)
      : WindowDesc(input, kernel) {
    stride(kernel);
    desc_.kind = kind, desc_.channels = input[1], desc_.norm_type = 2;
  }
  PoolDesc& ceil_mode() { return desc_.ceil_mode = 1, *this; }
  PoolDesc& count_include_pad() { return desc_.count_include_pad = 1, *this; }
  PoolDesc& norm_type(double power) { return desc_.norm_type = power, *this; }
};

template <class T>
constexpr fastconv_dtype dtype_of() {
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, double>, "float or double");
  return std::is_same_v<T, float> ? FASTCONV_FLOAT32 : FASTCONV_FLOAT64;
}

struct Destroy {
  void operator()(fastconv_problem* problem) const { fastconv_problem_destroy(problem); }
  void operator()(fastconv_plan* plan) const { fastconv_plan_destroy(plan); }
  void operator()(fastconv_weights* weights) const { fastconv_weights_destroy(weights); }
};
using Problem = std::unique_ptr<fastconv_problem, Destroy>;
using Plan = std::unique_ptr<fastconv_plan, Destroy>;
using Weights = std::unique_ptr<fastconv_weights, Destroy>;

inline Problem make_problem(const fastconv_conv_desc& desc) {
  fastconv_problem* problem;
  return check(fastconv_conv_problem_create(&desc, &problem)), Problem(problem);
}
inline Problem make_problem(const fastconv_pool_desc& desc) {
  fastconv_problem* problem;
  return check(fastconv_pool_problem_create(&desc, &problem)), Problem(problem);
}
inline Plan make_plan(const Problem& problem, fastconv_direction direction) {
  fastconv_plan* plan;
  return check(fastconv_plan_create(problem.get(), direction, &plan)), Plan(plan);
}

// What an execution may have besides its arrays.
template <class T>
struct Extras {
  const T* bias = nullptr;
  const T* residual = nullptr;      // added before the activation; shaped as the result
  int threads = 0;                  // 0: as many as fastconv_get_num_threads()
  void* workspace = nullptr;        // scratch memory; the library's own where null
  std::size_t workspace_bytes = 0;  // of it, as workspace() of that direction says
  const fastconv_weights* prepared = nullptr;  // instead of the weight
};

template <class T>
fastconv_buffers make_buffers(const Extras<T>& extras) {
  fastconv_buffers buffers{};
  buffers.size = sizeof buffers;
  buffers.bias = extras.bias, buffers.residual = extras.residual;
  buffers.prepared = extras.prepared, buffers.threads = extras.threads;
  buffers.workspace = extras.workspace, buffers.workspace_bytes = extras.workspace_bytes;
  return buffers;
}

// A problem and its plans: what Convolution and Pooling are made of.
template <class T>
class Windows {
 public:
  const Sizes& output_shape() const { return output_shape_; }
  std::size_t output_count() const { return static_cast<std::size_t>(product(output_shape_)); }

  std::size_t workspace(fastconv_direction direction, const Extras<T>& extras = {}) const {
    const fastconv_buffers buffers = make_buffers(extras);
    std::size_t bytes;
    check(fastconv_plan_workspace(plans_.at(direction).get(), &buffers, &bytes));
    return bytes;
  }

 protected:
  template <class Desc>
  Windows(Desc desc, std::int64_t channels, int directions) {
    auto c = desc.get(dtype_of<T>());
    Problem problem = make_problem(c);
    Sizes spatial(static_cast<std::size_t>(c.spatial));
    fastconv_problem_output(problem.get(), spatial.data());
    output_shape_ = {c.batch, channels};
    output_shape_.insert(output_shape_.end(), spatial.begin(), spatial.end());
    c = desc.get(dtype_of<T>(), output_shape_);
    for (int i = 0; i < directions; ++i) {
      problem = make_problem(c);
      plans_.push_back(make_plan(problem, static_cast<fastconv_direction>(i)));
      without_activation(c);
    }
  }
  // That is the forward pass's alone.
  static void without_activation(fastconv_conv_desc& desc) {
    desc.activation = FASTCONV_ACTIVATION_NONE;
  }
  static void without_activation(fastconv_pool_desc&) {}

  void execute(fastconv_direction direction, const fastconv_buffers& buffers) const {
    check(fastconv_execute(plans_[direction].get(), &buffers));
  }

  Sizes output_shape_;
  std::vector<Plan> plans_;
};

template <class T>
class Convolution : public Windows<T> {
 public:
  explicit Convolution(ConvDesc desc)
      : Windows<T>(desc, desc.get(dtype_of<T>()).out_channels, 3), desc_(std::move(desc)) {}

  void forward(const T* input, const T* weight, T* output, const Extras<T>& extras = {}) const {
    fastconv_buffers buffers = make_buffers(extras);
    buffers.input = input, buffers.weight = weight, buffers.output = output;
    this->execute(FASTCONV_FORWARD, buffers);
  }
  // The gradient of the sum that the activation is applied to: grad_output is that sum's. With a
  // bias it is the forward pass of a transposed convolution.
  void backward_input(const T* grad_output, const T* weight, T* grad_input,
                      const Extras<T>& extras = {}) const {
    fastconv_buffers buffers = make_buffers(extras);
    buffers.grad_output = grad_output, buffers.weight = weight, buffers.grad_input = grad_input;
    this->execute(FASTCONV_BACKWARD_INPUT, buffers);
  }
  // Of the same sum; either gradient may be null.
  void backward_weight(const T* grad_output, const T* input, T* grad_weight,
                       T* grad_bias = nullptr, const Extras<T>& extras = {}) const {
    fastconv_buffers buffers = make_buffers(extras);
    buffers.grad_output = grad_output, buffers.input = input;
    buffers.grad_weight = grad_weight, buffers.grad_bias = grad_bias;
    this->execute(FASTCONV_BACKWARD_WEIGHT, buffers);
  }

  // A private copy of the weights, packed once for many executions: Extras::prepared.
  Weights prepare(const T* weight) const {
    ConvDesc desc = desc_;
    const fastconv_conv_desc c = desc.get(dtype_of<T>());
    fastconv_weights* weights;
    check(fastconv_weights_create(&c, weight, &weights));
    return Weights(weights);
  }

  // What the plan of the forward pass or of the input gradient chose.
  fastconv_plan_info describe(fastconv_direction direction = FASTCONV_FORWARD) const {
    fastconv_plan_info info{};
    info.size = sizeof info;
    check(fastconv_plan_describe(this->plans_.at(direction).get(), &info));
    return info;
  }

 private:
  ConvDesc desc_;
};

template <class T>
class Pooling : public Windows<T> {
 public:
  explicit Pooling(PoolDesc desc) : Windows<T>(desc, desc.get(dtype_of<T>()).channels, 2) {}

  // Indices, of a maximum, may be null: flat places within one channel's plane.
  void forward(const T* input, T* output, std::int64_t* indices = nullptr,
               const Extras<T>& extras = {}) const {
    fastconv_buffers buffers = make_buffers(extras);
    buffers.input = input, buffers.output = output, buffers.indices = indices;
    this->execute(FASTCONV_FORWARD, buffers);
  }
  // A maximum's reads indices, an Lp norm's the input, a mean's neither.
  void backward(const T* grad_output, T* grad_input, std::int64_t* indices = nullptr,
                const T* input = nullptr, const Extras<T>& extras = {}) const {
    fastconv_buffers buffers = make_buffers(extras);
    buffers.grad_output = grad_output, buffers.grad_input = grad_input;
    buffers.indices = indices, buffers.input = input;
    this->execute(FASTCONV_BACKWARD_INPUT, buffers);
  }
};

}  // namespace interface
}  // namespace fastconv

#endif
