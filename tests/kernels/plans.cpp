// The C API: plans of every direction and algorithm, both layouts, float32 and float64, on each
// instruction set that the machine runs (or those named as arguments); and eight threads at one
// plan. Operands stand in heap blocks of their exact size, results are NaN before.
#include <fastconv/fastconv.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "problem.hpp"

namespace fastconv::test {
namespace {

// spatial n g ic oc, input, kernel, stride, dilation, padding before, after. Means are taken where
// taps are a power of two, so that their quotients are exact.
const Window kConvolutions[] = {
    {"1x1", 2, 2, 1, 17, 19, {1, 5, 7}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}, {0, 0, 0}},
    {"1x1/2", 2, 1, 1, 5, 33, {1, 9, 8}, {1, 1, 1}, {1, 2, 2}, {1, 1, 1}, {0, 0, 0}, {0, 0, 0}},
    {"3x3", 2, 1, 1, 3, 20, {1, 9, 35}, {1, 3, 3}, {1, 1, 1}, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}},
    {"3x3 dense", 2, 2, 1, 37, 53,
     {1, 14, 14}, {1, 3, 3}, {1, 1, 1}, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}},
    {"3x3/2", 2, 1, 1, 8, 16, {1, 11, 33}, {1, 3, 3}, {1, 2, 2}, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}},
    {"7x7/2", 2, 1, 1, 3, 18, {1, 21, 23}, {1, 7, 7}, {1, 2, 2}, {1, 1, 1}, {0, 3, 3}, {0, 3, 3}},
    {"4x4/4", 2, 1, 1, 3, 9, {1, 16, 22}, {1, 4, 4}, {1, 4, 4}, {1, 1, 1}, {0, 0, 0}, {0, 0, 0}},
    {"3x5/3, uneven", 2, 1, 1, 6, 7,
     {1, 13, 29}, {1, 3, 5}, {1, 2, 3}, {1, 1, 1}, {0, 0, 3}, {0, 2, 1}},
    {"dilated", 2, 1, 1, 16, 24,
     {1, 15, 17}, {1, 3, 3}, {1, 1, 1}, {1, 2, 3}, {0, 2, 3}, {0, 2, 3}},
    {"dilated/2", 2, 1, 1, 4, 5,
     {1, 15, 17}, {1, 3, 3}, {1, 2, 2}, {1, 3, 2}, {0, 2, 3}, {0, 2, 3}},
    {"grouped", 2, 2, 3, 4, 6, {1, 9, 18}, {1, 3, 3}, {1, 1, 1}, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}},
    {"grouped/2", 2, 1, 2, 17, 16,
     {1, 9, 10}, {1, 3, 3}, {1, 2, 2}, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}},
    {"depthwise", 2, 2, 19, 1, 1,
     {1, 8, 33}, {1, 3, 3}, {1, 1, 1}, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}},
    {"depthwise/2", 2, 1, 16, 1, 1,
     {1, 15, 30}, {1, 5, 5}, {1, 2, 2}, {1, 1, 1}, {0, 2, 2}, {0, 2, 2}},
    {"depthwise, small", 2, 1, 37, 1, 1,
     {1, 7, 7}, {1, 7, 7}, {1, 1, 1}, {1, 1, 1}, {0, 3, 3}, {0, 3, 3}},
    {"depthwise x2", 2, 1, 5, 1, 2,
     {1, 8, 17}, {1, 3, 3}, {1, 1, 1}, {1, 2, 2}, {0, 2, 2}, {0, 2, 2}},
    {"one output", 2, 1, 1, 33, 40,
     {1, 6, 6}, {1, 6, 6}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}, {0, 0, 0}},
    {"wide padding", 2, 1, 1, 2, 3,
     {1, 3, 2}, {1, 2, 3}, {1, 1, 1}, {1, 1, 1}, {0, 4, 5}, {0, 3, 6}},
    {"1-D", 1, 2, 1, 5, 20, {1, 1, 100}, {1, 1, 5}, {1, 1, 1}, {1, 1, 1}, {0, 0, 2}, {0, 0, 2}},
    {"1-D/3", 1, 1, 1, 16, 17, {1, 1, 77}, {1, 1, 8}, {1, 1, 3}, {1, 1, 2}, {0, 0, 5}, {0, 0, 0}},
    {"3-D", 3, 1, 1, 4, 18, {5, 6, 17}, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}},
    {"3-D/2", 3, 1, 2, 3, 5, {6, 7, 9}, {3, 2, 3}, {2, 2, 2}, {1, 1, 1}, {1, 0, 1}, {1, 1, 1}},
    {"3-D depthwise", 3, 1, 6, 1, 1,
     {4, 5, 19}, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}},
    {"several tasks", 2, 3, 1, 32, 48,
     {1, 28, 28}, {1, 3, 3}, {1, 1, 1}, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}},
};

