"""Adaptive pooling: so many windows, whatever the input's size."""

from __future__ import annotations

from typing import Any

from ._coerce import Array
from ._pooling import (
    OutputSize,
    adaptive_avg_backward,
    adaptive_avg_forward,
    adaptive_max_backward,
    adaptive_max_forward,
)


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
    return adaptive_avg_forward("adaptive_avg_pool2d", 2, input, output_size, layout, out)


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
    return adaptive_avg_backward(
        "adaptive_avg_pool2d_backward", 2, grad_output, input, output_size, layout
    )


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
    return adaptive_avg_forward("adaptive_avg_pool1d", 1, input, output_size, layout, out)


def adaptive_avg_pool1d_backward(
    grad_output: Any,
    input: Any,
    output_size: OutputSize,
    *,
    layout: str = "NCL",
) -> Array:
    """The gradient of `adaptive_avg_pool1d`; see `adaptive_avg_pool2d_backward`."""
    return adaptive_avg_backward(
        "adaptive_avg_pool1d_backward", 1, grad_output, input, output_size, layout
    )


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
    return adaptive_avg_forward("adaptive_avg_pool3d", 3, input, output_size, layout, out)


def adaptive_avg_pool3d_backward(
    grad_output: Any,
    input: Any,
    output_size: OutputSize,
    *,
    layout: str = "NCDHW",
) -> Array:
    """The gradient of `adaptive_avg_pool3d`; see `adaptive_avg_pool2d_backward`."""
    return adaptive_avg_backward(
        "adaptive_avg_pool3d_backward", 3, grad_output, input, output_size, layout
    )


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
    return adaptive_max_forward(
        "adaptive_max_pool2d", 2, input, output_size, return_indices, layout, out
    )


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
    return adaptive_max_backward(
        "adaptive_max_pool2d_backward", 2, grad_output, input, output_size, layout, indices
    )


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
    return adaptive_max_forward(
        "adaptive_max_pool1d", 1, input, output_size, return_indices, layout, out
    )


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
    return adaptive_max_backward(
        "adaptive_max_pool1d_backward", 1, grad_output, input, output_size, layout, indices
    )


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
    return adaptive_max_forward(
        "adaptive_max_pool3d", 3, input, output_size, return_indices, layout, out
    )


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
    return adaptive_max_backward(
        "adaptive_max_pool3d_backward", 3, grad_output, input, output_size, layout, indices
    )
