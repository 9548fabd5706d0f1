"""Adaptive pooling layers: the output's size is given, not the windows'."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import functional as F
from ..functional._coerce import Array
from ..functional._pooling import OutputSize
from .module import Module, UnaryModule

if TYPE_CHECKING:
    from ._graph import Graph


class AdaptiveAvgPool2d(UnaryModule):
    """The means of so many windows, which cover the input evenly.

    Parameters
    ----------
    output_size : int or (height, width)
        How many windows; None keeps the input's size. 1 is global average pooling.

    >>> import fastconv.nn as nn
    >>> nn.AdaptiveAvgPool2d((None, 7))
    AdaptiveAvgPool2d(output_size=(None, 7))
    """

    function = "adaptive_avg_pool2d"
    settings = ("output_size",)

    def __init__(self, output_size: OutputSize) -> None:
        self.output_size = output_size

    def extra_repr(self) -> str:
        """Torch's words for adaptive pooling."""
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(AdaptiveAvgPool2d):
    """The means of so many windows of (N, C, L) or (C, L); see `AdaptiveAvgPool2d`.

    >>> import fastconv.nn as nn
    >>> nn.AdaptiveAvgPool1d(5)
    AdaptiveAvgPool1d(output_size=5)
    """

    function = "adaptive_avg_pool1d"


class AdaptiveAvgPool3d(AdaptiveAvgPool2d):
    """The means of so many windows of (N, C, D, H, W) or (C, D, H, W); see `AdaptiveAvgPool2d`.

    >>> import fastconv.nn as nn
    >>> nn.AdaptiveAvgPool3d(1)
    AdaptiveAvgPool3d(output_size=1)
    """

    function = "adaptive_avg_pool3d"


class AdaptiveMaxPool2d(UnaryModule):
    """The maxima of so many windows, which cover the input evenly.

    Parameters
    ----------
    output_size : int or (height, width)
        How many windows; None keeps the input's size.
    return_indices : bool
        Return the flat index of each maximum in its plane too.

    >>> import fastconv.nn as nn
    >>> nn.AdaptiveMaxPool2d(7)
    AdaptiveMaxPool2d(output_size=7)
    """

    function = "adaptive_max_pool2d"
    settings = ("output_size",)

    def __init__(self, output_size: OutputSize, return_indices: bool = False) -> None:
        self.output_size = output_size
        self.return_indices = return_indices

    def forward(self, input: Any) -> Any:
        """The maxima, or (maxima, indices)."""
        pool = getattr(F, self.function)
        if not (self.training or self.return_indices):
            return pool(input, self.output_size)
        output, indices = pool(input, self.output_size, return_indices=True)
        self._keep(input, indices)
        return (output, indices) if self.return_indices else output

    def _steps(self, graph: Graph, value: int) -> int:
        if self.return_indices or type(self).forward is not AdaptiveMaxPool2d.forward:
            return Module._steps(self, graph, value)
        return graph.function(self, value)

    def backward(self, grad_output: Any) -> Array:
        """The input's gradient: each window's goes to its maximum."""
        input, indices = self._kept()
        backward = getattr(F, f"{self.function}_backward")
        gradient: Array = backward(grad_output, input, self.output_size, indices=indices)
        return gradient

    def extra_repr(self) -> str:
        """Torch's words for adaptive pooling."""
        return f"output_size={self.output_size}"


class AdaptiveMaxPool1d(AdaptiveMaxPool2d):
    """The maxima of so many windows of (N, C, L) or (C, L); see `AdaptiveMaxPool2d`.

    >>> import fastconv.nn as nn
    >>> nn.AdaptiveMaxPool1d(5)
    AdaptiveMaxPool1d(output_size=5)
    """

    function = "adaptive_max_pool1d"


class AdaptiveMaxPool3d(AdaptiveMaxPool2d):
    """The maxima of so many windows of (N, C, D, H, W) or (C, D, H, W); see `AdaptiveMaxPool2d`.

    >>> import fastconv.nn as nn
    >>> nn.AdaptiveMaxPool3d(1)
    AdaptiveMaxPool3d(output_size=1)
    """

    function = "adaptive_max_pool3d"
