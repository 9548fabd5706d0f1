"""The layers that are timed, as data: LeNet-5 (LeCun et al. 1998) at batch 32, AlexNet (Krizhevsky
et al. 2012; two groups in conv2, conv4 and conv5) and VGG-16 (Simonyan and Zisserman 2015) at
batch 1. Of VGG's layers that repeat a shape one is kept.
"""

from __future__ import annotations

from typing import NamedTuple

Shape = tuple[int, ...]


class ConvLayer(NamedTuple):
    """A square-kernel convolution: its problem, its arrays' shapes, and its work."""

    name: str
    batch: int
    in_channels: int
    height: int
    width: int
    out_channels: int
    kernel: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    groups: int = 1

    @property
    def input_shape(self) -> Shape:
        return (self.batch, self.in_channels, self.height, self.width)

    @property
    def weight_shape(self) -> Shape:
        return (self.out_channels, self.in_channels // self.groups, self.kernel, self.kernel)

    @property
    def output_shape(self) -> Shape:
        extent = self.dilation * (self.kernel - 1) + 1
        height, width = (
            (size + 2 * self.padding - extent) // self.stride + 1
            for size in (self.height, self.width)
        )
        return (self.batch, self.out_channels, height, width)

    @property
    def outputs(self) -> int:
        batch, channels, height, width = self.output_shape
        return batch * channels * height * width

    @property
    def flop(self) -> int:
        """Of the sums as they are written, the zeros of the padding included; the gradients of
        input and weight have as many.
        """
        return 2 * self.outputs * self.in_channels // self.groups * self.kernel**2

    @property
    def longest_sum(self) -> int:
        """Terms of an element of the output or of any gradient, whichever has the most."""
        batch, channels, height, width = self.output_shape
        widest = max(self.in_channels, channels) // self.groups
        return max(widest * self.kernel**2, batch * height * width)


class PoolLayer(NamedTuple):
    """A pooling with square windows and no padding."""

    name: str
    batch: int
    channels: int
    height: int
    width: int
    kernel: int
    stride: int

    @property
    def input_shape(self) -> Shape:
        return (self.batch, self.channels, self.height, self.width)

    @property
    def output_shape(self) -> Shape:
        height, width = (
            (size - self.kernel) // self.stride + 1 for size in (self.height, self.width)
        )
        return (self.batch, self.channels, height, width)

    @property
    def outputs(self) -> int:
        batch, channels, height, width = self.output_shape
        return batch * channels * height * width

    @property
    def flop(self) -> int:
        """One addition or comparison an element of a window."""
        return self.outputs * self.kernel**2


class DenseLayer(NamedTuple):
    """A fully connected layer."""

    name: str
    batch: int
    in_features: int
    out_features: int

    @property
    def output_shape(self) -> Shape:
        return (self.batch, self.out_features)

    @property
    def flop(self) -> int:
        return 2 * self.batch * self.in_features * self.out_features

    @property
    def longest_sum(self) -> int:
        return max(self.batch, self.in_features, self.out_features)


CONV_LAYERS = (
    ConvLayer("lenet.c1", 32, 1, 28, 28, 6, 5, padding=2),
    ConvLayer("lenet.c3", 32, 6, 14, 14, 16, 5),
    ConvLayer("alexnet.conv1", 1, 3, 227, 227, 96, 11, stride=4),
    ConvLayer("alexnet.conv2", 1, 96, 27, 27, 256, 5, padding=2, groups=2),
    ConvLayer("alexnet.conv3", 1, 256, 13, 13, 384, 3, padding=1),
    ConvLayer("alexnet.conv4", 1, 384, 13, 13, 384, 3, padding=1, groups=2),
    ConvLayer("alexnet.conv5", 1, 384, 13, 13, 256, 3, padding=1, groups=2),
    ConvLayer("vgg16.conv1_1", 1, 3, 224, 224, 64, 3, padding=1),
    ConvLayer("vgg16.conv1_2", 1, 64, 224, 224, 64, 3, padding=1),
    ConvLayer("vgg16.conv2_1", 1, 64, 112, 112, 128, 3, padding=1),
    ConvLayer("vgg16.conv3_2", 1, 256, 56, 56, 256, 3, padding=1),
    ConvLayer("vgg16.conv4_2", 1, 512, 28, 28, 512, 3, padding=1),
    ConvLayer("vgg16.conv5_1", 1, 512, 14, 14, 512, 3, padding=1),
)

POOL_LAYERS = (
    PoolLayer("lenet.s2", 32, 6, 28, 28, 2, 2),
    PoolLayer("lenet.s4", 32, 16, 10, 10, 2, 2),
    PoolLayer("alexnet.pool1", 1, 96, 55, 55, 3, 2),
    PoolLayer("alexnet.pool2", 1, 256, 27, 27, 3, 2),
    PoolLayer("alexnet.pool5", 1, 256, 13, 13, 3, 2),
    PoolLayer("vgg16.pool1", 1, 64, 224, 224, 2, 2),
    PoolLayer("vgg16.pool2", 1, 128, 112, 112, 2, 2),
    PoolLayer("vgg16.pool3", 1, 256, 56, 56, 2, 2),
    PoolLayer("vgg16.pool4", 1, 512, 28, 28, 2, 2),
    PoolLayer("vgg16.pool5", 1, 512, 14, 14, 2, 2),
)

# VGG's fc7 and fc8 are AlexNet's.
DENSE_LAYERS = (
    DenseLayer("lenet.c5", 32, 400, 120),
    DenseLayer("lenet.f6", 32, 120, 84),
    DenseLayer("lenet.output", 32, 84, 10),
    DenseLayer("alexnet.fc6", 1, 9216, 4096),
    DenseLayer("alexnet.fc7", 1, 4096, 4096),
    DenseLayer("alexnet.fc8", 1, 4096, 1000),
    DenseLayer("vgg16.fc6", 1, 25088, 4096),
)

# What an activation is applied to, the smallest and the largest of each network, ...
ACTIVATION_LAYERS = tuple(
    layer
    for layer in (*CONV_LAYERS, *DENSE_LAYERS)
    if layer.name in ("lenet.c1", "lenet.f6", "alexnet.conv1", "alexnet.fc7", "vgg16.conv1_1")
)
# ... and a loss.
LOGIT_LAYERS = tuple(
    layer for layer in DENSE_LAYERS if layer.name in ("lenet.output", "alexnet.fc8")
)