const Window kPoolings[] = {
    {"2x2", 2, 2, 5, 1, 1, {1, 8, 35}, {1, 2, 2}, {1, 2, 2}, {1, 1, 1}, {0, 0, 0}, {0, 0, 0}},
    {"4x4/3", 2, 1, 17, 1, 1, {1, 13, 18}, {1, 4, 4}, {1, 3, 3}, {1, 1, 1}, {0, 2, 1}, {0, 1, 2}},
    {"4x2", 2, 1, 3, 1, 1, {1, 9, 9}, {1, 4, 2}, {1, 1, 1}, {1, 2, 3}, {0, 2, 1}, {0, 2, 1}},
    {"8", 1, 3, 4, 1, 1, {1, 1, 50}, {1, 1, 8}, {1, 1, 5}, {1, 1, 1}, {0, 0, 4}, {0, 0, 4}},
    {"2x2x2", 3, 1, 4, 1, 1, {4, 5, 19}, {2, 2, 2}, {2, 1, 2}, {1, 1, 1}, {1, 0, 1}, {0, 1, 1}},
    {"2x2x2/2", 3, 1, 3, 1, 1, {4, 6, 39}, {2, 2, 2}, {2, 2, 2}, {1, 1, 1}, {0, 0, 0}, {0, 0, 0}},
    {"2x2, wide", 2, 2, 3, 1, 1,
     {1, 9, 141}, {1, 2, 2}, {1, 2, 2}, {1, 1, 1}, {0, 0, 0}, {0, 0, 0}},
    {"2x2/1", 2, 1, 3, 1, 1, {1, 7, 40}, {1, 2, 2}, {1, 1, 1}, {1, 1, 1}, {0, 1, 1}, {0, 0, 1}},
    {"4/4", 1, 2, 5, 1, 1, {1, 1, 203}, {1, 1, 4}, {1, 1, 4}, {1, 1, 1}, {0, 0, 0}, {0, 0, 0}},
    {"3x3/1", 2, 1, 3, 1, 1, {1, 9, 37}, {1, 3, 3}, {1, 1, 1}, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}},
    {"3x3/2", 2, 2, 3, 1, 1, {1, 12, 67}, {1, 3, 3}, {1, 2, 2}, {1, 1, 1}, {0, 1, 1}, {0, 0, 1}},
    {"8x8, whole", 2, 2, 19, 1, 1,
     {1, 8, 8}, {1, 8, 8}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}, {0, 0, 0}},
    {"32x16, whole", 2, 1, 5, 1, 1,
     {1, 32, 16}, {1, 32, 16}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}, {0, 0, 0}},
};

constexpr int kMostFailures = 20;
std::atomic<int> failures{0};
std::atomic<long> checked{0};

void fail(const std::string& message) {
  std::fprintf(stderr, "%s\n", message.c_str());
  if (++failures == kMostFailures) std::exit(1);
}

void check_status(const std::string& name, fastconv_status status) {
  if (status == FASTCONV_OK) return;
  fail(name + ": " + fastconv_last_error());
  std::exit(1);
}

// C order, or channels-last: (n, spatial, c).
struct Order {
  std::int64_t n, channels, plane;
  bool last;

