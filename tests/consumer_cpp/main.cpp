// A convolution with its gradients and a pooling on vectors of float64, channels last, from two
// threads at once: prints each result on a line of its own.
#include <fastconv/fastconv.hpp>

#include <iostream>
#include <thread>

using Values = std::vector<double>;

static void print(const char* name, const Values& values) {
  std::cout << name;
  for (double value : values) std::cout << ' ' << value;
  std::cout << '\n';
}

int main() {
  const fastconv::Sizes input{2, 4, 7, 6}, weight{6, 2, 3, 3};  // two groups
  Values x(static_cast<std::size_t>(fastconv::product(input)));
  Values w(static_cast<std::size_t>(fastconv::product(weight))), b{1, 2, 3, 4, 5, 6};
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<double>(i % 7) - 3;
  for (std::size_t i = 0; i < w.size(); ++i) w[i] = static_cast<double>(i % 5) - 2;

  const fastconv::Convolution<double> conv(
      fastconv::ConvDesc(input, weight).padding({1, 2}, {0, 1}).channels_last());
  Values y(conv.output_count()), again(y.size()), gx(x.size()), gw(w.size()), gb(b.size());
  const fastconv::Weights prepared = conv.prepare(w.data());
  fastconv::Extras<double> extras;
  extras.bias = b.data(), extras.threads = 1;
  std::thread other([&] { conv.forward(x.data(), w.data(), again.data(), extras); });
  fastconv::Extras<double> packed = extras;
  packed.prepared = prepared.get();
  Values scratch(conv.workspace(FASTCONV_FORWARD, packed) / sizeof(double) + 1);
  packed.workspace = scratch.data(), packed.workspace_bytes = scratch.size() * sizeof(double);
  conv.forward(x.data(), nullptr, y.data(), packed);
  other.join();
  if (y != again) return 1;
  print("output", y);
  conv.backward_input(y.data(), w.data(), gx.data());
  print("grad_input", gx);
  conv.backward_weight(y.data(), x.data(), gw.data(), gb.data());
  print("grad_weight", gw);
  print("grad_bias", gb);

  const fastconv::Pooling<double> pool(
      fastconv::PoolDesc(FASTCONV_POOL_MAX, conv.output_shape(), {2}).channels_last());
  Values pooled(pool.output_count()), gy(y.size());
  std::vector<std::int64_t> indices(pooled.size());
  pool.forward(y.data(), pooled.data(), indices.data());
  print("pooled", pooled);
  pool.backward(pooled.data(), gy.data(), indices.data());
  print("grad_pooled", gy);

  try {
    fastconv::Convolution<double>(fastconv::ConvDesc(input, weight).stride({0}));
    return 2;
  } catch (const std::invalid_argument& error) {
    std::cerr << error.what() << '\n' << conv.describe().blocking << '\n';
  }
}
