"""Small groups in channels-last memory: several of them in a vector of channels."""

from __future__ import annotations

import random

import numpy as np
import pytest

import fastconv as fc
from fastconv import reference


def integers(rng, shape, dtype):
    """Small integers, on which sums are exact in any order."""
    return rng.integers(-4, 5, shape).astype(dtype)


def channels_last(array):
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(array, 1, -1)), -1, 1)


def arguments(draw):
    """Around blocks of 16 columns, rows kept in turn, windows larger than their image."""
    kernel = draw.choice([(1, 1), (3, 3), (3, 3), (2, 5), (7, 1), (1, 4), (17, 2)])
    how = {
        "stride": draw.choice([1, 1, 2, (1, 2), (3, 1)]),
        "dilation": draw.choice([1, 1, (2, 1), (1, 2), (9, 3)]),
        "padding": [[draw.randint(0, 3), draw.randint(0, 3)] for _ in range(2)],
    }
    dilation = how["dilation"] if isinstance(how["dilation"], tuple) else (1, 1)
    size = [
        max(draw.choice([*range(1, 9), *edges]), d * (k - 1) + 1 - sum(pad))
        for k, d, pad, edges in zip(
            kernel, dilation, how["padding"], ([23], [15, 16, 17, 31, 33, 50]), strict=True
        )
    ]
    return kernel, size, how


@pytest.mark.parametrize("group", [2, 4, 8])
@pytest.mark.parametrize("seed", range(4))
def test_small_groups(isa, dtype, seed, group):
    """Outputs and input gradients, any number of threads."""
    draw, rng = random.Random(seed), np.random.default_rng(seed)
    for _ in range(12):
        fc.set_num_threads(draw.choice([1, 2, 3, 8]))
        kernel, size, how = arguments(draw)
        channels = 16 * draw.choice([1, 2, 3, 5])
        how["groups"] = channels // group
        direct = {**how, "algorithm": "direct"}
        x = channels_last(integers(rng, (draw.choice([1, 1, 3]), channels, *size), dtype))
        w, b = integers(rng, (channels, group, *kernel), dtype), integers(rng, channels, dtype)
        y = reference.conv2d(x, w, b, **how)
        message = f"{x.shape} {w.shape} {how}"
        got = fc.conv2d(x, w, b, **direct)
        np.testing.assert_array_equal(got, y, err_msg=message, strict=True)
        gy = channels_last(integers(rng, y.shape, dtype))
        got = fc.conv2d_backward(gy, x, w, b, **direct, needs=(True, False, False))[0]
        expected = reference.conv2d_backward(gy, x, w, b, **how)[0]
        np.testing.assert_array_equal(got, expected, err_msg=message, strict=True)


def test_small_groups_end_as_all_others(isa, dtype):
    """A residual is added, and an activation of either kind applied."""
    rng = np.random.default_rng(3)
    x = channels_last(integers(rng, (2, 32, 9, 21), dtype))
    w, b = integers(rng, (32, 4, 3, 3), dtype), integers(rng, 32, dtype)
    how = {"padding": 1, "groups": 8}
    plain = reference.conv2d(x, w, b, **how)
    for activation in ("relu", "relu6", "leaky_relu", "silu"):
        residual = channels_last(integers(rng, plain.shape, dtype))
        wanted = getattr(fc, activation)(plain + residual)
        got = fc.conv2d(x, w, b, **how, activation=activation, residual=residual)
        np.testing.assert_array_equal(got, wanted, err_msg=activation, strict=True)
