"""Convolution as the textbooks compute it: im2col, then one matrix product an image and group.

``output[n, oc, o] = bias[oc] + sum over ic, t of weight[oc, ic, t] * padded[n, ic, o*stride +
t*dilation]`` (a cross-correlation, as in every deep-learning library). The columns hold, for each
output position, the input values its window reads, so that the sum is a matrix product; the
gradients are the two transposed products, and *col2im*, the adjoint of im2col, for the input's.
Source: Chellapilla, Puri and Simard, "High performance convolutional neural networks for document
processing", 2006, section 2.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ._shapes import Array, Ints, Padding, Windows, batched, windows

Gradients = tuple[Array | None, Array | None, Array | None]
ALL = (True, True, True)


def conv1d(
    input: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: int = 1,
) -> Array:
    """1-D convolution of (N, C, L) or (C, L); see `conv2d`."""
    return _forward(1, input, weight, bias, stride, padding, dilation, groups)


def conv2d(
    input: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: int = 1,
) -> Array:
    """2-D convolution (cross-correlation).

    Parameters
    ----------
    input : (N, C, H, W) or (C, H, W)
    weight : (O, C / groups, KH, KW)
    bias : (O,), optional
    stride, dilation : int or one int a dimension
    padding : int, one int or one (before, after) pair a dimension, or "valid", "same"
        (ceil(size / stride) outputs, the odd zero after), "same_lower" (before), "full"
    groups : int
        Output channels of group g read only the input channels of group g.

    Returns
    -------
    (N, O, OH, OW) or (O, OH, OW)
        ``OH = (H + before + after - dilation * (KH - 1) - 1) // stride + 1``.
    """
    return _forward(2, input, weight, bias, stride, padding, dilation, groups)


def conv3d(
    input: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: int = 1,
) -> Array:
    """3-D convolution of (N, C, D, H, W) or (C, D, H, W); see `conv2d`."""
    return _forward(3, input, weight, bias, stride, padding, dilation, groups)


def conv1d_backward(
    grad_output: Array,
    input: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: int = 1,
    *,
    needs: Sequence[bool] = ALL,
) -> Gradients:
    """Gradients of `conv1d`; see `conv2d_backward`."""
    return _backward(1, grad_output, input, weight, bias, stride, padding, dilation, groups, needs)


def conv2d_backward(
    grad_output: Array,
    input: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: int = 1,
    *,
    needs: Sequence[bool] = ALL,
) -> Gradients:
    """Gradients of `conv2d` with respect to its arrays.

    Parameters
    ----------
    grad_output : shape of the output
    needs : which of the three gradients to compute
        The others are as in `conv2d`.

    Returns
    -------
    (grad_input, grad_weight, grad_bias)
        Shaped as the arguments; None where not needed, and for a bias of None.
    """
    return _backward(2, grad_output, input, weight, bias, stride, padding, dilation, groups, needs)


def conv3d_backward(
    grad_output: Array,
    input: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: int = 1,
    *,
    needs: Sequence[bool] = ALL,
) -> Gradients:
    """Gradients of `conv3d`; see `conv2d_backward`."""
    return _backward(3, grad_output, input, weight, bias, stride, padding, dilation, groups, needs)


def _forward(
    dims: int,
    input: Array,
    weight: Array,
    bias: Array | None,
    stride: Ints,
    padding: Padding,
    dilation: Ints,
    groups: int,
) -> Array:
    image, has_batch = batched(input, dims)
    matrix = _matrix(image, np.asarray(weight), groups)
    window = windows(image.shape[2:], np.shape(weight)[2:], stride, padding, dilation)
    product = matrix @ _im2col(image, window, groups)  # (N, G, O/G, positions)
    output: Array = product.reshape(image.shape[0], np.shape(weight)[0], *window.output)
    if bias is not None:
        output += np.asarray(bias).reshape(-1, *(1,) * dims)
    return output if has_batch else output[0]


def _backward(
    dims: int,
    grad_output: Array,
    input: Array,
    weight: Array,
    bias: Array | None,
    stride: Ints,
    padding: Padding,
    dilation: Ints,
    groups: int,
    needs: Sequence[bool],
) -> Gradients:
    image, has_batch = batched(input, dims)
    matrix = _matrix(image, np.asarray(weight), groups)
    window = windows(image.shape[2:], np.shape(weight)[2:], stride, padding, dilation)
    grad, _ = batched(grad_output, dims)
    if grad.shape != (image.shape[0], np.shape(weight)[0], *window.output):
        raise ValueError(f"grad_output has shape {np.shape(grad_output)}, not the output's")
    grad_product = grad.reshape(image.shape[0], *matrix.shape[:2], prod(window.output))

    grad_input = grad_weight = grad_bias = None
    if needs[0]:
        grad_input = _col2im(matrix.swapaxes(-1, -2) @ grad_product, window, image.shape[1])
        grad_input = grad_input if has_batch else grad_input[0]
    if needs[1]:
        grad_matrix = np.zeros_like(matrix)
        for rows, columns in zip(grad_product, _im2col(image, window, groups)):
            grad_matrix += rows @ columns.swapaxes(-1, -2)
        grad_weight = grad_matrix.reshape(np.shape(weight))
    if needs[2] and bias is not None:
        grad_bias = grad.sum(axis=(0, *range(2, 2 + dims)))
    return grad_input, grad_weight, grad_bias


def _matrix(image: Array, weight: Array, groups: int) -> Array:
    """The weights as one matrix a group: (groups, O / groups, C / groups * taps)."""
    out, group_channels, *kernel = weight.shape
    channels = image.shape[1]
    if len(kernel) != image.ndim - 2:
        raise ValueError(f"weight has shape {weight.shape}, input {image.shape}")
    if min(out, group_channels, groups) < 1 or out % groups or channels != group_channels * groups:
        raise ValueError(
            f"weight has {out} outputs of {group_channels} channels, input has "
            f"{channels} channels in {groups} groups"
        )
    return weight.reshape(groups, out // groups, group_channels * prod(kernel))


def _im2col(image: Array, window: Windows, groups: int) -> Array:
    """What each window reads, a column a position: (N, groups, C / groups * taps, positions)."""
    batch, channels, *size = image.shape
    dims = len(size)
    view = sliding_window_view(window.pad(image), window.extent, axis=tuple(range(2, 2 + dims)))
    strided = (slice(None, None, step) for step in (*window.stride, *window.dilation))
    places = (slice(None), slice(None), *strided)
    view = view[places]  # (N, C, *output, *kernel)
    view = view.transpose(0, 1, *range(2 + dims, 2 + 2 * dims), *range(2, 2 + dims))
    rows = channels // groups * prod(window.kernel)
    columns: Array = view.reshape(batch, groups, rows, prod(window.output))
    return columns


def _col2im(columns: Array, window: Windows, channels: int) -> Array:
    """The adjoint of `_im2col`: every column's values added where they were read."""
    batch = columns.shape[0]
    columns = columns.reshape(batch, channels, prod(window.kernel), *window.output)
    padded_size = (before + n + after for n, (before, after) in zip(window.size, window.pads))
    padded = np.zeros((batch, channels, *padded_size), columns.dtype)
    for tap, view in enumerate(window.taps(padded)):
        view += columns[:, :, tap]
    return np.ascontiguousarray(window.crop(padded))
