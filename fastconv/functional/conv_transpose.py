"""Transposed convolution, which is also called fractionally strided, or deconvolution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ._coerce import Array, Ints, Padding
from ._convolution import Activation, Gradients
from ._transposed import backward, forward


def conv_transpose1d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Ints = 1,
    padding: Padding = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
    *,
    output_size: Ints | None = None,
    activation: Activation = None,
    residual: Any = None,
    algorithm: str = "auto",
    layout: str = "NCL",
    out: Array | None = None,
) -> Array:
    """`conv_transpose2d` over one axis: (N, C, L) or (C, L) with weights (C, O / groups, K).

    Examples
    --------
    >>> import numpy as np, fastconv as fc
    >>> fc.conv_transpose1d(np.array([[[1.0, 2.0]]]), np.ones((1, 1, 2)), stride=2)
    array([[[1., 1., 2., 2.]]])
    """
    return forward(
        "conv_transpose1d", 1, input, weight, bias, stride, padding, output_padding, groups,
        dilation, output_size, activation, residual, algorithm, layout, out,
    )  # fmt: skip


def conv_transpose2d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Ints = 1,
    padding: Padding = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
    *,
    output_size: Ints | None = None,
    activation: Activation = None,
    residual: Any = None,
    algorithm: str = "auto",
    layout: str = "NCHW",
    out: Array | None = None,
) -> Array:
    """Spread each input element over a window of the output, weighted: `conv2d` the other way.

    It is the gradient of `conv2d` with respect to its input:
    ``output[n, o, y * stride + i * dilation - padding, ...] += input[n, c, y, x] *
    weight[c, o, i, j]``, and the bias is added.

    Parameters
    ----------
    input : array of shape (N, C, H, W) or (C, H, W), float32 or float64
    weight : array of shape (C, O / groups, KH, KW)
    bias : array of shape (O,), optional
    stride, dilation : int or one int a dimension
    padding : int, one int or one (before, after) pair a dimension, or a name
        How much of the output is cut off. ``"valid"`` is none; with ``"same"`` the output is
        input * stride, the odd element cut off after, with ``"same_lower"`` before.
    output_padding : int or one int a dimension
        Elements more after the output, fewer than stride or dilation: a strided convolution has
        one output for several input sizes.
    groups : int
        Blocks of channels that are convolved apart; it divides C.
    output_size : int or one int a dimension, optional
        The output's size, in place of `output_padding`.
    activation, residual, algorithm, layout, out
        As `conv2d` has them.

    Returns
    -------
    array of shape (N, O, OH, OW)
        OH = (H - 1) * stride - padding + dilation * (KH - 1) + 1 + output_padding, with the
        padding of both sides. Channels-last in memory where the input is.

    Raises
    ------
    ValueError
        If shapes or values do not fit; the message says which and what was wanted.
    TypeError
        If an array is not float32 or float64, or dtypes differ.

    Examples
    --------
    >>> import numpy as np, fastconv as fc
    >>> fc.conv_transpose2d(np.array([[[[1.0, 2.0]]]]), np.ones((1, 1, 2, 2)), stride=2)
    array([[[[1., 1., 2., 2.],
             [1., 1., 2., 2.]]]])
    """
    return forward(
        "conv_transpose2d", 2, input, weight, bias, stride, padding, output_padding, groups,
        dilation, output_size, activation, residual, algorithm, layout, out,
    )  # fmt: skip


def conv_transpose3d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Ints = 1,
    padding: Padding = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
    *,
    output_size: Ints | None = None,
    activation: Activation = None,
    residual: Any = None,
    algorithm: str = "auto",
    layout: str = "NCDHW",
    out: Array | None = None,
) -> Array:
    """`conv_transpose2d` over three axes: (N, C, D, H, W) or (C, D, H, W).

    The weights' shape is (C, O / groups, KD, KH, KW).

    Examples
    --------
    >>> import numpy as np, fastconv as fc
    >>> x, w = np.ones((1, 4, 2, 2, 2)), np.ones((4, 3, 2, 2, 2))
    >>> fc.conv_transpose3d(x, w, stride=2).shape
    (1, 3, 4, 4, 4)
    """
    return forward(
        "conv_transpose3d", 3, input, weight, bias, stride, padding, output_padding, groups,
        dilation, output_size, activation, residual, algorithm, layout, out,
    )  # fmt: skip


def conv_transpose1d_backward(
    grad_output: Any,
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Ints = 1,
    padding: Padding = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
    *,
    output_size: Ints | None = None,
    activation: Activation = None,
    residual: Any = None,
    output: Any = None,
    algorithm: str = "auto",
    layout: str = "NCL",
    needs: Sequence[bool] = (True, True, True),
) -> Gradients:
    """The gradients of `conv_transpose1d`; see `conv_transpose2d_backward`.

    Examples
    --------
    >>> import numpy as np, fastconv as fc
    >>> x, w = np.ones((1, 1, 2)), np.ones((1, 1, 2))
    >>> fc.conv_transpose1d_backward(np.ones((1, 1, 4)), x, w, stride=2)
    (array([[[2., 2.]]]), array([[[2., 2.]]]), None)
    """
    return backward(
        "conv_transpose1d_backward", 1, grad_output, input, weight, bias, stride, padding,
        output_padding, groups, dilation, output_size, activation, residual, output, algorithm,
        layout, needs,
    )  # fmt: skip


def conv_transpose2d_backward(
    grad_output: Any,
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Ints = 1,
    padding: Padding = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
    *,
    output_size: Ints | None = None,
    activation: Activation = None,
    residual: Any = None,
    output: Any = None,
    algorithm: str = "auto",
    layout: str = "NCHW",
    needs: Sequence[bool] = (True, True, True),
) -> Gradients:
    """The gradients of `conv_transpose2d` with respect to its arrays.

    Parameters
    ----------
    grad_output : array of the output's shape
    input, weight, bias, stride, padding, output_padding, groups, dilation, output_size, \
