"""LeNet-5 (LeCun et al. 1998, "Gradient-based learning applied to document recognition")."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .. import nn
from ..functional._coerce import Array, as_array
from ..random import Rng, as_generator
from ._make import Layer, Maker, fan_in, uniform

SIZE = 32  # of the images, pixels

# Table I: which of S2's 6 maps each of C3's 16 reads.
C3_MAPS = "012 123 234 345 045 015 0123 1234 2345 0345 0145 0125 0134 1245 0235 012345"

# The vectors of the output units: the classes' digits drawn on 7 x 12 pixels, # is +1 and . is -1.
DIGITS = """
....... ....... ....... ....... ....... ....... ....... ....... ....... .......
..###.. ...##.. .#####. .#####. ....##. ####### ..####. ####### .#####. .#####.
.##.##. ..###.. ##...## ##...## ...###. ##..... .##.... .....## ##...## ##...##
##...## .####.. .....## .....## ..####. ##..... ##..... .....## ##...## ##...##
##...## ...##.. .....## .....## .##.##. ##..... ##..... ....##. ##...## ##...##
##...## ...##.. ....##. ..####. ##..##. ######. ######. ....##. .#####. .######
##...## ...##.. ...##.. .....## ##..##. .....## ##...## ...##.. ##...## .....##
##...## ...##.. ..##... .....## ####### .....## ##...## ...##.. ##...## .....##
##...## ...##.. .##.... .....## ....##. .....## ##...## ..##... ##...## .....##
.##.##. ...##.. ##..... ##...## ....##. ##...## ##...## ..##... ##...## ....##.
..###.. .###### ####### .#####. ....##. .#####. .#####. ..##... .#####. .####..
....... ....... ....... ....... ....... ....... ....... ....... ....... .......
"""


class Negative(nn.Module):
    """-x: of a penalty the score."""

    def forward(self, input: Any) -> Array:
        """-`input`."""
        return np.negative(as_array("Negative", "input", input))

    def backward(self, grad_output: Any) -> Array:
        """The input's gradient."""
        return np.negative(as_array("Negative", "grad_output", grad_output))


def lenet5(
    original: bool = True,
    num_classes: int = 10,
    in_channels: int = 1,
    *,
    size: int = 32,
    activation: str = "relu",
    dtype: npt.DTypeLike = np.float32,
    rng: Rng | None = None,
) -> nn.Sequential:
    """LeNet-5, as published or as it is taught today.

    Parameters
    ----------
    original : bool
        The network of the paper, layer by layer: C3 reads S2's maps by a table, S2 and S4 are
        trainable subsampling, every layer squashes with the scaled tanh, and the output units
        measure the distance to a drawing of their digit, which is not learned. Otherwise: average
        pooling, C3 reads all maps, and the output is linear.
    num_classes, in_channels : int
    size : int
        Height and width of the images, at most 32; smaller ones are padded to 32 x 32 with zeros by
        the first convolution (of 28 x 28 by 2 on each side).
    activation : "relu", "sigmoid" or "tanh"
        Of the modern form.
    dtype : float32 or float64
    rng : numpy Generator or int, optional
        Where the initial values come from; by default what `fastconv.manual_seed` seeded.

    Returns
    -------
    fastconv.nn.Sequential
        From images to a score for each class, the largest of which is the answer.

    Notes
    -----
    The paper's output units give penalties y_j, the squared distances (``net[:-1]`` is the network
    up to them), which it reads as negative log-likelihoods. The score here is -y_j, so that
    ``cross_entropy(net(x), label)``, which is y_label + log(sum of exp(-y_j)), is the paper's
    criterion (9), maximum a posteriori, without its constant class of rubbish (j → ∞). As it pushes
    the wrong units away too, the drawings may be learned (``net.output.requires_grad_()``), which
    criterion (8), the right class's penalty alone, does not bear: all units would become one.

    Initial weights of the original have the deviation 1 / sqrt(fan in), which its authors advise
    for this tanh (LeCun et al. 1998, "Efficient BackProp", 4.6), and subsampling starts as the
    mean. The paper's, uniform between ±2.4 / fan in, are far smaller and learn slowly: of the
    demo's held-out digits 95% were right after 40 epochs, with these 99%.

    Examples
    --------
    >>> import fastconv as fc
    >>> net = fc.models.lenet5()
    >>> net(np.zeros((2, 1, 32, 32), np.float32)).shape
    (2, 10)
    >>> sum(p.size for p in net.parameters() if p.requires_grad)
    60000
    """
    if not 1 <= size <= SIZE:
        raise ValueError(f"lenet5: size is {size} (wanted 1 to {SIZE})")
    make, before = Maker(dtype, rng), (SIZE - size) // 2
    padding = [(before, SIZE - size - before)] * 2
    c1 = make.conv(in_channels, 6, 5, padding=padding)
    if original:
        return _original(make, c1, num_classes)
    if activation not in ("relu", "sigmoid", "tanh"):
        raise ValueError(f"lenet5: activation is {activation!r} (wanted relu, sigmoid or tanh)")
    squash = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh}[activation]
    net = nn.Sequential({
        "c1": c1, "a1": squash(), "s2": nn.AvgPool2d(2),
        "c3": make.conv(6, 16, 5), "a3": squash(), "s4": nn.AvgPool2d(2),
        "flatten": nn.Flatten(),
        "c5": make.linear(400, 120), "a5": squash(),
        "f6": make.linear(120, 84), "a6": squash(),
        "output": make.linear(84, num_classes),
    })  # fmt: skip
    return make.drawn(net, uniform, uniform)


