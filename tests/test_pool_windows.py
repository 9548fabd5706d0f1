"""Windows of several neighbours at stride 1: every length that two vectors hold, and more."""

from __future__ import annotations

import random

import numpy as np
import pytest

import fastconv as fc
from fastconv import reference

WIDTHS = [*range(11, 18), *range(23, 34), 47, 48, 49, 64, 112, 255]


def with_specials(rng, shape, dtype, share, specials):
    """Integers with many ties, and some of `specials` among them."""
    x = rng.integers(-2, 3, shape).astype(dtype)
    special = rng.random(shape) < share
    x[special] = rng.choice(specials, special.sum())
    return x


def problem(draw: random.Random):
    """Rows around whole vectors and around the 128 that are joined at once."""
    kernel = draw.randint(1, 18), draw.randint(1, 18)
    low = [draw.randint(0, k // 2) for k in kernel]
    high = [draw.randint(0, k // 2) for k in kernel]
    height = draw.choice([*range(1, 20), 100, 112, 127, 128, 129, 260])
    width = draw.choice(WIDTHS)
    size = [
        max(s, k - a - b) for s, k, a, b in zip((height, width), kernel, low, high, strict=True)
    ]
    return (draw.choice([1, 2]), draw.randint(1, 3), *size), kernel, [*zip(low, high, strict=True)]


@pytest.mark.parametrize("seed", range(24))
def test_maxima_and_their_places(isa, dtype, threads, seed):
    draw, rng = random.Random(seed), np.random.default_rng(seed)
    fc.set_num_threads(draw.choice([1, 2, 3, 8]))
    for share, *specials in (
        (0, 0),
        (0.02, np.nan, np.inf),
        (0.6, np.nan, -np.inf),
        (0.99, -np.inf),
    ):
        shape, kernel, padding = problem(draw)
        x = with_specials(rng, shape, dtype, share, specials)
        values, places = reference.max_pool2d(x, kernel, 1, padding, return_indices=True)
        message = f"{shape} {kernel} {padding} {share}"
        got, indices = fc.max_pool2d(x, kernel, 1, padding, return_indices=True)
        np.testing.assert_array_equal(got, values, message)
        np.testing.assert_array_equal(indices, places, message)
        out = np.full_like(values, 7)
        np.testing.assert_array_equal(
            fc.max_pool2d(x, kernel, 1, padding, out=out), values, message
        )


@pytest.mark.parametrize("seed", range(24))
def test_means(isa, dtype, threads, seed):
    draw, rng = random.Random(seed), np.random.default_rng(seed)
    fc.set_num_threads(draw.choice([1, 2, 3, 8]))
    for count_include_pad in (True, False):
        shape, kernel, padding = problem(draw)
        x = rng.integers(-9, 10, shape).astype(dtype)
        message = f"{shape} {kernel} {padding} {count_include_pad}"
        how = {"count_include_pad": count_include_pad}
        out = np.full_like(reference.avg_pool2d(x, kernel, 1, padding, **how), np.nan)
        got = fc.avg_pool2d(x, kernel, 1, padding, **how, out=out)
        expected = reference.avg_pool2d(x, kernel, 1, padding, **how)
        np.testing.assert_array_equal(got, expected, message)


@pytest.mark.parametrize("kernel", [4, 5, 7, 13, 16, 17])
def test_an_infinity_stays_in_its_windows(isa, dtype, kernel):
    x = np.ones((1, 1, 40, 48), dtype)
    x[0, 0, 20, 24] = np.inf
    y = fc.avg_pool2d(x, kernel, 1)
    inside = np.zeros_like(y, bool)
    inside[0, 0, 21 - kernel : 21, 25 - kernel : 25] = True
    np.testing.assert_array_equal(y, np.where(inside, dtype(np.inf), dtype(1)))


@pytest.mark.parametrize("kernel", [5, 13])
def test_same_bits_alone_and_in_a_batch(isa, dtype, threads, kernel):
    x = np.random.default_rng(3).standard_normal((3, 5, 13, 28)).astype(dtype)
    all_at_once = fc.avg_pool2d(x, kernel, 1, kernel // 2)
    for count in (1, 2, 3, 8):
        fc.set_num_threads(count)
        one = fc.avg_pool2d(x[1:2], kernel, 1, kernel // 2)
        assert one.tobytes() == all_at_once[1:2].tobytes()
