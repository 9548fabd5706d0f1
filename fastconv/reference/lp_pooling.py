"""Lp pooling as torch computes it: ``(mean of x**p * kernel elements)**(1/p)``.

The mean is `avg_pool2d`'s, so that a window clipped by ceil mode counts as a whole one. The
gradient of a window whose norm is 0 is 0.
"""

from __future__ import annotations

from math import isinf, prod

import numpy as np

from . import avg_pooling, max_pooling
from ._shapes import Array, Ints, Padding, batched, per_dimension


def lp_pool1d(
    input: Array,
    norm_type: float,
    kernel_size: Ints,
    stride: Ints | None = None,
    ceil_mode: bool = False,
    *,
    padding: Padding = 0,
    dilation: Ints = 1,
) -> Array:
    """P-norm over 1-D windows of (N, C, L) or (C, L); see `lp_pool2d`."""
    return _forward(1, input, norm_type, kernel_size, stride, ceil_mode, padding, dilation)


def lp_pool2d(
    input: Array,
    norm_type: float,
    kernel_size: Ints,
    stride: Ints | None = None,
    ceil_mode: bool = False,
    *,
    padding: Padding = 0,
    dilation: Ints = 1,
) -> Array:
    """P-norm over 2-D windows of (N, C, H, W) or (C, H, W), of the largest one for infinity."""
    return _forward(2, input, norm_type, kernel_size, stride, ceil_mode, padding, dilation)


def lp_pool3d(
    input: Array,
    norm_type: float,
    kernel_size: Ints,
    stride: Ints | None = None,
    ceil_mode: bool = False,
    *,
    padding: Padding = 0,
    dilation: Ints = 1,
) -> Array:
    """P-norm over 3-D windows of (N, C, D, H, W) or (C, D, H, W); see `lp_pool2d`."""
    return _forward(3, input, norm_type, kernel_size, stride, ceil_mode, padding, dilation)


def lp_pool1d_backward(
    grad_output: Array,
    input: Array,
    norm_type: float,
    kernel_size: Ints,
    stride: Ints | None = None,
    ceil_mode: bool = False,
    *,
    padding: Padding = 0,
    dilation: Ints = 1,
) -> Array:
    """Gradient of `lp_pool1d`; see `lp_pool2d_backward`."""
    where = (kernel_size, stride, ceil_mode, padding, dilation)
    return _backward(1, grad_output, input, norm_type, *where)


def lp_pool2d_backward(
    grad_output: Array,
    input: Array,
    norm_type: float,
    kernel_size: Ints,
    stride: Ints | None = None,
    ceil_mode: bool = False,
    *,
    padding: Padding = 0,
    dilation: Ints = 1,
) -> Array:
    """Gradient of `lp_pool2d`: ``x**(p-1)`` times the sum of ``grad_output * norm**(1-p)``."""
    where = (kernel_size, stride, ceil_mode, padding, dilation)
    return _backward(2, grad_output, input, norm_type, *where)


def lp_pool3d_backward(
    grad_output: Array,
    input: Array,
    norm_type: float,
    kernel_size: Ints,
    stride: Ints | None = None,
    ceil_mode: bool = False,
    *,
    padding: Padding = 0,
    dilation: Ints = 1,
) -> Array:
    """Gradient of `lp_pool3d`; see `lp_pool2d_backward`."""
    where = (kernel_size, stride, ceil_mode, padding, dilation)
    return _backward(3, grad_output, input, norm_type, *where)


def _sums(
    dims: int,
    image: Array,
    norm_type: float,
    kernel_size: Ints,
    stride: Ints | None,
    ceil_mode: bool,
    padding: Padding,
    dilation: Ints,
) -> Array:
    """Of the powers in each window."""
    if not norm_type > 0:
        raise ValueError(f"norm_type is {norm_type} (wanted a number above 0)")
    mean = getattr(avg_pooling, f"avg_pool{dims}d")
    taps = image.dtype.type(prod(per_dimension("kernel_size", kernel_size, dims)))
    with np.errstate(invalid="ignore", over="ignore"):
        powers = image ** image.dtype.type(norm_type)
        sums: Array = mean(powers, kernel_size, stride, padding, ceil_mode, dilation=dilation)
        return np.asarray(sums * taps)


def _forward(
    dims: int,
    input: Array,
    norm_type: float,
    kernel_size: Ints,
    stride: Ints | None,
    ceil_mode: bool,
    padding: Padding,
    dilation: Ints,
) -> Array:
    image = np.asarray(input)
    batched(image, dims)
    if isinf(norm_type) and norm_type > 0:
        largest = getattr(max_pooling, f"max_pool{dims}d")
        result = largest(np.abs(image), kernel_size, stride, padding, dilation, ceil_mode)
        return np.asarray(np.maximum(result, 0))
    where = (kernel_size, stride, ceil_mode, padding, dilation)
    sums = _sums(dims, image, norm_type, *where)
    with np.errstate(invalid="ignore"):
        return np.asarray(sums ** image.dtype.type(1 / norm_type))


def _backward(
    dims: int,
    grad_output: Array,
    input: Array,
    norm_type: float,
    kernel_size: Ints,
    stride: Ints | None,
    ceil_mode: bool,
    padding: Padding,
    dilation: Ints,
) -> Array:
    image, grad = np.asarray(input), np.asarray(grad_output)
    batched(image, dims)
    if isinf(norm_type) and norm_type > 0:
        spread = getattr(max_pooling, f"max_pool{dims}d_backward")
        window = (kernel_size, stride, padding, dilation, ceil_mode)
        return np.asarray(spread(grad, np.abs(image), *window) * np.sign(image))
    where = (kernel_size, stride, ceil_mode, padding, dilation)
    sums = _sums(dims, image, norm_type, *where)
    if grad.shape != sums.shape:
        raise ValueError(f"grad_output has shape {grad.shape} (wanted {sums.shape})")
    scalar = image.dtype.type
    taps = scalar(prod(per_dimension("kernel_size", kernel_size, dims)))
    share = getattr(avg_pooling, f"avg_pool{dims}d_backward")
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        slope = np.where(sums == 0, scalar(0), grad * sums ** scalar(1 / norm_type - 1) * taps)
        total = share(slope, image, kernel_size, stride, padding, ceil_mode, dilation=dilation)
        powers = image ** scalar(norm_type - 1)
        return np.asarray(np.where(total == 0, scalar(0), total * powers))
