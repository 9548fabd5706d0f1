"""Max unpooling: maxima back to the places that their indices name."""

from __future__ import annotations

from typing import Any

from ._coerce import Array, Ints, Padding
from ._pooling import unpool_backward, unpool_forward


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
    return unpool_forward(
        "max_unpool2d", 2, input, indices, kernel_size, stride, padding, output_size, layout, out
    )


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
    return unpool_backward(
        "max_unpool2d_backward", 2, grad_output, input, indices, kernel_size, stride, padding,
        output_size, layout,
    )  # fmt: skip


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
    return unpool_forward(
        "max_unpool1d", 1, input, indices, kernel_size, stride, padding, output_size, layout, out
    )


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
    return unpool_backward(
        "max_unpool1d_backward", 1, grad_output, input, indices, kernel_size, stride, padding,
        output_size, layout,
    )  # fmt: skip


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
    return unpool_forward(
        "max_unpool3d", 3, input, indices, kernel_size, stride, padding, output_size, layout, out
    )


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
    return unpool_backward(
        "max_unpool3d_backward", 3, grad_output, input, indices, kernel_size, stride, padding,
        output_size, layout,
    )  # fmt: skip
