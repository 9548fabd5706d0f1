"""Adaptive pooling, one window at a time.

Window `o` of a dimension holds the elements from ``floor(o * size / output)`` up to, and without,
``ceil((o + 1) * size / output)``, as torch lays them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

import numpy as np

from ._shapes import Array, Sizes, batched

OutputSize = int | Sequence[int | None] | None


def adaptive_avg_pool1d(input: Array, output_size: OutputSize) -> Array:
    """Means of so many windows of (N, C, L) or (C, L); see `adaptive_avg_pool2d`."""
    return _avg_forward(1, input, output_size)


def adaptive_avg_pool2d(input: Array, output_size: OutputSize) -> Array:
    """Means of so many windows of (N, C, H, W) or (C, H, W); None keeps the input's size."""
    return _avg_forward(2, input, output_size)


def adaptive_avg_pool3d(input: Array, output_size: OutputSize) -> Array:
    """Means of so many windows of (N, C, D, H, W) or (C, D, H, W); see `adaptive_avg_pool2d`."""
    return _avg_forward(3, input, output_size)


def adaptive_avg_pool1d_backward(
    grad_output: Array, input: Array, output_size: OutputSize
) -> Array:
    """Gradient of `adaptive_avg_pool1d`; see `adaptive_avg_pool2d_backward`."""
    return _avg_backward(1, grad_output, input, output_size)


def adaptive_avg_pool2d_backward(
    grad_output: Array, input: Array, output_size: OutputSize
) -> Array:
    """Gradient of `adaptive_avg_pool2d`: each output's, over the window's size, to its elements."""
    return _avg_backward(2, grad_output, input, output_size)


def adaptive_avg_pool3d_backward(
    grad_output: Array, input: Array, output_size: OutputSize
) -> Array:
    """Gradient of `adaptive_avg_pool3d`; see `adaptive_avg_pool2d_backward`."""
    return _avg_backward(3, grad_output, input, output_size)


def adaptive_max_pool1d(
    input: Array, output_size: OutputSize, return_indices: bool = False
) -> Array | tuple[Array, Array]:
    """Maxima of so many windows of (N, C, L) or (C, L); see `adaptive_max_pool2d`."""
    return _max_forward(1, input, output_size, return_indices)


def adaptive_max_pool2d(
    input: Array, output_size: OutputSize, return_indices: bool = False
) -> Array | tuple[Array, Array]:
    """Maxima of so many windows of (N, C, H, W) or (C, H, W), and where they were found.

    The index is flat within the plane: of the first of equal maxima, of the last NaN.
    """
    return _max_forward(2, input, output_size, return_indices)


def adaptive_max_pool3d(
    input: Array, output_size: OutputSize, return_indices: bool = False
) -> Array | tuple[Array, Array]:
    """Maxima of so many windows of (N, C, D, H, W) or (C, D, H, W); see `adaptive_max_pool2d`."""
    return _max_forward(3, input, output_size, return_indices)


def adaptive_max_pool1d_backward(
    grad_output: Array,
    input: Array,
    output_size: OutputSize,
    return_indices: bool = False,
    *,
    indices: Array | None = None,
) -> Array:
    """Gradient of `adaptive_max_pool1d`; see `adaptive_max_pool2d_backward`."""
    return _max_backward(1, grad_output, input, output_size, indices)


def adaptive_max_pool2d_backward(
    grad_output: Array,
    input: Array,
    output_size: OutputSize,
    return_indices: bool = False,
    *,
    indices: Array | None = None,
) -> Array:
    """Gradient of `adaptive_max_pool2d`: each output's goes to the element it was taken from."""
    return _max_backward(2, grad_output, input, output_size, indices)


def adaptive_max_pool3d_backward(
    grad_output: Array,
    input: Array,
    output_size: OutputSize,
    return_indices: bool = False,
    *,
    indices: Array | None = None,
) -> Array:
    """Gradient of `adaptive_max_pool3d`; see `adaptive_max_pool2d_backward`."""
    return _max_backward(3, grad_output, input, output_size, indices)


