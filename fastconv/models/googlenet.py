"""GoogLeNet (Szegedy et al. 2015, "Going deeper with convolutions")."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .. import nn
from ..functional._coerce import Array
from ..random import Rng
from ._make import Maker, check_variant, he_normal, normal


class GoogLeNetOutputs(NamedTuple):
    """The scores, and in training those of the auxiliary heads, under torchvision's names."""

    logits: Array
    aux_logits2: Array
    aux_logits1: Array


class Tapped(nn.Module):
    """The rest's outputs, and after them the head's, the auxiliary scores."""

    def __init__(self, head: nn.Module, rest: nn.Module) -> None:
        self.head, self.rest = head, rest

    def forward(self, input: Any) -> Any:
        """A tuple of the outputs; both heads make it `GoogLeNetOutputs`."""
        output = self.rest(input)
        before = output if isinstance(output, tuple) else (output,)
        outputs = (*before, self.head(input))
        return GoogLeNetOutputs(*outputs) if len(outputs) == 3 else outputs

    def backward(self, grad_output: Any) -> Any:
        """The sum of both input gradients, of a tuple of the outputs' gradients."""
        *of_rest, of_head = grad_output
        gradient = self.rest.backward(of_rest[0] if len(of_rest) == 1 else of_rest)
        return gradient + self.head.backward(of_head)


