"""Lp pooling layers."""

from __future__ import annotations

from ..functional._coerce import Ints
from .module import UnaryModule


class LPPool2d(UnaryModule):
    """The p-norm of every window.

    Parameters
    ----------
    norm_type : float
        The power p, above 0.
    kernel_size, stride : int or (height, width)
        `stride` is `kernel_size` if None.
    ceil_mode : bool
        Let the last window reach over the edge.

    >>> import fastconv.nn as nn
    >>> nn.LPPool2d(2, 3, stride=2)
    LPPool2d(norm_type=2, kernel_size=3, stride=2, ceil_mode=False)
    """

    function = "lp_pool2d"
    settings = ("norm_type", "kernel_size", "stride", "ceil_mode")

    def __init__(
        self,
        norm_type: float,
        kernel_size: Ints,
        stride: Ints | None = None,
        ceil_mode: bool = False,
    ) -> None:
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode

    def extra_repr(self) -> str:
        """Torch's words for Lp pooling."""
        return ", ".join(f"{name}={value}" for name, value in self._settings().items())


class LPPool1d(LPPool2d):
    """The p-norm of every window of (N, C, L) or (C, L); see `LPPool2d`.

    >>> import fastconv.nn as nn
    >>> nn.LPPool1d(1.5, 3)
    LPPool1d(norm_type=1.5, kernel_size=3, stride=None, ceil_mode=False)
    """

    function = "lp_pool1d"


class LPPool3d(LPPool2d):
    """The p-norm of every window of (N, C, D, H, W) or (C, D, H, W); see `LPPool2d`.

    >>> import fastconv.nn as nn
    >>> nn.LPPool3d(2, 2)
    LPPool3d(norm_type=2, kernel_size=2, stride=None, ceil_mode=False)
    """

    function = "lp_pool3d"