def _original(make: Maker, c1: nn.Conv2d, num_classes: int) -> nn.Sequential:
    def subsampling(channels: int) -> nn.Module:
        layer = nn.ScaledAvgPool2d(channels, 2, activation="scaled_tanh", dtype=make.dtype, rng=rng)
        layer.weight.data[...], layer.bias.data[...] = 1 / 4, 0
        return layer

    rng = as_generator(make.rng)
    table = np.array([[str(i) in maps for i in range(6)] for maps in C3_MAPS.split()])
    output = nn.RBF(84, num_classes, dtype=make.dtype, rng=rng)
    if num_classes <= 10:
        output.weight.data[...] = digits()[:num_classes]
    output.requires_grad_(False)
    net = nn.Sequential({
        "c1": c1, "a1": nn.ScaledTanh(), "s2": subsampling(6),
        "c3": make.conv(6, 16, 5, connections=table), "a3": nn.ScaledTanh(), "s4": subsampling(16),
        "c5": make.conv(16, 120, 5), "a5": nn.ScaledTanh(), "flatten": nn.Flatten(),
        "f6": make.linear(120, 84), "a6": nn.ScaledTanh(),
        "output": output, "score": Negative(),
    })  # fmt: skip
    return make.drawn(net, _scaled, _scaled)


def _scaled(layer: Layer, rng: np.random.Generator) -> None:
    """Weights uniform, of deviation 1 / sqrt(fan in); C3's maps differ in what they read."""
    table = getattr(layer, "connections", None)
    reads = np.ones(1) if table is None else np.repeat(table.sum(1), table.sum(1))
    bounds = np.sqrt(3 / (fan_in(layer) * reads)).reshape(-1, *(1,) * (layer.weight.ndim - 1))
    layer.weight.data[...] = bounds * rng.uniform(-1, 1, layer.weight.shape)


def digits() -> Array:
    """The ten drawings as vectors of 84 numbers, -1 and +1."""
    rows = [line.split() for line in DIGITS.split("\n")[1:-1]]
    pixels = np.array([[list(part) for part in row] for row in rows])  # row, digit, column
    drawn: Array = np.where(pixels.transpose(1, 0, 2).reshape(10, -1) == "#", 1.0, -1.0)
    return drawn
