"""Everything that is neither convolution nor pooling, on the networks' dense layers and on the
largest and smallest arrays an activation sees there.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from operator import attrgetter
from typing import Any

import numpy as np
import pytest
from checks import Array, Check, arrays_of, exact_sum, integers, normal, within_sum, within_ulps
from contest import Contest
from layers import ACTIVATION_LAYERS, DENSE_LAYERS, LOGIT_LAYERS, ConvLayer, DenseLayer

import fastconv.functional as functional
from fastconv import nn, optim

# Keyword arguments of the functions of one array that keep its shape.
ELEMENTWISE: dict[str, dict[str, Any]] = {
    "relu": {}, "relu6": {}, "leaky_relu": {}, "sigmoid": {}, "tanh": {}, "silu": {},
    "hard_swish": {}, "dropout": {"p": 0.5},
}  # fmt: skip
SOFTMAX = ("softmax", "log_softmax")
ELSEWHERE = (  # in the other files of this folder
    *("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"),
    *("max_pool1d", "max_pool2d", "max_pool3d", "avg_pool1d", "avg_pool2d", "avg_pool3d"),
    *("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d"),
    *("adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d"),
    *("lp_pool1d", "lp_pool2d", "lp_pool3d", "max_unpool1d", "max_unpool2d", "max_unpool3d"),
    *("fold", "unfold"),
)
DROPOUTS = ("dropout1d", "dropout2d", "dropout3d")
BY_NAME = ("linear", "pad", "mse_loss", "cross_entropy", "batch_norm", "local_response_norm")

activations = pytest.mark.parametrize("layer", ACTIVATION_LAYERS, ids=attrgetter("name"))
dense = pytest.mark.parametrize("layer", DENSE_LAYERS, ids=attrgetter("name"))
maps = pytest.mark.parametrize(
    "layer",
    [layer for layer in ACTIVATION_LAYERS if isinstance(layer, ConvLayer)],
    ids=attrgetter("name"),
)
logits = pytest.mark.parametrize("layer", LOGIT_LAYERS, ids=attrgetter("name"))
directions = pytest.mark.parametrize("direction", ["forward", "backward"])


def test_every_function_has_a_benchmark() -> None:
    timed = {*ELEMENTWISE, *DROPOUTS, *SOFTMAX, *ELSEWHERE, *BY_NAME}
    assert {name.removesuffix("_backward") for name in functional.__all__} == timed


@lru_cache(maxsize=1)
def dense_operands(layer: DenseLayer) -> tuple[Array, Array, Array, Array]:
    """Input, weight, bias and the gradient of the output."""
    shapes = (
        (layer.batch, layer.in_features),
        (layer.out_features, layer.in_features),
        (layer.out_features,),
        layer.output_shape,
    )
    x, w, b, gy = (integers(seed, shape) for seed, shape in enumerate(shapes))
    return x, w, b, gy


@dense
def test_linear(contest: Contest, layer: DenseLayer) -> None:
    x, w, b, _ = dense_operands(layer)
    contest(
        layer.name,
        "linear",
        lambda library: library.linear(x, w, b),
        operands=(x, w, b),
        check=exact_sum(layer.longest_sum + 1),
        flop=layer.flop,
    )


@dense
def test_linear_backward(contest: Contest, layer: DenseLayer) -> None:
    x, w, b, gy = dense_operands(layer)
    contest(
        layer.name,
        "linear_backward",
        lambda library: library.linear_backward(gy, x, w, b),
        operands=(gy, x, w),
        check=exact_sum(layer.longest_sum),
        flop=2 * layer.flop,
    )


@directions
@pytest.mark.parametrize("name", ELEMENTWISE)
@activations
def test_elementwise(
    contest: Contest, layer: ConvLayer | DenseLayer, name: str, direction: str
) -> None:
    x, gy = 3 * normal(0, layer.output_shape), normal(1, layer.output_shape)
    options = dict(ELEMENTWISE[name])
    if name == "dropout":
        options["mask"] = x > 0
    _both_ways(contest, layer.name, name, direction, gy, (x,), options)


@directions
@pytest.mark.parametrize("name", DROPOUTS)
@maps
def test_channel_dropout(contest: Contest, layer: ConvLayer, name: str, direction: str) -> None:
    """Of maps as lines, planes and volumes."""
    n, c, h, w = layer.output_shape
    shape = {"dropout1d": (n, c, h * w), "dropout2d": (n, c, h, w), "dropout3d": (n, c, 1, h, w)}
    x, gy = normal(0, shape[name]), normal(1, shape[name])
    options = {"p": 0.5, "mask": normal(2, (n, c)) > 0}
    _both_ways(contest, layer.name, name, direction, gy, (x,), options)


@directions
@activations
def test_pad(contest: Contest, layer: ConvLayer | DenseLayer, direction: str) -> None:
    """By one zero at either end of the last two dimensions."""
    x = normal(0, layer.output_shape)
    *rest, height, width = x.shape
    gy = normal(1, (*rest, height + 2, width + 2))
    _both_ways(contest, layer.name, "pad", direction, gy, (x,), {"pad": (1, 1, 1, 1)})


@directions
@pytest.mark.parametrize("name", SOFTMAX)
@logits
def test_softmax(contest: Contest, layer: DenseLayer, name: str, direction: str) -> None:
    x, gy = normal(0, layer.output_shape), normal(1, layer.output_shape)
    _both_ways(contest, layer.name, name, direction, gy, (x,), {"dim": 1})


@directions
@logits
def test_cross_entropy(contest: Contest, layer: DenseLayer, direction: str) -> None:
    x = normal(0, layer.output_shape)
    classes = np.random.default_rng(1).integers(layer.out_features, size=layer.batch)
    gy = np.asarray(1, np.float32)
    _both_ways(contest, layer.name, "cross_entropy", direction, gy, (x, classes), {})


@directions
@logits
def test_mse_loss(contest: Contest, layer: DenseLayer, direction: str) -> None:
    x, target = normal(0, layer.output_shape), normal(1, layer.output_shape)
    gy = np.asarray(1, np.float32)
    _both_ways(contest, layer.name, "mse_loss", direction, gy, (x, target), {})


@directions
@maps
def test_batch_norm(contest: Contest, layer: ConvLayer, direction: str) -> None:
    """In training, after the layer's convolution."""
    x, gy = 3 * normal(0, layer.output_shape), normal(1, layer.output_shape)
    w, b = (normal(seed, (layer.out_channels,)) for seed in (2, 3))
    arrays = (x, None, None, w, b)
    check = within_ulps("batch_norm")
    if direction == "backward":
        check = _batch_norm_gradients(x, gy)
    _both_ways(contest, layer.name, "batch_norm", direction, gy, arrays, {"training": True}, check)


