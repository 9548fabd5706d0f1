"""A convolution with a table of which output map reads which input maps.

The kernels of the connected pairs alone are held, (pairs, height, width), in the table's order: all
of output map 0, then of map 1. Output maps that read equally many are computed together, as the
groups of one grouped convolution over the input maps, which are gathered once for each:

    maps that read 2:   o0 <- i0 i1        gathered  i0 i1 | i1 i2      groups  2
                        o2 <- i1 i2        weights   w0 w1 | w3 w4
    maps that read 1:   o1 <- i2           gathered  i2                 groups  1

So no product is with a zero: LeNet-5's C3 has 60 of its 96 pairs, 1,516 parameters of 2,416.
Where zeros cost less than gathering, one dense convolution is computed with zeros for the weights
that are not there; an image in whose result NaN or infinity shows, which times zero may be of a map
that is not connected, is computed again by blocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from .. import functional as F
from ..functional._coerce import Array, as_array
from ..functional._numeric import ieee

Gradients = tuple[Array | None, Array | None, Array | None]


# The share of connected pairs from which on zeros cost less. One thread, float32, us forward and
# with backward: LeNet-5's C3 (60 of 96) takes 18 and 70 so, 40 and 220 by blocks; 64 by 64 maps of
# 28 x 28, 3 x 3, 490 and 1600, and by blocks 260 and 1380 where 12% are connected, 410 and 2280
# where 22% are, 680 and 4960 where 30% are.
_DENSE_SHARE = 0.25


class Block(NamedTuple):
    """Output maps that read equally many input maps."""

    outputs: Array  # their numbers
    inputs: Array  # (outputs, how many each reads)
    pairs: Array  # the places of their kernels, of the same shape


def as_table(function: str, connections: Any, shape: tuple[int, int]) -> Array:
    """The table as bools, (output maps, input maps)."""
    listed = isinstance(connections, (list, tuple))
    table = as_array(function, "connections", np.array(connections) if listed else connections)
    if table.shape != shape:
        raise ValueError(
            f"{function}: connections has shape {table.shape} "
            f"(wanted {shape}, output maps by input maps)"
        )
    if table.dtype != np.bool_ and not np.isin(table, (0, 1)).all():
        raise ValueError(f"{function}: connections has other values than 0 and 1 (wanted bools)")
    table = table.astype(bool)
    lonely = np.flatnonzero(~table.any(1))
    if lonely.size:
        raise ValueError(
            f"{function}: connections has no input map for output map {lonely[0]} "
            "(wanted at least one)"
        )
    return table


def blocks(table: Array) -> Iterator[Block]:
    """The output maps by how many input maps they read."""
    counts = table.sum(1)
    starts = np.cumsum(counts) - counts
    for count in np.unique(counts):
        outputs = np.flatnonzero(counts == count)
        inputs = np.nonzero(table[outputs])[1].reshape(-1, count)
        yield Block(outputs, inputs, starts[outputs][:, None] + np.arange(count))


def forward(
    table: Array, blocks: tuple[Block, ...], x: Array, weight: Array, bias: Array | None,
    settings: Mapping[str, Any],
) -> Array:  # fmt: skip
    """The convolution, of images with a batch or without; `settings` as `F.conv2d` has them."""
    if len(weight) < _DENSE_SHARE * table.size:
        return _forward(blocks, x, weight, bias, settings)
    output = F.conv2d(x, dense(table, weight), bias, **settings)
    for image in _not_finite(output):
        output[image] = _forward(blocks, x[image], weight, bias, settings)
    return output


def dense(table: Array, weight: Array) -> Array:
    """The weights in torch's shape; zeros where nothing is connected."""
    whole: Array = np.zeros((*table.shape, *weight.shape[1:]), weight.dtype)
    whole[table] = weight
    return whole


def _not_finite(output: Array) -> Iterator[Any]:
    """The places of images in which NaN or infinity shows, or a sum too large."""
    with ieee():
        if np.isfinite(output.sum(dtype=output.dtype)):
            return
    if output.ndim == 3:
        yield ...
    else:
        yield from np.flatnonzero(~np.isfinite(output).all((1, 2, 3)))


def _forward(
    blocks: tuple[Block, ...], x: Array, weight: Array, bias: Array | None,
    settings: Mapping[str, Any],
) -> Array:  # fmt: skip
    output: Array | None = None
    channels = sum(len(block.outputs) for block in blocks)
    for block in blocks:
        operands = _operands(block, x, weight, bias)
        part = F.conv2d(*operands, **settings, groups=len(block.outputs))
        if output is None:
            output = _like(x, (*part.shape[:-3], channels, *part.shape[-2:]), part.dtype)
        output[..., block.outputs, :, :] = part
    assert output is not None
    return output


def backward(
    table: Array, blocks: tuple[Block, ...], grad_output: Array, x: Array, weight: Array,
    bias: Array | None, settings: Mapping[str, Any], needs: tuple[bool, ...],
) -> Gradients:  # fmt: skip
    """The gradients of input, weight and bias."""
    if len(weight) < _DENSE_SHARE * table.size:
        return _backward(blocks, grad_output, x, weight, bias, settings, needs)
    gx, gw, gb = F.conv2d_backward(
        grad_output, x, dense(table, weight), bias, **settings, needs=needs
    )
    if gx is not None:
        only_input = (True, False, False)
        for image in _not_finite(gx):
            gx[image] = _backward(
                blocks, grad_output[image], x[image], weight, bias, settings, only_input
            )[0]
    return gx, None if gw is None else gw[table], gb


def _backward(
    blocks: tuple[Block, ...], grad_output: Array, x: Array, weight: Array, bias: Array | None,
    settings: Mapping[str, Any], needs: tuple[bool, ...],
) -> Gradients:  # fmt: skip
    grad_input = np.zeros_like(x) if needs[0] else None
    grad_weight = np.empty_like(weight) if needs[1] else None
    grad_bias = np.empty_like(bias) if bias is not None and needs[2] else None
    for block in blocks:
        operands = _operands(block, x, weight, bias)
        gx, gw, gb = F.conv2d_backward(
            grad_output[..., block.outputs, :, :], *operands, **settings,
            groups=len(block.outputs), needs=needs,
        )  # fmt: skip
        if grad_input is not None and gx is not None:
            by_output = np.split(gx, len(block.outputs), -3)
            for inputs, part in zip(block.inputs, by_output, strict=True):
                grad_input[..., inputs, :, :] += part
        if grad_weight is not None and gw is not None:
            grad_weight[block.pairs] = gw
        if grad_bias is not None:
            grad_bias[block.outputs] = gb
    return grad_input, grad_weight, grad_bias


def _operands(
    block: Block, x: Array, weight: Array, bias: Array | None
) -> tuple[Array, Array, Array | None]:
    gathered = x[..., block.inputs.reshape(-1), :, :]
    return gathered, weight[block.pairs], None if bias is None else bias[block.outputs]


def _like(x: Array, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Memory of `shape`, channels-last where `x` is."""
    if np.moveaxis(x, -3, -1).flags.c_contiguous and not x.flags.c_contiguous:
        *batch, channels, height, width = shape
        return np.moveaxis(np.empty((*batch, height, width, channels), dtype), -1, -3)
    return np.empty(shape, dtype)