def _output(size: Sizes, output_size: OutputSize) -> Sizes:
    """One number a dimension, the input's where it is None."""
    wanted = (
        (output_size,)
        if output_size is None or isinstance(output_size, int | np.integer)
        else tuple(output_size)
    )
    if len(wanted) == 1:
        wanted *= len(size)
    if len(wanted) != len(size) or any(o is not None and o < 0 for o in wanted):
        raise ValueError(f"output_size is {output_size!r} (wanted one int, or {len(size)})")
    return tuple(n if o is None else int(o) for n, o in zip(size, wanted))


def _windows(size: Sizes, output: Sizes) -> Iterator[tuple[tuple[Any, ...], tuple[Any, ...]]]:
    """Indices of every output, and of the elements of its window."""
    for place in itertools.product(*map(range, output)):
        yield (
            (..., *place),
            (
                ...,
                *(
                    slice(at * n // o, -(-(at + 1) * n // o))
                    for at, n, o in zip(place, size, output)
                ),
            ),
        )


def _avg_forward(dims: int, input: Array, output_size: OutputSize) -> Array:
    image, has_batch = batched(input, dims)
    size = image.shape[2:]
    result = np.zeros((*image.shape[:2], *_output(size, output_size)), image.dtype)
    axes = tuple(range(2, 2 + dims))
    for place, window in _windows(size, result.shape[2:]):
        elements = image[window]
        result[place] = elements.sum(axes) / image.dtype.type(prod(elements.shape[2:]))
    return result if has_batch else result[0]


def _avg_backward(dims: int, grad_output: Array, input: Array, output_size: OutputSize) -> Array:
    image, has_batch = batched(input, dims)
    grad, _ = batched(grad_output, dims)
    output = _output(image.shape[2:], output_size)
    if grad.shape != (*image.shape[:2], *output):
        raise ValueError(f"grad_output has shape {np.shape(grad_output)}, not the output's")
    result = np.zeros(image.shape, grad.dtype)
    for place, window in _windows(image.shape[2:], output):
        elements = result[window]
        share = grad[place] / grad.dtype.type(prod(elements.shape[2:]))
        elements += share.reshape(*share.shape, *(1,) * dims)
    return result if has_batch else result[0]


def _max_forward(
    dims: int, input: Array, output_size: OutputSize, return_indices: bool
) -> Array | tuple[Array, Array]:
    image, has_batch = batched(input, dims)
    size = image.shape[2:]
    result = np.empty((*image.shape[:2], *_output(size, output_size)), image.dtype)
    indices = np.empty(result.shape, np.int64)
    plane = np.arange(prod(size)).reshape(size)
    for place, window in _windows(size, result.shape[2:]):
        elements = image[window]
        elements = elements.reshape(*image.shape[:2], prod(elements.shape[2:]))
        nan = np.isnan(elements)
        last_nan = elements.shape[2] - 1 - nan[..., ::-1].argmax(2)
        found = np.where(nan.any(2), last_nan, elements.argmax(2))
        result[place] = np.take_along_axis(elements, found[..., np.newaxis], 2)[..., 0]
        indices[place] = plane[window].ravel()[found]
    if not has_batch:
        result, indices = result[0], indices[0]
    return (result, indices) if return_indices else result


def _max_backward(
    dims: int, grad_output: Array, input: Array, output_size: OutputSize, indices: Array | None
) -> Array:
    if indices is None:
        _, indices = _max_forward(dims, input, output_size, True)
    grad = np.asarray(grad_output)
    if grad.shape != np.shape(indices):
        raise ValueError(f"grad_output has shape {grad.shape} (wanted {np.shape(indices)})")
    result = np.zeros(np.shape(input), grad.dtype)
    lead = grad.shape[:-dims]
    planes = np.arange(prod(lead)).reshape(*lead, *(1,) * dims)
    np.add.at(result.reshape(-1), planes * prod(result.shape[-dims:]) + indices, grad)
    return result