  std::size_t size() const { return static_cast<std::size_t>(n * channels * plane); }
  std::size_t place(std::int64_t image, std::int64_t channel, std::int64_t i) const {
    return static_cast<std::size_t>(last ? (image * plane + i) * channels + channel
                                         : (image * channels + channel) * plane + i);
  }
  std::vector<std::int64_t> strides(const std::int64_t* sizes, int spatial) const {
    std::vector<std::int64_t> result{channels * plane, last ? 1 : plane};
    for (int i = 0; i < spatial; ++i) {
      std::int64_t step = last ? channels : 1;
      for (int j = i + 1; j < spatial; ++j) step *= sizes[j];
      result.push_back(step);
    }
    return result;
  }
};

template <class T>
std::vector<T> arrange(const Values& values, const Order& order) {
  std::vector<T> array(order.size());
  std::size_t i = 0;
  for (std::int64_t n = 0; n < order.n; ++n)
    for (std::int64_t c = 0; c < order.channels; ++c)
      for (std::int64_t p = 0; p < order.plane; ++p)
        array[order.place(n, c, p)] = static_cast<T>(values[i++]);
  return array;
}

template <class T>
std::vector<T> unwritten(const Order& order) {
  return std::vector<T>(order.size(), std::numeric_limits<T>::has_quiet_NaN
                                          ? std::numeric_limits<T>::quiet_NaN()
                                          : static_cast<T>(-9));
}

template <class T>
void compare(const std::string& name, const std::vector<T>& got, const Values& values,
             const Order& order) {
  const std::vector<T> wanted = arrange<T>(values, order);
  ++checked;
  for (std::size_t i = 0; i < wanted.size(); ++i)
    if (!(got[i] == wanted[i]))
      return fail(name + ": element " + std::to_string(i) + " is " + std::to_string(got[i]) +
                  ", wanted " + std::to_string(wanted[i]));
}

constexpr fastconv_dtype dtype_of(float) { return FASTCONV_FLOAT32; }
constexpr fastconv_dtype dtype_of(double) { return FASTCONV_FLOAT64; }

template <class Desc>
Desc describe(const Window& w) {
  Desc desc{};
  desc.size = sizeof desc;
  desc.spatial = w.spatial, desc.batch = w.n;
  for (int i = 0; i < w.spatial; ++i) {
    const int axis = 3 - w.spatial + i;
    desc.input[i] = w.input[axis], desc.kernel[i] = w.kernel[axis];
    desc.stride[i] = w.stride[axis], desc.dilation[i] = w.dilation[axis];
    desc.pad_before[i] = w.before[axis], desc.pad_after[i] = w.after[axis];
  }
  return desc;
}

class Plan {
 public:
  Plan(const std::string& name, const fastconv_problem* problem, fastconv_direction direction)
      : name_(name) {
    check_status(name, fastconv_plan_create(problem, direction, &plan_));
  }
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;
  ~Plan() { fastconv_plan_destroy(plan_); }
  // With some number of threads; every second time in memory of our own, of just the right size.
  void run(fastconv_buffers buffers) const {
    const int turn = turn_++;
    buffers.threads = turn / 2 % 4;
    std::vector<char> memory;
    if (turn % 2 == 1) {
      check_status(name_, fastconv_plan_workspace(plan_, &buffers, &buffers.workspace_bytes));
      memory.resize(buffers.workspace_bytes);
      memory.shrink_to_fit();
      buffers.workspace = memory.data();
      fastconv_buffers half = buffers;
      half.workspace_bytes /= 3;
      if (half.workspace_bytes > 64 &&
          fastconv_execute(plan_, &half) != FASTCONV_INVALID_ARGUMENT)
        fail(name_ + ": ran in a third of its workspace");
    }
    check_status(name_, fastconv_execute(plan_, &buffers));
  }

 private:
  std::string name_;
  fastconv_plan* plan_;
  mutable std::atomic<int> turn_{0};
};

fastconv_buffers no_buffers() {
  fastconv_buffers buffers{};
  buffers.size = sizeof buffers;
  return buffers;
}

