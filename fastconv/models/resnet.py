"""Residual networks (He et al. 2016, "Deep residual learning for image recognition")."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt

from .. import nn
from ..random import Rng
from ._make import Maker, he_normal_out, uniform


class BasicBlock(nn.Composite):
    """Two 3 x 3 convolutions around which the input is added."""

    expansion = 1

    def __init__(self, make: Maker, in_channels: int, channels: int, stride: int) -> None:
        self.conv1 = make.conv(in_channels, channels, 3, stride, 1, bias=False)
        self.bn1 = make.norm(channels)
        self.relu1 = nn.ReLU()
        self.conv2 = make.conv(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = make.norm(channels)
        self.relu = nn.ReLU()
        self.downsample = _shortcut(make, in_channels, channels, stride)

    def compose(self) -> nn.Module:
        """relu(branch + shortcut)."""
        branch = nn.Sequential(self.conv1, self.bn1, self.relu1, self.conv2, self.bn2)
        return nn.Residual(branch, self.downsample, self.relu)


class Bottleneck(nn.Composite):
    """1 x 1 to fewer channels, 3 x 3, 1 x 1 to four times as many, and the input added."""

    expansion = 4

    def __init__(
        self, make: Maker, in_channels: int, channels: int, stride: int,
        stride_in_1x1: bool = False,
    ) -> None:  # fmt: skip
        first, second = (stride, 1) if stride_in_1x1 else (1, stride)
        self.conv1 = make.conv(in_channels, channels, 1, first, bias=False)
        self.bn1 = make.norm(channels)
        self.relu1 = nn.ReLU()
        self.conv2 = make.conv(channels, channels, 3, second, 1, bias=False)
        self.bn2 = make.norm(channels)
        self.relu2 = nn.ReLU()
        self.conv3 = make.conv(channels, 4 * channels, 1, bias=False)
        self.bn3 = make.norm(4 * channels)
        self.relu = nn.ReLU()
        self.downsample = _shortcut(make, in_channels, 4 * channels, stride)

    def compose(self) -> nn.Module:
        """relu(branch + shortcut)."""
        branch = nn.Sequential(
            self.conv1, self.bn1, self.relu1, self.conv2, self.bn2, self.relu2, self.conv3, self.bn3
        )
        return nn.Residual(branch, self.downsample, self.relu)


Block = Callable[[Maker, int, int, int], BasicBlock | Bottleneck]


def resnet18(
    num_classes: int = 1000,
    in_channels: int = 3,
    *,
    dtype: npt.DTypeLike = np.float32,
    rng: Rng | None = None,
) -> nn.Sequential:
    """ResNet-18: 8 blocks of two 3 x 3 convolutions.

    Parameters
    ----------
    num_classes, in_channels : int
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
    >>> net = fc.models.resnet18()
    >>> net.fc = fc.nn.Linear(512, 3)
    >>> net(np.zeros((1, 3, 64, 64), np.float32)).shape
    (1, 3)
    """
    return _resnet(BasicBlock, (2, 2, 2, 2), num_classes, in_channels, Maker(dtype, rng))


def resnet34(
    num_classes: int = 1000,
    in_channels: int = 3,
    *,
    dtype: npt.DTypeLike = np.float32,
    rng: Rng | None = None,
) -> nn.Sequential:
    """ResNet-34: 16 blocks of two 3 x 3 convolutions; arguments as `resnet18` has them."""
    return _resnet(BasicBlock, (3, 4, 6, 3), num_classes, in_channels, Maker(dtype, rng))


def resnet50(
    num_classes: int = 1000,
    in_channels: int = 3,
    *,
    stride_in_1x1: bool = False,
    dtype: npt.DTypeLike = np.float32,
    rng: Rng | None = None,
) -> nn.Sequential:
    """ResNet-50: 16 bottlenecks; arguments as `resnet18` has them, and one more.

    Parameters
    ----------
    num_classes, in_channels : int
    stride_in_1x1 : bool
        The paper halves images in a block's first 1 x 1 convolution; by default it is the 3 x 3, as
        in torchvision. Names and shapes are the same: weights of one load into the other, where
        they compute something else.
    dtype : float32 or float64
    rng : numpy Generator or int, optional
    """
    block = partial(Bottleneck, stride_in_1x1=stride_in_1x1)
    return _resnet(block, (3, 4, 6, 3), num_classes, in_channels, Maker(dtype, rng))


def _resnet(
    block: Block, counts: tuple[int, ...], num_classes: int, in_channels: int, make: Maker
) -> nn.Sequential:
    layers: dict[str, nn.Module] = {
        "conv1": make.conv(in_channels, 64, 7, 2, 3, bias=False),
        "bn1": make.norm(64),
        "relu": nn.ReLU(),
        "maxpool": nn.MaxPool2d(3, 2, 1),
    }
    width = 64
    for number, count in enumerate(counts):
        blocks = []
        for position in range(count):
            stride = 2 if number > 0 and position == 0 else 1
            blocks.append(block(make, width, 64 << number, stride))
            width = blocks[-1].expansion * (64 << number)
        layers[f"layer{number + 1}"] = nn.Sequential(*blocks)
    layers["avgpool"] = nn.AdaptiveAvgPool2d((1, 1))
    layers["flatten"] = nn.Flatten()
    layers["fc"] = make.linear(width, num_classes)
    return make.drawn(nn.Sequential(layers), he_normal_out, uniform)


def _shortcut(make: Maker, in_channels: int, channels: int, stride: int) -> nn.Module | None:
    """Nothing where input and output have the same shape, else a strided 1 x 1 convolution."""
    if stride == 1 and in_channels == channels:
        return None
    return nn.Sequential(
        make.conv(in_channels, channels, 1, stride, bias=False), make.norm(channels)
    )
