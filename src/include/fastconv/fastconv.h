/* fastconv: convolution and pooling on the CPU, from C99 and everything that can call it.
 *
 * A problem says what to compute (shapes, strides, padding), a plan says how (direction, kernels,
 * blocking), and execute runs it on the caller's memory. Problems and plans never change once
 * made, so any number of threads may execute one plan at a time. Every call that can fail returns
 * a status; the message of the last failure in the calling thread is fastconv_last_error().
 *
 *   #include <fastconv/fastconv.h>
 *   #include <stdio.h>
 *
 *   static float x[3 * 32 * 32], w[8 * 3 * 3 * 3], b[8], y[8 * 32 * 32];
 *
 *   int main(void) {
 *     for (int i = 0; i < 3 * 32 * 32; ++i) x[i] = 1;
 *     for (int i = 0; i < 8 * 3 * 3 * 3; ++i) w[i] = 0.5f;
 *     for (int i = 0; i < 8; ++i) b[i] = 1;
 *     fastconv_conv_desc desc = {.size = sizeof desc};  // the rest is zero
 *     desc.dtype = FASTCONV_FLOAT32, desc.spatial = 2;
 *     desc.batch = 1, desc.in_channels = 3, desc.out_channels = 8, desc.groups = 1;
 *     for (int i = 0; i < 2; ++i)
 *       desc.input[i] = 32, desc.kernel[i] = 3, desc.stride[i] = desc.dilation[i] = 1;
 *     desc.padding = FASTCONV_PADDING_SAME;
 *     desc.activation = FASTCONV_ACTIVATION_RELU;
 *
 *     fastconv_problem *problem;
 *     fastconv_plan *plan;
 *     if (fastconv_conv_problem_create(&desc, &problem) ||
 *         fastconv_plan_create(problem, FASTCONV_FORWARD, &plan))
 *       return fprintf(stderr, "%s\n", fastconv_last_error()), 1;
 *     fastconv_buffers buffers = {.size = sizeof buffers};
 *     buffers.input = x, buffers.weight = w, buffers.bias = b, buffers.output = y;
 *     if (fastconv_execute(plan, &buffers))
 *       return fprintf(stderr, "%s\n", fastconv_last_error()), 1;
 *     printf("%g on %s\n", y[0], fastconv_isa());
 *     fastconv_plan_destroy(plan), fastconv_problem_destroy(problem);
 *   }
 */
#ifndef FASTCONV_FASTCONV_H
#define FASTCONV_FASTCONV_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define FASTCONV_API __attribute__((visibility("default")))
#else
#define FASTCONV_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef enum fastconv_status {
  FASTCONV_OK = 0,
  FASTCONV_INVALID_ARGUMENT = 1, /* a value or shape that fits nothing */
  FASTCONV_OUT_OF_MEMORY = 2,
  FASTCONV_INTERNAL_ERROR = 3
} fastconv_status;

typedef enum fastconv_dtype { FASTCONV_FLOAT32 = 0, FASTCONV_FLOAT64 = 1 } fastconv_dtype;

typedef enum fastconv_direction {
  FASTCONV_FORWARD = 0,
  FASTCONV_BACKWARD_INPUT = 1,
  FASTCONV_BACKWARD_WEIGHT = 2 /* of convolutions: the gradients of weight and bias */
} fastconv_direction;

typedef enum fastconv_padding {
  FASTCONV_PADDING_EXPLICIT = 0,   /* pad_before and pad_after as given */
  FASTCONV_PADDING_VALID = 1,      /* none */
  FASTCONV_PADDING_SAME = 2,       /* output = ceil(input / stride), the odd element after */
  FASTCONV_PADDING_SAME_LOWER = 3, /* the same, the odd element before */
  FASTCONV_PADDING_FULL = 4        /* dilation * (kernel - 1) on both sides; not for pooling */
} fastconv_padding;

/* What computes a convolution. Each gives the same sums; "auto" takes the one that its model of
 * the machine finds cheapest, by the shape of one image. */
typedef enum fastconv_algorithm {
  FASTCONV_ALGORITHM_AUTO = 0,
  FASTCONV_ALGORITHM_DIRECT = 1, /* vectors of pixels */
  FASTCONV_ALGORITHM_IM2COL = 2, /* an explicit matrix and a matrix product */
  FASTCONV_ALGORITHM_TILED = 3   /* vectors of output channels */
} fastconv_algorithm;

