"""Layers of LeNet-5 and of the textbooks: trainable subsampling, weighted means, distances."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import functional as F
from ..functional._coerce import Array, Ints, Padding, as_array, as_int, as_tuple, float_arrays
from ..functional._convolution import Activation, as_activation
from ..random import Rng, as_generator, uniform
from .activation import ScaledTanh, module_of
from .module import Module
from .parameter import Parameter


class ScaledAvgPool2d(Module):
    """Trainable subsampling: activation(weight · sum of the window + bias), a number of each a map.

    LeNet-5's S2 and S4 are ``ScaledAvgPool2d(6, 2, activation="scaled_tanh")`` and the same of 16
    maps (LeCun et al. 1998, "Gradient-based learning applied to document recognition", II.B).

    Parameters
    ----------
    channels : int
    kernel_size, stride : int or (height, width)
        `stride` is `kernel_size` if None: windows side by side.
    padding : int, (height, width), pairs of (before, after), or a name
        Zeros, as the convolutions pad.
    activation : str or ("leaky_relu", slope), optional
        As the convolutions take it, or "scaled_tanh", the paper's `ScaledTanh`.
    dtype : float32 or float64
    rng : numpy Generator or int, optional

    Attributes
    ----------
    weight, bias : Parameter, shape (channels,)
        Both start uniform between ±1 / sqrt(height · width), as a convolution's of one channel.

    >>> import fastconv.nn as nn
    >>> nn.ScaledAvgPool2d(6, 2, activation="scaled_tanh")
    ScaledAvgPool2d(6, kernel_size=(2, 2), stride=(2, 2), activation='scaled_tanh')
    """

    _settled = ("kernel_size", "stride", "padding", "activation")

    def __init__(
        self,
        channels: int,
        kernel_size: Ints,
        stride: Ints | None = None,
        padding: Padding = 0,
        *,
        activation: Activation = None,
        dtype: npt.DTypeLike = np.float32,
        rng: Rng | None = None,
    ) -> None:
        name = type(self).__name__
        self.channels = as_int(name, "channels", channels)
        self.kernel_size = as_tuple(name, "kernel_size", kernel_size, 2)
        self.stride = self.kernel_size if stride is None else as_tuple(name, "stride", stride, 2)
        self.padding = padding
        self.activation = activation
        _positive(name, channels=self.channels, kernel_size=self.kernel_size, stride=self.stride)
        self._squash()  # raises where the name is none
        bound = 1 / math.sqrt(math.prod(self.kernel_size))
        self.weight = Parameter(uniform(bound, (self.channels,), dtype, rng))
        self.bias = Parameter(uniform(bound, (self.channels,), dtype, rng))

    def _squash(self) -> Module | None:
        if self.activation == "scaled_tanh":
            return ScaledTanh()
        return module_of(*as_activation(type(self).__name__, self.activation))

    def _kernel(self) -> Array:
        """A map's kernel is its coefficient at every tap: the sum and its factor in one pass."""
        weight = self.weight.data.reshape(-1, 1, 1, 1)
        kernel: Array = np.broadcast_to(weight, (self.channels, 1, *self.kernel_size)).copy()
        return kernel

    def forward(self, input: Any) -> Any:
        """The subsampled maps."""
        x = as_array("ScaledAvgPool2d", "input", input)
        settings = (self.stride, self.padding, 1, self.channels)
        squash = self._squash()
        y = F.conv2d(x, self._kernel(), self.bias, *settings)
        if squash is None:
            self._keep(x, None)
            return y
        squash.train(self.training)
        output = squash(y)
        self._keep(x, squash)
        return output

    def backward(self, grad_output: Any) -> Array:
        """The input's gradient; adds those of weight and bias."""
        gradient = self._gradients(grad_output, needs_input=True)
        assert gradient is not None
        return gradient

    def _learn(self, grad_output: Any) -> None:
        self._gradients(grad_output, needs_input=False)

    def _gradients(self, grad_output: Any, needs_input: bool) -> Array | None:
        x, squash = self._kept()
        grad = grad_output if squash is None else squash.backward(grad_output)
        needs = (needs_input, self.weight.requires_grad, self.bias.requires_grad)
        grad_input, grad_kernel, grad_bias = F.conv2d_backward(
            grad, x, self._kernel(), self.bias, self.stride, self.padding, 1, self.channels,
            needs=needs,
        )  # fmt: skip
        if grad_kernel is not None:
            self.weight.add_grad(grad_kernel.sum((1, 2, 3)))
        if grad_bias is not None:
            self.bias.add_grad(grad_bias)
        return grad_input

    def extra_repr(self) -> str:
        """As torch's pooling layers have it."""
        parts = [f"{self.channels}, kernel_size={self.kernel_size}, stride={self.stride}"]
        if self.padding != 0:
            parts.append(f"padding={self.padding}")
        if self.activation is not None:
            parts.append(f"activation={self.activation!r}")
        return ", ".join(parts)


