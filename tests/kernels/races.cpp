// Eight threads at the C API at once, for ThreadSanitizer: plans, prepared weights and the pool of
// memory shared among them, errors of their own, and the settings changed meanwhile. Each has one
// thread for its kernels, and then three.
#include <fastconv/fastconv.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr int kCallers = 8, kRounds = 6;
std::atomic<int> failures{0};

void require(bool good, const char* what) {
  if (good) return;
  ++failures;
  std::fprintf(stderr, "%s: %s\n", what, fastconv_last_error());
}

using Values = std::vector<float>;

Values ramp(std::size_t size, int period) {
  Values values(size);
  for (std::size_t i = 0; i < size; ++i)
    values[i] = static_cast<float>(static_cast<int>(i) % period - period / 2);
  return values;
}

fastconv_conv_desc description(std::int64_t side) {
  fastconv_conv_desc desc{};
  desc.size = sizeof desc, desc.dtype = FASTCONV_FLOAT32, desc.spatial = 2;
  desc.batch = 2, desc.in_channels = 8, desc.out_channels = 16, desc.groups = 1;
  for (int i = 0; i < 2; ++i)
    desc.input[i] = side, desc.kernel[i] = 3, desc.stride[i] = desc.dilation[i] = 1;
  desc.padding = FASTCONV_PADDING_SAME;
  return desc;
}

class Plan {
 public:
  Plan(std::int64_t side, fastconv_direction direction) {
    const fastconv_conv_desc desc = description(side);
    fastconv_problem* problem;
    require(!fastconv_conv_problem_create(&desc, &problem), "problem");
    require(!fastconv_plan_create(problem, direction, &plan_), "plan");
    fastconv_problem_destroy(problem);
  }
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;
  ~Plan() { fastconv_plan_destroy(plan_); }
  void run(fastconv_buffers buffers, int threads) const {
    buffers.size = sizeof buffers, buffers.threads = threads;
    require(!fastconv_execute(plan_, &buffers), "execute");
  }

 private:
  fastconv_plan* plan_;
};

constexpr std::int64_t kSide = 24;
constexpr std::size_t kImage = kSide * kSide;
const Values input = ramp(2 * 8 * kImage, 7), weight = ramp(16 * 8 * 9, 5);
const Values grad = ramp(2 * 16 * kImage, 3);

struct Results {
  Values output = Values(grad.size()), grad_input = Values(input.size()),
         grad_weight = Values(weight.size());
  bool operator==(const Results& other) const {
    return output == other.output && grad_input == other.grad_input &&
           grad_weight == other.grad_weight;
  }
};

struct Shared {
  const Plan forward{kSide, FASTCONV_FORWARD}, backward_input{kSide, FASTCONV_BACKWARD_INPUT},
      backward_weight{kSide, FASTCONV_BACKWARD_WEIGHT};
  fastconv_weights* prepared = nullptr;
};

Results compute(const Shared& shared, int threads) {
  Results results;
  fastconv_buffers buffers{};
  buffers.input = input.data(), buffers.prepared = shared.prepared;
  buffers.output = results.output.data(), buffers.grad_output = grad.data();
  buffers.grad_input = results.grad_input.data();
  shared.forward.run(buffers, threads);
  shared.backward_input.run(buffers, threads);
  buffers.grad_weight = results.grad_weight.data();
  shared.backward_weight.run(buffers, threads);
  return results;
}

// What has no plan to share.
void others(int caller) {
  const Plan own(5 + caller, FASTCONV_FORWARD);
  fastconv_conv_desc wrong = description(8);
  wrong.stride[0] = -caller;
  fastconv_problem* problem;
  require(fastconv_conv_problem_create(&wrong, &problem) == FASTCONV_INVALID_ARGUMENT, "stride");
  const std::string wanted = "stride is (" + std::to_string(-caller) + ",";
  require(std::strstr(fastconv_last_error(), wanted.c_str()), "another thread's message");
  Values x = ramp(4096, 9), y(x.size());
  const fastconv_axis_desc axis{sizeof axis, FASTCONV_FLOAT32, 4, 16, 64};
  require(!fastconv_softmax(&axis, 0, x.data(), y.data()), "softmax");
  const fastconv_activation_desc relu{sizeof relu, FASTCONV_FLOAT32, FASTCONV_ACTIVATION_RELU, 0,
                                      static_cast<std::int64_t>(x.size())};
  require(!fastconv_activate(&relu, x.data(), y.data()), "relu");
  void* const block = fastconv_allocate(static_cast<std::size_t>(1000 * caller));
  if (caller == 1) fastconv_release_memory();
  if (caller == 2) require(!fastconv_set_num_threads(2), "threads");
  if (caller == 3) require(!fastconv_set_isa(fastconv_isa()), "isa");
  require(fastconv_get_num_threads() > 0 && fastconv_has(fastconv_isa()), "settings");
  fastconv_free(block);
}

}  // namespace

int main() {
  for (const int threads : {1, 3}) {
    Shared shared;
    const fastconv_conv_desc desc = description(kSide);
    require(!fastconv_weights_create(&desc, weight.data(), &shared.prepared), "weights");
    std::vector<Results> results(kCallers);
    std::vector<std::thread> callers;
    for (int i = 0; i < kCallers; ++i)
      callers.emplace_back([&, i] {
        for (int round = 0; round < kRounds; ++round) {
          results[static_cast<std::size_t>(i)] = compute(shared, threads);
          others(i + 1);
        }
      });
    for (std::thread& caller : callers) caller.join();
    for (const Results& each : results) require(each == results.front(), "other numbers");
    fastconv_weights_destroy(shared.prepared);
  }
  std::printf("%d callers, %d failures\n", kCallers, failures.load());
  return failures > 0;
}