/* What is done to the finished sum, in the same pass. */
typedef enum fastconv_activation {
  FASTCONV_ACTIVATION_NONE = 0,
  FASTCONV_ACTIVATION_RELU = 1,
  FASTCONV_ACTIVATION_RELU6 = 2,
  FASTCONV_ACTIVATION_LEAKY_RELU = 3, /* x > 0 ? x : activation_slope * x */
  FASTCONV_ACTIVATION_SIGMOID = 4,
  FASTCONV_ACTIVATION_TANH = 5,
  FASTCONV_ACTIVATION_SILU = 6,      /* x * sigmoid(x) */
  FASTCONV_ACTIVATION_HARD_SWISH = 7 /* x * min(max(x + 3, 0), 6) / 6 */
} fastconv_activation;

typedef enum fastconv_pool_kind {
  FASTCONV_POOL_MAX = 0,
  FASTCONV_POOL_AVG = 1,
  FASTCONV_POOL_LP = 2 /* (sum of x^p)^(1/p), from the mean; the gradient is 0 where that is */
} fastconv_pool_kind;

/* What a convolution is. Arrays are ordered (N, C, spatial...), weights (out, in / groups,
 * kernel...); of the arrays of three the first `spatial` entries count. Strides are counted in
 * elements, spatial + 2 of them, NULL for C order. */
typedef struct fastconv_conv_desc {
  size_t size; /* sizeof(fastconv_conv_desc) */
  fastconv_dtype dtype;
  int32_t spatial; /* 1, 2 or 3 */
  int64_t batch, in_channels, out_channels, groups;
  int64_t input[3], kernel[3], stride[3], dilation[3];
  fastconv_padding padding;
  int64_t pad_before[3], pad_after[3];
  const int64_t *input_strides, *weight_strides, *output_strides;
  int64_t output[3]; /* where not 0: compute only so many outputs, fewer than fit */
  fastconv_algorithm algorithm;   /* of forward and input gradient */
  fastconv_activation activation; /* of forward and, for transposed convolution, input gradient */
  double activation_slope;
} fastconv_conv_desc;

/* What a pooling is. Padding is at most half the kernel on each side; it never wins a maximum.
 * Where it is adaptive (max and mean), output says how many windows there are, of which o begins at
 * floor(o * input / output) and ends at ceil((o + 1) * input / output); kernel, stride, dilation,
 * padding and what rounds sizes do not count then. */
typedef struct fastconv_pool_desc {
  size_t size; /* sizeof(fastconv_pool_desc) */
  fastconv_dtype dtype;
  fastconv_pool_kind kind;
  int32_t spatial; /* 1, 2 or 3 */
  int64_t batch, channels;
  int64_t input[3], kernel[3], stride[3], dilation[3];
  fastconv_padding padding;
  int64_t pad_before[3], pad_after[3];
  int32_t ceil_mode;         /* round the output size up */
  int32_t count_include_pad; /* mean: padding counts in the divisor */
  int64_t divisor_override;  /* mean: this divisor instead, where it is not 0 */
  const int64_t *input_strides, *output_strides, *indices_strides;
  int32_t adaptive;
  int64_t output[3]; /* of an adaptive pooling */
  double norm_type;  /* Lp: the power p, above 0; infinity for the largest absolute value */
} fastconv_pool_desc;

/* The memory of one execution. A gradient has the strides of what it is the gradient of.
 *
 *   convolution  forward          input, weight, bias, residual      -> output
 *                backward input   grad_output, weight, bias, residual -> grad_input
 *                backward weight  grad_output, input                 -> grad_weight, grad_bias
 *                                                                       (either may be NULL)
 *   pooling      forward          input                  -> output, indices (max; or NULL)
 *                backward input   grad_output, indices (max) or input (Lp) -> grad_input
 *
 * Bias and residual may be NULL; the residual has the shape and strides of what is written, in a
 * forward pass it may be `output` itself, and it is added before the activation. Backward input with
 * a bias is the forward pass of a transposed convolution. Prepared weights, where given, are used
 * instead of `weight`.
 * Indices are flat within one channel's plane; -1 marks a window without a single element. */
typedef struct fastconv_weights fastconv_weights;
typedef struct fastconv_buffers {
  size_t size; /* sizeof(fastconv_buffers) */
  const void *input, *weight, *bias, *residual, *grad_output;
  const fastconv_weights *prepared;
  void *output, *grad_input, *grad_weight, *grad_bias;
  int64_t *indices;
  void *workspace; /* NULL: scratch memory comes from the library's pool (fastconv_allocate) */
  size_t workspace_bytes; /* of it: at least what fastconv_plan_workspace says */
  int32_t threads; /* of this execution; 0: as many as fastconv_get_num_threads() */
} fastconv_buffers;

