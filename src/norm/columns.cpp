#include "norm/columns.hpp"

namespace fastconv {

template <class T>
void softmax(const Kernels<T>& kernels, const AxisShape& shape, bool log, const T* input,
             T* output) {
  for_each_column<T>(kernels, shape, 0, {input, nullptr, output},
                     [&](const ColumnArgs<T>& args) { kernels.softmax(args, log); });
}

template <class T>
void softmax_backward(const Kernels<T>& kernels, const AxisShape& shape, bool log,
                      const T* const (&grad_and_output)[2], T* grad_input) {
  for_each_column<T>(kernels, shape, 0, {grad_and_output[0], grad_and_output[1], grad_input},
                     [&](const ColumnArgs<T>& args) { kernels.softmax_backward(args, log); });
}

template <class T>
void local_response(const Kernels<T>& kernels, const AxisShape& shape,
                    const ResponseArgs<T>& response, const T* input, T* output) {
  for_each_column<T>(
      kernels, shape, response.scratch(shape.length), {input, nullptr, output},
      [&](const ColumnArgs<T>& args) { kernels.local_response(args, response); });
}

template <class T>
void local_response_backward(const Kernels<T>& kernels, const AxisShape& shape,
                             const ResponseArgs<T>& response,
                             const T* const (&grad_and_input)[2], T* grad_input) {
  for_each_column<T>(
      kernels, shape, response.scratch(shape.length),
      {grad_and_input[0], grad_and_input[1], grad_input},
      [&](const ColumnArgs<T>& args) { kernels.local_response_backward(args, response); });
}

#define FASTCONV_FOR(T)                                                                          \
  template void softmax(const Kernels<T>&, const AxisShape&, bool, const T*, T*);                \
  template void softmax_backward(const Kernels<T>&, const AxisShape&, bool, const T* const(&)[2], \
                                 T*);                                                            \
  template void local_response(const Kernels<T>&, const AxisShape&, const ResponseArgs<T>&,      \
                               const T*, T*);                                                    \
  template void local_response_backward(const Kernels<T>&, const AxisShape&,                     \
                                        const ResponseArgs<T>&, const T* const(&)[2], T*);
FASTCONV_FOR(float)
FASTCONV_FOR(double)

}  // namespace fastconv
