"""MobileNetV2 (Sandler et al. 2018, "MobileNetV2: inverted residuals and linear bottlenecks")."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .. import nn
from ..random import Rng
from ._make import Maker, he_normal_out, normal

# The paper's table 2: how many times as many channels inside, channels, blocks, first stride.
BLOCKS = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
    (6, 320, 1, 1),
)  # fmt: skip


class InvertedResidual(nn.Composite):
    """1 x 1 to more channels, depthwise 3 x 3, 1 x 1 to few, without an activation after it."""

    def __init__(
        self, make: Maker, in_channels: int, channels: int, stride: int, expand: int
    ) -> None:
        wide = in_channels * expand
        layers: list[nn.Module] = [
            _conv(make, wide, wide, 3, stride, wide),
            make.conv(wide, channels, 1, bias=False),
            make.norm(channels),
        ]
        if expand != 1:
            layers.insert(0, _conv(make, in_channels, wide, 1))
        self.adds = stride == 1 and in_channels == channels
        self.conv = nn.Sequential(*layers)

    def compose(self) -> nn.Module:
        """The layers, around which the input is added where shapes agree."""
        return nn.Residual(self.conv) if self.adds else self.conv


def mobilenet_v2(
    num_classes: int = 1000,
    in_channels: int = 3,
    *,
    dropout: float = 0.2,
    dtype: npt.DTypeLike = np.float32,
    rng: Rng | None = None,
) -> nn.Sequential:
    """MobileNetV2: 17 inverted residuals of depthwise convolutions.

    Parameters
    ----------
    num_classes, in_channels : int
    dropout : float
    dtype : float32 or float64
    rng : numpy Generator or int, optional
        Where the initial values come from; by default what `fastconv.manual_seed` seeded.

    Returns
    -------
    fastconv.nn.Sequential
        From images to a score for each class, with torchvision's names and initial distributions.

    Examples
    --------
    >>> import fastconv as fc
    >>> fc.models.mobilenet_v2(10)(np.zeros((2, 3, 32, 32), np.float32)).shape
    (2, 10)
    """
    make, width = Maker(dtype, rng), 32
    features: list[nn.Module] = [_conv(make, in_channels, width, 3, 2)]
    for expand, channels, count, stride in BLOCKS:
        for position in range(count):
            first = stride if position == 0 else 1
            features.append(InvertedResidual(make, width, channels, first, expand))
            width = channels
    features.append(_conv(make, width, 1280, 1))
    net = nn.Sequential({
        "features": nn.Sequential(*features),
        "avgpool": nn.AdaptiveAvgPool2d((1, 1)),
        "flatten": nn.Flatten(),
        "classifier": nn.Sequential(make.dropout(dropout), make.linear(1280, num_classes)),
    })  # fmt: skip
    return make.drawn(net, he_normal_out, normal(0.01))


def _conv(
    make: Maker, in_channels: int, channels: int, kernel: int, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """A convolution, batch norm and ReLU6."""
    conv = make.conv(in_channels, channels, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, make.norm(channels), nn.ReLU6())
