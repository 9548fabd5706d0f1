"""What convolution layers of one to three dimensions share."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from .. import _core
from .. import functional as F
from ..functional._coerce import Array, Ints, Padding, as_array, as_int, as_padding, as_tuple
from ..functional._convolution import Activation, as_activation
from ..random import Rng, uniform
from .module import Module
from .parameter import Parameter

if TYPE_CHECKING:
    from ._graph import Graph

Affine = tuple[Array, Array] | None


class _ConvNd(Module):
    """Weights, their initial values and padding modes; a subclass says how many dimensions."""

    dims: ClassVar[int]
    _folds = True  # `_pack_with` takes an affine map
    padding_modes: ClassVar[tuple[str, ...]] = ("zeros", "reflect", "replicate", "circular")
    padding_names: ClassVar[tuple[str, ...]] = ("valid", "same", "same_lower", "full")
    bias: Parameter | None
    output_padding: tuple[int, ...] = ()  # of the transposed ones
    _settled: ClassVar[tuple[str, ...]] = (
        "stride",
        "padding",
        "dilation",
        "groups",
        "padding_mode",
    )

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Ints,
        stride: Ints = 1,
        padding: Padding = 0,
        dilation: Ints = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        *,
        dtype: npt.DTypeLike = np.float32,
        rng: Rng | None = None,
    ) -> None:
        name, dims = type(self).__name__, self.dims
        self.in_channels = as_int(name, "in_channels", in_channels)
        self.out_channels = as_int(name, "out_channels", out_channels)
        self.kernel_size = as_tuple(name, "kernel_size", kernel_size, dims)
        self.stride = as_tuple(name, "stride", stride, dims)
        self.padding = self._as_padding(name, padding)
        self.dilation = as_tuple(name, "dilation", dilation, dims)
        self.groups = as_int(name, "groups", groups)
        self.padding_mode = padding_mode
        self._check(name)
        shape = (*self._weight_channels(), *self.kernel_size)
        bound = 1 / math.sqrt(math.prod(shape[1:]))
        self.weight = Parameter(uniform(bound, shape, dtype, rng))
        self.bias = Parameter(uniform(bound, (self.out_channels,), dtype, rng)) if bias else None

    def _weight_channels(self) -> tuple[int, int]:
        return self.out_channels, self.in_channels // self.groups

    def __call__(self, input: Any) -> Array:
        packed = self._packed
        if packed is None:
            if not (self._frozen and self._packed_forward):
                return self.forward(input)
            function: Any = self._pack_with(None, None)
            packed = self._packed = function.__call__  # bound, 0.1 us less a call
        output: Array = packed(
            input if type(input) is np.ndarray else as_array(type(self).__name__, "input", input)
        )
        return output

    def forward(self, input: Any) -> Array:
        """The convolution of `input`, shape (N, C, \\*spatial) or (C, \\*spatial)."""
        padded, padding = self._padded(input)
        output = self._convolve(padded, padding)
        self._keep(input, padded)
        return output

    def _convolve(self, padded: Any, padding: Any) -> Array:
        convolve = getattr(F, f"conv{self.dims}d")
        output: Array = convolve(
            padded, self.weight, self.bias, self.stride, padding, self.dilation, self.groups
        )
        return output

    def _differentiate(
        self, grad_output: Any, padded: Any, padding: Any, needs: tuple[bool, ...]
    ) -> tuple[Array | None, ...]:
        backward = getattr(F, f"conv{self.dims}d_backward")
        gradients: tuple[Array | None, ...] = backward(
            *(grad_output, padded, self.weight, self.bias),
            *(self.stride, padding, self.dilation, self.groups),
            needs=needs,
        )
        return gradients

    @property
    def _packed_forward(self) -> bool:
        """Whether calling the layer is its own forward, and no subclass's."""
        return type(self).forward is _ConvNd.forward and type(self).__call__ is _ConvNd.__call__

    def _steps(self, graph: Graph, value: int) -> int:
        if not self._packed_forward:
            return super()._steps(graph, value)
        return graph.sums(self, value)

    def _pack_with(self, activation: Activation, affine: Affine) -> Callable[..., Array]:
        """The layer on its weights of now, with an affine map and an activation after it."""
        name, zeros = type(self).__name__, self.padding_mode == "zeros"
        weights, bias = self._pack_weights(affine)
        frozen = _core.FrozenConv(
            name, weights, bias, self.stride, self.padding if zeros else 0, self.dilation,
            *as_activation(name, activation),
        )  # fmt: skip
        if zeros:
            return frozen
        return lambda input, **arrays: frozen(self._padded(input)[0], **arrays)

    def _pack_weights(self, affine: Affine) -> tuple[_core.Weights, Array | None]:
        """Packed weights and the bias. One layer's are shared by all that use it as it is."""
        name, weight = type(self).__name__, self.weight.data
        bias = None if self.bias is None else self.bias.data
        if affine is None:
            if self._weights is None:
                object.__setattr__(self, "_weights", _core.Weights(name, weight, self.groups))
            return self._weights, bias
        scale, shift = (values.astype(np.float64) for values in affine)
        folded = (weight * self._along_outputs(scale)).astype(weight.dtype)
        sums = shift if bias is None else bias * scale + shift
        return _core.Weights(name, folded, self.groups), sums.astype(weight.dtype)

    def _along_outputs(self, scale: Array) -> Array:
        """A number for each output channel, to multiply the weights with."""
        return scale.reshape(-1, *(1,) * (self.dims + 1))

    def backward(self, grad_output: Any) -> Array:
        """The input's gradient; adds those of weight and bias."""
        gradient = self._gradients(grad_output, needs_input=True)
        assert gradient is not None
        return gradient

    def _learn(self, grad_output: Any) -> None:
        if type(self).backward is _ConvNd.backward:
            self._gradients(grad_output, needs_input=False)
        else:  # a subclass's
            self.backward(grad_output)

    def _gradients(self, grad_output: Any, needs_input: bool) -> Array | None:
        input, padded = self._kept()
        parameters = (self.weight, self.bias)
        wanted = tuple(p is not None and p.requires_grad for p in parameters)
        padding = self.padding if self.padding_mode == "zeros" else 0
        grad_input, *gradients = self._differentiate(
            grad_output, padded, padding, (needs_input, *wanted)
        )
        for parameter, gradient in zip(parameters, gradients, strict=True):
            if parameter is not None and gradient is not None:
                parameter.add_grad(gradient)
        if self.padding_mode == "zeros" or grad_input is None:
            return grad_input
        return F.pad_backward(grad_input, input, self._amounts(input), self.padding_mode)

    def _padded(self, input: Any) -> tuple[Any, Any]:
        """The input, padded here unless with zeros, and the padding left to the convolution."""
        if self.padding_mode == "zeros":
            return input, self.padding
        return F.pad(input, self._amounts(input), self.padding_mode), 0

    def _amounts(self, input: Any) -> tuple[int, ...]:
        """What `F.pad` takes: (before, after) of the last dimension first."""
        sizes = as_array(type(self).__name__, "input", input).shape[-self.dims :]
        if len(sizes) < self.dims:
            raise ValueError(
                f"{type(self).__name__}: input has shape {sizes} "
                f"(wanted {self.dims + 1} or {self.dims + 2} dimensions)"
            )
        pairs = [self._pair(axis, size) for axis, size in enumerate(sizes)]
        return tuple(amount for pair in reversed(pairs) for amount in pair)

    def _pair(self, axis: int, size: int) -> tuple[int, int]:
        padding, stride = self.padding, self.stride[axis]
        reach = self.dilation[axis] * (self.kernel_size[axis] - 1)
        if not isinstance(padding, str):
            entry = padding[axis]
            return entry if isinstance(entry, tuple) else (entry, entry)
        if padding == "valid":
            return 0, 0
        if padding == "full":
            return reach, reach
        total = max((-(-size // stride) - 1) * stride + reach + 1 - size, 0)
        less, more = total // 2, total - total // 2
        return (less, more) if padding == "same" else (more, less)

    def _check(self, name: str) -> None:
        numbers: dict[str, tuple[int, ...]] = {
            "in_channels": (self.in_channels,),
            "out_channels": (self.out_channels,),
            "kernel_size": self.kernel_size,
            "stride": self.stride,
            "dilation": self.dilation,
            "groups": (self.groups,),
        }
        for argument, values in numbers.items():
            if min(values) < 1:
                got = values if len(values) > 1 else values[0]
                raise ValueError(f"{name}: {argument} is {got} (wanted at least 1)")
        for argument in ("in_channels", "out_channels"):
            if getattr(self, argument) % self.groups:
                raise ValueError(
                    f"{name}: {argument} is {getattr(self, argument)}, groups is {self.groups} "
                    f"(wanted a multiple of groups)"
                )
        if self.padding_mode not in self.padding_modes:
            modes = ", ".join(map(repr, self.padding_modes))
            raise ValueError(f"{name}: padding_mode is {self.padding_mode!r} (wanted {modes})")

    def _as_padding(self, name: str, padding: Padding) -> str | tuple[Any, ...]:
        """A name, or one int a dimension, or one (before, after) pair a dimension."""
        if isinstance(padding, str):
            if padding not in self.padding_names:
                names = ", ".join(self.padding_names)
                raise ValueError(
                    f"{name}: padding is {padding!r} (wanted numbers or one of {names})"
                )
            return padding
        pairs = as_padding(name, padding, self.dims)
        assert not isinstance(pairs, str)
        if any(amount < 0 for pair in pairs for amount in pair):
            raise ValueError(f"{name}: padding is {padding} (wanted 0 or more)")
        return tuple(pair[0] for pair in pairs) if all(a == b for a, b in pairs) else pairs

    def extra_repr(self) -> str:
        """Torch's words for a convolution."""
        parts = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}"]
        parts.append(f"stride={self.stride}")
        if self.padding != (0,) * self.dims:
            parts.append(f"padding={self.padding}")
        if self.dilation != (1,) * self.dims:
            parts.append(f"dilation={self.dilation}")
        if any(self.output_padding):
            parts.append(f"output_padding={self.output_padding}")
        if self.groups != 1:
            parts.append(f"groups={self.groups}")
        if self.bias is None:
            parts.append("bias=False")
        if self.padding_mode != "zeros":
            parts.append(f"padding_mode={self.padding_mode}")
        return ", ".join(parts)
