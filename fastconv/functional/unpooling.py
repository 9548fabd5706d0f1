"""Max unpooling: maxima back to the places that their indices name."""

from __future__ import annotations

from collections.abc import Sized
from typing import Any

import numpy as np

from .. import _core
from ._coerce import Array, Ints, Padding, as_array, as_tuple
from .pooling import window_of


def max_unpool2d(
    input: Any,
    indices: Any,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    output_size: Ints | None = None,
    *,
    layout: str = "NCHW",
    out: Array | None = None,
) -> Array:
    """The inverse of max pooling: each element to its index's place, zeros elsewhere.

    Parameters
    ----------
    input : array of shape (N, C, H, W) or (C, H, W), float32 or float64
    indices : int64 or int32 array of the input's shape
        Of the flattened plane of the output, as `max_pool2d` returns them with
        ``return_indices=True``. Of equal indices in a plane the last one's element stays.
    kernel_size, stride, padding
        As `max_pool2d` was called; they give the output's size,
        ``(size - 1) * stride + kernel_size - padding`` in each dimension.
    output_size : int or one int a dimension, or the output's whole shape; optional
        The size of what was pooled, which differs from that by less than a stride.
    layout : "NCHW" or "NHWC"
    out : array of the output's shape and dtype, optional

    Returns
    -------
    array of shape (N, C, *output_size)

    Raises
    ------
    ValueError, TypeError
        The message names the argument, what it got and what was wanted: an index outside the
        plane, and an output_size that does not fit, among them.

    Examples
    --------
    >>> import numpy as np, fastconv as fc
    >>> largest, indices = fc.max_pool2d(np.arange(4.0).reshape(1, 1, 2, 2), 2, return_indices=True)
    >>> fc.max_unpool2d(largest, indices, 2)
    array([[[[0., 0.],
             [0., 3.]]]])
    """
    function = "max_unpool2d"
    last, (kernel, step, pads, _) = window_of(function, 2, kernel_size, stride, padding, 1, layout)
    return _core.max_unpool(
        function, 2, last, as_array(function, "input", input),
        as_array(function, "indices", indices), kernel, step, pads,
        _output_size(function, output_size, 2, last), out,
    )  # fmt: skip


def max_unpool2d_backward(
    grad_output: Any,
    input: Any,
    indices: Any,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    output_size: Ints | None = None,
    *,
    layout: str = "NCHW",
) -> tuple[Array, None]:
    """The gradient of `max_unpool2d`, from each index's place, and None for `indices`.

    Parameters
    ----------
    grad_output : array of the output's shape
    input, indices, kernel_size, stride, padding, output_size, layout
        As `max_unpool2d` was called.

    Returns
    -------
    grad_input, None

    Raises
    ------
    ValueError, TypeError
        As `max_unpool2d`.
    """
    function = "max_unpool2d_backward"
    last, (kernel, step, pads, _) = window_of(function, 2, kernel_size, stride, padding, 1, layout)
    gradient = _core.max_unpool_backward(
        function, 2, last, as_array(function, "grad_output", grad_output),
        as_array(function, "input", input), as_array(function, "indices", indices),
        kernel, step, pads, _output_size(function, output_size, 2, last),
    )  # fmt: skip
    return gradient, None


def max_unpool1d(
    input: Any,
    indices: Any,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    output_size: Ints | None = None,
    *,
    layout: str = "NCL",
    out: Array | None = None,
) -> Array:
    """The inverse of max pooling of (N, C, L) or (C, L); see `max_unpool2d`.

    `layout` is "NCL" or "NLC".

    >>> import numpy as np, fastconv as fc
    >>> fc.max_unpool1d(np.array([[[5.0, 7.0]]]), np.array([[[1, 2]]]), 2)
    array([[[0., 5., 7., 0.]]])
    """
    function = "max_unpool1d"
    last, (kernel, step, pads, _) = window_of(function, 1, kernel_size, stride, padding, 1, layout)
    return _core.max_unpool(
        function, 1, last, as_array(function, "input", input),
        as_array(function, "indices", indices), kernel, step, pads,
        _output_size(function, output_size, 1, last), out,
    )  # fmt: skip


def max_unpool1d_backward(
    grad_output: Any,
    input: Any,
    indices: Any,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    output_size: Ints | None = None,
    *,
    layout: str = "NCL",
) -> tuple[Array, None]:
    """The gradient of `max_unpool1d`, and None for `indices`; see `max_unpool2d_backward`."""
    function = "max_unpool1d_backward"
    last, (kernel, step, pads, _) = window_of(function, 1, kernel_size, stride, padding, 1, layout)
    gradient = _core.max_unpool_backward(
        function, 1, last, as_array(function, "grad_output", grad_output),
        as_array(function, "input", input), as_array(function, "indices", indices),
        kernel, step, pads, _output_size(function, output_size, 1, last),
    )  # fmt: skip
    return gradient, None


def max_unpool3d(
    input: Any,
    indices: Any,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    output_size: Ints | None = None,
    *,
    layout: str = "NCDHW",
    out: Array | None = None,
) -> Array:
    """The inverse of max pooling of (N, C, D, H, W) or (C, D, H, W); see `max_unpool2d`.

    `layout` is "NCDHW" or "NDHWC".

    >>> import numpy as np, fastconv as fc
    >>> fc.max_unpool3d(np.full((1, 1, 1, 1, 1), 5.0), np.full((1, 1, 1, 1, 1), 2), (1, 2, 2))
    array([[[[[0., 0.],
              [5., 0.]]]]])
    """
    function = "max_unpool3d"
    last, (kernel, step, pads, _) = window_of(function, 3, kernel_size, stride, padding, 1, layout)
    return _core.max_unpool(
        function, 3, last, as_array(function, "input", input),
        as_array(function, "indices", indices), kernel, step, pads,
        _output_size(function, output_size, 3, last), out,
    )  # fmt: skip


def max_unpool3d_backward(
    grad_output: Any,
    input: Any,
    indices: Any,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    output_size: Ints | None = None,
    *,
    layout: str = "NCDHW",
) -> tuple[Array, None]:
    """The gradient of `max_unpool3d`, and None for `indices`; see `max_unpool2d_backward`."""
    function = "max_unpool3d_backward"
    last, (kernel, step, pads, _) = window_of(function, 3, kernel_size, stride, padding, 1, layout)
    gradient = _core.max_unpool_backward(
        function, 3, last, as_array(function, "grad_output", grad_output),
        as_array(function, "input", input), as_array(function, "indices", indices),
        kernel, step, pads, _output_size(function, output_size, 3, last),
    )  # fmt: skip
    return gradient, None


def _output_size(function: str, size: Ints | None, dims: int, last: bool) -> Ints | None:
    """What the compiled module reads as an output's size; of a whole shape its spatial part."""
    if size is None or type(size) is int:
        return size
    if isinstance(size, Sized) and np.ndim(size) == 1 and len(size) == dims + 2:
        size = size[1:-1] if last else size[2:]
    return as_tuple(function, "output_size", size, dims)
