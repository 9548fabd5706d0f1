"""Lp pooling: the p-norm of sliding windows."""

from __future__ import annotations

from typing import Any

from ._coerce import Array, Ints, Padding
from ._pooling import lp_backward, lp_forward


def lp_pool2d(
    input: Any,
    norm_type: float,
    kernel_size: Ints,
    stride: Ints | None = None,
    ceil_mode: bool = False,
    *,
    padding: Padding = 0,
    dilation: Ints = 1,
    layout: str = "NCHW",
    out: Array | None = None,
) -> Array:
    """The p-norm of each window, ``(sum of x**p)**(1/p)``.

    As torch computes it, from the mean of ``x**p`` times the kernel's size: a window that ceil mode
    clips counts as a whole one. Where a sum is negative (odd or broken powers of negative numbers)
    its root is NaN.

    Parameters
    ----------
    input : array of shape (N, C, H, W) or (C, H, W), float32 or float64
    norm_type : float
        The power p, above 0; infinity for the largest absolute value.
    kernel_size, stride, dilation : int or one int a dimension
        The stride is the kernel's size where it is None.
    ceil_mode : bool
        Round the output's size up; a window that would start behind the input is dropped.
    padding : int, one int or one (before, after) pair a dimension, "valid", "same", "same_lower"
        Zeros around the image, at most half the kernel on each side.
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
    >>> fc.lp_pool2d(np.full((1, 1, 2, 4), 3.0), 2, 2)
    array([[[[6., 6.]]]])
    """
    return lp_forward(
        "lp_pool2d", 2, input, norm_type, kernel_size, stride, padding, dilation, ceil_mode, layout,
        out,
    )  # fmt: skip


def lp_pool2d_backward(
    grad_output: Any,
    input: Any,
    norm_type: float,
    kernel_size: Ints,
    stride: Ints | None = None,
    ceil_mode: bool = False,
    *,
    padding: Padding = 0,
    dilation: Ints = 1,
    layout: str = "NCHW",
) -> Array:
    """The gradient of `lp_pool2d` with respect to its input; 0 where the norm is 0.

    Parameters
    ----------
    grad_output : array of the output's shape
    input, norm_type, kernel_size, stride, ceil_mode, padding, dilation, layout
        As `lp_pool2d` was called.

    Returns
    -------
    array of the input's shape

    Raises
    ------
    ValueError, TypeError
        As `lp_pool2d`.
    """
    return lp_backward(
        "lp_pool2d_backward", 2, grad_output, input, norm_type, kernel_size, stride, padding,
        dilation, ceil_mode, layout,
    )  # fmt: skip


def lp_pool1d(
    input: Any,
    norm_type: float,
    kernel_size: Ints,
    stride: Ints | None = None,
    ceil_mode: bool = False,
    *,
    padding: Padding = 0,
    dilation: Ints = 1,
    layout: str = "NCL",
    out: Array | None = None,
) -> Array:
    """The p-norm of each window of (N, C, L) or (C, L); see `lp_pool2d`.

    `layout` is "NCL" or "NLC".

    >>> import numpy as np, fastconv as fc
    >>> fc.lp_pool1d(np.array([[[3.0, 4.0, 0.0, 5.0]]]), 2, 2)
    array([[[5., 5.]]])
    """
    return lp_forward(
        "lp_pool1d", 1, input, norm_type, kernel_size, stride, padding, dilation, ceil_mode, layout,
        out,
    )  # fmt: skip


def lp_pool1d_backward(
    grad_output: Any,
    input: Any,
    norm_type: float,
    kernel_size: Ints,
    stride: Ints | None = None,
    ceil_mode: bool = False,
    *,
    padding: Padding = 0,
    dilation: Ints = 1,
    layout: str = "NCL",
) -> Array:
    """The gradient of `lp_pool1d` with respect to its input; see `lp_pool2d_backward`."""
    return lp_backward(
        "lp_pool1d_backward", 1, grad_output, input, norm_type, kernel_size, stride, padding,
        dilation, ceil_mode, layout,
    )  # fmt: skip


def lp_pool3d(
    input: Any,
    norm_type: float,
    kernel_size: Ints,
    stride: Ints | None = None,
    ceil_mode: bool = False,
    *,
    padding: Padding = 0,
    dilation: Ints = 1,
    layout: str = "NCDHW",
    out: Array | None = None,
) -> Array:
    """The p-norm of each window of (N, C, D, H, W) or (C, D, H, W); see `lp_pool2d`.

    `layout` is "NCDHW" or "NDHWC".

    >>> import numpy as np, fastconv as fc
    >>> fc.lp_pool3d(np.full((1, 1, 2, 2, 2), 2.0), 3, 2)
    array([[[[[4.]]]]])
    """
    return lp_forward(
        "lp_pool3d", 3, input, norm_type, kernel_size, stride, padding, dilation, ceil_mode, layout,
        out,
    )  # fmt: skip


def lp_pool3d_backward(
    grad_output: Any,
    input: Any,
    norm_type: float,
    kernel_size: Ints,
    stride: Ints | None = None,
    ceil_mode: bool = False,
    *,
    padding: Padding = 0,
    dilation: Ints = 1,
    layout: str = "NCDHW",
) -> Array:
    """The gradient of `lp_pool3d` with respect to its input; see `lp_pool2d_backward`."""
    return lp_backward(
        "lp_pool3d_backward", 3, grad_output, input, norm_type, kernel_size, stride, padding,
        dilation, ceil_mode, layout,
    )  # fmt: skip
