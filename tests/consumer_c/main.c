/* A convolution with its gradients and a pooling, on plain arrays, in C99: prints each result on a
 * line of its own. Scratch memory is the program's, weights are prepared once. */
#include <fastconv/fastconv.h>
#include <stdio.h>
#include <stdlib.h>

enum { IN = 2 * 9 * 10, WEIGHTS = 3 * 2 * 3 * 3, OUT = 3 * 5 * 5, POOLED = 3 * 3 * 3 };

static void require(fastconv_status status) {
  if (status == FASTCONV_OK) return;
  fprintf(stderr, "%s\n", fastconv_last_error());
  exit(1);
}

static void print(const char *name, const float *values, int count) {
  printf("%s", name);
  for (int i = 0; i < count; ++i) printf(" %g", values[i]);
  printf("\n");
}

static void execute(const fastconv_plan *plan, fastconv_buffers *buffers) {
  buffers->size = sizeof *buffers;
  buffers->threads = 2;
  require(fastconv_plan_workspace(plan, buffers, &buffers->workspace_bytes));
  buffers->workspace = malloc(buffers->workspace_bytes);
  require(fastconv_execute(plan, buffers));
  free(buffers->workspace);
}

int main(void) {
  float x[IN], w[WEIGHTS], b[3] = {1, 2, 3}, y[OUT], gx[IN], gw[WEIGHTS], gb[3], pooled[POOLED];
  for (int i = 0; i < IN; ++i) x[i] = (float)(i % 7 - 3);
  for (int i = 0; i < WEIGHTS; ++i) w[i] = (float)(i % 5 - 2);

  fastconv_conv_desc conv = {.size = sizeof conv};
  conv.dtype = FASTCONV_FLOAT32, conv.spatial = 2;
  conv.batch = 1, conv.in_channels = 2, conv.out_channels = 3, conv.groups = 1;
  conv.input[0] = 9, conv.input[1] = 10;
  for (int i = 0; i < 2; ++i) conv.kernel[i] = 3, conv.stride[i] = 2, conv.dilation[i] = 1;
  conv.padding = FASTCONV_PADDING_SAME;
  conv.activation = FASTCONV_ACTIVATION_RELU;
  fastconv_problem *problem, *gradients;
  fastconv_plan *plan[3];
  fastconv_weights *prepared;
  require(fastconv_conv_problem_create(&conv, &problem));
  conv.activation = FASTCONV_ACTIVATION_NONE; /* it would apply to the input gradient too */
  require(fastconv_conv_problem_create(&conv, &gradients));
  for (int i = 0; i < 3; ++i)
    require(fastconv_plan_create(i ? gradients : problem, (fastconv_direction)i, &plan[i]));
  fastconv_problem_destroy(problem), fastconv_problem_destroy(gradients);
  require(fastconv_weights_create(&conv, w, &prepared));

  fastconv_buffers forward = {0}, input = {0}, weight = {0};
  forward.input = x, forward.prepared = prepared, forward.bias = b, forward.output = y;
  execute(plan[FASTCONV_FORWARD], &forward);
  print("output", y, OUT);
  input.grad_output = y, input.weight = w, input.grad_input = gx;
  execute(plan[FASTCONV_BACKWARD_INPUT], &input);
  print("grad_input", gx, IN);
  weight.grad_output = y, weight.input = x, weight.grad_weight = gw, weight.grad_bias = gb;
  execute(plan[FASTCONV_BACKWARD_WEIGHT], &weight);
  print("grad_weight", gw, WEIGHTS);
  print("grad_bias", gb, 3);
  for (int i = 0; i < 3; ++i) fastconv_plan_destroy(plan[i]);
  fastconv_weights_destroy(prepared);

  fastconv_pool_desc pool = {.size = sizeof pool};
  pool.dtype = FASTCONV_FLOAT32, pool.kind = FASTCONV_POOL_MAX, pool.spatial = 2;
  pool.batch = 1, pool.channels = 3;
  for (int i = 0; i < 2; ++i) pool.input[i] = 5, pool.kernel[i] = pool.stride[i] = 2;
  for (int i = 0; i < 2; ++i) pool.dilation[i] = 1;
  pool.ceil_mode = 1;
  require(fastconv_pool_problem_create(&pool, &problem));
  require(fastconv_plan_create(problem, FASTCONV_FORWARD, &plan[0]));
  fastconv_buffers buffers = {0};
  buffers.input = y, buffers.output = pooled;
  execute(plan[0], &buffers);
  print("pooled", pooled, POOLED);
  fastconv_plan_destroy(plan[0]), fastconv_problem_destroy(problem);

  fprintf(stderr, "fastconv %s, %s\n", fastconv_version(), fastconv_isa());
  return fastconv_has("workspace") && !fastconv_has("witchcraft") ? 0 : 1;
}