typedef struct fastconv_problem fastconv_problem;
typedef struct fastconv_plan fastconv_plan;

FASTCONV_API fastconv_status fastconv_conv_problem_create(const fastconv_conv_desc *desc,
                                                          fastconv_problem **problem);
FASTCONV_API fastconv_status fastconv_pool_problem_create(const fastconv_pool_desc *desc,
                                                          fastconv_problem **problem);
FASTCONV_API void fastconv_problem_destroy(fastconv_problem *problem);

/* The spatial size of the output: writes `spatial` numbers. */
FASTCONV_API void fastconv_problem_output(const fastconv_problem *problem, int64_t *output);

FASTCONV_API fastconv_status fastconv_plan_create(const fastconv_problem *problem,
                                                  fastconv_direction direction,
                                                  fastconv_plan **plan);
FASTCONV_API void fastconv_plan_destroy(fastconv_plan *plan);
FASTCONV_API fastconv_status fastconv_execute(const fastconv_plan *plan,
                                              const fastconv_buffers *buffers);

/* How much workspace fastconv_execute wants with these buffers. Of them `prepared` and `indices`
 * count as NULL or not, and `threads`; the other pointers do not, so that no array has to be there
 * yet. Executions at one time want a workspace each. */
FASTCONV_API fastconv_status fastconv_plan_workspace(const fastconv_plan *plan,
                                                     const fastconv_buffers *buffers,
                                                     size_t *bytes);

/* Weights for many executions: a private copy that each plan's first execution packs once, in the
 * order its kernels read. Of the description dtype, channels, groups, kernel and weight_strides
 * count, and must be those of the plans that use it. Any number of threads may use one object. */
FASTCONV_API fastconv_status fastconv_weights_create(const fastconv_conv_desc *desc,
                                                     const void *weight,
                                                     fastconv_weights **weights);
FASTCONV_API void fastconv_weights_destroy(fastconv_weights *weights);

/* What a convolution's plan chose, forward or input gradient. */
typedef struct fastconv_plan_info {
  size_t size;           /* sizeof(fastconv_plan_info) */
  const char *isa;       /* static */
  char algorithm[16];    /* "direct", "im2col" or "tiled" */
  char blocking[192];    /* register tile, block of outputs, chunk of input channels */
  int32_t threads;       /* of an execution now */
  int64_t tasks;         /* independent pieces of work */
  int64_t workspace_bytes, weight_bytes; /* scratch memory; packed weights */
  double flop, bytes;    /* multiplications and additions; operands and result, each once */
  double cycles[4];      /* the model's estimate, by fastconv_algorithm; 0: none */
} fastconv_plan_info;
FASTCONV_API fastconv_status fastconv_plan_describe(const fastconv_plan *plan,
                                                    fastconv_plan_info *info);

/* Elementwise passes over `count` numbers in one run of memory. Inputs and outputs may be one
 * array. */
typedef struct fastconv_activation_desc {
  size_t size; /* sizeof(fastconv_activation_desc) */
  fastconv_dtype dtype;
  fastconv_activation activation;
  double slope; /* of a leaky ReLU */
  int64_t count;
} fastconv_activation_desc;
FASTCONV_API fastconv_status fastconv_activate(const fastconv_activation_desc *desc,
                                               const void *input, void *output);
/* Starts from the input, or from the output where input is NULL (all but silu and hard_swish). */
FASTCONV_API fastconv_status fastconv_activate_backward(const fastconv_activation_desc *desc,
                                                        const void *grad_output, const void *input,
                                                        const void *output, void *grad_input);

/* A step of stochastic gradient descent or of Adam on one parameter, as PyTorch defines them. */
typedef struct fastconv_sgd_desc {
  size_t size; /* sizeof(fastconv_sgd_desc) */
  fastconv_dtype dtype;
  int64_t count;
  double lr, momentum, dampening, weight_decay;
  int32_t nesterov;
  int32_t first; /* the buffer is written but not read */
} fastconv_sgd_desc;
FASTCONV_API fastconv_status fastconv_sgd_step(const fastconv_sgd_desc *desc, void *param,
                                               const void *grad,
                                               void *momentum_buffer /* or NULL */);
typedef struct fastconv_adam_desc {
  size_t size; /* sizeof(fastconv_adam_desc) */
  fastconv_dtype dtype;
  int64_t count, step; /* the first step is 1 */
  double lr, beta1, beta2, eps, weight_decay;
} fastconv_adam_desc;
FASTCONV_API fastconv_status fastconv_adam_step(const fastconv_adam_desc *desc, void *param,
                                                const void *grad, void *exp_avg, void *exp_avg_sq,
                                                void *max_exp_avg_sq /* or NULL */);

