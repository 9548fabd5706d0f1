"""Windows as columns of a matrix (im2col), and their sum back in place (col2im)."""

from __future__ import annotations

from math import prod

import numpy as np

from ._shapes import Array, Ints, Padding, Sizes, Windows, batched, per_dimension, windows


def unfold(
    input: Array,
    kernel_size: Ints,
    dilation: Ints = 1,
    padding: Padding = 0,
    stride: Ints = 1,
) -> Array:
    """Columns (N, C * KH * KW, OH * OW) of the windows of (N, C, H, W), or without N."""
    image, has_batch = batched(input, 2)
    columns = _unfold(image, _window(image.shape[2:], kernel_size, dilation, padding, stride))
    return columns if has_batch else columns[0]


def unfold_backward(
    grad_output: Array,
    input: Array,
    kernel_size: Ints,
    dilation: Ints = 1,
    padding: Padding = 0,
    stride: Ints = 1,
) -> Array:
    """Gradient of `unfold`: `fold` of the columns'."""
    size = np.shape(input)[-2:]
    return fold(grad_output, size, kernel_size, dilation, padding, stride)


def fold(
    input: Array,
    output_size: Ints,
    kernel_size: Ints,
    dilation: Ints = 1,
    padding: Padding = 0,
    stride: Ints = 1,
) -> Array:
    """Each column added to its window: (N, C, H, W) from (N, C * KH * KW, OH * OW)."""
    columns, has_batch = batched(input, 1)
    size = per_dimension("output_size", output_size, 2)
    window = _window(size, kernel_size, dilation, padding, stride)
    batch, rows, count = columns.shape
    taps = prod(window.kernel)
    if rows % taps or count != prod(window.output):
        raise ValueError(
            f"input has shape {columns.shape} (wanted a multiple of {taps} rows and "
            f"{prod(window.output)} columns)"
        )
    channels = rows // taps
    padded = window.pad(np.zeros((batch, channels, *size), columns.dtype))
    values = columns.reshape(batch, channels, taps, *window.output)
    for tap, view in enumerate(window.taps(padded)):
        view += values[:, :, tap]
    image = np.ascontiguousarray(window.crop(padded))
    return image if has_batch else image[0]


def fold_backward(
    grad_output: Array,
    input: Array,
    output_size: Ints,
    kernel_size: Ints,
    dilation: Ints = 1,
    padding: Padding = 0,
    stride: Ints = 1,
) -> Array:
    """Gradient of `fold`: `unfold` of the image's."""
    return unfold(grad_output, kernel_size, dilation, padding, stride)


def _window(
    size: Sizes, kernel_size: Ints, dilation: Ints, padding: Padding, stride: Ints
) -> Windows:
    kernel = per_dimension("kernel_size", kernel_size, 2)
    return windows(size, kernel, stride, padding, dilation)


def _unfold(image: Array, window: Windows) -> Array:
    values = list(window.taps(window.pad(image)))
    batch, channels = image.shape[:2]
    return np.stack(values, 2).reshape(batch, channels * len(values), prod(window.output))
