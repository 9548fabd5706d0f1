"""``python -m fastconv.models``: the networks as a table in Markdown, for the README."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from .. import models, nn
from .._explain import explain

# Name, how it is made, the image it is for, the paper.
NETWORKS = (
    ("lenet5()", models.lenet5, (1, 32, 32), "LeCun et al. 1998"),
    ("lenet5(original=False)", partial(models.lenet5, False), (1, 32, 32), "as taught today"),
    ("keras_cnn()", models.keras_cnn, (1, 28, 28), "Keras, TensorFlow tutorials"),
    ("simple_convnet()", models.simple_convnet, (1, 28, 28), "Saito 2016"),
    ("softmax_regression()", models.softmax_regression, (1, 28, 28), "the baseline"),
    ("nin()", models.nin, (3, 32, 32), "Lin et al. 2014"),
    ('nin(variant="imagenet")', partial(models.nin, variant="imagenet"), (3, 224, 224),
     "the authors' for Caffe"),
    ("alexnet()", models.alexnet, (3, 224, 224), "Krizhevsky et al. 2012"),
    ('alexnet(variant="torchvision")', partial(models.alexnet, variant="torchvision"),
     (3, 224, 224), "Krizhevsky 2014, torchvision"),
    ("vgg11()", models.vgg11, (3, 224, 224), "Simonyan & Zisserman 2015"),
    ("vgg13()", models.vgg13, (3, 224, 224), "Simonyan & Zisserman 2015"),
    ("vgg16()", models.vgg16, (3, 224, 224), "Simonyan & Zisserman 2015"),
    ("vgg16(batch_norm=True)", partial(models.vgg16, batch_norm=True), (3, 224, 224),
     "torchvision"),
    ("vgg19()", models.vgg19, (3, 224, 224), "Simonyan & Zisserman 2015"),
    ("googlenet()", models.googlenet, (3, 224, 224), "Szegedy et al. 2015"),
    ('googlenet(variant="torchvision")', partial(models.googlenet, variant="torchvision"),
     (3, 224, 224), "torchvision"),
    ("squeezenet1_1()", models.squeezenet1_1, (3, 224, 224), "Iandola et al. 2016"),
    ("resnet18()", models.resnet18, (3, 224, 224), "He et al. 2016"),
    ("resnet34()", models.resnet34, (3, 224, 224), "He et al. 2016"),
    ("resnet50()", models.resnet50, (3, 224, 224), "He et al. 2016"),
    ("mobilenet_v2()", models.mobilenet_v2, (3, 224, 224), "Sandler et al. 2018"),
)  # fmt: skip


def parameters(net: nn.Module) -> int:
    """How many numbers are learned."""
    return sum(p.size for p in net.parameters() if p.requires_grad)


def rows() -> Iterator[str]:
    """The table's lines."""
    yield "| network | parameters | image | MFLOP | source |"
    yield "| --- | ---: | ---: | ---: | --- |"
    for name, make, image, source in NETWORKS:
        net: nn.Module = make()
        mflop = explain(net, (1, *image)).flop / 1e6
        digits = 2 if mflop < 10 else 0
        size = "x".join(map(str, image))
        yield f"| `{name}` | {parameters(net):,} | {size} | {mflop:,.{digits}f} | {source} |"


if __name__ == "__main__":
    print(*rows(), sep="\n")
