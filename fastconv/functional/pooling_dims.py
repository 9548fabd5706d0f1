"""Pooling in one and three dimensions: `max_pool2d` and `avg_pool2d` with other shapes."""

from __future__ import annotations

from typing import Any

from .. import _core
from ._coerce import Array, Ints, Padding, as_array
from .pooling import divisor_of, window_of


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
    function = "max_pool1d"
    last, window = window_of(function, 1, kernel_size, stride, padding, dilation, layout)
    return _core.max_pool_forward(
        function, 1, last, as_array(function, "input", input), *window, bool(ceil_mode),
        bool(return_indices), out,
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
    function = "max_pool1d_backward"
    last, window = window_of(function, 1, kernel_size, stride, padding, dilation, layout)
    return _core.max_pool_backward(
        function, 1, last, as_array(function, "grad_output", grad_output),
        as_array(function, "input", input), *window, bool(ceil_mode),
        None if indices is None else as_array(function, "indices", indices),
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
    function = "avg_pool1d"
    last, window = window_of(function, 1, kernel_size, stride, padding, dilation, layout)
    return _core.avg_pool_forward(
        function, 1, last, as_array(function, "input", input), *window, bool(ceil_mode),
        bool(count_include_pad), None, out,
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
    function = "avg_pool1d_backward"
    last, window = window_of(function, 1, kernel_size, stride, padding, dilation, layout)
    return _core.avg_pool_backward(
        function, 1, last, as_array(function, "grad_output", grad_output),
        as_array(function, "input", input), *window, bool(ceil_mode), bool(count_include_pad),
        None,
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
    function = "max_pool3d"
    last, window = window_of(function, 3, kernel_size, stride, padding, dilation, layout)
    return _core.max_pool_forward(
        function, 3, last, as_array(function, "input", input), *window, bool(ceil_mode),
        bool(return_indices), out,
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
    function = "max_pool3d_backward"
    last, window = window_of(function, 3, kernel_size, stride, padding, dilation, layout)
    return _core.max_pool_backward(
        function, 3, last, as_array(function, "grad_output", grad_output),
        as_array(function, "input", input), *window, bool(ceil_mode),
        None if indices is None else as_array(function, "indices", indices),
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
    function = "avg_pool3d"
    last, window = window_of(function, 3, kernel_size, stride, padding, dilation, layout)
    return _core.avg_pool_forward(
        function, 3, last, as_array(function, "input", input), *window, bool(ceil_mode),
        bool(count_include_pad), divisor_of(function, divisor_override), out,
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
    function = "avg_pool3d_backward"
    last, window = window_of(function, 3, kernel_size, stride, padding, dilation, layout)
    return _core.avg_pool_backward(
        function, 3, last, as_array(function, "grad_output", grad_output),
        as_array(function, "input", input), *window, bool(ceil_mode), bool(count_include_pad),
        divisor_of(function, divisor_override),
    )  # fmt: skip