class Convs:
    """Makes convolutions with a ReLU, in torchvision's variant with batch norm between."""

    def __init__(self, make: Maker, torchvision: bool) -> None:
        self.make, self.torchvision = make, torchvision
        self.large = 3 if torchvision else 5  # the kernel of an Inception block's third branch

    def __call__(
        self, in_channels: int, channels: int, kernel: int, stride: int = 1
    ) -> nn.Sequential:
        norm = self.torchvision
        conv = self.make.conv(in_channels, channels, kernel, stride, kernel // 2, bias=not norm)
        between: dict[str, nn.Module] = {"bn": self.make.norm(channels, eps=1e-3)} if norm else {}
        return nn.Sequential({"conv": conv, **between, "relu": nn.ReLU()})


class Inception(nn.Composite):
    """Four branches joined on channels: 1 x 1, 3 x 3, 5 x 5, pooling; 1 x 1 before or after each.

    Their channels are, as in the paper's table 1: 1 x 1; 3 x 3 reduced and full; 5 x 5 reduced and
    full; after pooling.
    """

    def __init__(self, conv: Convs, in_channels: int, *channels: int) -> None:
        one, three_reduced, three, five_reduced, five, pooled = channels
        self.branch1 = conv(in_channels, one, 1)
        self.branch2 = nn.Sequential(
            conv(in_channels, three_reduced, 1), conv(three_reduced, three, 3)
        )
        self.branch3 = nn.Sequential(
            conv(in_channels, five_reduced, 1), conv(five_reduced, five, conv.large)
        )
        self.branch4 = nn.Sequential(
            nn.MaxPool2d(3, 1, 1, ceil_mode=True), conv(in_channels, pooled, 1)
        )

    def compose(self) -> nn.Module:
        """The branches beside each other."""
        return nn.Concat(self.branch1, self.branch2, self.branch3, self.branch4)


class GoogLeNet(nn.Composite):
    """What `googlenet` makes."""

    norm1: nn.Module | None = None
    norm2: nn.Module | None = None
    aux1: nn.Module | None = None
    aux2: nn.Module | None = None

    def __init__(
        self, conv: Convs, num_classes: int, in_channels: int, aux_logits: bool, dropout: float
    ) -> None:
        make = conv.make
        self.conv1 = conv(in_channels, 64, 7, 2)
        self.maxpool1 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv2 = conv(64, 64, 1)
        self.conv3 = conv(64, 192, 3)
        self.maxpool2 = nn.MaxPool2d(3, 2, ceil_mode=True)
        if not conv.torchvision:
            self.norm1, self.norm2 = nn.LocalResponseNorm(5), nn.LocalResponseNorm(5)
        self.inception3a = Inception(conv, 192, 64, 96, 128, 16, 32, 32)
        self.inception3b = Inception(conv, 256, 128, 128, 192, 32, 96, 64)
        self.maxpool3 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.inception4a = Inception(conv, 480, 192, 96, 208, 16, 48, 64)
        self.inception4b = Inception(conv, 512, 160, 112, 224, 24, 64, 64)
        self.inception4c = Inception(conv, 512, 128, 128, 256, 24, 64, 64)
        self.inception4d = Inception(conv, 512, 112, 144, 288, 32, 64, 64)
        self.inception4e = Inception(conv, 528, 256, 160, 320, 32, 128, 128)
        self.maxpool4 = nn.MaxPool2d(2 if conv.torchvision else 3, 2, ceil_mode=True)
        self.inception5a = Inception(conv, 832, 256, 160, 320, 32, 128, 128)
        self.inception5b = Inception(conv, 832, 384, 192, 384, 48, 128, 128)
        if aux_logits:
            self.aux1, self.aux2 = _head(conv, 512, num_classes), _head(conv, 528, num_classes)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.dropout = make.dropout(dropout)
        self.fc = make.linear(1024, num_classes)

    def compose(self) -> nn.Module:
        """One after the other; in training, what follows a head stands inside of `Tapped`."""
        lower = [
            *(self.conv1, self.maxpool1, self.norm1, self.conv2, self.conv3, self.norm2),
            *(self.maxpool2, self.inception3a, self.inception3b, self.maxpool3, self.inception4a),
        ]
        middle = [self.inception4b, self.inception4c, self.inception4d]
        upper = [
            *(self.inception4e, self.maxpool4, self.inception5a, self.inception5b),
            *(self.avgpool, nn.Flatten(), self.dropout, self.fc),
        ]
        if self.training and self.aux2 is not None:
            upper = [Tapped(self.aux2, nn.Sequential(*upper))]
        upper = [*middle, *upper]
        if self.training and self.aux1 is not None:
            upper = [Tapped(self.aux1, nn.Sequential(*upper))]
        return nn.Sequential(*(part for part in (*lower, *upper) if part is not None))


def googlenet(
    num_classes: int = 1000,
    in_channels: int = 3,
    *,
    variant: str = "paper",
    aux_logits: bool = False,
    dropout: float | None = None,
    dtype: npt.DTypeLike = np.float32,
    rng: Rng | None = None,
) -> GoogLeNet:
    """GoogLeNet: nine Inception blocks of four branches.

    Parameters
    ----------
    num_classes, in_channels : int
    variant : "paper" or "torchvision"
        The paper's normalises the local response twice. Torchvision's has batch norm after each
        convolution instead, and 3 x 3 where the paper has 5 x 5; the rest has the same names. Its
        weights want images as (pixel - 0.5) / 0.5.
    aux_logits : bool
        Two auxiliary heads. In training the network then returns `GoogLeNetOutputs`, and its
        backward takes a tuple of their gradients in that order; the paper adds the auxiliary losses
        times 0.3. In ``eval()`` they are not computed.
    dropout : float, optional
        0.4 or, of torchvision's variant, 0.2.
    dtype : float32 or float64
    rng : numpy Generator or int, optional
        Where the initial values come from (He's, for the paper gives none; torchvision's there); by
        default what `fastconv.manual_seed` seeded.

    Returns
    -------
    GoogLeNet
        A `fastconv.nn.Composite`, from images to a score for each class.
    """
    check_variant("googlenet", variant, "paper", "torchvision")
    make, torchvision = Maker(dtype, rng), variant == "torchvision"
    if dropout is None:
        dropout = 0.2 if torchvision else 0.4
    net = GoogLeNet(Convs(make, torchvision), num_classes, in_channels, aux_logits, dropout)
    draw = normal(0.01) if torchvision else he_normal
    return make.drawn(net, draw, draw)


def _head(conv: Convs, in_channels: int, num_classes: int) -> nn.Sequential:
    """Scores from the middle of the network; the paper's mean over 5 x 5 gives 4 x 4 too."""
    make = conv.make
    return nn.Sequential({
        "avgpool": nn.AdaptiveAvgPool2d((4, 4)), "conv": conv(in_channels, 128, 1),
        "flatten": nn.Flatten(), "fc1": make.linear(2048, 1024), "relu": nn.ReLU(),
        "dropout": make.dropout(0.7), "fc2": make.linear(1024, num_classes),
    })  # fmt: skip
