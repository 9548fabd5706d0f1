"""Pooling in one and three dimensions, forward and backward, on small integers."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from checks import exact_sum, integers
from contest import Contest

import fastconv.reference as reference


class Case(NamedTuple):
    layer: str
    dims: int
    input_shape: tuple[int, ...]
    window: int  # a power of two: means of integers are exact


CASES = (
    Case("wavenet.1d", 1, (1, 64, 4096), 4),
    Case("c3d.pool2", 3, (1, 64, 16, 28, 28), 2),
)


@pytest.mark.parametrize("backward", [False, True], ids=["forward", "backward"])
@pytest.mark.parametrize("kind", ["max", "avg"])
@pytest.mark.parametrize("case", CASES, ids=[case.layer for case in CASES])
def test_pool_dims(contest: Contest, case: Case, kind: str, backward: bool) -> None:
    name = f"{kind}_pool{case.dims}d"
    x = integers(0, case.input_shape)
    gy = integers(1, getattr(reference, name)(x, case.window).shape)

    def call(library: Any) -> Any:
        if backward:
            return getattr(library, f"{name}_backward")(gy, x, case.window)
        return getattr(library, name)(x, case.window)

    contest(
        case.layer,
        f"{name}_backward" if backward else name,
        call,
        operands=(gy, x) if backward else (x,),
        check=exact_sum(case.window**case.dims),
        flop=int(np.prod(case.input_shape)),
    )
