"""The networks that the demo trains, and how each is trained.

`lenet` is the network of LeCun et al., "Gradient-based learning applied to document recognition"
(1998), section II, with rectifiers, maximum pooling and more channels; the others are in
`fastconv.models`. Sizes, epochs, rates and augmentation were chosen by cross-validation inside the
training images; the held-out images are looked at for the report alone, and the last epoch counts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from .. import models, nn

SMALLEST = 8  # pixels: below, too little is left after two poolings


class Network(NamedTuple):
    """A network, made for channels, height and width of its images, and classes."""

    title: str
    make: Callable[[int, int, int], nn.Sequential]
    epochs: int = 40
    batch_size: int = 32
    lr: float = 0.003  # Adam's at the start; it falls to 0 along half a cosine
    # Images of at most half this size are enlarged. Five-fold cross-validation of `lenet`: 7 errors
    # of 1437 on 8 x 8 (and twice the channels), 5 on 16 x 16.
    size: int = 16
    # Label smoothing, from the same cross-validation: 9 errors without, 4 with.
    smoothing: float = 0.1
    # Amount of `fastconv.data.jitter`; 1 and 1.5 did alike (5 and 4 errors).
    jitter: float = 1.5

    def factor(self, size: int) -> int:
        """How many times images of that size are enlarged."""
        return max(1, self.size // size)


def lenet(in_channels: int, size: int, classes: int) -> nn.Sequential:
    """Two convolutions with pooling, three linear layers.

    Parameters
    ----------
    in_channels : int
    size : int
        Height and width of the images, at least 8. Below 20 the second convolution is padded.
    classes : int

    Returns
    -------
    fastconv.nn.Sequential

    Examples
    --------
    >>> lenet(1, 28, 10)(np.zeros((2, 1, 28, 28), np.float32)).shape
    (2, 10)
    """
    if size < SMALLEST:
        raise ValueError(f"lenet: images are {size} pixels wide (wanted at least {SMALLEST})")
    padding = 2 if size < 20 else 0
    left = (size // 2 + 2 * padding - 4) // 2
    return nn.Sequential(
        nn.Conv2d(in_channels, 16, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 5, padding=padding),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * left * left, 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
        nn.Linear(84, classes),
    )


# Errors of three-fold cross-validation inside the 1437 training digits (of nin one fold, 479):
# lenet5 23 after 30 epochs, 12 after 60; lenet5_original 55 on 16 x 16, 49 on 32 x 32, both with a
# rate of 0.003, and of one fold 10 with that rate and jitter 0.7, with 0.01 and 1 there 7, 10 and 5
# after 40, 60 and 100 epochs; keras_cnn 13; simple_convnet 17 after 30 epochs; nin 6 with a rate of
# 0.001, dropout 0.5 and jitter 1.5, 4 with these; softmax 71 after 20 epochs.
NETWORKS = {
    "lenet": Network("LeNet", lenet),
    "lenet5": Network(
        "LeNet-5 as taught today",
        lambda channels, size, classes: models.lenet5(False, classes, channels, size=size),
        epochs=60,
    ),
    "lenet5_original": Network(
        "LeNet-5 as published",
        lambda channels, size, classes: models.lenet5(True, classes, channels, size=size),
        epochs=100,
        lr=0.01,
        size=32,
        smoothing=0,
        jitter=1,
    ),
    "keras_cnn": Network(
        "Keras' CNN",
        lambda channels, size, classes: models.keras_cnn(classes, channels, size=size),
        epochs=15,
        lr=0.001,
    ),
    "simple_convnet": Network(
        "SimpleConvNet",
        lambda channels, size, classes: models.simple_convnet(
            (channels, size, size), output_size=classes
        ),
    ),
    "nin": Network(
        "Network in network",
        lambda channels, size, classes: models.nin(classes, channels, dropout=0.2),
        epochs=30,
        lr=0.002,
        size=8,
        jitter=1,
    ),
    "softmax": Network(
        "softmax regression",
        lambda channels, size, classes: models.softmax_regression(classes, channels, size=size),
        lr=0.01,
    ),
}
