"""Activation layers.

`inplace` is taken for torch's sake and shown in the repr; the result is a new array either way.
"""

from __future__ import annotations

from typing import Any

from .. import functional as F
from ..functional._coerce import Array, float_arrays
from ..functional._convolution import Activation
from ..functional.activation import ACTIVATIONS
from .module import Module, UnaryModule


def activation_of(module: Module) -> Activation:
    """What a convolution calls the activation that `module` is; None for any other module."""
    if not isinstance(module, UnaryModule) or type(module).forward is not UnaryModule.forward:
        return None
    if module.function not in ACTIVATIONS:
        return None
    if module.function == "leaky_relu":
        return "leaky_relu", module._settings()["negative_slope"]
    return module.function


def module_of(number: int, slope: float) -> Module | None:
    """The module of an activation by the core's number; the other way round."""
    name = next((name for name, own in ACTIVATIONS.items() if own == number), None)
    kinds: tuple[type[UnaryModule], ...] = (ReLU, ReLU6, Sigmoid, Tanh, SiLU, Hardswish)
    if name == "leaky_relu":
        return LeakyReLU(slope)
    return next((kind() for kind in kinds if kind.function == name), None)


class _Inplace(UnaryModule):
    def __init__(self, inplace: bool = False) -> None:
        self.inplace = inplace

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


class ReLU(_Inplace):
    """max(x, 0)."""

    function = "relu"


class ReLU6(_Inplace):
    """min(max(x, 0), 6)."""

    function = "relu6"


class SiLU(_Inplace):
    """x sigmoid(x)."""

    function = "silu"


class Hardswish(_Inplace):
    """x min(max(x + 3, 0), 6) / 6."""

    function = "hard_swish"

    def extra_repr(self) -> str:
        """Nothing, as in torch."""
        return ""


class LeakyReLU(_Inplace):
    """x where x > 0, else negative_slope * x.

    >>> import fastconv.nn as nn
    >>> nn.LeakyReLU(0.2)
    LeakyReLU(negative_slope=0.2)
    """

    function = "leaky_relu"
    settings = ("negative_slope",)

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.negative_slope = negative_slope

    def extra_repr(self) -> str:
        """Torch's words for a leaky ReLU."""
        return f"negative_slope={self.negative_slope}{', inplace=True' if self.inplace else ''}"


class Sigmoid(UnaryModule):
    """1 / (1 + exp(-x))."""

    function = "sigmoid"
    keeps_output = True


class Tanh(UnaryModule):
    """Hyperbolic tangent."""

    function = "tanh"
    keeps_output = True


class ScaledTanh(Module):
    """1.7159 tanh(2 x / 3), LeNet-5's squashing function.

    It is ±1 at ±1, where its second derivative is largest (LeCun et al. 1998, "Gradient-based
    learning applied to document recognition", appendix A).

    >>> import fastconv.nn as nn
    >>> import numpy as np
    >>> nn.ScaledTanh()(np.array([0.0, 1.0])).round(3)
    array([0., 1.])
    """

    amplitude, slope = 1.7159, 2 / 3

    def forward(self, input: Any) -> Array:
        """The squashed `input`."""
        (x,) = float_arrays("ScaledTanh", input=input)
        squashed = F.tanh(x * x.dtype.type(self.slope))
        self._keep(squashed)
        output: Array = squashed * x.dtype.type(self.amplitude)
        return output

    def backward(self, grad_output: Any) -> Array:
        """The input's gradient."""
        (squashed,) = self._kept()
        gradient = F.tanh_backward(grad_output, squashed, output=squashed)
        gradient *= gradient.dtype.type(self.amplitude * self.slope)
        return gradient


class Softmax(UnaryModule):
    """exp(x) / sum of exp(x) along `dim`."""

    function = "softmax"
    settings = ("dim",)
    keeps_output = True

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def extra_repr(self) -> str:
        """Torch's words for a softmax."""
        return f"dim={self.dim}"


class LogSoftmax(Softmax):
    """x - log(sum of exp(x)) along `dim`."""

    function = "log_softmax"