class GaussianPool2d(Module):
    """Mean of every window, weighted by the distance from its centre: exp(-d² / 2 σ²).

    A depthwise convolution with fixed weights, whose sum is 1; it takes any number of channels.

    Parameters
    ----------
    kernel_size, stride : int or (height, width)
        `stride` is `kernel_size` if None.
    padding : int, (height, width), pairs of (before, after), or a name
        Zeros, which count as the image does.
    sigma : float, optional
        In pixels; a quarter of the larger side of the window if None.

    >>> import fastconv.nn as nn
    >>> nn.GaussianPool2d(3, stride=2, sigma=1.0).weight.round(3)
    array([[0.075, 0.124, 0.075],
           [0.124, 0.204, 0.124],
           [0.075, 0.124, 0.075]])
    """

    _settled = ("kernel_size", "stride", "padding", "sigma")

    def __init__(
        self,
        kernel_size: Ints,
        stride: Ints | None = None,
        padding: Padding = 0,
        sigma: float | None = None,
    ) -> None:
        name = type(self).__name__
        self.kernel_size = as_tuple(name, "kernel_size", kernel_size, 2)
        self.stride = self.kernel_size if stride is None else as_tuple(name, "stride", stride, 2)
        self.padding = padding
        self.sigma = max(self.kernel_size) / 4 if sigma is None else float(sigma)
        _positive(name, kernel_size=self.kernel_size, stride=self.stride)
        if not 0 < self.sigma < math.inf:
            raise ValueError(f"{name}: sigma is {sigma!r} (wanted more than 0)")

    @property
    def weight(self) -> Array:
        """The window's weights, float64."""
        rows, columns = (np.arange(n) - (n - 1) / 2 for n in self.kernel_size)
        distance = rows[:, None] ** 2 + columns**2
        weights: Array = np.exp((distance.min() - distance) / (2 * self.sigma**2))
        weights /= weights.sum()
        return weights

    def _arguments(self, x: Array) -> tuple[Any, ...]:
        (x,) = float_arrays("GaussianPool2d", input=x)
        if x.ndim not in (3, 4):
            raise ValueError(f"GaussianPool2d: input has shape {x.shape} (wanted (N, C, H, W))")
        channels = x.shape[-3]
        kernel = np.broadcast_to(self.weight.astype(x.dtype), (channels, 1, *self.kernel_size))
        return x, kernel.copy(), None, self.stride, self.padding, 1, channels

    def forward(self, input: Any) -> Array:
        """The weighted means."""
        x = as_array("GaussianPool2d", "input", input)
        output = F.conv2d(*self._arguments(x))
        self._keep(x)
        return output

    def backward(self, grad_output: Any) -> Array:
        """The input's gradient."""
        (x,) = self._kept()
        arguments = self._arguments(x)
        gradient = F.conv2d_backward(grad_output, *arguments, needs=(True, False, False))[0]
        assert gradient is not None
        return gradient

    def extra_repr(self) -> str:
        """As torch's pooling layers have it."""
        size = f"kernel_size={self.kernel_size}, stride={self.stride}"
        return f"{size}, padding={self.padding}, sigma={self.sigma}"


class RBF(Module):
    """Euclidean radial basis function units: the squared distance to each unit's vector.

    ``y[..., j] = sum over i of (x[..., i] - weight[j, i])²``, LeNet-5's output layer (LeCun et al.
    1998, II.B): the smaller, the better the input fits the class.

    Parameters
    ----------
    in_features, out_features : int
    dtype : float32 or float64
    rng : numpy Generator or int, optional

    Attributes
    ----------
    weight : Parameter, shape (out_features, in_features)
        Starts as -1 or +1 with equal probability; the paper's are drawn by hand and kept
        (``rbf.weight.data[...] = bitmaps``, ``rbf.requires_grad_(False)``).

    >>> import fastconv.nn as nn
    >>> nn.RBF(84, 10)
    RBF(in_features=84, out_features=10)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        dtype: npt.DTypeLike = np.float32,
        rng: Rng | None = None,
    ) -> None:
        self.in_features = as_int("RBF", "in_features", in_features)
        self.out_features = as_int("RBF", "out_features", out_features)
        _positive("RBF", in_features=self.in_features, out_features=self.out_features)
        signs = as_generator(rng).integers(0, 2, (self.out_features, self.in_features))
        self.weight = Parameter((2 * signs - 1).astype(dtype))

    def forward(self, input: Any) -> Array:
        """The squared distances, shape (\\*, out_features).

        Of differences, not as x² - 2 x w + w², which loses the digits of a small distance.
        """
        x, w = float_arrays("RBF", input=input, weight=self.weight)
        if x.ndim < 1 or x.shape[-1] != self.in_features:
            raise ValueError(
                f"RBF: input has shape {x.shape} (wanted (*, {self.in_features}))"
            )  # fmt: skip
        output = np.empty((*x.shape[:-1], self.out_features), x.dtype)
        for unit, vector in enumerate(w):
            difference = x - vector
            np.einsum("...i,...i->...", difference, difference, out=output[..., unit])
        self._keep(x)
        return output

    def backward(self, grad_output: Any) -> Array:
        """2 sum over j of g[j] (x - w[j]); adds the weights' gradient, the other sign over x."""
        gradient = self._gradients(grad_output, needs_input=True)
        assert gradient is not None
        return gradient

    def _learn(self, grad_output: Any) -> None:
        self._gradients(grad_output, needs_input=False)

    def _gradients(self, grad_output: Any, needs_input: bool) -> Array | None:
        (kept,) = self._kept()
        x, w, grad = float_arrays("RBF", input=kept, weight=self.weight, grad_output=grad_output)
        wanted = (*x.shape[:-1], self.out_features)
        if grad.shape != wanted:
            raise ValueError(f"RBF: grad_output has shape {grad.shape} (wanted {wanted})")
        rows, g = x.reshape(-1, self.in_features), grad.reshape(-1, self.out_features)
        if self.weight.requires_grad:
            self.weight.add_grad(2 * (g.sum(0)[:, None] * w - g.T @ rows))
        if not needs_input:
            return None
        gradient: Array = 2 * (g.sum(1)[:, None] * rows - g @ w)
        return gradient.reshape(x.shape)

    def extra_repr(self) -> str:
        """As torch has a linear layer."""
        return f"in_features={self.in_features}, out_features={self.out_features}"


def _positive(function: str, **named: int | tuple[int, ...]) -> None:
    for name, values in named.items():
        if np.min(values) < 1:
            raise ValueError(f"{function}: {name} is {values} (wanted at least 1)")
