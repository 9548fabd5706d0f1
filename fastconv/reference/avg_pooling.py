"""Average pooling, one kernel tap at a time over all windows at once.

Torch's divisor: the taps of a window inside input + padding (without `count_include_pad`, inside
the input alone), so that what hangs over in ceil mode does not count.
"""

from __future__ import annotations

import numpy as np

from ._shapes import Array, Ints, Padding, Windows, batched, pool_windows


def avg_pool1d(
    input: Array,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    *,
    dilation: Ints = 1,
) -> Array:
    """Mean over 1-D windows of (N, C, L) or (C, L); see `avg_pool2d`."""
    image, has_batch = batched(input, 1)
    window = pool_windows(image.shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
    output = _forward(image, window, count_include_pad, None)
    return output if has_batch else output[0]


def avg_pool2d(
    input: Array,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    dilation: Ints = 1,
) -> Array:
    """Mean over 2-D windows.

    Parameters
    ----------
    input : (N, C, H, W) or (C, H, W)
    kernel_size, stride, dilation : int or one int a dimension
        The stride is the kernel size unless given.
    padding : int, one int or one (before, after) pair a dimension, "valid", "same", "same_lower"
        Zeros; at most half the kernel. "same" gives ceil(size / stride) outputs.
    ceil_mode : bool
        Round the output size up instead of down.
    count_include_pad : bool
        Whether the padding counts in the divisor.
    divisor_override : int, optional
        Divide by this instead.

    Returns
    -------
    (N, C, OH, OW) or (C, OH, OW)
    """
    image, has_batch = batched(input, 2)
    window = pool_windows(image.shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
    output = _forward(image, window, count_include_pad, divisor_override)
    return output if has_batch else output[0]


def avg_pool3d(
    input: Array,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    dilation: Ints = 1,
) -> Array:
    """Mean over 3-D windows of (N, C, D, H, W) or (C, D, H, W); see `avg_pool2d`."""
    image, has_batch = batched(input, 3)
    window = pool_windows(image.shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
    output = _forward(image, window, count_include_pad, divisor_override)
    return output if has_batch else output[0]


def avg_pool1d_backward(
    grad_output: Array,
    input: Array,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    *,
    dilation: Ints = 1,
) -> Array:
    """Gradient of `avg_pool1d`; see `avg_pool2d_backward`."""
    image, has_batch = batched(input, 1)
    window = pool_windows(image.shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
    grad_input = _backward(grad_output, image, window, count_include_pad, None)
    return grad_input if has_batch else grad_input[0]


def avg_pool2d_backward(
    grad_output: Array,
    input: Array,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    dilation: Ints = 1,
) -> Array:
    """Gradient of `avg_pool2d`: each output's over its divisor, to every tap of its window."""
    image, has_batch = batched(input, 2)
    window = pool_windows(image.shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
    grad_input = _backward(grad_output, image, window, count_include_pad, divisor_override)
    return grad_input if has_batch else grad_input[0]


def avg_pool3d_backward(
    grad_output: Array,
    input: Array,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    dilation: Ints = 1,
) -> Array:
    """Gradient of `avg_pool3d`; see `avg_pool2d_backward`."""
    image, has_batch = batched(input, 3)
    window = pool_windows(image.shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
    grad_input = _backward(grad_output, image, window, count_include_pad, divisor_override)
    return grad_input if has_batch else grad_input[0]


def _forward(
    image: Array, window: Windows, count_include_pad: bool, divisor_override: int | None
) -> Array:
    total = np.zeros((*image.shape[:2], *window.output), image.dtype)
    for value in window.taps(window.pad(image)):
        total += value
    total /= _divisor(window, count_include_pad, divisor_override)
    return total


def _backward(
    grad_output: Array,
    image: Array,
    window: Windows,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Array:
    grad, _ = batched(grad_output, len(window.size))
    if grad.shape != (*image.shape[:2], *window.output):
        raise ValueError(f"grad_output has shape {np.shape(grad_output)}, not the output's")
    divisor = _divisor(window, count_include_pad, divisor_override)
    share = (grad / divisor).astype(grad.dtype)
    padded = window.pad(np.zeros(image.shape, grad.dtype))
    for view in window.taps(padded):
        view += share
    return np.ascontiguousarray(window.crop(padded))


def _divisor(window: Windows, count_include_pad: bool, override: int | None) -> Array:
    """What each window's sum is divided by: the taps of it that count, at least 1."""
    if override is not None:
        if override == 0:
            raise ValueError("divisor_override is 0")
        return np.full(window.output, override)
    counts = window.pad(np.ones(window.size, int), value=int(count_include_pad), overhang=0)
    return np.asarray(np.maximum(sum(window.taps(counts)), 1))
