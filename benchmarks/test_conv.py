"""Convolution and its three gradients. On small integers every sum is exact, in any order."""

from __future__ import annotations

from functools import lru_cache
from operator import attrgetter
from typing import Any

import pytest
from checks import Array, exact_sum, integers
from contest import Contest
from layers import CONV_LAYERS, ConvLayer

import fastconv.functional as F

ALGORITHMS = ("auto", "direct", "im2col", "tiled")
GRADIENTS = ("input", "weight", "bias")

layers = pytest.mark.parametrize("layer", CONV_LAYERS, ids=attrgetter("name"))


@lru_cache(maxsize=1)
def operands(layer: ConvLayer) -> tuple[Array, Array, Array, Array]:
    """Input, weight, bias and the gradient of the output."""
    shapes = (layer.input_shape, layer.weight_shape, (layer.out_channels,), layer.output_shape)
    x, w, b, gy = (integers(seed, shape) for seed, shape in enumerate(shapes))
    return x, w, b, gy


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@layers
def test_conv2d(contest: Contest, layer: ConvLayer, algorithm: str) -> None:
    x, w, b, _ = operands(layer)
    how = (layer.stride, layer.padding, layer.dilation, layer.groups)

    def call(library: Any) -> Array:
        if library is not F:  # the reference has one algorithm
            return library.conv2d(x, w, b, *how)
        return F.conv2d(x, w, b, *how, algorithm=algorithm)

    contest(
        layer.name,
        f"conv2d {algorithm}",
        call,
        operands=(x, w, b),
        check=exact_sum(layer.longest_sum + 1),
        flop=layer.flop,
    )


@pytest.mark.parametrize("gradient", GRADIENTS)
@layers
def test_conv2d_backward(contest: Contest, layer: ConvLayer, gradient: str) -> None:
    x, w, b, gy = operands(layer)
    how = (layer.stride, layer.padding, layer.dilation, layer.groups)
    needs = tuple(gradient == name for name in GRADIENTS)
    read = {"input": (gy, w), "weight": (gy, x), "bias": (gy,)}
    contest(
        layer.name,
        f"conv2d_backward {gradient}",
        lambda library: library.conv2d_backward(gy, x, w, b, *how, needs=needs),
        operands=read[gradient],
        check=exact_sum(layer.longest_sum),
        flop=layer.outputs if gradient == "bias" else layer.flop,
    )
