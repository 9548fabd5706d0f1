"""Transposed convolution as it is defined: every input element spread over its window.

``output[n, oc, i*stride + t*dilation - before] += input[n, ic, i] * weight[ic, oc, t]``, the
adjoint of a convolution, which reads at those places. Along one dimension the output has
``(input - 1)*stride + dilation*(kernel - 1) + 1 + output_padding - before - after`` elements.
Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016, chapter 4.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._shapes import Array, Ints, Padding, Sizes, batched, per_dimension, read_pads
from .conv import ALL, Gradients

Where = tuple[Ints, Padding, Ints, int, Ints, Ints | None]


def conv_transpose1d(
    input: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Ints = 1,
    padding: Padding = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
    *,
    output_size: Ints | None = None,
) -> Array:
    """1-D transposed convolution of (N, C, L) or (C, L); see `conv_transpose2d`."""
    where = (stride, padding, output_padding, groups, dilation, output_size)
    return _forward(1, input, weight, bias, where)


def conv_transpose2d(
    input: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Ints = 1,
    padding: Padding = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
    *,
    output_size: Ints | None = None,
) -> Array:
    """2-D transposed convolution.

    Parameters
    ----------
    input : (N, C, H, W) or (C, H, W)
    weight : (C, O / groups, KH, KW)
    bias : (O,), optional
    stride, dilation, output_padding : int or one int a dimension
    padding : as `conv2d` has it, but for "full"; with "same" the output is input * stride, and the
        odd element is cut off after, with "same_lower" before
    output_size : the output's size, in place of `output_padding`

    Returns
    -------
    (N, O, OH, OW) or (O, OH, OW)
    """
    where = (stride, padding, output_padding, groups, dilation, output_size)
    return _forward(2, input, weight, bias, where)


def conv_transpose3d(
    input: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Ints = 1,
    padding: Padding = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
    *,
    output_size: Ints | None = None,
) -> Array:
    """3-D transposed convolution of (N, C, D, H, W) or (C, D, H, W); see `conv_transpose2d`."""
    where = (stride, padding, output_padding, groups, dilation, output_size)
    return _forward(3, input, weight, bias, where)


def conv_transpose1d_backward(
    grad_output: Array,
    input: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Ints = 1,
    padding: Padding = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
    *,
    output_size: Ints | None = None,
    needs: Sequence[bool] = ALL,
) -> Gradients:
    """(grad_input, grad_weight, grad_bias) of `conv_transpose1d`."""
    where = (stride, padding, output_padding, groups, dilation, output_size)
    return _backward(1, grad_output, input, weight, bias, where, needs)


def conv_transpose2d_backward(
    grad_output: Array,
    input: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Ints = 1,
    padding: Padding = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
    *,
    output_size: Ints | None = None,
    needs: Sequence[bool] = ALL,
) -> Gradients:
    """(grad_input, grad_weight, grad_bias) of `conv_transpose2d`."""
    where = (stride, padding, output_padding, groups, dilation, output_size)
    return _backward(2, grad_output, input, weight, bias, where, needs)


def conv_transpose3d_backward(
    grad_output: Array,
    input: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Ints = 1,
    padding: Padding = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
    *,
    output_size: Ints | None = None,
    needs: Sequence[bool] = ALL,
) -> Gradients:
    """(grad_input, grad_weight, grad_bias) of `conv_transpose3d`."""
    where = (stride, padding, output_padding, groups, dilation, output_size)
    return _backward(3, grad_output, input, weight, bias, where, needs)


@dataclass(frozen=True)
class Spread:
    """Where the windows lie in an output with nothing cut off, and what remains of it."""

    size: Sizes
    kernel: Sizes
    stride: Sizes
    dilation: Sizes
    before: Sizes
    output: Sizes

    def uncut(self, *lead: int, dtype: Any) -> Array:
        """Zeros for all that the windows reach, and at least as far as the output goes."""
        axes = zip(self.size, self.kernel, self.stride, self.dilation, self.before, self.output)
        shape = (max((n - 1) * s + d * (k - 1) + 1, b + o) for n, k, s, d, b, o in axes)
        return np.zeros((*lead, *shape), dtype)

    def remains(self, uncut: Array) -> Array:
        """The view of the output."""
        cuts = (slice(b, b + o) for b, o in zip(self.before, self.output))
        view: Array = uncut[_last(cuts)]
        return view

    def taps(self, uncut: Array) -> Iterator[tuple[Sizes, Array]]:
        """Each tap, and the view of what it touches: (..., *size)."""
        for tap in itertools.product(*map(range, self.kernel)):
            steps = zip(tap, self.dilation, self.stride, self.size)
            places = (slice(t * d, t * d + s * (n - 1) + 1, s) for t, d, s, n in steps)
            yield tap, uncut[_last(places)]


def _forward(dims: int, input: Array, weight: Array, bias: Array | None, where: Where) -> Array:
    image, has_batch = batched(input, dims)
    spread = _spread(image, np.asarray(weight), where)
    x, w = _grouped(image, np.asarray(weight), where[3])
    outs = w.shape[0] * w.shape[2]
    uncut = spread.uncut(len(x), w.shape[0], w.shape[2], dtype=image.dtype)
    for tap, view in spread.taps(uncut):
        view += np.einsum("ngi...,gio->ngo...", x, w[_last(tap)])
    output = spread.remains(uncut).reshape(len(x), outs, *spread.output)
    if bias is not None:
        output = output + np.asarray(bias).reshape(-1, *(1,) * dims)
    return np.ascontiguousarray(output if has_batch else output[0])


def _backward(
    dims: int,
    grad_output: Array,
    input: Array,
    weight: Array,
    bias: Array | None,
    where: Where,
    needs: Sequence[bool],
) -> Gradients:
    image, has_batch = batched(input, dims)
    spread = _spread(image, np.asarray(weight), where)
    x, w = _grouped(image, np.asarray(weight), where[3])
    grad, _ = batched(grad_output, dims)
    if grad.shape != (len(x), w.shape[0] * w.shape[2], *spread.output):
        raise ValueError(f"grad_output has shape {np.shape(grad_output)}, not the output's")
    uncut = spread.uncut(len(x), w.shape[0], w.shape[2], dtype=image.dtype)
    spread.remains(uncut)[...] = grad.reshape(len(x), w.shape[0], w.shape[2], *spread.output)

    grad_input, grad_weight = np.zeros_like(x), np.zeros_like(w)
    for tap, view in spread.taps(uncut):
        grad_input += np.einsum("ngo...,gio->ngi...", view, w[_last(tap)])
        flat_x, flat_view = (a.reshape(*a.shape[:3], math.prod(a.shape[3:])) for a in (x, view))
        grad_weight[_last(tap)] = np.einsum("ngip,ngop->gio", flat_x, flat_view)
    grad_image = grad_input.reshape(image.shape)
    return (
        (grad_image if has_batch else grad_image[0]) if needs[0] else None,
        grad_weight.reshape(np.shape(weight)) if needs[1] else None,
        grad.sum(axis=(0, *range(2, 2 + dims))) if needs[2] and bias is not None else None,
    )


def _last(places: Iterable[Any]) -> tuple[Any, ...]:
    """The index of `places` in the last dimensions."""
    return (..., *places)


def _grouped(image: Array, weight: Array, groups: int) -> tuple[Array, Array]:
    """(N, groups, C / groups, *size) and (groups, C / groups, O / groups, *kernel)."""
    batch, channels, *size = image.shape
    if groups < 1 or len(weight) != channels or channels % groups or not weight.size:
        raise ValueError(
            f"weight has shape {weight.shape}, input {image.shape}, in {groups} groups"
        )
    x = image.reshape(batch, groups, channels // groups, *size)
    return x, weight.reshape(groups, channels // groups, *weight.shape[1:])


def _spread(image: Array, weight: Array, where: Where) -> Spread:
    """Settle the padding and the output's size."""
    stride, padding, output_padding, _, dilation, output_size = where
    size, kernel = image.shape[2:], weight.shape[2:]
    dims = len(size)
    if len(kernel) != dims:
        raise ValueError(f"weight has shape {weight.shape}, input {image.shape}")
    stride = per_dimension("stride", stride, dims)
    dilation = per_dimension("dilation", dilation, dims)
    extra = per_dimension("output_padding", output_padding, dims)
    if min((*size, *kernel, *stride, *dilation)) < 1:
        raise ValueError(f"size {size}, kernel {kernel}, stride {stride}, dilation {dilation}")
    if output_size is not None:
        extra = (0,) * dims
    if any(not 0 <= e < max(s, d) for e, s, d in zip(extra, stride, dilation)):
        raise ValueError(f"output_padding is {extra} (wanted less than stride or dilation)")
    extents = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation))
    if padding in ("same", "same_lower"):
        cuts = [max(0, n + e - s) for n, e, s in zip(extents, extra, stride)]
        before = tuple(c // 2 if padding == "same" else c - c // 2 for c in cuts)
        output = most = tuple(n * s for n, s in zip(size, stride))
    else:
        if padding == "full":
            raise ValueError("padding is 'full' (wanted numbers, valid, same or same_lower)")
        pads = read_pads(size, padding)
        before = tuple(b for b, _ in pads)
        axes = zip(size, stride, extents, extra, pads)
        output = tuple((n - 1) * s + x + e - sum(pair) for n, s, x, e, pair in axes)
        most = tuple(o + s - 1 for o, s in zip(output, stride))
    if output_size is not None:
        wanted = per_dimension("output_size", output_size, dims)
        if any(not low <= o <= high for low, o, high in zip(output, wanted, most)):
            raise ValueError(f"output_size is {wanted} (wanted from {output} to {most})")
        output = wanted
    if min(output) < 1:
        raise ValueError(f"the output would have size {output}")
    return Spread(size, kernel, stride, dilation, before, output)
