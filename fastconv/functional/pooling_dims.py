"""Pooling in one and three dimensions: `max_pool2d` and `avg_pool2d` with other shapes."""

from __future__ import annotations

from typing import Any

from ._coerce import Array, Ints, Padding
from ._pooling import avg_backward, avg_forward, max_backward, max_forward


def max_pool1d(
    input: Any,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    layout: str = "NCL",
    out: Array | None = None,
) -> Any:
    """The maximum of each window of (N, C, L) or (C, L); see `max_pool2d`.

    `layout` is "NCL" or "NLC".

    >>> import numpy as np, fastconv as fc
    >>> fc.max_pool1d(np.arange(6.0).reshape(1, 1, 6), 2)
    array([[[1., 3., 5.]]])
    """
    return max_forward(
        "max_pool1d", 1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices,
        layout, out,
    )  # fmt: skip


def max_pool1d_backward(
    grad_output: Any,
    input: Any,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    layout: str = "NCL",
    indices: Any = None,
) -> Array:
    """The gradient of `max_pool1d` with respect to its input; see `max_pool2d_backward`."""
    return max_backward(
        "max_pool1d_backward", 1, grad_output, input, kernel_size, stride, padding, dilation,
        ceil_mode, layout, indices,
    )  # fmt: skip


def avg_pool1d(
    input: Any,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    *,
    dilation: Ints = 1,
    layout: str = "NCL",
    out: Array | None = None,
) -> Array:
    """The mean of each window of (N, C, L) or (C, L); see `avg_pool2d`.

    `layout` is "NCL" or "NLC".

    >>> import numpy as np, fastconv as fc
    >>> fc.avg_pool1d(np.arange(6.0).reshape(1, 1, 6), 2)
    array([[[0.5, 2.5, 4.5]]])
    """
    return avg_forward(
        "avg_pool1d", 1, input, kernel_size, stride, padding, dilation, ceil_mode,
        count_include_pad, None, layout, out,
    )  # fmt: skip


def avg_pool1d_backward(
    grad_output: Any,
    input: Any,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    *,
    dilation: Ints = 1,
    layout: str = "NCL",
) -> Array:
    """The gradient of `avg_pool1d` with respect to its input; see `avg_pool2d_backward`."""
    return avg_backward(
        "avg_pool1d_backward", 1, grad_output, input, kernel_size, stride, padding, dilation,
        ceil_mode, count_include_pad, None, layout,
    )  # fmt: skip


def max_pool3d(
    input: Any,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    layout: str = "NCDHW",
    out: Array | None = None,
) -> Any:
    """The maximum of each window of (N, C, D, H, W) or (C, D, H, W); see `max_pool2d`.

    `layout` is "NCDHW" or "NDHWC".

    >>> import numpy as np, fastconv as fc
    >>> fc.max_pool3d(np.arange(16.0).reshape(1, 1, 2, 2, 4), 2)
    array([[[[[13., 15.]]]]])
    """
    return max_forward(
        "max_pool3d", 3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices,
        layout, out,
    )  # fmt: skip


def max_pool3d_backward(
    grad_output: Any,
    input: Any,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    layout: str = "NCDHW",
    indices: Any = None,
) -> Array:
    """The gradient of `max_pool3d` with respect to its input; see `max_pool2d_backward`."""
    return max_backward(
        "max_pool3d_backward", 3, grad_output, input, kernel_size, stride, padding, dilation,
        ceil_mode, layout, indices,
    )  # fmt: skip


def avg_pool3d(
    input: Any,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    dilation: Ints = 1,
    layout: str = "NCDHW",
    out: Array | None = None,
) -> Array:
    """The mean of each window of (N, C, D, H, W) or (C, D, H, W); see `avg_pool2d`.

    `layout` is "NCDHW" or "NDHWC".

    >>> import numpy as np, fastconv as fc
    >>> fc.avg_pool3d(np.arange(16.0).reshape(1, 1, 2, 2, 4), 2)
    array([[[[[6.5, 8.5]]]]])
    """
    return avg_forward(
        "avg_pool3d", 3, input, kernel_size, stride, padding, dilation, ceil_mode,
        count_include_pad, divisor_override, layout, out,
    )  # fmt: skip


def avg_pool3d_backward(
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
    layout: str = "NCDHW",
) -> Array:
    """The gradient of `avg_pool3d` with respect to its input; see `avg_pool2d_backward`."""
    return avg_backward(
        "avg_pool3d_backward", 3, grad_output, input, kernel_size, stride, padding, dilation,
        ceil_mode, count_include_pad, divisor_override, layout,
    )  # fmt: skip
