"""The networks of the tutorials and textbooks, for small images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import nn
from ..functional._coerce import Array, as_array
from ..random import Rng
from ._make import Layer, Maker, normal, uniform


class Images(nn.Module):
    """Takes (N, C, H, W) as it is and (N, H, W, C), Keras's shape, as a view in that order."""

    def __init__(self, channels: int, height: int, width: int) -> None:
        self.shape = (channels, height, width)

    def forward(self, input: Any) -> Array:
        """`input`, channels first in its shape."""
        x = as_array("Images", "input", input)
        own, last = self.shape, (*self.shape[1:], self.shape[0])
        if x.ndim != 4 or x.shape[1:] not in (own, last):
            raise ValueError(
                f"Images: input has shape {x.shape} (wanted (N, {', '.join(map(str, own))}) "
                f"or (N, {', '.join(map(str, last))}))"
            )
        moved = x.shape[1:] != own
        self._keep(moved)
        return np.moveaxis(x, -1, 1) if moved else x

    def backward(self, grad_output: Any) -> Array:
        """The gradient in the input's order."""
        (moved,) = self._kept()
        gradient = as_array("Images", "grad_output", grad_output)
        return np.moveaxis(gradient, 1, -1) if moved else gradient

    def extra_repr(self) -> str:
        """The shape, channels first."""
        return ", ".join(map(str, self.shape))


class FlattenLast(nn.Flatten):
    """`Flatten` in Keras's order: rows, columns, channels."""

    def forward(self, input: Any) -> Array:
        """(N, C, H, W) as (N, H · W · C)."""
        return super().forward(np.moveaxis(as_array("FlattenLast", "input", input), 1, -1))

    def backward(self, grad_output: Any) -> Array:
        """The gradient in the input's shape."""
        return np.moveaxis(super().backward(grad_output), -1, 1)


def keras_cnn(
    num_classes: int = 10,
    in_channels: int = 1,
    *,
    size: int = 28,
    dtype: npt.DTypeLike = np.float32,
    rng: Rng | None = None,
) -> nn.Sequential:
    """The network of the Keras and TensorFlow tutorials on MNIST: 32 and 64 maps, 1024 units.

    Convolution 5 x 5 "same" to 32, ReLU, pooling 2, convolution 5 x 5 "same" to 64, ReLU, pooling
    2, dense 1024, ReLU, dense.

    Parameters
    ----------
    num_classes, in_channels : int
    size : int
        Height and width of the images.
    dtype : float32 or float64
    rng : numpy Generator or int, optional
        Where the initial values come from; by default what `fastconv.manual_seed` seeded.

    Returns
    -------
    fastconv.nn.Sequential
        From images to a score for each class. It takes images as Keras has them, (N, H, W, C), or
        as the rest of this library, (N, C, H, W); features are flattened in Keras's order, so that
        its dense kernels are ours transposed.

    Examples
    --------
    >>> import fastconv as fc
    >>> fc.models.keras_cnn()(np.zeros((2, 28, 28, 1), np.float32)).shape
    (2, 10)
    """
    make, left = Maker(dtype, rng), size // 2 // 2
    net = nn.Sequential({
        "images": Images(in_channels, size, size),
        "conv1": make.conv(in_channels, 32, 5, padding="same"),
        "relu1": nn.ReLU(), "pool1": nn.MaxPool2d(2),
        "conv2": make.conv(32, 64, 5, padding="same"),
        "relu2": nn.ReLU(), "pool2": nn.MaxPool2d(2),
        "flatten": FlattenLast(),
        "dense1": make.linear(64 * left * left, 1024), "relu3": nn.ReLU(),
        "dense2": make.linear(1024, num_classes),
    })  # fmt: skip
    return make.drawn(net, glorot_uniform, glorot_uniform)


def simple_convnet(
    input_dim: tuple[int, int, int] = (1, 28, 28),
    conv_param: Mapping[str, int] | None = None,
    hidden_size: int = 100,
    output_size: int = 10,
    weight_init_std: float = 0.01,
    *,
    dtype: npt.DTypeLike = np.float32,
    rng: Rng | None = None,
) -> nn.Sequential:
    """Convolution, ReLU, pooling, affine, ReLU, affine: Saito's ``SimpleConvNet``.

    Parameters
    ----------
    input_dim : (channels, height, width)
    conv_param : dict, optional
        "filter_num", "filter_size", "pad" and "stride"; 30, 5, 0 and 1 where they are not there.
    hidden_size, output_size : int
    weight_init_std : float
        Standard deviation of the initial weights; biases are 0.
    dtype : float32 or float64
    rng : numpy Generator or int, optional
        Where the initial values come from; by default what `fastconv.manual_seed` seeded.

    Returns
    -------
    fastconv.nn.Sequential
        From images to a score for each class; softmax is part of the loss,
        `fastconv.nn.CrossEntropyLoss`. (Saito 2016, "Deep learning from scratch", 7.5.)

    Examples
    --------
    >>> import fastconv as fc
    >>> net = fc.models.simple_convnet(conv_param={"filter_num": 8, "filter_size": 3, "pad": 1})
    >>> net(np.zeros((2, 1, 28, 28), np.float32)).shape
    (2, 10)
    """
    param = {"filter_num": 30, "filter_size": 5, "pad": 0, "stride": 1}
    for name, value in (conv_param or {}).items():
        if name not in param:
            raise ValueError(f"simple_convnet: conv_param has {name!r} (wanted {', '.join(param)})")
        param[name] = value
    maps, kernel, pad, stride = param.values()
    channels, *sides = input_dim
    make = Maker(dtype, rng)
    conv = make.conv(channels, maps, kernel, stride, pad)
    height, width = (((side + 2 * pad - kernel) // stride + 1) // 2 for side in sides)
    net = nn.Sequential({
        "conv1": conv, "relu1": nn.ReLU(), "pool1": nn.MaxPool2d(2), "flatten": nn.Flatten(),
        "affine1": make.linear(maps * height * width, hidden_size), "relu2": nn.ReLU(),
        "affine2": make.linear(hidden_size, output_size),
    })  # fmt: skip
    return make.drawn(net, normal(weight_init_std), normal(weight_init_std))


def softmax_regression(
    num_classes: int = 10,
    in_channels: int = 1,
    *,
    size: int = 28,
    dtype: npt.DTypeLike = np.float32,
    rng: Rng | None = None,
) -> nn.Sequential:
    """One linear layer on the pixels, the baseline; arguments as `keras_cnn` has them."""
    make = Maker(dtype, rng)
    linear = make.linear(in_channels * size * size, num_classes)
    net = nn.Sequential({"flatten": nn.Flatten(), "linear": linear})
    return make.drawn(net, uniform, uniform)


def glorot_uniform(layer: Layer, rng: np.random.Generator) -> None:
    """Weights between ± sqrt(6 / (fan in + fan out)), biases 0, as Keras's layers start."""
    outputs, inputs, *kernel = layer.weight.shape
    bound = np.sqrt(6 / ((outputs + inputs) * np.prod(kernel)))
    layer.weight.data[...] = rng.uniform(-bound, bound, layer.weight.shape)
