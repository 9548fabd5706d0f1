"""Pooling layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from .. import functional as F
from ..functional._coerce import Array, Ints, Padding
from .module import Module, UnaryModule

if TYPE_CHECKING:
    from ._graph import Graph


class MaxPool2d(UnaryModule):
    """The largest value of every window.

    Parameters
    ----------
    kernel_size, stride, dilation : int or (height, width)
        `stride` is `kernel_size` if None.
    padding : int, (height, width) or pairs of (before, after)
        At most half the kernel; never wins.
    return_indices : bool
        Return the flat index of each maximum in its plane too.
    ceil_mode : bool
        Let the last window reach over the edge.

    >>> import fastconv.nn as nn
    >>> nn.MaxPool2d(2)
    MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)
    """

    function = "max_pool2d"
    settings = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")

    def __init__(
        self,
        kernel_size: Ints,
        stride: Ints | None = None,
        padding: Padding = 0,
        dilation: Ints = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def forward(self, input: Any) -> Any:
        """The maxima, or (maxima, indices)."""
        pool = getattr(F, self.function)
        if not (self.training or self.return_indices):
            return pool(input, **self._settings())
        output, indices = pool(input, **self._settings(), return_indices=True)
        self._keep(input, indices)
        return (output, indices) if self.return_indices else output

    def _steps(self, graph: Graph, value: int) -> int:
        if self.return_indices or type(self).forward is not MaxPool2d.forward:
            return Module._steps(self, graph, value)
        return graph.function(self, value)

    def backward(self, grad_output: Any) -> Array:
        """The input's gradient: each window's goes to its maximum."""
        input, indices = self._kept()
        backward = getattr(F, f"{self.function}_backward")
        gradient: Array = backward(grad_output, input, **self._settings(), indices=indices)
        return gradient

    def extra_repr(self) -> str:
        """Torch's words for max pooling."""
        return ", ".join(f"{name}={value}" for name, value in self._settings().items())


class MaxPool1d(MaxPool2d):
    """The largest value of every window of (N, C, L) or (C, L); see `MaxPool2d`.

    >>> import fastconv.nn as nn
    >>> nn.MaxPool1d(3, stride=2)
    MaxPool1d(kernel_size=3, stride=2, padding=0, dilation=1, ceil_mode=False)
    """

    function = "max_pool1d"


class MaxPool3d(MaxPool2d):
    """The largest value of every window of (N, C, D, H, W) or (C, D, H, W); see `MaxPool2d`.

    >>> import fastconv.nn as nn
    >>> nn.MaxPool3d(2)
    MaxPool3d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)
    """

    function = "max_pool3d"


class AvgPool2d(UnaryModule):
    """The mean of every window.

    Parameters
    ----------
    kernel_size, stride : int or (height, width)
        `stride` is `kernel_size` if None.
    padding : int, (height, width) or pairs of (before, after)
        At most half the kernel.
    ceil_mode : bool
        Let the last window reach over the edge.
    count_include_pad : bool
        Padding counts as zeros.
    divisor_override : int, optional
        What sums are divided by, in place of the number of elements.

    >>> import fastconv.nn as nn
    >>> nn.AvgPool2d(2)
    AvgPool2d(kernel_size=2, stride=2, padding=0)
    """

    function = "avg_pool2d"
    settings: ClassVar[tuple[str, ...]] = (
        "kernel_size",
        "stride",
        "padding",
        "ceil_mode",
        "count_include_pad",
        "divisor_override",
    )

    def __init__(
        self,
        kernel_size: Ints,
        stride: Ints | None = None,
        padding: Padding = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def extra_repr(self) -> str:
        """Torch's words for average pooling."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool3d(AvgPool2d):
    """The mean of every window of (N, C, D, H, W) or (C, D, H, W); see `AvgPool2d`.

    >>> import fastconv.nn as nn
    >>> nn.AvgPool3d(2)
    AvgPool3d(kernel_size=2, stride=2, padding=0)
    """

    function = "avg_pool3d"


class AvgPool1d(AvgPool2d):
    """The mean of every window of (N, C, L) or (C, L); see `AvgPool2d`.

    >>> import fastconv.nn as nn
    >>> nn.AvgPool1d(2)
    AvgPool1d(kernel_size=(2,), stride=(2,), padding=(0,))
    """

    function = "avg_pool1d"
    settings = AvgPool2d.settings[:-1]

    def __init__(
        self,
        kernel_size: Ints,
        stride: Ints | None = None,
        padding: Padding = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode, count_include_pad)

    def extra_repr(self) -> str:
        """Torch's words, which has tuples here."""
        sizes = {name: getattr(self, name) for name in ("kernel_size", "stride", "padding")}
        return ", ".join(
            f"{name}={(size,) if isinstance(size, int) else size}" for name, size in sizes.items()
        )