activation, residual, algorithm, layout
        As `conv_transpose2d` was called.
    output, needs
        As `conv2d_backward` has them.

    Returns
    -------
    (grad_input, grad_weight, grad_bias), and grad_residual where there is a residual
        Each of its argument's shape; None where it is not needed, and for a bias of None.

    Raises
    ------
    ValueError, TypeError
        As `conv_transpose2d`, and if `grad_output` has not the output's shape.

    Examples
    --------
    >>> import numpy as np, fastconv as fc
    >>> x, w = np.array([[[[1.0, 2.0]]]]), np.ones((1, 1, 2, 2))
    >>> fc.conv_transpose2d_backward(np.ones((1, 1, 2, 4)), x, w, stride=2)[0]
    array([[[[4., 4.]]]])
    """
    return backward(
        "conv_transpose2d_backward", 2, grad_output, input, weight, bias, stride, padding,
        output_padding, groups, dilation, output_size, activation, residual, output, algorithm,
        layout, needs,
    )  # fmt: skip


def conv_transpose3d_backward(
    grad_output: Any,
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Ints = 1,
    padding: Padding = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
    *,
    output_size: Ints | None = None,
    activation: Activation = None,
    residual: Any = None,
    output: Any = None,
    algorithm: str = "auto",
    layout: str = "NCDHW",
    needs: Sequence[bool] = (True, True, True),
) -> Gradients:
    """The gradients of `conv_transpose3d`; see `conv_transpose2d_backward`.

    Examples
    --------
    >>> import numpy as np, fastconv as fc
    >>> x, w = np.ones((1, 1, 1, 1, 1)), np.ones((1, 1, 3, 3, 3))
    >>> fc.conv_transpose3d_backward(np.ones((1, 1, 3, 3, 3)), x, w)[0].sum()
    np.float64(27.0)
    """
    return backward(
        "conv_transpose3d_backward", 3, grad_output, input, weight, bias, stride, padding,
        output_padding, groups, dilation, output_size, activation, residual, output, algorithm,
        layout, needs,
    )  # fmt: skip