/* Passes along one axis of arrays in one run of memory, [outer][length][inner]: the channels of
 * (N, C, H, W) are N x C x HW, or where they lie last NHW x C x 1. */
typedef struct fastconv_axis_desc {
  size_t size; /* sizeof(fastconv_axis_desc) */
  fastconv_dtype dtype;
  int64_t outer, length, inner;
} fastconv_axis_desc;

/* exp(x) / sum of exp(x) along the axis, or where `log` its logarithm. */
FASTCONV_API fastconv_status fastconv_softmax(const fastconv_axis_desc *desc, int32_t log,
                                              const void *input, void *output);
FASTCONV_API fastconv_status fastconv_softmax_backward(const fastconv_axis_desc *desc, int32_t log,
                                                       const void *grad_output, const void *output,
                                                       void *grad_input);

/* x / (k + alpha / window * sum of squares)^beta, the sum over window / 2 elements before, and
 * (window - 1) / 2 after x along the axis. */
typedef struct fastconv_local_response {
  int64_t window;
  double alpha, beta, k;
} fastconv_local_response;
FASTCONV_API fastconv_status fastconv_local_response_norm(const fastconv_axis_desc *desc,
                                                          const fastconv_local_response *response,
                                                          const void *input, void *output);
FASTCONV_API fastconv_status fastconv_local_response_norm_backward(
    const fastconv_axis_desc *desc, const fastconv_local_response *response,
    const void *grad_output, const void *input, void *grad_input);

/* Cross entropy of softmax(input) with labels 0 to length - 1, or with probabilities; the other of
 * the two is NULL, and weight may be. Labels, losses and grad_output are [outer][inner]; labels
 * that are `ignore_index` count for nothing. Where `mean` or `sum` is wanted, losses and
 * grad_output are one number. */
typedef enum fastconv_reduction {
  FASTCONV_REDUCTION_NONE = 0,
  FASTCONV_REDUCTION_MEAN = 1, /* over the weights of the labels that count */
  FASTCONV_REDUCTION_SUM = 2
} fastconv_reduction;
typedef struct fastconv_cross_entropy_args {
  size_t size; /* sizeof(fastconv_cross_entropy_args) */
  const void *input;
  const int64_t *labels;
  const void *probabilities, *weight;
  int64_t ignore_index;
  double label_smoothing;
  fastconv_reduction reduction;
  void *loss;              /* of the forward pass */
  const void *grad_output; /* of the gradients, of which each may be NULL */
  void *grad_input, *grad_probabilities;
} fastconv_cross_entropy_args;
FASTCONV_API fastconv_status fastconv_cross_entropy(const fastconv_axis_desc *desc,
                                                    const fastconv_cross_entropy_args *args);
FASTCONV_API fastconv_status fastconv_cross_entropy_backward(
    const fastconv_axis_desc *desc, const fastconv_cross_entropy_args *args);

/* (x - mean) / sqrt(variance + eps) * weight + bias for each element of the axis. In training mean
 * and variance are the batch's, are written to `mean` and `variance` (the biased one) and move the
 * running ones, where those are not NULL, by `momentum`; otherwise they are the running ones.
 * The gradients read `mean` and `variance` in training. */
typedef struct fastconv_batch_norm_args {
  size_t size; /* sizeof(fastconv_batch_norm_args) */
  int32_t training;
  double eps, momentum;
  const void *input, *weight, *bias; /* weight and bias may be NULL */
  void *running_mean, *running_var;
  double *mean, *variance;
  void *output;
  const void *grad_output; /* of the gradients, of which each may be NULL */
  void *grad_input, *grad_weight, *grad_bias;
} fastconv_batch_norm_args;
FASTCONV_API fastconv_status fastconv_batch_norm(const fastconv_axis_desc *desc,
                                                 const fastconv_batch_norm_args *args);
FASTCONV_API fastconv_status fastconv_batch_norm_backward(const fastconv_axis_desc *desc,
                                                          const fastconv_batch_norm_args *args);

/* The inverse of max pooling: each input element goes to the place that its index names within its
 * channel's plane, where the last of several stays; the rest is 0. A gradient is read from there.
 * The pooling's arguments give the output's size, (input - 1) * stride + kernel - padding (with
 * FASTCONV_PADDING_SAME input * stride), from which `output` may differ by less than a stride. */
