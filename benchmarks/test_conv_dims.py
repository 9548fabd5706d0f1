"""Convolution in one and three dimensions, and transposed, forward and both gradients together. On
small integers every sum is exact, in any order.
"""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import numpy as np
import pytest
from checks import exact_sum, integers
from contest import Contest

import fastconv.functional as F


class Case(NamedTuple):
    layer: str
    function: str
    input_shape: tuple[int, ...]
    weight_shape: tuple[int, ...]
    stride: int
    padding: int


CASES = (
    Case("audio.k9", "conv1d", (1, 64, 4000), (64, 64, 9), 1, 4),
    Case("video.3x3x3", "conv3d", (1, 16, 8, 28, 28), (32, 16, 3, 3, 3), 1, 1),
    Case("hifigan.up", "conv_transpose1d", (1, 64, 500), (64, 32, 8), 4, 2),
    Case("dcgan.up", "conv_transpose2d", (1, 128, 16, 16), (128, 64, 4, 4), 2, 1),
    Case("unet3d.up", "conv_transpose3d", (1, 32, 8, 16, 16), (32, 16, 2, 2, 2), 2, 0),
)


@pytest.mark.parametrize("backward", [False, True], ids=["forward", "backward"])
@pytest.mark.parametrize("case", CASES, ids=[case.function for case in CASES])
def test_conv_dims(contest: Contest, case: Case, backward: bool) -> None:
    x, w = integers(0, case.input_shape), integers(1, case.weight_shape)
    transposed = "transpose" in case.function
    b = integers(2, (case.weight_shape[1 if transposed else 0],))
    how = (case.stride, case.padding)
    output_shape = getattr(F, case.function)(x, w, b, *how).shape
    # Every element of the weight meets every input of its channel, or every output.
    places = prod((case.input_shape if transposed else output_shape)[2:])
    flop = 2 * x.shape[0] * w.size * places
    gy = integers(3, output_shape)

    def call(library: Any) -> Any:
        if backward:
            return getattr(library, f"{case.function}_backward")(gy, x, w, b, *how)
        return getattr(library, case.function)(x, w, b, *how)

    longest = max(np.prod(case.weight_shape[2:]) * max(case.weight_shape[:2]), gy[0, 0].size)
    contest(
        case.layer,
        f"{case.function}{'_backward' * backward}",
        call,
        operands=(gy, x, w, b) if backward else (x, w, b),
        check=exact_sum(int(longest) + 1),
        flop=flop * (2 if backward else 1),
    )
