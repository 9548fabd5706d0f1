// The C entry points: handles, statuses, and no exception past this file.
#include <array>
#include <cstddef>
#include <cstring>
#include <variant>

#include "api/check.hpp"
#include "api/entry.hpp"
#include "api/plans.hpp"
#include "conv/conv.hpp"
#include "dispatch/dispatch.hpp"
#include "pool/pool.hpp"
#include "runtime/memory.hpp"
#include "runtime/threads.hpp"

using namespace fastconv;

struct fastconv_problem {
  std::variant<ConvShape, PoolShape> shape;
  int spatial;
  Algorithm algorithm;
  Activation activation;
  double slope;
};

struct fastconv_plan {
  fastconv_problem problem;
  fastconv_direction direction;
  const KernelTable& table;
  std::shared_ptr<const AnyCorrelation> correlation;  // of forward and input gradient
};

struct fastconv_weights {
  ConvShape shape;
  std::variant<std::unique_ptr<const Prepared<float>>, std::unique_ptr<const Prepared<double>>>
      weights;
};

namespace {

// Prepared weights are kept in C order, and a plan reads them by its own strides.
void check_prepared(const ConvShape& prepared, const ConvShape& plan) {
  const auto sizes = [](const ConvShape& s) {
    return std::array{s.g, s.ic, s.oc, s.axis[0].kernel, s.axis[1].kernel, s.axis[2].kernel};
  };
  if (prepared.dtype != plan.dtype || sizes(prepared) != sizes(plan))
    invalid("the prepared weights have another dtype or shape (wanted the plan's)");
  std::int64_t step = 1;
  bool c_order = true;
  for (int i = 3; i-- > 0; step *= plan.axis[i].kernel)
    c_order &= plan.axis[i].kernel == 1 || plan.weight.axis[i] == step;
  if (!c_order || plan.weight.channel != step || plan.weight.outer != step * plan.ic)
    invalid("the plan's weight_strides are not C order (wanted it for prepared weights)");
}

// Packs the weights for this execution, or takes those that are prepared.
template <class T>
void correlate(const fastconv_plan& plan, const ConvShape& shape, const fastconv_buffers& b,
               const T* input, T* output) {
  const auto& correlation = std::get<Correlation<T>>(*plan.correlation);
  const CorrelationArrays<T> arrays{
      input,
      b.prepared ? nullptr : read<T>("weight", b.weight),
      static_cast<const T*>(b.bias),
      static_cast<const T*>(b.residual),
      output,
      {plan.problem.activation, static_cast<T>(plan.problem.slope)}};
  if (b.prepared) {
    check_prepared(b.prepared->shape, shape);
    if (Rehearsal::is_on()) return correlation.run(arrays, input);  // packs nothing
    const auto& weights = *std::get<std::unique_ptr<const Prepared<T>>>(b.prepared->weights);
    return correlation.run(arrays, weights.packed(plan.table, plan.direction, correlation).get());
  }
  correlation.run(arrays);
}

template <class T>
void execute(const fastconv_plan& plan, const ConvShape& shape, const Kernels<T>& kernels,
             const fastconv_buffers& b) {
  if (shape.n == 0 && plan.direction != FASTCONV_BACKWARD_WEIGHT) return;
  switch (plan.direction) {
    case FASTCONV_FORWARD:
      return correlate(plan, shape, b, read<T>("input", b.input), write<T>("output", b.output));
    case FASTCONV_BACKWARD_INPUT:
      return correlate(plan, shape, b, read<T>("grad_output", b.grad_output),
                       write<T>("grad_input", b.grad_input));
    case FASTCONV_BACKWARD_WEIGHT:
      if (shape.n > 0) read<T>("input", b.input), read<T>("grad_output", b.grad_output);
      return conv_backward_weight<T>(
          kernels, shape,
          {static_cast<const T*>(b.grad_output), static_cast<const T*>(b.input),
           static_cast<T*>(b.grad_weight), static_cast<T*>(b.grad_bias)});
  }
}

template <class T>
void execute(const fastconv_plan& plan, const PoolShape& shape, const Kernels<T>& kernels,
             const fastconv_buffers& b) {
  if (shape.n == 0) return;
  if (plan.direction == FASTCONV_FORWARD) {
    const T* input = read<T>("input", b.input);
    T* output = write<T>("output", b.output);
    if (shape.norm > 0) return lp_pool_forward(kernels, shape, input, output);
    if (shape.max && shape.adaptive) return adaptive_max_forward(shape, input, output, b.indices);
    if (shape.max) return max_pool_forward(kernels, shape, input, output, b.indices);
    if (shape.adaptive) return adaptive_avg_forward(shape, input, output);
    return avg_pool_forward(kernels, shape, input, output);
  }
  const T* grad_output = read<T>("grad_output", b.grad_output);
  T* grad_input = write<T>("grad_input", b.grad_input);
  if (shape.norm > 0)
    return lp_pool_backward(kernels, shape, grad_output, read<T>("input", b.input), grad_input);
  if (!shape.max && shape.adaptive) return adaptive_avg_backward(shape, grad_output, grad_input);
  if (!shape.max) return avg_pool_backward(kernels, shape, grad_output, grad_input);
  const auto* indices = read<std::int64_t>("indices", b.indices);
  if (!max_pool_backward(shape, grad_output, indices, grad_input))
    invalid("indices has an element outside the plane (wanted 0 to " +
            std::to_string(shape.inputs() - 1) + ")");
}

// The buffers of an execution; what an older header's struct lacks is zero.
fastconv_buffers checked(const fastconv_plan* plan, const fastconv_buffers* buffers) {
  constexpr std::size_t kFirstSize = offsetof(fastconv_buffers, workspace);
  if (!plan || !buffers) invalid("plan or buffers is NULL");
  if (buffers->size < kFirstSize || buffers->size > sizeof(fastconv_buffers))
    invalid("the buffers' size is " + std::to_string(buffers->size) + " (wanted " +
            std::to_string(sizeof(fastconv_buffers)) + ")");
  fastconv_buffers all{};
  std::memcpy(&all, buffers, buffers->size);
  if (all.threads < 0)
    invalid("threads is " + std::to_string(all.threads) + " (wanted at least 1, or 0)");
  return all;
}

void execute(const fastconv_plan& plan, const fastconv_buffers& buffers) {
  std::visit(
      [&](const auto& shape) {
        if (shape.dtype == Dtype::float32)
          execute(plan, shape, plan.table.f32, buffers);
        else
          execute(plan, shape, plan.table.f64, buffers);
      },
      plan.problem.shape);
}

// What an execution with these buffers allocates: it runs without its tasks, so that no array is
// touched.
std::size_t workspace_of(const fastconv_plan& plan, fastconv_buffers buffers) {
  alignas(double) static char any[sizeof(double)];
  buffers.input = buffers.weight = buffers.grad_output = any;
  buffers.output = buffers.grad_input = buffers.grad_weight = any;
  if (plan.direction == FASTCONV_BACKWARD_INPUT)
    buffers.indices = reinterpret_cast<std::int64_t*>(any);
  const Rehearsal rehearsal;
  execute(plan, buffers);
  return rehearsal.bytes();
}

void execute_in_workspace(const fastconv_plan& plan, const fastconv_buffers& buffers) {
  try {
    const Workspace workspace(buffers.workspace, buffers.workspace_bytes);
    return execute(plan, buffers);
  } catch (const WorkspaceTooSmall&) {
  }
  invalid("workspace_bytes is " + std::to_string(buffers.workspace_bytes) + " (wanted at least " +
          std::to_string(workspace_of(plan, buffers)) + ")");
}

}  // namespace