def _batch_norm_gradients(x: Array, gy: Array) -> Check:
    """Those of the parameters are sums over all of a channel: of grad_output times the normalised
    input, and of grad_output.
    """
    axes = (0, 2, 3)
    normalized = (x - x.mean(axes, keepdims=True)) / x.std(axes, keepdims=True)
    sums = [np.abs(gy * normalized).sum(axes), np.abs(gy).sum(axes)]
    checks = [within_sum(x.size // x.shape[1], magnitude) for magnitude in sums]

    def check(ours: Any, theirs: Any) -> None:
        (grad_input, *got), (expected_input, *expected) = arrays_of(ours), arrays_of(theirs)
        within_ulps("batch_norm_backward")(grad_input, expected_input)
        for within, *pair in zip(checks, got, expected):
            within(*pair)

    return check


@directions
@maps
def test_local_response_norm(contest: Contest, layer: ConvLayer, direction: str) -> None:
    """Over five channels, as in AlexNet."""
    x, gy = 3 * normal(0, layer.output_shape), normal(1, layer.output_shape)
    _both_ways(contest, layer.name, "local_response_norm", direction, gy, (x,), {"size": 5})


def stepper(rule: str, data: Array, grad: Array) -> Callable[[Any], Array]:
    """One more step of ours on a parameter, or of the formula on a copy of it."""
    ours, theirs = nn.Parameter(data.copy()), data.copy()
    ours.grad = grad
    kind: Any = optim.SGD if rule == "sgd" else optim.Adam
    optimizer = kind([ours], **({"momentum": 0.9} if rule == "sgd" else {}))
    state: dict[str, Any] = {}

    def step(library: Any) -> Array:
        if library is not functional:
            array: Array = getattr(library, f"{rule}_step")(theirs, grad, state)
            return array
        optimizer.step()
        return ours.data

    return step


@pytest.mark.parametrize("rule", ["sgd", "adam"])
@dense
def test_optimizer(contest: Contest, layer: DenseLayer, rule: str) -> None:
    """A step on the layer's weights, with momentum; the result is the difference it made."""
    shape = (layer.out_features, layer.in_features)
    data, grad = normal(0, shape), normal(1, shape)
    contest(
        layer.name, f"optimizer {rule}", stepper(rule, data, grad), operands=(data, grad, data),
        check=within_ulps("optimizer"),
    )  # fmt: skip


def _both_ways(
    contest: Contest,
    layer: str,
    name: str,
    direction: str,
    grad_output: Array,
    arrays: tuple[Array | None, ...],
    options: dict[str, Any],
    check: Check | None = None,
) -> None:
    """`name` on `arrays`, or its gradient; flop of these are not counted, bytes are."""
    if direction == "backward":
        function, arrays = f"{name}_backward", (grad_output, *arrays)
    else:
        function = name
    contest(
        layer,
        function,
        lambda library: getattr(library, function)(*arrays, **options),
        operands=tuple(array for array in arrays if array is not None),
        check=check or within_ulps(function),
    )
