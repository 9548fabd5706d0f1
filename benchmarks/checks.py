"""When two results are the same: to the bit where arithmetic can be exact, otherwise within a
bound that is derived or written down, never one chosen to pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Check = Callable[[Any, Any], None]
LARGEST = 3  # of the integers the sums are over
EPS = float(np.finfo(np.float32).eps)

# Largest difference in units of eps * max(1, |expected|), as in tests/ulps.py; what is not here is
# equal to the bit. A gradient without an entry has its function's: tanh' = 1 - y^2 doubles what y
# is off by, and both grow with |grad_output|, which is 4 here at most.
ULPS = {
    "leaky_relu": 1, "sigmoid": 4, "tanh": 4, "silu": 4, "hard_swish": 4, "softmax": 8,
    "log_softmax": 8, "cross_entropy": 32, "mse_loss": 32, "batch_norm": 16,
    "local_response_norm": 8, "optimizer": 4, "tanh_backward": 16, "silu_backward": 16,
    "batch_norm_backward": 64, "local_response_norm_backward": 16, "lp_pool1d": 8, "lp_pool2d": 8,
    "lp_pool3d": 8, "lp_pool1d_backward": 32, "lp_pool2d_backward": 32, "lp_pool3d_backward": 32,
}  # fmt: skip


def integers(seed: int, shape: tuple[int, ...]) -> Array:
    """Whole numbers of at most LARGEST, as float32."""
    generator = np.random.default_rng(seed)
    return generator.integers(-LARGEST, LARGEST + 1, shape, np.int8).astype(np.float32)


def normal(seed: int, shape: tuple[int, ...]) -> Array:
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def exact_sum(terms: int) -> Check:
    """Equality, for sums of `terms` products of `integers`: none is rounded below 2^24."""
    assert terms * LARGEST**2 < 2**24
    return equal


def equal(ours: Any, theirs: Any) -> None:
    for got, wanted in _pairs(ours, theirs):
        np.testing.assert_array_equal(got, wanted)


def within_sum(terms: int, magnitude: Array) -> Check:
    """The bound of a sum of rounded products, ``2 eps (sqrt(terms) + 2) |x| * |w|`` elementwise,
    where `magnitude` is the sum over absolute values.
    """
    bound = 2 * EPS * (sqrt(terms) + 2) * magnitude

    def check(ours: Any, theirs: Any) -> None:
        for got, wanted in _pairs(ours, theirs):
            assert np.all(np.abs(got - wanted) <= bound)

    return check


def within_ulps(function: str) -> Check:
    """The table's bound for a function or a gradient, by its name."""
    ulps = ULPS.get(function, ULPS.get(function.removesuffix("_backward"), 0))

    def check(ours: Any, theirs: Any) -> None:
        for got, wanted in _pairs(ours, theirs):
            error = np.abs(got - wanted) / (EPS * np.maximum(1, np.abs(wanted)))
            assert np.max(error) <= ulps

    return check


def arrays_of(result: Any) -> list[Array]:
    """The arrays of a result or of operands, with what is None left out."""
    parts = result if isinstance(result, tuple) else (result,)
    return [np.asarray(part) for part in parts if part is not None]


def _pairs(ours: Any, theirs: Any) -> Iterator[tuple[Array, Array]]:
    got, wanted = arrays_of(ours), arrays_of(theirs)
    assert [(a.shape, a.dtype) for a in got] == [(a.shape, a.dtype) for a in wanted]
    return zip(got, wanted)
