"""The poolings of the contest, as data: windows of known networks, of one image and of a batch."""

from __future__ import annotations

from math import prod

from .problems import Ints, PoolProblem

# name, kinds, channels, size, kernel, stride, padding, ceil mode
LAYERS: tuple[tuple[str, str, int, Ints, int, int, int, bool], ...] = (
    ("lenet.pool1", "max avg", 6, (28, 28), 2, 2, 0, False),
    ("alexnet.pool1", "max", 96, (55, 55), 3, 2, 0, False),
    ("vgg16.pool1", "max", 64, (224, 224), 2, 2, 0, False),
    ("vgg16.pool4", "max", 512, (28, 28), 2, 2, 0, False),
    ("densenet.trans1", "avg", 128, (56, 56), 2, 2, 0, False),
    ("resnet50.pool1", "max", 64, (112, 112), 3, 2, 1, False),
    ("googlenet.3a", "max", 192, (28, 28), 3, 1, 1, False),
    ("googlenet.aux", "avg", 512, (14, 14), 5, 3, 0, False),
    ("squeezenet.pool1", "max", 96, (109, 109), 3, 2, 0, True),
    ("inception.mixed5", "avg", 192, (35, 35), 3, 1, 1, False),
    ("yolov3.spp5", "max avg", 512, (13, 13), 5, 1, 2, False),
    ("yolov3.spp9", "max avg", 512, (13, 13), 9, 1, 4, False),
    ("yolov3.spp13", "max avg", 512, (13, 13), 13, 1, 6, False),
    ("resnet50.avg", "avg", 2048, (7, 7), 7, 1, 0, False),
    ("wavenet.1d", "max avg", 64, (4096,), 4, 4, 0, False),
    ("c3d.pool2", "max avg", 64, (16, 56, 56), 2, 2, 0, False),
)
MOST_ELEMENTS = 64e6  # of a batch's input; above, it is of 16 images and not of 32
TASKS = ("forward", "indices", "backward")


def pool_cases() -> list[PoolProblem]:
    """Maximum (with and without indices) and mean, forward and backward, batch 1 and 32."""
    cases = []
    for kind in ("max", "avg"):
        for task in TASKS[:: 1 if kind == "max" else 2]:
            category = f"{kind} {task}"
            for name, kinds, channels, size, kernel, stride, padding, ceil_mode in LAYERS:
                if kind not in kinds.split():
                    continue
                most = 16 if 32 * channels * prod(size) > MOST_ELEMENTS else 32
                for batch in (1, most):
                    full = f"{name}{f'.b{batch}' if batch > 1 else ''} {category}"
                    cases.append(
                        PoolProblem(
                            *(full, category, kind, batch, channels, size, kernel, stride),
                            *(padding, ceil_mode, task == "indices"),
                            "input" if task == "backward" else "",
                        )
                    )
    return cases
