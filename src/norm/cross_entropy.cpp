// Cross entropy from one softmax over the whole input, and short loops over its result.
#include "norm/columns.hpp"

namespace fastconv {
namespace {

template <class T>
T weight_of(const CrossEntropy<T>& problem, std::int64_t c) {
  return problem.weight ? problem.weight[c] : T{1};
}

// (1 - smoothing) weight(c), and smoothing / classes weight(c).
template <class T>
struct Shares {
  T sharp, smooth;
  Shares(const CrossEntropy<T>& problem, std::int64_t c)
      : sharp(weight_of(problem, c) * static_cast<T>(1 - problem.smoothing)),
        smooth(weight_of(problem, c) *
               static_cast<T>(problem.smoothing / static_cast<double>(problem.shape.length))) {}
};

// Calls body(position, first): a position of the loss and where its first class stands.
template <class Body>
void for_each_position(const AxisShape& shape, const Body& body) {
  const Split blocks(shape.positions(),
                     std::max<std::int64_t>(1, kColumnTask / std::max<std::int64_t>(
                                                                 shape.length, 1)));
  const double work = kColumnWork * static_cast<double>(shape.count());
  parallel_for(blocks.parts, threads_for(blocks.parts, work), [&](std::int64_t block, int) {
    for (std::int64_t i = 0; i < blocks.size(block); ++i) {
      const std::int64_t p = blocks.begin(block) + i;
      body(p, p / shape.inner * shape.length * shape.inner + p % shape.inner);
    }
  });
}

}  // namespace

template <class T>
const std::int64_t* wrong_label(const CrossEntropy<T>& problem) {
  const std::int64_t* const end = problem.labels + problem.shape.positions();
  const std::int64_t* const wrong = std::find_if(problem.labels, end, [&](std::int64_t label) {
    return label != problem.ignored && (label < 0 || label >= problem.shape.length);
  });
  return wrong == end ? nullptr : wrong;
}

template <class T>
double total_weight(const CrossEntropy<T>& problem) {
  if (!problem.labels) return static_cast<double>(problem.shape.positions());
  double total = 0;
  for (std::int64_t p = 0; p < problem.shape.positions(); ++p)
    if (problem.labels[p] != problem.ignored)
      total += static_cast<double>(weight_of(problem, problem.labels[p]));
  return total;
}

template <class T>
void cross_entropy(const Kernels<T>& kernels, const CrossEntropy<T>& problem, T* losses) {
  const AxisShape& shape = problem.shape;
  const Buffer<T> log(static_cast<std::size_t>(shape.count()));
  softmax(kernels, shape, true, problem.input, log.data());
  for_each_position(shape, [&](std::int64_t p, std::int64_t first) {
    T loss = 0;
    if (problem.labels) {
      const std::int64_t label = problem.labels[p];
      if (label == problem.ignored) return void(losses[p] = 0);
      loss = Shares<T>(problem, label).sharp *
             log[static_cast<std::size_t>(first + label * shape.inner)];
    }
    if (problem.probabilities || problem.smoothing != 0)
      for (std::int64_t c = 0; c < shape.length; ++c) {
        const auto at = static_cast<std::size_t>(first + c * shape.inner);
        const Shares<T> share(problem, c);
        const T given = problem.probabilities ? problem.probabilities[at] * share.sharp : T{0};
        loss += (given + share.smooth) * log[at];
      }
    losses[p] = -loss;
  });
}

template <class T>
void cross_entropy_backward(const Kernels<T>& kernels, const CrossEntropy<T>& problem,
                            const T* grad, std::int64_t grad_step, T* grad_input,
                            T* grad_probabilities) {
  const AxisShape& shape = problem.shape;
  if (grad_input) {
    softmax(kernels, shape, false, problem.input, grad_input);
    for_each_position(shape, [&](std::int64_t p, std::int64_t first) {
      const std::int64_t label = problem.labels ? problem.labels[p] : -1;
      const bool counts = !problem.labels || label != problem.ignored;
      const bool spread = problem.probabilities || problem.smoothing != 0;
      // q(c) at first, then its sum over the classes.
      const auto share_of = [&](std::int64_t c, std::int64_t at) {
        const Shares<T> share(problem, c);
        const T given = problem.probabilities ? problem.probabilities[at] * share.sharp : T{0};
        return given + share.smooth;
      };
      const T sharp = label >= 0 && counts ? Shares<T>(problem, label).sharp : T{0};
      T total = sharp;
      if (spread)
        for (std::int64_t c = 0; c < shape.length; ++c)
          total += share_of(c, first + c * shape.inner);
      const T scale = counts ? grad[p * grad_step] : T{0};
      for (std::int64_t c = 0; c < shape.length; ++c) {
        T& target = grad_input[first + c * shape.inner];
        T difference = target * total;
        if (spread) difference -= share_of(c, first + c * shape.inner);
        if (c == label) difference -= sharp;
        target = difference * scale;
      }
    });
  }
  if (grad_probabilities) {
    softmax(kernels, shape, true, problem.input, grad_probabilities);
    for_each_position(shape, [&](std::int64_t p, std::int64_t first) {
      for (std::int64_t c = 0; c < shape.length; ++c) {
        T& target = grad_probabilities[first + c * shape.inner];
        target *= -Shares<T>(problem, c).sharp;
        target *= grad[p * grad_step];
      }
    });
  }
}

#define FASTCONV_FOR(T)                                                                       \
  template const std::int64_t* wrong_label(const CrossEntropy<T>&);                           \
  template double total_weight(const CrossEntropy<T>&);                                       \
  template void cross_entropy(const Kernels<T>&, const CrossEntropy<T>&, T*);                 \
  template void cross_entropy_backward(const Kernels<T>&, const CrossEntropy<T>&, const T*,   \
                                       std::int64_t, T*, T*);
FASTCONV_FOR(float)
FASTCONV_FOR(double)

}  // namespace fastconv
