"""Layers of one dtype, and the distributions that their initial values come from."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from .. import nn
from ..random import Rng, as_generator

Array = npt.NDArray[Any]
Layer = nn.Conv2d | nn.Linear
Draw = Callable[[Layer, np.random.Generator], None]
Net = TypeVar("Net", bound=nn.Module)


class _Zeros(np.random.Generator):
    """Draws zeros: a network's values are drawn once, when it stands."""

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Any:
        return np.broadcast_to(np.float32(0), size)


class Maker:
    """Makes layers of one dtype; `drawn` gives a network of them its initial values."""

    def __init__(self, dtype: npt.DTypeLike, rng: Rng | None) -> None:
        self.dtype = dtype
        self.rng = None if rng is None else as_generator(rng)
        self._zeros = _Zeros(np.random.PCG64(0))

    def conv(self, *args: Any, **settings: Any) -> nn.Conv2d:
        """A convolution of zeros."""
        return nn.Conv2d(*args, **settings, dtype=self.dtype, rng=self._zeros)

    def linear(self, in_features: int, out_features: int) -> nn.Linear:
        """A linear layer of zeros."""
        return nn.Linear(in_features, out_features, dtype=self.dtype, rng=self._zeros)

    def norm(self, channels: int, eps: float = 1e-5) -> nn.BatchNorm2d:
        """A batch norm."""
        return nn.BatchNorm2d(channels, eps, dtype=self.dtype)

    def dropout(self, p: float) -> nn.Dropout:
        """Dropout, its masks from the generator that the values come from."""
        return nn.Dropout(p, rng=self.rng)

    def drawn(self, net: Net, conv: Draw, linear: Draw) -> Net:
        """`net`, the weights and biases of each of its layers drawn in their order."""
        rng = as_generator(self.rng)
        for module in net.modules():
            if isinstance(module, nn.Conv2d):
                conv(module, rng)
            elif isinstance(module, nn.Linear):
                linear(module, rng)
        return net


def check_variant(network: str, variant: str, *known: str) -> None:
    """Raises where `variant` is none of those that the network has."""
    if variant not in known:
        names = " or ".join(map(repr, known))
        raise ValueError(f"{network}: variant is {variant!r} (wanted {names})")


def uniform(layer: Layer, rng: np.random.Generator) -> None:
    """Weights and biases between ±1 / sqrt(fan in), as torch's layers start."""
    bound = 1 / math.sqrt(fan_in(layer))
    for parameter in (layer.weight, layer.bias):
        if parameter is not None:
            _fill_uniform(parameter.data, bound, rng)


def normal(std: float) -> Draw:
    """Weights of the normal distribution, biases 0."""

    def draw(layer: Layer, rng: np.random.Generator) -> None:
        _fill_normal(layer.weight.data, std, rng)

    return draw


def he_normal(layer: Layer, rng: np.random.Generator) -> None:
    """Weights of the normal distribution of variance 2 / fan in, biases 0 (He et al. 2015)."""
    _fill_normal(layer.weight.data, math.sqrt(2 / fan_in(layer)), rng)


def he_normal_out(layer: Layer, rng: np.random.Generator) -> None:
    """`he_normal` of the outputs that an input goes to, which keeps gradients' size."""
    outputs, _, *kernel = layer.weight.shape
    _fill_normal(layer.weight.data, math.sqrt(2 / (outputs * math.prod(kernel))), rng)


def he_uniform(layer: Layer, rng: np.random.Generator) -> None:
    """Weights of variance 2 / fan in between ± sqrt(6 / fan in), biases 0."""
    _fill_uniform(layer.weight.data, math.sqrt(6 / fan_in(layer)), rng)


def fan_in(layer: Layer) -> int:
    """How many numbers each output is a sum of."""
    return math.prod(layer.weight.shape[1:])


def _fill_uniform(array: Array, bound: float, rng: np.random.Generator) -> None:
    rng.random(out=array, dtype=array.dtype.type)
    array *= 2 * bound
    array -= bound


def _fill_normal(array: Array, std: float, rng: np.random.Generator) -> None:
    rng.standard_normal(out=array, dtype=array.dtype.type)
    array *= std
