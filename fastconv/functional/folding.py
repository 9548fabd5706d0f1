"""Windows as columns and back: im2col and its adjoint."""

from __future__ import annotations

from typing import Any

from .. import _core
from ._coerce import Array, Ints, Padding, as_array, as_ints, as_pads


def unfold(
    input: Any,
    kernel_size: Ints,
    dilation: Ints = 1,
    padding: Padding = 0,
    stride: Ints = 1,
    *,
    out: Array | None = None,
) -> Array:
    """The elements of each sliding window as a column of a matrix (im2col).

    Row ``(c * KH + kh) * KW + kw`` holds what the windows have at that channel and place of the
    kernel, so that a convolution is a product of matrices: ``weight.reshape(OC, -1) @ unfold(x)``.

    Parameters
    ----------
    input : array of shape (N, C, H, W) or (C, H, W), float32 or float64
    kernel_size, dilation, stride : int or (height, width)
    padding : int, one int or one (before, after) pair a dimension, or a name
        Zeros around the image, named as a convolution's.
    out : array of the output's shape and dtype, optional

    Returns
    -------
    array of shape (N, C * KH * KW, OH * OW), or without N

    Raises
    ------
    ValueError, TypeError
        The message names the argument, what it got and what was wanted.

    Examples
    --------
    >>> import numpy as np, fastconv as fc
    >>> fc.unfold(np.arange(6.0).reshape(1, 1, 2, 3), 2)
    array([[[0., 1.],
            [1., 2.],
            [3., 4.],
            [4., 5.]]])
    """
    function = "unfold"
    return _core.unfold(
        function, as_array(function, "input", input),
        *_window(function, kernel_size, dilation, padding, stride), out,
    )  # fmt: skip


def unfold_backward(
    grad_output: Any,
    input: Any,
    kernel_size: Ints,
    dilation: Ints = 1,
    padding: Padding = 0,
    stride: Ints = 1,
) -> Array:
    """The gradient of `unfold` with respect to its input: `fold` of that of the columns.

    Parameters
    ----------
    grad_output : array of the output's shape
    input, kernel_size, dilation, padding, stride
        As `unfold` was called.

    Returns
    -------
    array of the input's shape

    Raises
    ------
    ValueError, TypeError
        As `unfold`.
    """
    function = "unfold_backward"
    return _core.unfold_backward(
        function, as_array(function, "grad_output", grad_output),
        as_array(function, "input", input),
        *_window(function, kernel_size, dilation, padding, stride),
    )  # fmt: skip


def fold(
    input: Any,
    output_size: Ints,
    kernel_size: Ints,
    dilation: Ints = 1,
    padding: Padding = 0,
    stride: Ints = 1,
    *,
    out: Array | None = None,
) -> Array:
    """Add each column of a matrix to the window of an image that it stands for (col2im).

    The adjoint of `unfold`, not its inverse: where windows overlap, elements add up.

    Parameters
    ----------
    input : array of shape (N, C * KH * KW, OH * OW) or (C * KH * KW, OH * OW), float32 or float64
    output_size : int or (height, width)
        Of the image.
    kernel_size, dilation, stride : int or (height, width)
    padding : int, one int or one (before, after) pair a dimension, or a name
        What is added there is dropped.
    out : array of the output's shape and dtype, optional

    Returns
    -------
    array of shape (N, C, H, W), or without N

    Raises
    ------
    ValueError, TypeError
        The message names the argument, what it got and what was wanted.

    Examples
    --------
    >>> import numpy as np, fastconv as fc
    >>> fc.fold(np.ones((1, 4, 2)), (2, 3), 2)
    array([[[[1., 2., 1.],
             [1., 2., 1.]]]])
    """
    function = "fold"
    return _core.fold(
        function, as_array(function, "input", input),
        as_ints(function, "output_size", output_size, 2),
        *_window(function, kernel_size, dilation, padding, stride), out,
    )  # fmt: skip


def fold_backward(
    grad_output: Any,
    input: Any,
    output_size: Ints,
    kernel_size: Ints,
    dilation: Ints = 1,
    padding: Padding = 0,
    stride: Ints = 1,
) -> Array:
    """The gradient of `fold` with respect to its input: `unfold` of that of the image.

    Parameters
    ----------
    grad_output : array of the output's shape
    input, output_size, kernel_size, dilation, padding, stride
        As `fold` was called.

    Returns
    -------
    array of the input's shape

    Raises
    ------
    ValueError, TypeError
        As `fold`.
    """
    function = "fold_backward"
    return _core.fold_backward(
        function, as_array(function, "grad_output", grad_output),
        as_array(function, "input", input), as_ints(function, "output_size", output_size, 2),
        *_window(function, kernel_size, dilation, padding, stride),
    )  # fmt: skip


def _window(
    function: str, kernel_size: Ints, dilation: Ints, padding: Padding, stride: Ints
) -> tuple[Ints, Ints, Padding, Ints]:
    return (
        as_ints(function, "kernel_size", kernel_size, 2),
        as_ints(function, "dilation", dilation, 2),
        as_pads(function, padding, 2),
        as_ints(function, "stride", stride, 2),
    )