std::vector<std::int64_t> output_sizes(const Window& w) {
  std::vector<std::int64_t> sizes;
  for (int axis = 3 - w.spatial; axis < 3; ++axis) sizes.push_back(w.output(axis));
  return sizes;
}

template <class T>
void test_convolution(const std::string& isa, const Window& w, const ConvData& data,
                      fastconv_algorithm algorithm, bool last, int callers) {
  constexpr const char* kNames[] = {"auto", "direct", "im2col", "tiled"};
  const std::string name = isa + " " + w.name + " " + kNames[algorithm] +
                           (sizeof(T) == 4 ? " float32" : " float64") +
                           (last ? " channels-last" : "");
  const Order in{w.n, w.g * w.ic, w.inputs(), last}, out{w.n, w.g * w.oc, w.outputs(), last};
  const Order kernel{w.g * w.oc, w.ic, w.taps(), false};
  const Order each{1, w.g * w.oc, 1, false}, each_in{1, w.g * w.ic, 1, false};
  const std::vector<std::int64_t> sizes = output_sizes(w);
  const auto in_strides = in.strides(w.input + 3 - w.spatial, w.spatial);
  const auto out_strides = out.strides(sizes.data(), w.spatial);
  auto desc = describe<fastconv_conv_desc>(w);
  desc.dtype = dtype_of(T{}), desc.algorithm = algorithm;
  desc.groups = w.g, desc.in_channels = w.g * w.ic, desc.out_channels = w.g * w.oc;
  desc.input_strides = in_strides.data(), desc.output_strides = out_strides.data();
  fastconv_problem* problem;
  check_status(name, fastconv_conv_problem_create(&desc, &problem));

  const auto input = arrange<T>(data.input, in), weight = arrange<T>(data.weight, kernel);
  const auto bias = arrange<T>(data.bias, each), input_bias = arrange<T>(data.input_bias, each_in);
  const auto residual = arrange<T>(data.residual, out);
  const auto grad_output = arrange<T>(data.grad_output, out);
  fastconv_weights* prepared;
  check_status(name, fastconv_weights_create(&desc, weight.data(), &prepared));

  const Plan forward(name, problem, FASTCONV_FORWARD);
  const Plan backward_input(name, problem, FASTCONV_BACKWARD_INPUT);
  const Plan backward_weight(name, problem, FASTCONV_BACKWARD_WEIGHT);
  const auto run_all = [&] {
    for (const fastconv_weights* packed : {static_cast<fastconv_weights*>(nullptr), prepared}) {
      fastconv_buffers b = no_buffers();
      b.prepared = packed;
      if (!packed) b.weight = weight.data();
      auto output = unwritten<T>(out), grad_input = unwritten<T>(in);
      b.input = input.data(), b.bias = bias.data(), b.residual = residual.data();
      b.output = output.data();
      forward.run(b);
      compare(name + " forward", output, data.output, out);
      b.bias = input_bias.data(), b.residual = nullptr, b.grad_output = grad_output.data();
      b.grad_input = grad_input.data();
      backward_input.run(b);
      compare(name + " backward input", grad_input, data.grad_input, in);
    }
    fastconv_buffers b = no_buffers();
    auto grad_weight = unwritten<T>(kernel), grad_bias = unwritten<T>(each);
    b.input = input.data(), b.grad_output = grad_output.data();
    b.grad_weight = grad_weight.data(), b.grad_bias = grad_bias.data();
    backward_weight.run(b);
    compare(name + " backward weight", grad_weight, data.grad_weight, kernel);
    compare(name + " backward bias", grad_bias, data.grad_bias, each);
    const Plan again(name, problem, FASTCONV_FORWARD);  // plans are made at the same time too
  };
  std::vector<std::thread> threads;
  for (int i = 1; i < callers; ++i) threads.emplace_back(run_all);
  run_all();
  for (std::thread& thread : threads) thread.join();
  fastconv_weights_destroy(prepared);
  fastconv_problem_destroy(problem);
}

