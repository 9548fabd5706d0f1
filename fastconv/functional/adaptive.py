"""Adaptive pooling: so many windows, whatever the input's size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from .. import _core
from ._coerce import Array, as_array, as_int
from ._layout import NCHW, check_layout

OutputSize = int | Sequence[int | None] | None


def adaptive_avg_pool2d(
    input: Any,
    output_size: OutputSize,
    *,
    layout: str = "NCHW",
    out: Array | None = None,
) -> Array:
    """The mean of each of so many windows, which cover the input evenly.

    Window `o` of a dimension holds the elements from ``floor(o * size / output)`` up to, and
    without, ``ceil((o + 1) * size / output)``.

    Parameters
    ----------
    input : array of shape (N, C, H, W) or (C, H, W), float32 or float64
    output_size : int or (height, width)
        How many windows there are; None keeps the input's size.
    layout : "NCHW" or "NHWC"
    out : array of the output's shape and dtype, optional

    Returns
    -------
    array of shape (N, C, *output_size)

    Raises
    ------
    ValueError, TypeError
        The message names the argument, what it got and what was wanted.

    Examples
    --------
    >>> import numpy as np, fastconv as fc
    >>> fc.adaptive_avg_pool2d(np.arange(15.0).reshape(1, 1, 3, 5), (1, 2))
    array([[[[6., 8.]]]])
    """
    function = "adaptive_avg_pool2d"
    return _core.adaptive_avg_pool_forward(
        function, 2, _last(function, layout, 2), as_array(function, "input", input),
        _sizes(function, output_size, 2), out,
    )  # fmt: skip


def adaptive_avg_pool2d_backward(
    grad_output: Any,
    input: Any,
    output_size: OutputSize,
    *,
    layout: str = "NCHW",
) -> Array:
    """The gradient of `adaptive_avg_pool2d` with respect to its input.

    Parameters
    ----------
    grad_output : array of the output's shape
    input, output_size, layout
        As `adaptive_avg_pool2d` was called.

    Returns
    -------
    array of the input's shape

    Raises
    ------
    ValueError, TypeError
        As `adaptive_avg_pool2d`.
    """
    function = "adaptive_avg_pool2d_backward"
    return _core.adaptive_avg_pool_backward(
        function, 2, _last(function, layout, 2),
        as_array(function, "grad_output", grad_output), as_array(function, "input", input),
        _sizes(function, output_size, 2),
    )  # fmt: skip


def adaptive_avg_pool1d(
    input: Any,
    output_size: OutputSize,
    *,
    layout: str = "NCL",
    out: Array | None = None,
) -> Array:
    """The mean of each of so many windows of (N, C, L) or (C, L).

    See `adaptive_avg_pool2d`; `layout` is "NCL" or "NLC".

    >>> import numpy as np, fastconv as fc
    >>> fc.adaptive_avg_pool1d(np.arange(5.0).reshape(1, 1, 5), 2)
    array([[[1., 3.]]])
    """
    function = "adaptive_avg_pool1d"
    return _core.adaptive_avg_pool_forward(
        function, 1, _last(function, layout, 1), as_array(function, "input", input),
        _sizes(function, output_size, 1), out,
    )  # fmt: skip


def adaptive_avg_pool1d_backward(
    grad_output: Any,
    input: Any,
    output_size: OutputSize,
    *,
    layout: str = "NCL",
) -> Array:
    """The gradient of `adaptive_avg_pool1d`; see `adaptive_avg_pool2d_backward`."""
    function = "adaptive_avg_pool1d_backward"
    return _core.adaptive_avg_pool_backward(
        function, 1, _last(function, layout, 1),
        as_array(function, "grad_output", grad_output), as_array(function, "input", input),
        _sizes(function, output_size, 1),
    )  # fmt: skip


def adaptive_avg_pool3d(
    input: Any,
    output_size: OutputSize,
    *,
    layout: str = "NCDHW",
    out: Array | None = None,
) -> Array:
    """The mean of each of so many windows of (N, C, D, H, W) or (C, D, H, W).

    See `adaptive_avg_pool2d`; `layout` is "NCDHW" or "NDHWC".

    >>> import numpy as np, fastconv as fc
    >>> fc.adaptive_avg_pool3d(np.arange(8.0).reshape(1, 1, 2, 2, 2), 1)
    array([[[[[3.5]]]]])
    """
    function = "adaptive_avg_pool3d"
    return _core.adaptive_avg_pool_forward(
        function, 3, _last(function, layout, 3), as_array(function, "input", input),
        _sizes(function, output_size, 3), out,
    )  # fmt: skip


def adaptive_avg_pool3d_backward(
    grad_output: Any,
    input: Any,
    output_size: OutputSize,
    *,
    layout: str = "NCDHW",
) -> Array:
    """The gradient of `adaptive_avg_pool3d`; see `adaptive_avg_pool2d_backward`."""
    function = "adaptive_avg_pool3d_backward"
    return _core.adaptive_avg_pool_backward(
        function, 3, _last(function, layout, 3),
        as_array(function, "grad_output", grad_output), as_array(function, "input", input),
        _sizes(function, output_size, 3),
    )  # fmt: skip


def adaptive_max_pool2d(
    input: Any,
    output_size: OutputSize,
    return_indices: bool = False,
    *,
    layout: str = "NCHW",
    out: Array | None = None,
) -> Any:
    """The maximum of each of so many windows, which cover the input evenly.

    Parameters
    ----------
    input : array of shape (N, C, H, W) or (C, H, W), float32 or float64
    output_size : int or (height, width)
        How many windows there are, as in `adaptive_avg_pool2d`; None keeps the input's size.
    return_indices : bool
        Also return where each maximum stood, as int64 indices into the flattened plane.
    layout : "NCHW" or "NHWC"
    out : array of the output's shape and dtype, optional

    Returns
    -------
    array of shape (N, C, *output_size), or a pair of it and the indices
        NaN wins over numbers; the first of equal maxima, and the last of several NaNs, gives the
        index.

    Raises
    ------
    ValueError, TypeError
        The message names the argument, what it got and what was wanted.

    Examples
    --------
    >>> import numpy as np, fastconv as fc
    >>> fc.adaptive_max_pool2d(np.arange(15.0).reshape(1, 1, 3, 5), (1, 2))
    array([[[[12., 14.]]]])
    """
    function = "adaptive_max_pool2d"
    return _core.adaptive_max_pool_forward(
        function, 2, _last(function, layout, 2), as_array(function, "input", input),
        _sizes(function, output_size, 2), bool(return_indices), out,
    )  # fmt: skip


def adaptive_max_pool2d_backward(
    grad_output: Any,
    input: Any,
    output_size: OutputSize,
    return_indices: bool = False,
    *,
    layout: str = "NCHW",
    indices: Any = None,
) -> Array:
    """The gradient of `adaptive_max_pool2d` with respect to its input.

    Parameters
    ----------
    grad_output : array of the output's shape
    input, output_size, layout
        As `adaptive_max_pool2d` was called.
    return_indices : bool
        Without effect here: it stands where `adaptive_max_pool2d` has it.
    indices : int64 or int32 array of the output's shape, optional
        What `adaptive_max_pool2d` returned with ``return_indices=True``; computed again where
        absent.

    Returns
    -------
    array of the input's shape

    Raises
    ------
    ValueError, TypeError
        As `adaptive_max_pool2d`, and if an index lies outside the plane.
    """
    function = "adaptive_max_pool2d_backward"
    return _core.adaptive_max_pool_backward(
        function, 2, _last(function, layout, 2),
        as_array(function, "grad_output", grad_output), as_array(function, "input", input),
        _sizes(function, output_size, 2),
        None if indices is None else as_array(function, "indices", indices),
    )  # fmt: skip


def adaptive_max_pool1d(
    input: Any,
    output_size: OutputSize,
    return_indices: bool = False,
    *,
    layout: str = "NCL",
    out: Array | None = None,
) -> Any:
    """The maximum of each of so many windows of (N, C, L) or (C, L).

    See `adaptive_max_pool2d`; `layout` is "NCL" or "NLC".

    >>> import numpy as np, fastconv as fc
    >>> fc.adaptive_max_pool1d(np.arange(5.0).reshape(1, 1, 5), 2)
    array([[[2., 4.]]])
    """
    function = "adaptive_max_pool1d"
    return _core.adaptive_max_pool_forward(
        function, 1, _last(function, layout, 1), as_array(function, "input", input),
        _sizes(function, output_size, 1), bool(return_indices), out,
    )  # fmt: skip


def adaptive_max_pool1d_backward(
    grad_output: Any,
    input: Any,
    output_size: OutputSize,
    return_indices: bool = False,
    *,
    layout: str = "NCL",
    indices: Any = None,
) -> Array:
    """The gradient of `adaptive_max_pool1d`; see `adaptive_max_pool2d_backward`."""
    function = "adaptive_max_pool1d_backward"
    return _core.adaptive_max_pool_backward(
        function, 1, _last(function, layout, 1),
        as_array(function, "grad_output", grad_output), as_array(function, "input", input),
        _sizes(function, output_size, 1),
        None if indices is None else as_array(function, "indices", indices),
    )  # fmt: skip


def adaptive_max_pool3d(
    input: Any,
    output_size: OutputSize,
    return_indices: bool = False,
    *,
    layout: str = "NCDHW",
    out: Array | None = None,
) -> Any:
    """The maximum of each of so many windows of (N, C, D, H, W) or (C, D, H, W).

    See `adaptive_max_pool2d`; `layout` is "NCDHW" or "NDHWC".

    >>> import numpy as np, fastconv as fc
    >>> fc.adaptive_max_pool3d(np.arange(8.0).reshape(1, 1, 2, 2, 2), 1)
    array([[[[[7.]]]]])
    """
    function = "adaptive_max_pool3d"
    return _core.adaptive_max_pool_forward(
        function, 3, _last(function, layout, 3), as_array(function, "input", input),
        _sizes(function, output_size, 3), bool(return_indices), out,
    )  # fmt: skip


def adaptive_max_pool3d_backward(
    grad_output: Any,
    input: Any,
    output_size: OutputSize,
    return_indices: bool = False,
    *,
    layout: str = "NCDHW",
    indices: Any = None,
) -> Array:
    """The gradient of `adaptive_max_pool3d`; see `adaptive_max_pool2d_backward`."""
    function = "adaptive_max_pool3d_backward"
    return _core.adaptive_max_pool_backward(
        function, 3, _last(function, layout, 3),
        as_array(function, "grad_output", grad_output), as_array(function, "input", input),
        _sizes(function, output_size, 3),
        None if indices is None else as_array(function, "indices", indices),
    )  # fmt: skip


def _last(function: str, layout: str, dims: int) -> bool:
    """Whether channels come last."""
    return layout is not NCHW and check_layout(function, layout, dims)


def _sizes(function: str, value: OutputSize, dims: int) -> int | tuple[int | None, ...] | None:
    """What the compiled module reads as an output size: one for all, or one a dimension."""
    if value is None or type(value) is int:
        return value
    if getattr(value, "ndim", 1) == 0 or not isinstance(value, (Sequence, np.ndarray)):
        return as_int(function, "output_size", cast(int, value))
    sizes = [None if size is None else as_int(function, "output_size", size) for size in value]
    if len(sizes) == 1:
        return sizes[0]
    if len(sizes) != dims:
        raise ValueError(
            f"{function}: output_size is {value!r} with {len(sizes)} numbers "
            f"(wanted one int or None, or {dims})"
        )
    return tuple(sizes)