fastconv_status fastconv_conv_problem_create(const fastconv_conv_desc* desc,
                                             fastconv_problem** problem) {
  return guard([&] {
    if (!desc || !problem) invalid("desc or problem is NULL");
    *problem = new fastconv_problem{make_shape(*desc), desc->spatial,
                                    static_cast<Algorithm>(desc->algorithm),
                                    static_cast<Activation>(desc->activation),
                                    desc->activation_slope};
  });
}

fastconv_status fastconv_pool_problem_create(const fastconv_pool_desc* desc,
                                             fastconv_problem** problem) {
  return guard([&] {
    if (!desc || !problem) invalid("desc or problem is NULL");
    *problem = new fastconv_problem{make_shape(*desc), desc->spatial, Algorithm::automatic,
                                    Activation::none, 0};
  });
}

void fastconv_problem_destroy(fastconv_problem* problem) { delete problem; }

void fastconv_problem_output(const fastconv_problem* problem, int64_t* output) {
  std::visit(
      [&](const auto& shape) {
        for (int i = 0; i < problem->spatial; ++i)
          output[i] = shape.axis[3 - problem->spatial + i].output;
      },
      problem->shape);
}

fastconv_status fastconv_plan_create(const fastconv_problem* problem, fastconv_direction direction,
                                     fastconv_plan** plan) {
  return guard([&] {
    if (!problem || !plan) invalid("problem or plan is NULL");
    const bool pool = std::holds_alternative<PoolShape>(problem->shape);
    if (direction < FASTCONV_FORWARD ||
        direction > (pool ? FASTCONV_BACKWARD_INPUT : FASTCONV_BACKWARD_WEIGHT))
      invalid("direction is " + std::to_string(direction) + " (wanted one that the problem has)");
    const KernelTable& table = active_table();
    std::shared_ptr<const AnyCorrelation> correlation;
    if (!pool && direction != FASTCONV_BACKWARD_WEIGHT)
      correlation = find_correlation(std::get<ConvShape>(problem->shape), direction,
                                     problem->algorithm, table);
    *plan = new fastconv_plan{*problem, direction, table, std::move(correlation)};
  });
}

