"""Transposed convolution layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _core
from .. import functional as F
from ..functional import _transposed
from ..functional._coerce import Array, Ints, Padding, as_tuple
from ..functional._convolution import Activation
from ..random import Rng
from ._conv import Affine, _ConvNd


class _ConvTransposeNd(_ConvNd):
    """The same settings as a convolution's, in torch's other order, and other weights."""

    padding_modes = ("zeros",)
    padding_names = ("valid", "same", "same_lower")
    _settled = (*_ConvNd._settled, "output_padding")

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Ints,
        stride: Ints = 1,
        padding: Padding = 0,
        output_padding: Ints = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Ints = 1,
        padding_mode: str = "zeros",
        *,
        dtype: npt.DTypeLike = np.float32,
        rng: Rng | None = None,
    ) -> None:
        name = type(self).__name__
        self.output_padding = as_tuple(name, "output_padding", output_padding, self.dims)
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias,
            padding_mode, dtype=dtype, rng=rng,
        )  # fmt: skip

    def _weight_channels(self) -> tuple[int, int]:
        return self.in_channels, self.out_channels // self.groups

    def __call__(self, input: Any, output_size: Ints | None = None) -> Array:
        run = self._packed
        if run is None and self._frozen and self._packed_forward:
            run = self._packed = self._pack_with(None, None)
        output: Array = (run or self.forward)(input, output_size)
        return output

    def forward(self, input: Any, output_size: Ints | None = None) -> Array:
        """The transposed convolution of `input`; its size is `output_size` where that is given."""
        output = self._run(input, output_size, self.bias, None, None)
        self._keep(input, output_size)
        return output

    def _gradients(self, grad_output: Any, needs_input: bool) -> Array | None:
        input, output_size = self._kept()
        parameters = (self.weight, self.bias)
        wanted = tuple(p is not None and p.requires_grad for p in parameters)
        backward = getattr(F, f"conv_transpose{self.dims}d_backward")
        grad_input: Array | None
        grad_input, *gradients = backward(
            *(grad_output, input, self.weight, self.bias, self.stride, self.padding),
            *(self.output_padding, self.groups, self.dilation),
            output_size=output_size,
            needs=(needs_input, *wanted),
        )
        for parameter, gradient in zip(parameters, gradients, strict=True):
            if parameter is not None and gradient is not None:
                parameter.add_grad(gradient)
        return grad_input

    @property
    def _packed_forward(self) -> bool:
        kind = type(self)
        own = _ConvTransposeNd
        return kind.forward is own.forward and kind.__call__ is own.__call__

    def _pack_with(self, activation: Activation, affine: Affine) -> Callable[..., Array]:
        weights, bias = self._pack_weights(affine)
        return lambda input, size=None, residual=None, out=None: self._run(
            input, size, bias, activation, weights, residual, out
        )

    def _along_outputs(self, scale: Array) -> Array:
        """The groups' output channels, for the input channels of each."""
        by_group = np.repeat(scale.reshape(self.groups, -1), self.in_channels // self.groups, 0)
        return by_group.reshape(*by_group.shape, *(1,) * self.dims)

    def _run(
        self,
        input: Any,
        output_size: Ints | None,
        bias: Any,
        activation: Activation,
        weights: _core.Weights | None,
        residual: Array | None = None,
        out: Array | None = None,
    ) -> Array:
        return _transposed.forward(
            type(self).__name__, self.dims, input, self.weight, bias, self.stride, self.padding,
            self.output_padding, self.groups, self.dilation, output_size, activation, residual,
            "auto", "NCHW", out, weights,
        )  # fmt: skip


class ConvTranspose1d(_ConvTransposeNd):
    """Transposed convolution of signals with learned weights.

    Arguments and attributes as `ConvTranspose2d` has them, over one axis.

    >>> import fastconv.nn as nn
    >>> nn.ConvTranspose1d(16, 8, 4, 2, 1)
    ConvTranspose1d(16, 8, kernel_size=(4,), stride=(2,), padding=(1,))
    """

    dims = 1


class ConvTranspose2d(_ConvTransposeNd):
    """Transposed convolution of images with learned weights; it enlarges by its stride.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size, stride, dilation : int or (height, width)
    padding : int, (height, width), pairs of (before, after), or a name
        What is cut off the output. "same" makes it input * stride; "same_lower", "valid".
    output_padding : int or (height, width)
        Elements more after the output, fewer than stride or dilation.
    groups : int
        The channels are split into so many independent convolutions.
    bias : bool
    padding_mode : "zeros"
    dtype : float32 or float64
    rng : numpy Generator or int, optional
        Where the initial values come from; by default what `fastconv.manual_seed` seeded.

    Attributes
    ----------
    weight : Parameter, shape (in_channels, out_channels / groups, height, width)
    bias : Parameter, shape (out_channels,), or None

    Both start uniform between ±1 / sqrt(out_channels / groups · height · width), as in torch.
    Calling the layer takes the wanted `output_size` after the input, in place of
    `output_padding`.

    >>> import fastconv.nn as nn
    >>> nn.ConvTranspose2d(16, 8, 2, stride=2)
    ConvTranspose2d(16, 8, kernel_size=(2, 2), stride=(2, 2))
    """

    dims = 2


class ConvTranspose3d(_ConvTransposeNd):
    """Transposed convolution of volumes with learned weights.

    Arguments and attributes as `ConvTranspose2d` has them, over three axes.

    >>> import fastconv.nn as nn
    >>> nn.ConvTranspose3d(16, 8, 3, padding=1)
    ConvTranspose3d(16, 8, kernel_size=(3, 3, 3), stride=(1, 1, 1), padding=(1, 1, 1))
    """

    dims = 3
