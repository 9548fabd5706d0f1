// Pooling in both directions, on memory that the shape's strides describe.
#pragma once

#include "kernels/table.hpp"
#include "plan/shape.hpp"

namespace fastconv {

// Indices are flat within a plane: (id * H + ih) * W + iw; -1 for a window without an element.
template <class T>
void max_pool_forward(const Kernels<T>& kernels, const PoolShape& shape, const T* input, T* output,
                      std::int64_t* indices);  // indices may be null

// False if an index lies outside its plane; grad_input is undefined then.
template <class T>
bool max_pool_backward(const PoolShape& shape, const T* grad_output, const std::int64_t* indices,
                       T* grad_input);

template <class T>
void avg_pool_forward(const Kernels<T>& kernels, const PoolShape& shape, const T* input, T* output);
template <class T>
void avg_pool_backward(const Kernels<T>& kernels, const PoolShape& shape, const T* grad_output,
                       T* grad_input);

}  // namespace fastconv
