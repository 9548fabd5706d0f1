"""Max pooling, one kernel tap at a time over all windows at once.

Torch's rules to the letter: in ceil mode a last window that would start in the after-padding is
dropped, indices are flat within the plane, the first of equal maxima wins, NaN wins over numbers.
"""

from __future__ import annotations

from math import prod

import numpy as np

from ._shapes import Array, Ints, Padding, batched, pool_windows


def max_pool1d(
    input: Array,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Array | tuple[Array, Array]:
    """Maximum over 1-D windows of (N, C, L) or (C, L); see `max_pool2d`."""
    return _forward(1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool2d(
    input: Array,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Array | tuple[Array, Array]:
    """Maximum over 2-D windows.

    Parameters
    ----------
    input : (N, C, H, W) or (C, H, W)
    kernel_size, stride, dilation : int or one int a dimension
        The stride is the kernel size unless given.
    padding : int, one int or one (before, after) pair a dimension, "valid", "same", "same_lower"
        Never wins; at most half the kernel. "same" gives ceil(size / stride) outputs.
    ceil_mode : bool
        Round the output size up instead of down.
    return_indices : bool
        Return where each maximum was found, too.

    Returns
    -------
    output, or (output, indices) : (N, C, OH, OW) or (C, OH, OW)
        The index is ``h * W + w``, int64: of the first of equal maxima, of the last NaN; -1 where
        a dilated window has all its taps in the padding (the output is then -inf).
    """
    return _forward(2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool3d(
    input: Array,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Array | tuple[Array, Array]:
    """Maximum over 3-D windows of (N, C, D, H, W) or (C, D, H, W); see `max_pool2d`."""
    return _forward(3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool1d_backward(
    grad_output: Array,
    input: Array,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    indices: Array | None = None,
) -> Array:
    """Gradient of `max_pool1d`; see `max_pool2d_backward`."""
    return _backward(
        1, grad_output, input, kernel_size, stride, padding, dilation, ceil_mode, indices
    )


def max_pool2d_backward(
    grad_output: Array,
    input: Array,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    indices: Array | None = None,
) -> Array:
    """Gradient of `max_pool2d`: each output's goes to the element it was taken from.

    `indices`, if they were kept, saves the search; `return_indices` makes no difference.
    """
    return _backward(
        2, grad_output, input, kernel_size, stride, padding, dilation, ceil_mode, indices
    )


def max_pool3d_backward(
    grad_output: Array,
    input: Array,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    indices: Array | None = None,
) -> Array:
    """Gradient of `max_pool3d`; see `max_pool2d_backward`."""
    return _backward(
        3, grad_output, input, kernel_size, stride, padding, dilation, ceil_mode, indices
    )


def _forward(
    dims: int,
    input: Array,
    kernel_size: Ints,
    stride: Ints | None,
    padding: Padding,
    dilation: Ints,
    ceil_mode: bool,
    return_indices: bool,
) -> Array | tuple[Array, Array]:
    image, has_batch = batched(input, dims)
    window = pool_windows(image.shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
    best = np.full((*image.shape[:2], *window.output), -np.inf, image.dtype)
    candidates = window.taps(window.pad(image, -np.inf))
    if not return_indices:
        for candidate in candidates:
            np.maximum(best, candidate, out=best)
        return best if has_batch else best[0]

    plane = np.arange(prod(window.size)).reshape(window.size)
    places = window.taps(window.pad(plane, -1))  # -1 is the padding
    indices = np.full(best.shape, -1, np.int64)
    for candidate, place in zip(candidates, places):
        better = (candidate > best) | np.isnan(candidate) | (indices < 0)
        better &= place >= 0
        np.copyto(best, candidate, where=better)
        np.copyto(indices, place, where=better)
    return (best, indices) if has_batch else (best[0], indices[0])


def _backward(
    dims: int,
    grad_output: Array,
    input: Array,
    kernel_size: Ints,
    stride: Ints | None,
    padding: Padding,
    dilation: Ints,
    ceil_mode: bool,
    indices: Array | None,
) -> Array:
    if indices is None:
        _, indices = _forward(dims, input, kernel_size, stride, padding, dilation, ceil_mode, True)
    grad = np.asarray(grad_output)
    if grad.shape != np.shape(indices):
        raise ValueError(f"grad_output has shape {grad.shape} (wanted {np.shape(indices)})")
    grad_input = np.zeros(np.shape(input), grad.dtype)
    plane = prod(grad_input.shape[-dims:])
    planes = np.arange(prod(grad.shape[:-dims])).reshape(*grad.shape[:-dims], *(1,) * dims)
    found = np.asarray(indices) >= 0
    np.add.at(grad_input.reshape(-1), (planes * plane + indices)[found], grad[found])
    return grad_input