typedef struct fastconv_unpool_desc {
  size_t size; /* sizeof(fastconv_unpool_desc) */
  fastconv_dtype dtype;
  int32_t spatial; /* 1, 2 or 3 */
  int64_t batch, channels;
  int64_t input[3], kernel[3], stride[3];
  fastconv_padding padding;
  int64_t pad_before[3], pad_after[3];
  int64_t output[3]; /* or where all are 0 the size that the arguments give */
  const int64_t *input_strides, *indices_strides, *output_strides;
} fastconv_unpool_desc;
/* The spatial size of the output: writes `spatial` numbers. */
FASTCONV_API fastconv_status fastconv_max_unpool_output(const fastconv_unpool_desc *desc,
                                                        int64_t *output);
FASTCONV_API fastconv_status fastconv_max_unpool(const fastconv_unpool_desc *desc,
                                                 const void *input, const int64_t *indices,
                                                 void *output);
FASTCONV_API fastconv_status fastconv_max_unpool_backward(const fastconv_unpool_desc *desc,
                                                          const void *grad_output,
                                                          const int64_t *indices,
                                                          void *grad_input);

/* The windows of a 2-D image as columns of a matrix (im2col), (batch, channels * kernel elements,
 * windows), and its adjoint, which adds columns up to an image. Padding is zeros. */
typedef struct fastconv_unfold_desc {
  size_t size; /* sizeof(fastconv_unfold_desc) */
  fastconv_dtype dtype;
  int32_t spatial; /* 2 */
  int64_t batch, channels;
  int64_t input[2], kernel[2], stride[2], dilation[2];
  fastconv_padding padding;
  int64_t pad_before[2], pad_after[2];
  const int64_t *image_strides;   /* 4 */
  const int64_t *columns_strides; /* 3 */
} fastconv_unfold_desc;
/* How many windows there are: writes 2 numbers. */
FASTCONV_API fastconv_status fastconv_unfold_output(const fastconv_unfold_desc *desc,
                                                    int64_t *output);
FASTCONV_API fastconv_status fastconv_unfold(const fastconv_unfold_desc *desc, const void *image,
                                             void *columns);
FASTCONV_API fastconv_status fastconv_fold(const fastconv_unfold_desc *desc, const void *columns,
                                           void *image);

/* The message of the calling thread's last failure; valid until its next call. */
FASTCONV_API const char *fastconv_last_error(void);

FASTCONV_API const char *fastconv_version(void);

/* Whether this library, on this machine, has something of that name: a kernel set ("avx2"), dtype
 * ("float64"), algorithm ("im2col"), activation ("silu"), pooling ("max", "avg", "lp") or a part of
 * this interface ("workspace", "threads", "prepared"). Names it does not know give 0, so that a
 * program can ask for what only later versions have. */
FASTCONV_API int fastconv_has(const char *name);
FASTCONV_API const char *fastconv_compiler(void);

/* The kernel set in use: "baseline", "avx2", "avx512" or "neon". The best that the machine runs,
 * or what the environment variable FASTCONV_ISA or fastconv_set_isa chose. NULL with an error if
 * FASTCONV_ISA names a set that is unknown or does not run here. */
FASTCONV_API const char *fastconv_isa(void);
FASTCONV_API fastconv_status fastconv_set_isa(const char *name);

/* The name of the i-th kernel set that this machine runs, best first; NULL past the last. */
FASTCONV_API const char *fastconv_available_isa(int i);

/* The kernel set that did the calling thread's last execution, as compiled into its kernels; NULL
 * if there was none since its last fastconv_set_isa. */
FASTCONV_API const char *fastconv_executed_isa(void);

/* Threads of a call: at first what OpenMP says (OMP_NUM_THREADS). */
FASTCONV_API fastconv_status fastconv_set_num_threads(int n);
FASTCONV_API int fastconv_get_num_threads(void);

/* Multiply-adds in registers on all threads, in floating-point operations a second, by running
 * them for some milliseconds: what no kernel can exceed. */
FASTCONV_API double fastconv_peak_flops(fastconv_dtype dtype);

/* Aligned memory from the pool that also serves the library's workspaces; NULL when refused.
 * Freed blocks are kept for the next call, up to a bound; fastconv_release_memory gives them
 * back. */
FASTCONV_API void *fastconv_allocate(size_t bytes);
FASTCONV_API void fastconv_free(void *block);
FASTCONV_API void fastconv_release_memory(void);

/* For tests: fills every block of the pool with NaN before it is handed out
 * (FASTCONV_POISON=1 in the environment does the same). */
FASTCONV_API void fastconv_set_poison(int on);

#ifdef __cplusplus
}
#endif

#endif
