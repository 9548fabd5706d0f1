// Pooling in both directions, on memory that the shape's strides describe.
#pragma once

#include <optional>

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

// Of windows that differ in size; the gradient of a maximum is max_pool_backward.
template <class T>
void adaptive_max_forward(const PoolShape& shape, const T* input, T* output,
                          std::int64_t* indices);  // indices may be null
template <class T>
void adaptive_avg_forward(const PoolShape& shape, const T* input, T* output);
template <class T>
void adaptive_avg_backward(const PoolShape& shape, const T* grad_output, T* grad_input);

template <class T>
void lp_pool_forward(const Kernels<T>& kernels, const PoolShape& shape, const T* input, T* output);
// The input has the strides of grad_input.
template <class T>
void lp_pool_backward(const Kernels<T>& kernels, const PoolShape& shape, const T* grad_output,
                      const T* input, T* grad_input);

// The index that lies outside the plane, if one does; what is written is undefined then.
template <class T>
std::optional<std::int64_t> max_unpool_forward(const UnpoolShape& shape, const T* input,
                                               const std::int64_t* indices, T* output);
template <class T>
std::optional<std::int64_t> max_unpool_backward(const UnpoolShape& shape, const T* grad_output,
                                                const std::int64_t* indices, T* grad_input);

// The windows of images as columns, and the sum of columns where they came from.
template <class T>
void unfold(const UnfoldShape& shape, const T* image, T* columns);
template <class T>
void fold(const UnfoldShape& shape, const T* columns, T* image);

}  // namespace fastconv
