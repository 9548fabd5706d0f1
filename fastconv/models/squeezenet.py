"""SqueezeNet (Iandola et al. 2016, "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters
and <0.5MB model size").
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .. import nn
from ..random import Rng
from ._make import Layer, Maker, he_uniform, normal


class Fire(nn.Composite):
    """1 x 1 to few channels, then 1 x 1 and 3 x 3 beside each other, joined."""

    def __init__(self, make: Maker, in_channels: int, squeezed: int, expanded: int) -> None:
        self.squeeze = make.conv(in_channels, squeezed, 1)
        self.squeeze_activation = nn.ReLU()
        self.expand1x1 = make.conv(squeezed, expanded, 1)
        self.expand1x1_activation = nn.ReLU()
        self.expand3x3 = make.conv(squeezed, expanded, 3, padding=1)
        self.expand3x3_activation = nn.ReLU()

    def compose(self) -> nn.Module:
        """The squeezed input in both expanding convolutions."""
        expand = nn.Concat(
            nn.Sequential(self.expand1x1, self.expand1x1_activation),
            nn.Sequential(self.expand3x3, self.expand3x3_activation),
        )
        return nn.Sequential(self.squeeze, self.squeeze_activation, expand)


def squeezenet1_1(
    num_classes: int = 1000,
    in_channels: int = 3,
    *,
    dropout: float = 0.5,
    dtype: npt.DTypeLike = np.float32,
    rng: Rng | None = None,
) -> nn.Sequential:
    """SqueezeNet 1.1, the authors' later form: 2.4 times less computation than the paper's.

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
    >>> fc.models.squeezenet1_1(10)(np.zeros((1, 3, 64, 64), np.float32)).shape
    (1, 10)
    """
    make = Maker(dtype, rng)
    last = make.conv(512, num_classes, 1)
    net = nn.Sequential({
        "features": nn.Sequential(
            make.conv(in_channels, 64, 3, 2), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True),
            Fire(make, 64, 16, 64), Fire(make, 128, 16, 64), nn.MaxPool2d(3, 2, ceil_mode=True),
            Fire(make, 128, 32, 128), Fire(make, 256, 32, 128), nn.MaxPool2d(3, 2, ceil_mode=True),
            Fire(make, 256, 48, 192), Fire(make, 384, 48, 192),
            Fire(make, 384, 64, 256), Fire(make, 512, 64, 256),
        ),
        "classifier": nn.Sequential(
            make.dropout(dropout), last, nn.ReLU(), nn.AdaptiveAvgPool2d((1, 1))
        ),
        "flatten": nn.Flatten(),
    })  # fmt: skip

    def draw(layer: Layer, rng: np.random.Generator) -> None:
        (normal(0.01) if layer is last else he_uniform)(layer, rng)

    return make.drawn(net, draw, draw)