fastconv_status fastconv_weights_create(const fastconv_conv_desc* desc, const void* weight,
                                        fastconv_weights** weights) {
  return guard([&] {
    if (!desc || !weight || !weights) invalid("desc, weight or weights is NULL");
    const ConvShape shape = make_shape(*desc);
    if (shape.dtype == Dtype::float32)
      *weights = new fastconv_weights{
          shape,
          std::make_unique<const Prepared<float>>(shape, static_cast<const float*>(weight))};
    else
      *weights = new fastconv_weights{
          shape,
          std::make_unique<const Prepared<double>>(shape, static_cast<const double*>(weight))};
  });
}

void fastconv_weights_destroy(fastconv_weights* weights) { delete weights; }

fastconv_status fastconv_plan_describe(const fastconv_plan* plan, fastconv_plan_info* info) {
  return guard([&] {
    if (!plan || !info) invalid("plan or info is NULL");
    if (info->size != sizeof(fastconv_plan_info))
      invalid("the info's size is " + std::to_string(info->size) + " (wanted " +
              std::to_string(sizeof(fastconv_plan_info)) + ")");
    if (!plan->correlation) invalid("plan is of no forward or input gradient of a convolution");
    describe(*plan->correlation, std::get<ConvShape>(plan->problem.shape), *info);
    info->isa = plan->table.name;
  });
}

void fastconv_plan_destroy(fastconv_plan* plan) { delete plan; }

fastconv_status fastconv_execute(const fastconv_plan* plan, const fastconv_buffers* buffers) {
  return guard([&] {
    const fastconv_buffers all = checked(plan, buffers);
    const ThreadsOfCall threads(all.threads);
    if (all.workspace)
      execute_in_workspace(*plan, all);
    else
      execute(*plan, all);
    executed_isa = plan->table.name;
  });
}

fastconv_status fastconv_plan_workspace(const fastconv_plan* plan, const fastconv_buffers* buffers,
                                        size_t* bytes) {
  return guard([&] {
    const fastconv_buffers all = checked(plan, buffers);
    if (!bytes) invalid("bytes is NULL");
    const ThreadsOfCall threads(all.threads);
    *bytes = workspace_of(*plan, all);
  });
}

const char* fastconv_last_error(void) { return last_error.c_str(); }

const char* fastconv_version(void) { return FASTCONV_VERSION; }

int fastconv_has(const char* name) {
  constexpr const char* kNames[] = {
      "float32", "float64", "direct",    "im2col",  "tiled",   "relu",     "relu6", "leaky_relu",
      "sigmoid", "tanh",    "silu",      "max",     "avg",     "lp",       "hard_swish",
      "threads", "prepared", "workspace"};
  int has = 0;
  guard([&] {
    if (!name) return;
    for (const char* known : kNames) has |= std::strcmp(known, name) == 0;
    has |= find_table(name) != nullptr;
  });
  return has;
}

const char* fastconv_compiler(void) {
#if defined(__clang__)
  return "clang " __clang_version__;
#else
  return "gcc " __VERSION__;
#endif
}

const char* fastconv_isa(void) {
  const char* name = nullptr;
  guard([&] { name = active_table().name; });
  return name;
}

fastconv_status fastconv_set_isa(const char* name) {
  return guard([&] {
    const KernelTable* table = name ? find_table(name) : nullptr;
    if (!table)
      invalid("isa is '" + std::string(name ? name : "NULL") + "' (wanted one that runs here)");
    use_table(*table);
    executed_isa = nullptr;
  });
}

const char* fastconv_available_isa(int i) {
  const char* name = nullptr;
  guard([&] {
    const auto& tables = available_tables();
    if (i >= 0 && static_cast<std::size_t>(i) < tables.size())
      name = tables[static_cast<std::size_t>(i)]->name;
  });
  return name;
}

const char* fastconv_executed_isa(void) { return executed_isa; }

fastconv_status fastconv_set_num_threads(int n) {
  return guard([&] {
    if (n < 1) invalid("the number of threads is " + std::to_string(n) + " (wanted at least 1)");
    set_num_threads(n);
  });
}

int fastconv_get_num_threads(void) { return get_num_threads(); }

double fastconv_peak_flops(fastconv_dtype dtype) {
  double flops = 0;
  guard([&] {
    flops = dtype == FASTCONV_FLOAT32 ? measure_peak(active_table().f32)
                                      : measure_peak(active_table().f64);
  });
  return flops;
}

void* fastconv_allocate(size_t bytes) {
  void* block = nullptr;
  guard([&] { block = pool_allocate(bytes); });
  return block;
}

void fastconv_free(void* block) { pool_free(block); }

void fastconv_release_memory(void) { pool_release(); }

void fastconv_set_poison(int on) { pool_set_poison(on != 0); }
