"""Max unpooling: each element to the place that its index names within its plane."""

from __future__ import annotations

from math import prod

import numpy as np

from ._shapes import Array, Ints, Padding, Sizes, batched, per_dimension, read_pads


def max_unpool1d(
    input: Array,
    indices: Array,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    output_size: Ints | None = None,
) -> Array:
    """Inverse of `max_pool1d` of (N, C, L) or (C, L); see `max_unpool2d`."""
    return _forward(1, input, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(
    input: Array,
    indices: Array,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    output_size: Ints | None = None,
) -> Array:
    """Inverse of `max_pool2d` of (N, C, H, W) or (C, H, W): zeros where no index leads.

    The output has size ``(size - 1) * stride + kernel_size - padding``, or `output_size`, which
    differs by less than a stride. Of equal indices the last one's element stays.
    """
    return _forward(2, input, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(
    input: Array,
    indices: Array,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    output_size: Ints | None = None,
) -> Array:
    """Inverse of `max_pool3d` of (N, C, D, H, W) or (C, D, H, W); see `max_unpool2d`."""
    return _forward(3, input, indices, kernel_size, stride, padding, output_size)


def max_unpool1d_backward(
    grad_output: Array,
    input: Array,
    indices: Array,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    output_size: Ints | None = None,
) -> tuple[Array, None]:
    """Gradient of `max_unpool1d`; see `max_unpool2d_backward`."""
    where = (kernel_size, stride, padding, output_size)
    return _backward(1, grad_output, input, indices, *where), None


def max_unpool2d_backward(
    grad_output: Array,
    input: Array,
    indices: Array,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    output_size: Ints | None = None,
) -> tuple[Array, None]:
    """Gradient of `max_unpool2d`: each element's from its index's place; None for `indices`."""
    where = (kernel_size, stride, padding, output_size)
    return _backward(2, grad_output, input, indices, *where), None


def max_unpool3d_backward(
    grad_output: Array,
    input: Array,
    indices: Array,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    output_size: Ints | None = None,
) -> tuple[Array, None]:
    """Gradient of `max_unpool3d`; see `max_unpool2d_backward`."""
    where = (kernel_size, stride, padding, output_size)
    return _backward(3, grad_output, input, indices, *where), None


def _output(
    size: Sizes,
    kernel_size: Ints,
    stride: Ints | None,
    padding: Padding,
    output_size: Ints | None,
) -> Sizes:
    """The output's spatial size."""
    dims = len(size)
    kernel = per_dimension("kernel_size", kernel_size, dims)
    step = kernel if stride is None else per_dimension("stride", stride, dims)
    if min((*kernel, *step)) < 1:
        raise ValueError(f"kernel_size is {kernel}, stride is {step} (wanted at least 1)")
    if padding in ("same", "same_lower"):
        most = default = tuple(n * s for n, s in zip(size, step))
    else:
        pads = read_pads(size, padding)
        default = tuple(
            (n - 1) * s + k - sum(pair) for n, s, k, pair in zip(size, step, kernel, pads)
        )
        most = tuple(n + s - 1 for n, s in zip(default, step))
    wanted = default
    if output_size is not None:
        if not isinstance(output_size, int | np.integer) and len(output_size) == dims + 2:
            output_size = output_size[2:]
        wanted = per_dimension("output_size", output_size, dims)
    for n, least, largest in zip(wanted, (n - s + 1 for n, s in zip(default, step)), most):
        if not max(least, 1) <= n <= largest:
            raise ValueError(f"output_size is {wanted} (wanted {default}, less than a stride off)")
    return wanted


def _places(
    dims: int, input: Array, indices: Array, output: Sizes
) -> tuple[Array, tuple[int, ...]]:
    """Where each element goes in the flattened output, and the output's shape."""
    lead = input.shape[:-dims]
    if np.shape(indices) != input.shape:
        raise ValueError(f"indices has shape {np.shape(indices)} (wanted {input.shape})")
    plane = prod(output)
    if np.any((indices < 0) | (indices >= plane)):
        raise ValueError(f"indices has an element outside 0 to {plane - 1}")
    planes = np.arange(prod(lead)).reshape(*lead, *(1,) * dims)
    return planes * plane + indices, (*lead, *output)


def _forward(
    dims: int,
    input: Array,
    indices: Array,
    kernel_size: Ints,
    stride: Ints | None,
    padding: Padding,
    output_size: Ints | None,
) -> Array:
    image = np.asarray(input)
    batched(image, dims)
    size = _output(image.shape[-dims:], kernel_size, stride, padding, output_size)
    places, shape = _places(dims, image, np.asarray(indices), size)
    result = np.zeros(shape, image.dtype)
    flat = result.reshape(-1)
    for place, value in zip(places.ravel(), image.ravel()):
        flat[place] = value
    return result


def _backward(
    dims: int,
    grad_output: Array,
    input: Array,
    indices: Array,
    kernel_size: Ints,
    stride: Ints | None,
    padding: Padding,
    output_size: Ints | None,
) -> Array:
    image, grad = np.asarray(input), np.asarray(grad_output)
    batched(image, dims)
    size = _output(image.shape[-dims:], kernel_size, stride, padding, output_size)
    places, shape = _places(dims, image, np.asarray(indices), size)
    if grad.shape != shape:
        raise ValueError(f"grad_output has shape {grad.shape} (wanted {shape})")
    return np.asarray(grad.reshape(-1)[places])
