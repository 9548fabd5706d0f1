"""Convolution layers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ..functional._coerce import Array, Ints, Padding, as_array
from ..random import Rng, as_generator, uniform
from . import connected
from ._conv import _ConvNd
from .connected import as_table
from .parameter import Parameter


class Conv1d(_ConvNd):
    """Convolution of signals with learned weights, (out_channels, in_channels / groups, length).

    Arguments and attributes as `Conv2d` has them, over one axis.

    >>> import fastconv.nn as nn
    >>> nn.Conv1d(16, 33, 3, stride=2)
    Conv1d(16, 33, kernel_size=(3,), stride=(2,))
    """

    dims = 1


class Conv2d(_ConvNd):
    """Convolution of images with learned weights.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size, stride, dilation : int or (height, width)
    padding : int, (height, width), pairs of (before, after), or a name
        "valid", "same", "same_lower" or "full".
    groups : int
        The channels are split into so many independent convolutions.
    bias : bool
    padding_mode : str
        "zeros", "reflect", "replicate" or "circular".
    connections : array of bools, shape (out_channels, in_channels), optional
        Which output map reads which input maps (LeCun et al. 1998, table I). Only their kernels
        are held and computed, and with a table `groups` is 1.
    dtype : float32 or float64
    rng : numpy Generator or int, optional
        Where the initial values come from; by default what `fastconv.manual_seed` seeded.

    Attributes
    ----------
    weight : Parameter, shape (out_channels, in_channels / groups, height, width)
        With a table (connected pairs, height, width), in the table's order, row by row;
        `dense_weight()` has torch's shape.
    bias : Parameter, shape (out_channels,), or None

    Both start uniform between ±1 / sqrt(in_channels / groups · height · width), as in torch; with a
    table each map counts the channels that it reads.

    >>> import fastconv.nn as nn
    >>> nn.Conv2d(1, 6, 5, padding=2)
    Conv2d(1, 6, kernel_size=(5, 5), stride=(1, 1), padding=(2, 2))
    """

    dims = 2
    connections: Array | None = None
    _blocks: tuple[connected.Block, ...] = ()
    _settled = (*_ConvNd._settled, "connections")

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
        connections: Any = None,
        dtype: npt.DTypeLike = np.float32,
        rng: Rng | None = None,
    ) -> None:
        if connections is not None:
            rng = as_generator(rng)
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias,
            padding_mode, dtype=dtype, rng=rng,
        )  # fmt: skip
        if connections is None:
            return
        name = type(self).__name__
        if self.groups != 1:
            raise ValueError(f"{name}: groups is {self.groups} (wanted 1 with connections)")
        table = as_table(name, connections, (self.out_channels, self.in_channels))
        counts = table.sum(1)
        bounds = 1 / np.sqrt(counts * math.prod(self.kernel_size))
        kernels = uniform(1, (int(counts.sum()), *self.kernel_size), np.float64, rng)
        kernels *= np.repeat(bounds, counts)[:, None, None]
        self.connections = table
        self._blocks = tuple(connected.blocks(table))
        self.weight = Parameter(kernels.astype(dtype))
        if bias:
            values = bounds * uniform(1, (self.out_channels,), np.float64, rng)
            self.bias = Parameter(values.astype(dtype))

    def dense_weight(self) -> Array:
        """The weights in torch's shape; zeros where a table connects nothing."""
        if self.connections is None:
            return np.array(self.weight.data)
        return connected.dense(self.connections, self.weight.data)

    @property
    def _packed_forward(self) -> bool:
        return self.connections is None and super()._packed_forward

    def _convolve(self, padded: Any, padding: Any) -> Array:
        if self.connections is None:
            return super()._convolve(padded, padding)
        arrays, settings = self._connected(padded, padding)
        return connected.forward(self.connections, self._blocks, *arrays, settings)

    def _differentiate(
        self, grad_output: Any, padded: Any, padding: Any, needs: tuple[bool, ...]
    ) -> tuple[Array | None, ...]:
        if self.connections is None:
            return super()._differentiate(grad_output, padded, padding, needs)
        arrays, settings = self._connected(padded, padding)
        grad = as_array("Conv2d", "grad_output", grad_output)
        if grad.ndim != arrays[0].ndim or grad.shape[-3] != self.out_channels:
            raise ValueError(
                f"Conv2d: grad_output has shape {grad.shape} "
                f"(wanted {arrays[0].ndim} dimensions and {self.out_channels} channels)"
            )
        return connected.backward(self.connections, self._blocks, grad, *arrays, settings, needs)

    def _connected(self, padded: Any, padding: Any) -> tuple[tuple[Any, Any, Any], Any]:
        x = as_array("Conv2d", "input", padded)
        if x.ndim not in (3, 4) or x.shape[-3] != self.in_channels:
            raise ValueError(
                f"Conv2d: input has shape {x.shape} "
                f"(wanted (N, {self.in_channels}, H, W) or ({self.in_channels}, H, W))"
            )
        bias = None if self.bias is None else self.bias.data
        settings = {"stride": self.stride, "padding": padding, "dilation": self.dilation}
        return (x, self.weight.data, bias), settings

    def extra_repr(self) -> str:
        """Torch's words for a convolution, and how many pairs of maps are connected."""
        words = super().extra_repr()
        if self.connections is None:
            return words
        return f"{words}, connections={self.connections.sum()} of {self.connections.size}"


class Conv3d(_ConvNd):
    """Convolution of volumes with learned weights.

    Arguments and attributes as `Conv2d` has them, over three axes; the weights' shape is
    (out_channels, in_channels / groups, depth, height, width).

    >>> import fastconv.nn as nn
    >>> nn.Conv3d(16, 33, (3, 5, 2), padding=(4, 2, 0))
    Conv3d(16, 33, kernel_size=(3, 5, 2), stride=(1, 1, 1), padding=(4, 2, 0))
    """

    dims = 3
