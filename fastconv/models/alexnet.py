"""AlexNet (Krizhevsky et al. 2012, "ImageNet classification with deep convolutional networks")."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .. import nn
from ..random import Rng
from ._make import Maker, check_variant, normal, uniform


def alexnet(
    num_classes: int = 1000,
    in_channels: int = 3,
    *,
    variant: str = "paper",
    dropout: float = 0.5,
    dtype: npt.DTypeLike = np.float32,
    rng: Rng | None = None,
) -> nn.Sequential:
    """AlexNet: five convolutions and three linear layers.

    Parameters
    ----------
    num_classes, in_channels : int
    variant : "paper" or "torchvision"
        The paper's has two groups of channels (one a GPU then), of which the third convolution and
        the linear layers read both, and normalises the local response. Torchvision's has one
        column of fewer channels and no normalisation (Krizhevsky 2014, "One weird trick for
        parallelizing convolutional neural networks").
    dropout : float
    dtype : float32 or float64
    rng : numpy Generator or int, optional
        Where the initial values come from; by default what `fastconv.manual_seed` seeded.

    Returns
    -------
    fastconv.nn.Sequential
        From images to a score for each class. The last features are pooled to 6 x 6 (which those
        of 224 x 224 are), so that images of 63 x 63 and more do.

    Notes
    -----
    The paper's initial values: weights of the normal distribution with deviation 0.01, biases 1 in
    the second, fourth and fifth convolution and the hidden linear layers, else 0. Its normalisation
    is (2 + 1e-4 · sum over 5 channels of x²)^0.75; `LocalResponseNorm` takes the mean.
    """
    check_variant("alexnet", variant, "paper", "torchvision")
    make = Maker(dtype, rng)
    if variant == "paper":
        return _paper(make, num_classes, in_channels, dropout)
    features = nn.Sequential(
        make.conv(in_channels, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2),
        make.conv(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
        make.conv(192, 384, 3, padding=1), nn.ReLU(),
        make.conv(384, 256, 3, padding=1), nn.ReLU(),
        make.conv(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2),
    )  # fmt: skip
    classifier = nn.Sequential(
        make.dropout(dropout), make.linear(256 * 6 * 6, 4096), nn.ReLU(),
        make.dropout(dropout), make.linear(4096, 4096), nn.ReLU(),
        make.linear(4096, num_classes),
    )  # fmt: skip
    net = nn.Sequential({
        "features": features,
        "avgpool": nn.AdaptiveAvgPool2d((6, 6)),
        "flatten": nn.Flatten(),
        "classifier": classifier,
    })  # fmt: skip
    return make.drawn(net, uniform, uniform)


def _paper(make: Maker, num_classes: int, in_channels: int, dropout: float) -> nn.Sequential:
    def norm() -> nn.Module:
        return nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)

    net = nn.Sequential({
        "conv1": make.conv(in_channels, 96, 11, 4, 2), "relu1": nn.ReLU(),
        "norm1": norm(), "pool1": nn.MaxPool2d(3, 2),
        "conv2": make.conv(96, 256, 5, padding=2, groups=2), "relu2": nn.ReLU(),
        "norm2": norm(), "pool2": nn.MaxPool2d(3, 2),
        "conv3": make.conv(256, 384, 3, padding=1), "relu3": nn.ReLU(),
        "conv4": make.conv(384, 384, 3, padding=1, groups=2), "relu4": nn.ReLU(),
        "conv5": make.conv(384, 256, 3, padding=1, groups=2), "relu5": nn.ReLU(),
        "pool5": nn.MaxPool2d(3, 2),
        "avgpool": nn.AdaptiveAvgPool2d((6, 6)), "flatten": nn.Flatten(),
        "fc6": make.linear(256 * 6 * 6, 4096), "relu6": nn.ReLU(), "drop6": make.dropout(dropout),
        "fc7": make.linear(4096, 4096), "relu7": nn.ReLU(), "drop7": make.dropout(dropout),
        "fc8": make.linear(4096, num_classes),
    })  # fmt: skip
    make.drawn(net, normal(0.01), normal(0.01))
    for name in ("conv2", "conv4", "conv5", "fc6", "fc7"):
        getattr(net, name).bias.data[...] = 1
    return net
