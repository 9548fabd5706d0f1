"""VGG: 3 x 3 convolutions in blocks, each followed by a pooling (Simonyan & Zisserman 2015, "Very
deep convolutional networks for large-scale image recognition").
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .. import nn
from ..random import Rng
from ._make import Maker, he_normal_out, normal


def vgg11(
    num_classes: int = 1000,
    in_channels: int = 3,
    *,
    batch_norm: bool = False,
    dropout: float = 0.5,
    dtype: npt.DTypeLike = np.float32,
    rng: Rng | None = None,
) -> nn.Sequential:
    """VGG-11, the paper's configuration A: 8 convolutions and 3 linear layers.

    Parameters
    ----------
    num_classes, in_channels : int
    batch_norm : bool
        After each convolution; torchvision's ``vgg11_bn``.
    dropout : float
    dtype : float32 or float64
    rng : numpy Generator or int, optional
        Where the initial values come from; by default what `fastconv.manual_seed` seeded.

    Returns
    -------
    fastconv.nn.Sequential
        From images to a score for each class, with torchvision's names and initial distributions.
        The last features are pooled to 7 x 7, so that images of 32 x 32 and more do.
    """
    return _vgg((1, 1, 2, 2, 2), num_classes, in_channels, batch_norm, dropout, Maker(dtype, rng))


def vgg13(
    num_classes: int = 1000,
    in_channels: int = 3,
    *,
    batch_norm: bool = False,
    dropout: float = 0.5,
    dtype: npt.DTypeLike = np.float32,
    rng: Rng | None = None,
) -> nn.Sequential:
    """VGG-13, configuration B: 10 convolutions; arguments as `vgg11` has them."""
    return _vgg((2, 2, 2, 2, 2), num_classes, in_channels, batch_norm, dropout, Maker(dtype, rng))


def vgg16(
    num_classes: int = 1000,
    in_channels: int = 3,
    *,
    batch_norm: bool = False,
    dropout: float = 0.5,
    dtype: npt.DTypeLike = np.float32,
    rng: Rng | None = None,
) -> nn.Sequential:
    """VGG-16, configuration D: 13 convolutions; arguments as `vgg11` has them."""
    return _vgg((2, 2, 3, 3, 3), num_classes, in_channels, batch_norm, dropout, Maker(dtype, rng))


def vgg19(
    num_classes: int = 1000,
    in_channels: int = 3,
    *,
    batch_norm: bool = False,
    dropout: float = 0.5,
    dtype: npt.DTypeLike = np.float32,
    rng: Rng | None = None,
) -> nn.Sequential:
    """VGG-19, configuration E: 16 convolutions; arguments as `vgg11` has them."""
    return _vgg((2, 2, 4, 4, 4), num_classes, in_channels, batch_norm, dropout, Maker(dtype, rng))


def _vgg(
    counts: tuple[int, ...], num_classes: int, in_channels: int, batch_norm: bool, dropout: float,
    make: Maker,
) -> nn.Sequential:  # fmt: skip
    features: list[nn.Module] = []
    for count, channels in zip(counts, (64, 128, 256, 512, 512)):
        for _ in range(count):
            features.append(make.conv(in_channels, channels, 3, padding=1))
            if batch_norm:
                features.append(make.norm(channels))
            features.append(nn.ReLU())
            in_channels = channels
        features.append(nn.MaxPool2d(2))
    classifier = nn.Sequential(
        make.linear(512 * 7 * 7, 4096), nn.ReLU(), make.dropout(dropout),
        make.linear(4096, 4096), nn.ReLU(), make.dropout(dropout),
        make.linear(4096, num_classes),
    )  # fmt: skip
    net = nn.Sequential({
        "features": nn.Sequential(*features),
        "avgpool": nn.AdaptiveAvgPool2d((7, 7)),
        "flatten": nn.Flatten(),
        "classifier": classifier,
    })  # fmt: skip
    return make.drawn(net, he_normal_out, normal(0.01))
