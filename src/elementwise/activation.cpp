#include "elementwise/elementwise.hpp"

namespace fastconv {

template <class T>
void activate(const Kernels<T>& kernels, const ActivateArgs<T>& args) {
  for_each_block(args.count, 2 * sizeof(T), [&](std::int64_t begin, std::int64_t count) {
    kernels.activate({count, args.input + begin, args.output + begin, args.epilogue});
  });
}

template <class T>
void activate_backward(const Kernels<T>& kernels, const ActivateBackwardArgs<T>& args) {
  for_each_block(args.count, 3 * sizeof(T), [&](std::int64_t begin, std::int64_t count) {
    kernels.activate_backward({count, args.grad_output + begin, args.start + begin,
                               args.from_output, args.grad_input + begin, args.epilogue});
  });
}

template void activate(const Kernels<float>&, const ActivateArgs<float>&);
template void activate(const Kernels<double>&, const ActivateArgs<double>&);
template void activate_backward(const Kernels<float>&, const ActivateBackwardArgs<float>&);
template void activate_backward(const Kernels<double>&, const ActivateBackwardArgs<double>&);

}  // namespace fastconv
