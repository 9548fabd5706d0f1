"""Maximum and average pooling, both ways, on the pooling layers of each network."""

from __future__ import annotations

from functools import lru_cache
from operator import attrgetter

import numpy as np
import pytest
from checks import Array, equal, exact_sum, integers, normal, within_sum
from contest import Contest
from layers import POOL_LAYERS, PoolLayer

import fastconv.reference as reference

layers = pytest.mark.parametrize("layer", POOL_LAYERS, ids=attrgetter("name"))


@lru_cache(maxsize=1)
def operands(layer: PoolLayer) -> tuple[Array, Array]:
    """Input (without equal values to speak of) and the gradient of the output (integers, so
    that sums of it are exact).
    """
    return normal(0, layer.input_shape), integers(1, layer.output_shape)


@layers
def test_max_pool2d(contest: Contest, layer: PoolLayer) -> None:
    x, _ = operands(layer)
    contest(
        layer.name,
        "max_pool2d",
        lambda library: library.max_pool2d(x, layer.kernel, layer.stride),
        operands=(x,),
        check=equal,
        flop=layer.flop,
    )


@layers
def test_max_pool2d_with_indices(contest: Contest, layer: PoolLayer) -> None:
    x, _ = operands(layer)
    contest(
        layer.name,
        "max_pool2d with indices",
        lambda library: library.max_pool2d(x, layer.kernel, layer.stride, return_indices=True),
        operands=(x,),
        check=equal,
        flop=layer.flop,
    )


@layers
def test_max_pool2d_backward(contest: Contest, layer: PoolLayer) -> None:
    """With the indices kept from the forward, as the layer does it: an addition an output."""
    x, gy = operands(layer)
    _, indices = reference.max_pool2d(x, layer.kernel, layer.stride, return_indices=True)
    contest(
        layer.name,
        "max_pool2d_backward",
        lambda library: library.max_pool2d_backward(
            gy, x, layer.kernel, layer.stride, indices=indices
        ),
        operands=(gy, indices),
        check=exact_sum(layer.kernel**2),
        flop=layer.outputs,
    )


@layers
def test_avg_pool2d(contest: Contest, layer: PoolLayer) -> None:
    x, _ = operands(layer)
    contest(
        layer.name,
        "avg_pool2d",
        lambda library: library.avg_pool2d(x, layer.kernel, layer.stride),
        operands=(x,),
        check=within_sum(
            layer.kernel**2, reference.avg_pool2d(np.abs(x), layer.kernel, layer.stride)
        ),
        flop=layer.flop,
    )


@layers
def test_avg_pool2d_backward(contest: Contest, layer: PoolLayer) -> None:
    x, gy = operands(layer)
    contest(
        layer.name,
        "avg_pool2d_backward",
        lambda library: library.avg_pool2d_backward(gy, x, layer.kernel, layer.stride),
        operands=(gy,),
        check=within_sum(
            layer.kernel**2,
            reference.avg_pool2d_backward(np.abs(gy), x, layer.kernel, layer.stride),
        ),
        flop=layer.flop,
    )
