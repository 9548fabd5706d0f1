"""Convolution, as deep learning has it: the kernel is not flipped."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _core
from ._coerce import Array, Ints, Padding, as_array, as_int, as_padding, as_tuple
from ._layout import check_layout, from_nhwc, to_nhwc

_ALGORITHMS = {"auto": 0, "direct": 1, "im2col": 2, "tiled": 3}


def conv2d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: int = 1,
    *,
    algorithm: str = "auto",
    layout: str = "NCHW",
    out: Array | None = None,
) -> Array:
    """Convolve images with a bank of filters.

    ``output[n, o, y, x] = bias[o] + sum over c, i, j of
    weight[o, c, i, j] * input[n, c, y * stride + i * dilation - padding, ...]``

    Parameters
    ----------
    input : array of shape (N, C, H, W) or (C, H, W), float32 or float64
    weight : array of shape (O, C / groups, KH, KW)
    bias : array of shape (O,), optional
    stride, dilation : int or one int a dimension
    padding : int, one int or one (before, after) pair a dimension, or a name
        Zeros around the image. ``"valid"`` is none; ``"same"`` gives ceil(input / stride)
        outputs with the odd zero after, ``"same_lower"`` before; ``"full"`` is
        dilation * (kernel - 1) on both sides.
    groups : int
        Blocks of channels that are convolved apart; it divides C and O.
    algorithm : "auto" or "direct"
    layout : "NCHW" or "NHWC"
        With ``"NHWC"`` the shapes of images are (N, H, W, C).
    out : array of the output's shape and dtype, optional
        Written to and returned.

    Returns
    -------
    array of shape (N, O, OH, OW)
        OH = (H + padding - dilation * (KH - 1) - 1) // stride + 1, with the padding of both
        sides. Channels-last in memory where the input is.

    Raises
    ------
    ValueError
        If shapes or values do not fit; the message says which and what was wanted.
    TypeError
        If an array is not float32 or float64, or dtypes differ.

    Examples
    --------
    >>> import numpy as np, fastconv as fc
    >>> image = np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3)
    >>> fc.conv2d(image, np.ones((1, 1, 2, 2), np.float32))
    array([[[[ 8., 12.],
             [20., 24.]]]], dtype=float32)
    """
    return _forward(
        "conv2d", 2, input, weight, bias, stride, padding, dilation, groups, algorithm, layout, out
    )


def conv2d_backward(
    grad_output: Any,
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: int = 1,
    *,
    algorithm: str = "auto",
    layout: str = "NCHW",
    needs: tuple[bool, bool, bool] = (True, True, True),
) -> tuple[Array | None, Array | None, Array | None]:
    """The gradients of `conv2d` with respect to input, weight and bias.

    Parameters
    ----------
    grad_output : array of the output's shape
    input, weight, bias, stride, padding, dilation, groups, algorithm, layout
        As `conv2d` was called.
    needs : three bools
        Which gradients to compute.

    Returns
    -------
    (grad_input, grad_weight, grad_bias)
        Each of its argument's shape; None where it is not needed, and for a bias of None.

    Raises
    ------
    ValueError, TypeError
        As `conv2d`, and if `grad_output` has not the output's shape.

    Examples
    --------
    >>> import numpy as np, fastconv as fc
    >>> image, weight = np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2))
    >>> gx, gw, gb = fc.conv2d_backward(np.ones((1, 1, 2, 2)), image, weight)
    >>> gx[0, 0], gb
    (array([[1., 2., 1.],
           [2., 4., 2.],
           [1., 2., 1.]]), None)
    """
    return _backward(
        "conv2d_backward", 2, grad_output, input, weight, bias, stride, padding, dilation, groups,
        algorithm, layout, needs,
    )  # fmt: skip


def _forward(
    function: str,
    dims: int,
    input: Any,
    weight: Any,
    bias: Any,
    stride: Ints,
    padding: Padding,
    dilation: Ints,
    groups: int,
    algorithm: str,
    layout: str,
    out: Array | None,
) -> Array:
    number = _algorithm(function, algorithm)
    nhwc = check_layout(function, layout, dims)
    image = as_array(function, "input", input)
    if out is not None and not isinstance(out, np.ndarray):
        raise TypeError(f"{function}: out is a {type(out).__name__} (wanted a NumPy array)")
    output = _core.conv_forward(
        function,
        from_nhwc(function, "input", image, dims) if nhwc else image,
        as_array(function, "weight", weight),
        None if bias is None else as_array(function, "bias", bias),
        as_tuple(function, "stride", stride, dims),
        as_padding(function, padding, dims),
        as_tuple(function, "dilation", dilation, dims),
        as_int(function, "groups", groups),
        from_nhwc(function, "out", out, dims) if nhwc and out is not None else out,
        number,
        0,
        0.0,
        None,
        None,
    )
    if out is not None:
        return out
    return to_nhwc(output, dims) if nhwc else output


def _backward(
    function: str,
    dims: int,
    grad_output: Any,
    input: Any,
    weight: Any,
    bias: Any,
    stride: Ints,
    padding: Padding,
    dilation: Ints,
    groups: int,
    algorithm: str,
    layout: str,
    needs: tuple[bool, bool, bool],
) -> tuple[Array | None, Array | None, Array | None]:
    number = _algorithm(function, algorithm)
    nhwc = check_layout(function, layout, dims)
    grad = as_array(function, "grad_output", grad_output)
    image = as_array(function, "input", input)
    if nhwc:
        grad = from_nhwc(function, "grad_output", grad, dims)
        image = from_nhwc(function, "input", image, dims)
    if len(needs) != 3:
        raise ValueError(f"{function}: needs is {needs!r} (wanted three bools)")
    needs_input, needs_weight, needs_bias = map(bool, needs)
    grads: tuple[Array | None, Array | None, Array | None] = _core.conv_backward(
        function,
        grad,
        image,
        as_array(function, "weight", weight),
        as_tuple(function, "stride", stride, dims),
        as_padding(function, padding, dims),
        as_tuple(function, "dilation", dilation, dims),
        as_int(function, "groups", groups),
        needs_input,
        needs_weight,
        needs_bias and bias is not None,
        number,
    )
    if nhwc and grads[0] is not None:
        return (to_nhwc(grads[0], dims), *grads[1:])
    return grads


def _algorithm(function: str, name: str) -> int:
    number = _ALGORITHMS.get(name)
    if number is None:
        wanted = ", ".join(repr(known) for known in _ALGORITHMS)
        raise ValueError(f"{function}: algorithm is {name!r} (wanted one of {wanted})")
    return number
