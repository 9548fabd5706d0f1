"""The poolings of the contest, as data: windows of known networks, of one image and of a batch."""

from __future__ import annotations

from math import prod

from .problems import PoolProblem

# name, channels, height and width, kernel, stride, padding
LAYERS = (
    ("alexnet.pool1", 96, 55, 3, 2, 0),
    ("vgg16.pool1", 64, 224, 2, 2, 0),
    ("vgg16.pool4", 512, 28, 2, 2, 0),
    ("resnet50.pool1", 64, 112, 3, 2, 1),
    ("googlenet.3a", 192, 28, 3, 1, 1),
    ("googlenet.aux", 512, 14, 5, 3, 0),
    ("yolov3.spp5", 512, 13, 5, 1, 2),
    ("yolov3.spp13", 512, 13, 13, 1, 6),
    ("resnet50.avg", 2048, 7, 7, 1, 0),
)
MOST_ELEMENTS = 64e6  # of a batch's input; above, it is of 16 images and not of 32


def pool_cases() -> list[PoolProblem]:
    """Maximum and mean, forward and backward, batch 1 and 32."""
    cases = []
    for kind in ("max", "avg"):
        for gradient in ("", "input"):
            category = f"{kind} backward" if gradient else f"{kind} forward"
            for name, channels, extent, kernel, stride, padding in LAYERS:
                size = (extent, extent)
                most = 16 if 32 * channels * prod(size) > MOST_ELEMENTS else 32
                for batch in (1, most):
                    full = f"{name}{f'.b{batch}' if batch > 1 else ''} {category}"
                    cases.append(
                        PoolProblem(
                            *(full, category, kind, batch, channels, size),
                            *(kernel, stride, padding, gradient),
                        )
                    )
    return cases
