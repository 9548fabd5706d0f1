"""Convolution, as deep learning has it: the kernel is not flipped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ._coerce import Array, Ints, Padding
from ._convolution import Activation, Gradients, backward, forward


def conv1d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: int = 1,
    *,
    activation: Activation = None,
    residual: Any = None,
    algorithm: str = "auto",
    layout: str = "NCL",
    out: Array | None = None,
) -> Array:
    """Convolve signals of shape (N, C, L) or (C, L) with weights (O, C / groups, K).

    Arguments, result (N, O, OL) and errors as `conv2d` has them, over one axis; `layout` is "NCL"
    or "NLC".

    Examples
    --------
    >>> import numpy as np, fastconv as fc
    >>> fc.conv1d(np.arange(5.0).reshape(1, 1, 5), np.ones((1, 1, 3)), stride=2)
    array([[[3., 9.]]])
    """
    return forward(
        "conv1d", 1, input, weight, bias, stride, padding, dilation, groups, activation, residual,
        algorithm, layout, out,
    )  # fmt: skip


def conv2d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: int = 1,
    *,
    activation: Activation = None,
    residual: Any = None,
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
    activation : str or ("leaky_relu", slope), optional
        Applied to the finished sum, in the same pass: "relu", "relu6", "leaky_relu", "sigmoid",
        "tanh", "silu" or "hard_swish".
    residual : array of the output's shape, optional
        Added before the activation, in the same pass.
    algorithm : "auto", "direct", "im2col" or "tiled"
        `fastconv.explain` tells what "auto" takes.
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
    return forward(
        "conv2d", 2, input, weight, bias, stride, padding, dilation, groups, activation, residual,
        algorithm, layout, out,
    )  # fmt: skip


def conv3d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: int = 1,
    *,
    activation: Activation = None,
    residual: Any = None,
    algorithm: str = "auto",
    layout: str = "NCDHW",
    out: Array | None = None,
) -> Array:
    """Convolve volumes of shape (N, C, D, H, W) or (C, D, H, W) with weights
    (O, C / groups, KD, KH, KW).

    Arguments, result (N, O, OD, OH, OW) and errors as `conv2d` has them, over three axes; `layout`
    is "NCDHW" or "NDHWC".

    Examples
    --------
    >>> import numpy as np, fastconv as fc
    >>> fc.conv3d(np.ones((1, 1, 4, 4, 4)), np.ones((6, 1, 3, 3, 3)), padding="same").shape
    (1, 6, 4, 4, 4)
    """
    return forward(
        "conv3d", 3, input, weight, bias, stride, padding, dilation, groups, activation, residual,
        algorithm, layout, out,
    )  # fmt: skip


def conv1d_backward(
    grad_output: Any,
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: int = 1,
    *,
    activation: Activation = None,
    residual: Any = None,
    output: Any = None,
    algorithm: str = "auto",
    layout: str = "NCL",
    needs: Sequence[bool] = (True, True, True),
) -> Gradients:
    """The gradients of `conv1d` with respect to its arrays; see `conv2d_backward`.

    Examples
    --------
    >>> import numpy as np, fastconv as fc
    >>> x, w = np.ones((1, 1, 3)), np.ones((1, 1, 2))
    >>> fc.conv1d_backward(np.ones((1, 1, 2)), x, w, needs=(True, False, False))
    (array([[[1., 2., 1.]]]), None, None)
    """
    return backward(
        "conv1d_backward", 1, grad_output, input, weight, bias, stride, padding, dilation, groups,
        activation, residual, output, algorithm, layout, needs,
    )  # fmt: skip


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
    activation: Activation = None,
    residual: Any = None,
    output: Any = None,
    algorithm: str = "auto",
    layout: str = "NCHW",
    needs: Sequence[bool] = (True, True, True),
) -> Gradients:
    """The gradients of `conv2d` with respect to its arrays.

    Parameters
    ----------
    grad_output : array of the output's shape
    input, weight, bias, stride, padding, dilation, groups, activation, residual, algorithm, layout
        As `conv2d` was called.
    output : array, optional
        What `conv2d` returned. An activation's gradient starts from it, but for silu and
        hard_swish; without it the forward pass is computed again.
    needs : three bools, with a residual three or four
        Which gradients to compute.

    Returns
    -------
    (grad_input, grad_weight, grad_bias), and grad_residual where there is a residual
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
    return backward(
        "conv2d_backward", 2, grad_output, input, weight, bias, stride, padding, dilation, groups,
        activation, residual, output, algorithm, layout, needs,
    )  # fmt: skip


def conv3d_backward(
    grad_output: Any,
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: int = 1,
    *,
    activation: Activation = None,
    residual: Any = None,
    output: Any = None,
    algorithm: str = "auto",
    layout: str = "NCDHW",
    needs: Sequence[bool] = (True, True, True),
) -> Gradients:
    """The gradients of `conv3d` with respect to its arrays; see `conv2d_backward`.

    Examples
    --------
    >>> import numpy as np, fastconv as fc
    >>> x, w = np.ones((1, 1, 3, 3, 3)), np.ones((1, 1, 3, 3, 3))
    >>> fc.conv3d_backward(np.ones((1, 1, 1, 1, 1)), x, w)[1].sum()
    np.float64(27.0)
    """
    return backward(
        "conv3d_backward", 3, grad_output, input, weight, bias, stride, padding, dilation, groups,
        activation, residual, output, algorithm, layout, needs,
    )  # fmt: skip
