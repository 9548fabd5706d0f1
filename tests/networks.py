"""Small networks that several tests take."""

from __future__ import annotations

import fastconv.nn as nn


def lenet(rng=None):
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1, rng=rng),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.5, rng=rng),
        nn.Linear(27, 4, rng=rng),
    )
