"""Windows as columns, and columns back to images, as layers."""

from __future__ import annotations

from typing import ClassVar

from ..functional._coerce import Ints, Padding
from .module import UnaryModule


class Unfold(UnaryModule):
    """The elements of each sliding window of (N, C, H, W) as a column: (N, C * KH * KW, L).

    Parameters
    ----------
    kernel_size, dilation, stride : int or (height, width)
    padding : int, (height, width) or pairs of (before, after)
        Zeros around the image.

    >>> import fastconv.nn as nn
    >>> nn.Unfold(2)
    Unfold(kernel_size=2, dilation=1, padding=0, stride=1)
    """

    function = "unfold"
    settings: ClassVar[tuple[str, ...]] = ("kernel_size", "dilation", "padding", "stride")

    def __init__(
        self, kernel_size: Ints, dilation: Ints = 1, padding: Padding = 0, stride: Ints = 1
    ) -> None:
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def extra_repr(self) -> str:
        """Torch's words for unfolding."""
        return ", ".join(f"{name}={value}" for name, value in self._settings().items())


class Fold(Unfold):
    """Each column added to its window of an image of `output_size`: the adjoint of `Unfold`.

    Parameters
    ----------
    output_size, kernel_size, dilation, stride : int or (height, width)
    padding : int, (height, width) or pairs of (before, after)
        What is added there is dropped.

    >>> import fastconv.nn as nn
    >>> nn.Fold((3, 3), 2)
    Fold(output_size=(3, 3), kernel_size=2, dilation=1, padding=0, stride=1)
    """

    function = "fold"
    settings = ("output_size", *Unfold.settings)

    def __init__(
        self,
        output_size: Ints,
        kernel_size: Ints,
        dilation: Ints = 1,
        padding: Padding = 0,
        stride: Ints = 1,
    ) -> None:
        super().__init__(kernel_size, dilation, padding, stride)
        self.output_size = output_size
