"""Max unpooling layers."""

from __future__ import annotations

from typing import Any, ClassVar

from .. import functional as F
from ..functional._coerce import Array, Ints, Padding
from .module import FunctionModule


class MaxUnpool2d(FunctionModule):
    """The inverse of `MaxPool2d`: maxima back to their places, zeros elsewhere.

    Parameters
    ----------
    kernel_size, stride : int or (height, width)
        `stride` is `kernel_size` if None.
    padding : int, (height, width) or pairs of (before, after)

    >>> import fastconv.nn as nn
    >>> nn.MaxUnpool2d(2)
    MaxUnpool2d(kernel_size=(2, 2), stride=(2, 2), padding=(0, 0))
    """

    function = "max_unpool2d"
    settings = ("kernel_size", "stride", "padding")
    dims: ClassVar[int] = 2

    def __init__(self, kernel_size: Ints, stride: Ints | None = None, padding: Padding = 0) -> None:
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding

    def forward(self, input: Any, indices: Any, output_size: Ints | None = None) -> Array:
        """`input` at the places that `indices` name, in an output of `output_size`."""
        unpool = getattr(F, self.function)
        output: Array = unpool(input, indices, **self._settings(), output_size=output_size)
        self._keep(input, indices, output_size)
        return output

    def backward(self, grad_output: Any) -> Array:
        """The input's gradient: each element's from its place."""
        input, indices, output_size = self._kept()
        backward = getattr(F, f"{self.function}_backward")
        gradient: Array
        gradient, _ = backward(
            grad_output, input, indices, **self._settings(), output_size=output_size
        )
        return gradient

    def extra_repr(self) -> str:
        """Torch's words for unpooling, which has one number a dimension."""
        each = (
            f"{name}={(value,) * self.dims if isinstance(value, int) else value}"
            for name, value in self._settings().items()
        )
        return ", ".join(each)


class MaxUnpool1d(MaxUnpool2d):
    """The inverse of `MaxPool1d`, of (N, C, L) or (C, L); see `MaxUnpool2d`.

    >>> import fastconv.nn as nn
    >>> nn.MaxUnpool1d(2)
    MaxUnpool1d(kernel_size=(2,), stride=(2,), padding=(0,))
    """

    function = "max_unpool1d"
    dims = 1


class MaxUnpool3d(MaxUnpool2d):
    """The inverse of `MaxPool3d`, of (N, C, D, H, W) or (C, D, H, W); see `MaxUnpool2d`.

    >>> import fastconv.nn as nn
    >>> nn.MaxUnpool3d(2, 3)
    MaxUnpool3d(kernel_size=(2, 2, 2), stride=(3, 3, 3), padding=(0, 0, 0))
    """

    function = "max_unpool3d"
    dims = 3
