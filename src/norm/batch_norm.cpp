// Batch norm (Ioffe and Szegedy 2015). Sums are made in blocks whose size depends on the shape
// alone and added up in double, in one order: they are the same for any number of threads.
#include <cmath>
#include <vector>

#include "norm/norm.hpp"
#include "runtime/memory.hpp"
#include "runtime/split.hpp"
#include "runtime/threads.hpp"

namespace fastconv {
namespace {

constexpr std::int64_t kRun = 1024;        // elements of a block of one channel
constexpr std::int64_t kRowsBlock = 8192;  // elements of a block of rows: half of the first cache
// Operations that an element is worth: one thread or two take 26 us for 65536 of them where channels
// are last, and 44 or 29 for 131072 (float32).
constexpr double kWork = 8;

int threads_of(const AxisShape& shape, std::int64_t tasks) {
  return threads_for(tasks, kWork * static_cast<double>(shape.count()));
}

Split row_blocks(const AxisShape& shape) {
  return Split(shape.outer, std::max<std::int64_t>(8, kRowsBlock / shape.length));
}

// Calls sums(block, count, channel, first, second) for every block: with two numbers for one
// channel, or for all of them; and add(channel, count, first, second) for the blocks of each
// channel in turn.
template <class T, class Sums, class Add>
void for_each_channel(const AxisShape& shape, const Sums& sums, const Add& add) {
  const std::int64_t channels = shape.length;
  if (shape.inner > 1) {
    const Split runs(shape.inner, kRun), images(shape.outer, kRun / runs.largest());
    return parallel_for(channels, threads_of(shape, channels), [&](std::int64_t c, int) {
      for (std::int64_t n = 0; n < images.parts; ++n)
        for (std::int64_t r = 0; r < runs.parts; ++r) {
          double first, second;
          const std::int64_t at = (images.begin(n) * channels + c) * shape.inner + runs.begin(r);
          sums(NormBlock<T>{images.size(n), runs.size(r), channels * shape.inner, nullptr, nullptr,
                            nullptr},
               at, c, &first, &second);
          add(c, images.size(n) * runs.size(r), first, second);
        }
    });
  }
  const Split blocks = row_blocks(shape);
  const Buffer<double> partial(static_cast<std::size_t>(2 * blocks.parts * channels));
  parallel_for(blocks.parts, threads_of(shape, blocks.parts), [&](std::int64_t b, int) {
    double* first = partial.data() + 2 * b * channels;
    sums(NormBlock<T>{blocks.size(b), channels, channels, nullptr, nullptr, nullptr},
         blocks.begin(b) * channels, 0, first, first + channels);
  });
  for (std::int64_t b = 0; b < blocks.parts; ++b)
    for (std::int64_t c = 0; c < channels; ++c) {
      const double* first = partial.data() + 2 * b * channels + c;
      add(c, blocks.size(b), first[0], first[channels]);
    }
}

// Maps every block by the numbers of its channel.
template <class T>
void map_all(const Kernels<T>& kernels, const AxisShape& shape, const NormBlock<T>& arrays,
             const NormMap<T>& map) {
  const std::int64_t channels = shape.length;
  const auto at = [&](std::int64_t rows, std::int64_t columns, std::int64_t first) {
    return NormBlock<T>{rows, columns, columns, arrays.x + first,
                        arrays.g ? arrays.g + first : nullptr, arrays.out + first};
  };
  if (shape.inner > 1) {
    const std::int64_t planes = shape.outer * channels;
    const Split tasks(planes, std::max<std::int64_t>(1, kRowsBlock / shape.inner));
    return parallel_for(tasks.parts, threads_of(shape, tasks.parts), [&](std::int64_t task, int) {
      for (std::int64_t i = 0; i < tasks.size(task); ++i) {
        const std::int64_t plane = tasks.begin(task) + i, c = plane % channels;
        kernels.norm_map[0](at(1, shape.inner, plane * shape.inner),
                            {map.mean + c, map.scale + c, map.shift + c, map.factor + c});
      }
    });
  }
  const Split blocks = row_blocks(shape);
  parallel_for(blocks.parts, threads_of(shape, blocks.parts), [&](std::int64_t b, int) {
    kernels.norm_map[1](at(blocks.size(b), channels, blocks.begin(b) * channels), map);
  });
}

// What the mean is more than its rounding to T.
template <class T>
double below(double mean, T rounded) {
  return mean - static_cast<double>(rounded);
}

template <class T>
T parameter(const T* values, std::int64_t c, T otherwise) {
  return values ? values[c] : otherwise;
}

}  // namespace

// Blocks are joined as in Chan, Golub and LeVeque (1979).
template <class T>
void batch_moments(const Kernels<T>& kernels, const AxisShape& shape, const T* input,
                   const Moments& moments) {
  const std::int64_t channels = shape.length;
  std::vector<double> count(static_cast<std::size_t>(channels), 0.0);
  std::fill_n(moments.mean, channels, 0.0), std::fill_n(moments.variance, channels, 0.0);
  for_each_channel<T>(
      shape,
      [&](NormBlock<T> block, std::int64_t at, std::int64_t, double* mean, double* squares) {
        block.x = input + at;
        kernels.moments[shape.inner == 1](block, mean, squares);
      },
      [&](std::int64_t c, std::int64_t size, double mean, double squares) {
        double& all = count[static_cast<std::size_t>(c)];
        const auto n = static_cast<double>(size);
        const double distance = mean - moments.mean[c], share = n / (all + n);
        moments.variance[c] += squares + distance * distance * all * share;
        moments.mean[c] += distance * share;
        all += n;
      });
  for (std::int64_t c = 0; c < channels; ++c)
    moments.variance[c] /= static_cast<double>(shape.positions());
}

template <class T>
void batch_norm(const Kernels<T>& kernels, const AxisShape& shape, const Moments& moments,
                const NormParameters<T>& parameters, const T* input, T* output) {
  const std::int64_t channels = shape.length;
  const Buffer<T> map(static_cast<std::size_t>(4 * channels));
  T *mean = map.data(), *scale = mean + channels, *shift = scale + channels,
    *factor = shift + channels;
  for (std::int64_t c = 0; c < channels; ++c) {
    mean[c] = static_cast<T>(moments.mean[c]);
    const double slope = static_cast<double>(parameter(parameters.weight, c, T{1})) /
                         std::sqrt(moments.variance[c] + parameters.eps);
    scale[c] = static_cast<T>(slope);
    shift[c] = static_cast<T>(static_cast<double>(parameter(parameters.bias, c, T{0})) -
                              below(moments.mean[c], mean[c]) * slope);
    factor[c] = 0;
  }
  map_all<T>(kernels, shape, {0, 0, 0, input, nullptr, output}, {mean, scale, shift, factor});
}

// With s = 1 / sqrt(variance + eps), M elements a channel and the sums over them:
// grad_bias = sum of g, grad_weight = s sum of g (x - mean), and
// grad_input = weight s (g - grad_bias / M - (x - mean) s grad_weight / M), or weight s g.
template <class T>
void batch_norm_backward(const Kernels<T>& kernels, const AxisShape& shape, const Moments& moments,
                         const NormParameters<T>& parameters, bool constant,
                         const NormGradients<T>& arrays) {
  const std::int64_t channels = shape.length;
  std::vector<double> sum(static_cast<std::size_t>(channels), 0.0), product = sum;
  const Buffer<T> map(static_cast<std::size_t>(4 * channels));
  T *mean = map.data(), *scale = mean + channels, *shift = scale + channels,
    *factor = shift + channels;
  for (std::int64_t c = 0; c < channels; ++c) mean[c] = static_cast<T>(moments.mean[c]);
  if (!constant || arrays.grad_weight || arrays.grad_bias)
    for_each_channel<T>(
        shape,
        [&](NormBlock<T> block, std::int64_t at, std::int64_t c, double* first, double* second) {
          block.x = arrays.input + at, block.g = arrays.grad_output + at;
          kernels.gradient_sums[shape.inner == 1](block, mean + c, first, second);
        },
        [&](std::int64_t c, std::int64_t, double first, double second) {
          sum[static_cast<std::size_t>(c)] += first, product[static_cast<std::size_t>(c)] += second;
        });
  const auto size = static_cast<double>(shape.positions());
  for (std::int64_t c = 0; c < channels; ++c) {
    const double s = 1 / std::sqrt(moments.variance[c] + parameters.eps);
    const double all = sum[static_cast<std::size_t>(c)];
    const double rest = below(moments.mean[c], mean[c]);
    const double along = s * (product[static_cast<std::size_t>(c)] - rest * all);
    if (arrays.grad_bias) arrays.grad_bias[c] = static_cast<T>(all);
    if (arrays.grad_weight) arrays.grad_weight[c] = static_cast<T>(along);
    const double slope = s * static_cast<double>(parameter(parameters.weight, c, T{1}));
    factor[c] = static_cast<T>(slope);
    scale[c] = static_cast<T>(-slope * s * along / size);
    shift[c] = static_cast<T>(slope * (rest * s * along - all) / size);
    if (constant) mean[c] = shift[c] = 0, scale[c] = factor[c];  // of g alone
  }
  if (!arrays.grad_input) return;
  const T* const g = arrays.grad_output;
  map_all<T>(kernels, shape,
             {0, 0, 0, constant ? g : arrays.input, constant ? nullptr : g, arrays.grad_input},
             {mean, scale, shift, factor});
}

#define FASTCONV_FOR(T)                                                                           \
  template void batch_moments(const Kernels<T>&, const AxisShape&, const T*, const Moments&);     \
  template void batch_norm(const Kernels<T>&, const AxisShape&, const Moments&,                   \
                           const NormParameters<T>&, const T*, T*);                               \
  template void batch_norm_backward(const Kernels<T>&, const AxisShape&, const Moments&,          \
                                    const NormParameters<T>&, bool, const NormGradients<T>&);
FASTCONV_FOR(float)
FASTCONV_FOR(double)

}  // namespace fastconv