template <class T>
void test_pooling(const std::string& isa, const Window& w, const PoolData& data, bool max,
                  bool last, int callers) {
  const std::string name = isa + (max ? " max " : " mean ") + w.name +
                           (sizeof(T) == 4 ? " float32" : " float64") +
                           (last ? " channels-last" : "");
  const Order in{w.n, w.g, w.inputs(), last}, out{w.n, w.g, w.outputs(), last};
  const std::vector<std::int64_t> sizes = output_sizes(w);
  const auto in_strides = in.strides(w.input + 3 - w.spatial, w.spatial);
  const auto out_strides = out.strides(sizes.data(), w.spatial);
  auto desc = describe<fastconv_pool_desc>(w);
  desc.dtype = dtype_of(T{}), desc.channels = w.g, desc.count_include_pad = 1;
  desc.divisor_override = w.taps();
  desc.kind = max ? FASTCONV_POOL_MAX : FASTCONV_POOL_AVG;
  desc.input_strides = in_strides.data();
  desc.output_strides = desc.indices_strides = out_strides.data();
  fastconv_problem* problem;
  check_status(name, fastconv_pool_problem_create(&desc, &problem));
  const auto input = arrange<T>(data.input, in), grad_output = arrange<T>(data.grad_output, out);
  const Plan forward(name, problem, FASTCONV_FORWARD);
  const Plan backward(name, problem, FASTCONV_BACKWARD_INPUT);
  const auto run_all = [&] {
    fastconv_buffers b = no_buffers();
    auto output = unwritten<T>(out), grad_input = unwritten<T>(in);
    auto indices = unwritten<std::int64_t>(out);
    b.input = input.data(), b.grad_output = grad_output.data();
    b.output = output.data(), b.grad_input = grad_input.data(), b.indices = indices.data();
    forward.run(b);
    compare(name + " forward", output, max ? data.max : data.mean, out);
    if (max) compare(name + " indices", indices, data.indices, out);
    backward.run(b);
    compare(name + " backward", grad_input, max ? data.grad_max : data.grad_mean, in);
  };
  std::vector<std::thread> threads;
  for (int i = 1; i < callers; ++i) threads.emplace_back(run_all);
  run_all();
  for (std::thread& thread : threads) thread.join();
  fastconv_problem_destroy(problem);
}

// Eight callers share a plan of the automatic choice; the others have it for themselves.
template <class T>
void test_isa(const std::string& isa) {
  check_status(isa, fastconv_set_isa(isa.c_str()));
  for (const Window& w : kConvolutions) {
    const ConvData data(w);
    for (bool last : {false, true})
      for (fastconv_algorithm algorithm :
           {FASTCONV_ALGORITHM_AUTO, FASTCONV_ALGORITHM_DIRECT, FASTCONV_ALGORITHM_IM2COL,
            FASTCONV_ALGORITHM_TILED})
        test_convolution<T>(isa, w, data, algorithm, last,
                            algorithm == FASTCONV_ALGORITHM_AUTO && sizeof(T) == 4 ? 8 : 1);
  }
  for (const Window& w : kPoolings) {
    const PoolData data(w);
    for (bool last : {false, true})
      for (bool max : {false, true})
        if (max || (w.taps() & (w.taps() - 1)) == 0) test_pooling<T>(isa, w, data, max, last, 8);
  }
  if (fastconv_executed_isa() != isa) fail(isa + " did not run");
}

}  // namespace
}  // namespace fastconv::test

int main(int count, char** arguments) {
  using namespace fastconv::test;
  std::vector<std::string> isas(arguments + 1, arguments + count);
  if (isas.empty())
    for (int i = 0; fastconv_available_isa(i); ++i) isas.push_back(fastconv_available_isa(i));
  fastconv_set_poison(1);
  check_status("threads", fastconv_set_num_threads(3));
  for (const std::string& isa : isas) {
    test_isa<float>(isa);
    test_isa<double>(isa);
    std::printf("%s: %ld results\n", isa.c_str(), checked.load());
  }
  return failures > 0;
}
