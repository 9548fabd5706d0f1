"""Pooling: the maximum or the mean of sliding windows."""

from __future__ import annotations

from typing import Any

from ._coerce import Array, Ints, Padding
from ._pooling import avg_backward, avg_forward, max_backward, max_forward


def max_pool2d(
    input: Any,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    layout: str = "NCHW",
    out: Array | None = None,
) -> Any:
    """The maximum of each window.

    Parameters
    ----------
    input : array of shape (N, C, H, W) or (C, H, W), float32 or float64
    kernel_size, stride, dilation : int or one int a dimension
        The stride is the kernel's size where it is None.
    padding : int, one int or one (before, after) pair a dimension, "valid", "same", "same_lower"
        At most half the kernel on each side; it never wins.
    ceil_mode : bool
        Round the output's size up; a window that would start behind the input is dropped.
    return_indices : bool
        Also return where each maximum stood, as int64 indices into the flattened plane.
    layout : "NCHW" or "NHWC"
    out : array of the output's shape and dtype, optional

    Returns
    -------
    array of shape (N, C, OH, OW), or a pair of it and the indices
        NaN wins over numbers; the first of equal maxima, and the last of several NaNs, gives the
        index.

    Raises
    ------
    ValueError, TypeError
        The message names the argument, what it got and what was wanted.

    Examples
    --------
    >>> import numpy as np, fastconv as fc
    >>> fc.max_pool2d(np.arange(16.0).reshape(1, 1, 4, 4), 2)
    array([[[[ 5.,  7.],
             [13., 15.]]]])
    """
    return max_forward(
        "max_pool2d", 2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices,
        layout, out,
    )  # fmt: skip


def max_pool2d_backward(
    grad_output: Any,
    input: Any,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    layout: str = "NCHW",
    indices: Any = None,
) -> Array:
    """The gradient of `max_pool2d` with respect to its input.

    Parameters
    ----------
    grad_output : array of the output's shape
    input, kernel_size, stride, padding, dilation, ceil_mode, layout
        As `max_pool2d` was called.
    return_indices : bool
        Without effect here: it stands where `max_pool2d` has it.
    indices : int64 or int32 array of the output's shape, optional
        What `max_pool2d` returned with ``return_indices=True``; computed again where absent.

    Returns
    -------
    array of the input's shape

    Raises
    ------
    ValueError, TypeError
        As `max_pool2d`, and if an index lies outside the plane.
    """
    return max_backward(
        "max_pool2d_backward", 2, grad_output, input, kernel_size, stride, padding, dilation,
        ceil_mode, layout, indices,
    )  # fmt: skip


def avg_pool2d(
    input: Any,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    dilation: Ints = 1,
    layout: str = "NCHW",
    out: Array | None = None,
) -> Array:
    """The mean of each window.

    Parameters
    ----------
    input : array of shape (N, C, H, W) or (C, H, W), float32 or float64
    kernel_size, stride, dilation : int or one int a dimension
        The stride is the kernel's size where it is None.
    padding : int, one int or one (before, after) pair a dimension, "valid", "same", "same_lower"
        Zeros around the image, at most half the kernel on each side.
    ceil_mode : bool
        Round the output's size up; a window that would start behind the input is dropped, and
        the divisor counts no more than the padded input.
    count_include_pad : bool
        Whether the divisor counts padding.
    divisor_override : int, optional
        The divisor, in place of the window's size; not 0.
    layout : "NCHW" or "NHWC"
    out : array of the output's shape and dtype, optional

    Returns
    -------
    array of shape (N, C, OH, OW)

    Raises
    ------
    ValueError, TypeError
        The message names the argument, what it got and what was wanted.

    Examples
    --------
    >>> import numpy as np, fastconv as fc
    >>> fc.avg_pool2d(np.arange(16.0).reshape(1, 1, 4, 4), 2)
    array([[[[ 2.5,  4.5],
             [10.5, 12.5]]]])
    """
    return avg_forward(
        "avg_pool2d", 2, input, kernel_size, stride, padding, dilation, ceil_mode,
        count_include_pad, divisor_override, layout, out,
    )  # fmt: skip


def avg_pool2d_backward(
    grad_output: Any,
    input: Any,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    dilation: Ints = 1,
    layout: str = "NCHW",
) -> Array:
    """The gradient of `avg_pool2d` with respect to its input.

    Parameters
    ----------
    grad_output : array of the output's shape
    input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, dilation, \
layout
        As `avg_pool2d` was called.

    Returns
    -------
    array of the input's shape

    Raises
    ------
    ValueError, TypeError
        As `avg_pool2d`.
    """
    return avg_backward(
        "avg_pool2d_backward", 2, grad_output, input, kernel_size, stride, padding, dilation,
        ceil_mode, count_include_pad, divisor_override, layout,
    )  # fmt: skip
