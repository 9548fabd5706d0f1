"""Fully connected layers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from .. import _core
from .. import functional as F
from ..functional._coerce import Array, as_array, as_int, float_arrays
from ..functional._convolution import ALGORITHMS, Activation, as_activation
from ..random import Rng, uniform
from .module import Module
from .parameter import Parameter

if TYPE_CHECKING:
    from ._graph import Graph


class Linear(Module):
    """input · weightᵀ + bias over the last dimension.

    Parameters
    ----------
    in_features, out_features : int
    bias : bool
    dtype : float32 or float64
    rng : numpy Generator or int, optional
        Where the initial values come from; by default what `fastconv.manual_seed` seeded.

    Attributes
    ----------
    weight : Parameter, shape (out_features, in_features)
    bias : Parameter, shape (out_features,), or None

    Both start uniform between ±1 / sqrt(in_features), as in torch.

    >>> import fastconv.nn as nn
    >>> nn.Linear(120, 84)
    Linear(in_features=120, out_features=84, bias=True)
    """

    bias: Parameter | None
    _folds = False  # channels are not features

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        dtype: npt.DTypeLike = np.float32,
        rng: Rng | None = None,
    ) -> None:
        self.in_features = as_int("Linear", "in_features", in_features)
        self.out_features = as_int("Linear", "out_features", out_features)
        for name in ("in_features", "out_features"):
            if getattr(self, name) < 1:
                raise ValueError(f"Linear: {name} is {getattr(self, name)} (wanted at least 1)")
        bound = 1 / math.sqrt(in_features)
        shape = (self.out_features, self.in_features)
        self.weight = Parameter(uniform(bound, shape, dtype, rng))
        self.bias = Parameter(uniform(bound, shape[:1], dtype, rng)) if bias else None

    def forward(self, input: Any) -> Array:
        """The product, shape (\\*, out_features)."""
        if self._frozen:
            if self._packed is None:
                self._packed = self._pack_with(None)
            product: Array = self._packed(as_array("Linear", "input", input))
            return product
        output = F.linear(input, self.weight, self.bias)
        self._keep(input)
        return output

    def _steps(self, graph: Graph, value: int) -> int:
        if type(self).forward is not Linear.forward:
            return super()._steps(graph, value)
        return graph.sums(self, value)

    def _pack_with(self, activation: Activation, affine: None = None) -> _FrozenLinear:
        """The layer on its weights of now, with an activation after it."""
        if self._weights is None:
            weight = self.weight.data[:, :, None]
            object.__setattr__(self, "_weights", _core.Weights("Linear", weight, 1))
        return _FrozenLinear(self, activation)

    def backward(self, grad_output: Any) -> Any:
        """The input's gradient; adds those of weight and bias."""
        return self._gradients(grad_output, needs_input=True)

    def _learn(self, grad_output: Any) -> None:
        if type(self).backward is Linear.backward:
            self._gradients(grad_output, needs_input=False)
        else:  # a subclass's
            self.backward(grad_output)

    def _gradients(self, grad_output: Any, needs_input: bool) -> Any:
        (input,) = self._kept()
        parameters = (self.weight, self.bias)
        wanted = tuple(p is not None and p.requires_grad for p in parameters)
        grad_input, *gradients = F.linear_backward(
            grad_output, input, self.weight, self.bias, needs=(needs_input, *wanted)
        )
        for parameter, gradient in zip(parameters, gradients, strict=True):
            if parameter is not None and gradient is not None:
                parameter.add_grad(gradient)
        return grad_input

    def extra_repr(self) -> str:
        """Torch's words for a linear layer."""
        bias = self.bias is not None
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={bias}"


class _FrozenLinear:
    """A linear layer on packed weights: a convolution whose pixels are the rows of its input."""

    def __init__(self, layer: Linear, activation: Activation) -> None:
        self._weight = layer.weight
        self._frozen = _core.FrozenConv(
            "Linear", layer._weights, None if layer.bias is None else layer.bias.data, 1, 0, 1,
            *as_activation("Linear", activation), ALGORITHMS["tiled"],
        )  # fmt: skip

    def __call__(
        self, input: Array, residual: Array | None = None, out: Array | None = None
    ) -> Array:
        x, w = float_arrays("Linear", input=input, weight=self._weight)
        if x.ndim < 1 or x.shape[-1] != w.shape[1]:
            return F.linear(x, w)  # which says what is wrong
        if out is None:
            out = np.empty((*x.shape[:-1], len(w)), x.dtype)
        if out.size:
            self._frozen(_pixels(x), None if residual is None else _pixels(residual), _pixels(out))
        return out

    def bind(self, input: Array, residual: Array | None, out: Array) -> _core.Bound:
        """The call on arrays that stay, whose leading axes are in one run of memory."""
        around = None if residual is None else _pixels(residual)
        return self._frozen.bind(_pixels(input), around, _pixels(out))


def _pixels(array: Array) -> Array:
    """(\\*, features) as (1, features, pixels)."""
    rows: Array = array.reshape(-1, array.shape[-1])
    pixels: Array = rows.T[None]
    return pixels


class Flatten(Module):
    """Join the dimensions from `start_dim` to `end_dim` (inclusive) into one.

    >>> import fastconv.nn as nn
    >>> import numpy as np
    >>> nn.Flatten()(np.zeros((8, 16, 5, 5))).shape
    (8, 400)
    """

    _settled: ClassVar[tuple[str, ...]] = ("start_dim", "end_dim")

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim = as_int("Flatten", "start_dim", start_dim)
        self.end_dim = as_int("Flatten", "end_dim", end_dim)

    def forward(self, input: Any) -> Array:
        """The same numbers, fewer dimensions."""
        x = as_array("Flatten", "input", input)
        start, end = (self._axis(name, x.ndim) for name in ("start_dim", "end_dim"))
        if start > end:
            raise ValueError(
                f"Flatten: start_dim is {self.start_dim}, end_dim is {self.end_dim}, input has "
                f"{x.ndim} dimensions (wanted start_dim before end_dim)"
            )
        joined = math.prod(x.shape[start : end + 1])
        flat: Array = x.reshape(*x.shape[:start], joined, *x.shape[end + 1 :])
        self._keep(x.shape)
        return flat

    def _steps(self, graph: Graph, value: int) -> int:
        if type(self).forward is not Flatten.forward:
            return super()._steps(graph, value)
        return graph.view(self, value)

    def backward(self, grad_output: Any) -> Array:
        """The gradient in the input's shape."""
        (shape,) = self._kept()
        g = as_array("Flatten", "grad_output", grad_output)
        if g.size != math.prod(shape):
            raise ValueError(f"Flatten: grad_output has shape {g.shape}, the input had {shape}")
        restored: Array = g.reshape(shape)
        return restored

    def _axis(self, name: str, ndim: int) -> int:
        dim, ndim = getattr(self, name), max(ndim, 1)
        if not -ndim <= dim < ndim:
            raise ValueError(
                f"Flatten: {name} is {dim}, input has {ndim} dimensions "
                f"(wanted {-ndim} to {ndim - 1})"
            )
        return int(dim % ndim)

    def extra_repr(self) -> str:
        """Torch's words for flattening."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"
