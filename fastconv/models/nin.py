"""Network in network (Lin et al. 2014, "Network in network")."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .. import nn
from ..random import Rng
from ._make import Layer, Maker, check_variant, he_normal, normal


def nin(
    num_classes: int | None = None,
    in_channels: int = 3,
    *,
    variant: str = "cifar",
    dropout: float = 0.5,
    dtype: npt.DTypeLike = np.float32,
    rng: Rng | None = None,
) -> nn.Sequential:
    """Network in network: each convolution is followed by two of 1 x 1, an MLP at every pixel.

    There is no linear layer: the last maps are the classes', and their means the scores.

    Parameters
    ----------
    num_classes : int, optional
        10 or, of the ImageNet form, 1000.
    in_channels : int
    variant : "cifar" or "imagenet"
        Three blocks for images of about 32 x 32, or four for 224 x 224.
    dropout : float
    dtype : float32 or float64
    rng : numpy Generator or int, optional
        Where the initial values come from; by default what `fastconv.manual_seed` seeded.

    Returns
    -------
    fastconv.nn.Sequential
        From images to a score for each class. Layers have the names and sizes of the authors'
        models for Caffe.

    Notes
    -----
    The paper gives no initial values. These are He's, but for the last layer's: small weights and
    biases of 1, with which every class starts on the rising side of its rectifier. With He's there
    too, 4 to 10 of 10 classes had a score of 0 for every image after 4 epochs of the demo's digits,
    which no gradient changes.

    Examples
    --------
    >>> import fastconv as fc
    >>> fc.models.nin(in_channels=1)(np.zeros((2, 1, 28, 28), np.float32)).shape
    (2, 10)
    """
    check_variant("nin", variant, "cifar", "imagenet")
    make = Maker(dtype, rng)

    def mlpconv(number: int, *maps: int, **settings: int) -> dict[str, nn.Module]:
        """conv5, relu5_1, cccp5_1, relu5_2, cccp5_2, relu5_3: cross channel, parametric pooling."""
        first, second, third, fourth = maps
        return {
            f"conv{number}": make.conv(first, second, **settings), f"relu{number}_1": nn.ReLU(),
            f"cccp{number}_1": make.conv(second, third, 1), f"relu{number}_2": nn.ReLU(),
            f"cccp{number}_2": make.conv(third, fourth, 1), f"relu{number}_3": nn.ReLU(),
        }  # fmt: skip

    if variant == "cifar":
        layers = {
            **mlpconv(1, in_channels, 192, 160, 96, kernel_size=5, padding=2),
            "pool1": nn.MaxPool2d(3, 2, ceil_mode=True), "drop1": make.dropout(dropout),
            **mlpconv(2, 96, 192, 192, 192, kernel_size=5, padding=2),
            "pool2": nn.AvgPool2d(3, 2, ceil_mode=True), "drop2": make.dropout(dropout),
            **mlpconv(3, 192, 192, 192, num_classes or 10, kernel_size=3, padding=1),
        }  # fmt: skip
    else:
        layers = {
            **mlpconv(1, in_channels, 96, 96, 96, kernel_size=11, stride=4),
            "pool1": nn.MaxPool2d(3, 2, ceil_mode=True),
            **mlpconv(2, 96, 256, 256, 256, kernel_size=5, padding=2),
            "pool2": nn.MaxPool2d(3, 2, ceil_mode=True),
            **mlpconv(3, 256, 384, 384, 384, kernel_size=3, padding=1),
            "pool3": nn.MaxPool2d(3, 2, ceil_mode=True), "drop3": make.dropout(dropout),
            **mlpconv(4, 384, 1024, 1024, num_classes or 1000, kernel_size=3, padding=1),
        }  # fmt: skip
    last = layers[f"cccp{3 if variant == 'cifar' else 4}_2"]

    def draw(layer: Layer, rng: np.random.Generator) -> None:
        if layer is not last:
            return he_normal(layer, rng)
        assert layer.bias is not None
        layer.bias.data[...] = 1
        return normal(0.01)(layer, rng)

    layers["avgpool"] = nn.AdaptiveAvgPool2d(1)
    layers["flatten"] = nn.Flatten()
    return make.drawn(nn.Sequential(layers), draw, draw)
