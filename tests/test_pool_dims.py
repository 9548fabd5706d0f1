"""Pooling in one to three dimensions, both layouts, small windows and large, against the reference;
specials stay within the windows that hold them.
"""

from __future__ import annotations

import random

import numpy as np
import pytest

import fastconv as fc
import fastconv.nn as nn
from fastconv import reference

MULTIPLE = 15120  # of most divisors, so that means of integers are exact


def equal(actual, expected, dtype, message=""):
    assert actual.dtype == dtype
    np.testing.assert_array_equal(actual, expected, err_msg=message)


def laid(array, last):
    """The same array, in memory with the channels last if asked for."""
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(array, 1, -1)), -1, 1) if last else array


def problem(draw: random.Random, dims: int):
    most = {1: 700, 2: 60, 3: 14}[dims]
    size = tuple(draw.choice([1, 2, 7, draw.randint(1, most)]) for _ in range(dims))
    kernel = tuple(draw.choice([1, 2, 3, 3, 5, 9, 13, 21]) for _ in range(dims))
    stride = tuple(draw.choice([1, 1, 2, 2, 3, 5]) for _ in range(dims))
    half = tuple((k // 2, (k - 1) // 2) for k in kernel)
    padding = draw.choice([0, half, "same", "same_lower"])
    dilation = tuple(draw.choice([1, 1, 1, 2, 3]) for _ in range(dims))
    shape = (draw.choice([1, 2]), draw.choice([1, 3, 16, 21]), *size)
    return shape, kernel, stride, padding, dilation


def bound(x, kernel, dtype):
    """Of style point 15 with the mean of absolute values of all."""
    terms = np.prod([min(k, n) for k, n in zip(kernel, x.shape[2:])])
    return 2 * np.finfo(dtype).eps * (np.sqrt(terms) + 2)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_random_maxima(isa, dtype, threads, dims, seed):
    draw, rng = random.Random(seed), np.random.default_rng(seed)
    function, name = getattr(fc, f"max_pool{dims}d"), f"max_pool{dims}d"
    for _ in range(20):
        shape, *args = problem(draw, dims)
        args.append(draw.random() < 0.5)
        fc.set_num_threads(draw.choice([1, 2, 3, 8]))
        x = rng.integers(-2, 3, shape).astype(dtype)
        x[rng.random(shape) < 0.1] = rng.choice([np.nan, np.inf, -np.inf])
        try:
            values, indices = getattr(reference, name)(x, *args, return_indices=True)
        except ValueError:
            continue
        gy = rng.integers(-4, 5, values.shape).astype(dtype)
        grad = getattr(reference, f"{name}_backward")(gy, x, *args, indices=indices)
        for last in (False, True):
            image, message = laid(x, last), f"{shape} {args} {last}"
            equal(function(image, *args), values, dtype, message)
            got, places = function(image, *args, return_indices=True)
            equal(got, values, dtype, message)
            equal(places, indices, np.int64, message)
            backward = getattr(fc, f"{name}_backward")
            equal(backward(laid(gy, last), image, *args, indices=places), grad, dtype, message)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_random_means(isa, dtype, threads, dims, seed):
    draw, rng = random.Random(seed), np.random.default_rng(seed)
    name = f"avg_pool{dims}d"
    for _ in range(20):
        shape, kernel, stride, padding, dilation = problem(draw, dims)
        fc.set_num_threads(draw.choice([1, 2, 3, 8]))
        x = rng.standard_normal(shape).astype(dtype)
        args = (kernel, stride, padding, draw.random() < 0.5, draw.random() < 0.5)
        try:
            wide = x.astype(np.longdouble)
            wanted = getattr(reference, name)(wide, *args, dilation=dilation)
        except ValueError:
            continue
        size = getattr(reference, name)(np.abs(wide), *args, dilation=dilation)
        gy = rng.standard_normal(wanted.shape).astype(dtype)
        backward = getattr(reference, f"{name}_backward")
        grad = backward(gy.astype(np.longdouble), wide, *args, dilation=dilation)
        grad_size = backward(np.abs(gy).astype(np.longdouble), wide, *args, dilation=dilation)
        most = bound(x, kernel, dtype)
        for last in (False, True):
            image, message = laid(x, last), f"{shape} {args} {dilation} {last}"
            got = getattr(fc, name)(image, *args, dilation=dilation)
            assert (np.abs(got - wanted) <= most * size).all(), message
            back = getattr(fc, f"{name}_backward")(laid(gy, last), image, *args, dilation=dilation)
            assert (np.abs(back - grad) <= most * grad_size).all(), message


@pytest.mark.parametrize("seed", range(3))
def test_small_planes(isa, dtype, threads, seed):
    """As many as fill a vector or a few more, their rows narrower than one and wider."""
    draw, rng = random.Random(seed), np.random.default_rng(seed)
    for _ in range(30):
        size = (draw.choice([1, 1, 2]), draw.randint(2, 20), draw.randint(2, 20))
        kernel = (draw.choice([1, 2]), draw.randint(1, 7), draw.randint(1, 7))
        stride = tuple(draw.randint(1, 4) for _ in kernel)
        padding = tuple((draw.randint(0, k // 2), draw.randint(0, k // 2)) for k in kernel)
        shape = (draw.choice([1, 3]), draw.choice([3, 6, 7, 8, 9, 15, 16, 17, 35]), *size)
        args = (kernel, stride, padding)
        fc.set_num_threads(draw.choice([1, 2, 3, 8]))
        x = rng.integers(-2, 3, shape).astype(dtype)
        try:
            values = reference.max_pool3d(x, *args)
        except ValueError:
            continue
        equal(fc.max_pool3d(x, *args), values, dtype, f"{shape} {args}")
        means = reference.avg_pool3d(x.astype(np.longdouble), *args)
        most = bound(x, kernel, dtype) * reference.avg_pool3d(np.abs(x), *args)
        assert (np.abs(fc.avg_pool3d(x, *args) - means) <= most).all(), f"{shape} {args}"


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("kernel", [3, 7, 13, 40])
@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
def test_a_special_stays_within_its_windows(isa, dtype, kernel, special, last):
    x = MULTIPLE * np.random.default_rng(0).integers(-3, 4, (1, 20, 50, 70)).astype(dtype)
    clean = fc.avg_pool2d(laid(x, last), kernel, 1, kernel // 2)
    x[0, 1, 20, 30] = special
    got = fc.avg_pool2d(laid(x, last), kernel, 1, kernel // 2)
    hit = np.zeros(got.shape, bool)
    first, behind = kernel // 2 - kernel + 1, kernel // 2 + 1
    rows = slice(max(20 + first, 0), 20 + behind)
    hit[0, 1, rows, max(30 + first, 0) : 30 + behind] = True
    np.testing.assert_array_equal(got[hit], special)
    np.testing.assert_array_equal(got[~hit], clean[~hit])


@pytest.mark.parametrize("kernel", [2, 3, 13])
def test_same_bits_in_any_batch(isa, dtype, threads, kernel):
    """Of an image alone and among others, on any number of threads, with `out` and without."""
    x = np.random.default_rng(1).standard_normal((5, 19, 30, 30)).astype(dtype)
    alone = fc.avg_pool2d(x[3:4], kernel, 1)
    for n in (1, 2, 3, 8):
        fc.set_num_threads(n)
        equal(fc.avg_pool2d(x, kernel, 1)[3:4], alone, dtype)
        out = np.full(alone.shape, np.nan, dtype)
        equal(fc.avg_pool2d(x[3:4], kernel, 1, out=out), alone, dtype)


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_against_torch(dtype, dims):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(dims)
    x = rng.standard_normal((2, 5, *(11, 14, 17)[:dims])).astype(dtype)
    tensor = torch.from_numpy(x)
    for kernel, stride, padding, ceil in [(2, 2, 0, False), (3, 2, 1, True), (5, 1, 2, False)]:
        pool = getattr(torch.nn.functional, f"max_pool{dims}d")
        values, indices = pool(tensor, kernel, stride, padding, 1, ceil, return_indices=True)
        layer = getattr(nn, f"MaxPool{dims}d")(kernel, stride, padding, 1, True, ceil)
        got, places = layer(x)
        equal(got, values.numpy(), dtype)
        equal(places, indices.numpy(), np.int64)
        mean = getattr(torch.nn, f"AvgPool{dims}d")(kernel, stride, padding, ceil)(tensor)
        layer = getattr(nn, f"AvgPool{dims}d")(kernel, stride, padding, ceil)
        np.testing.assert_allclose(layer(x), mean.numpy(), rtol=0, atol=1e-6)
        assert layer.backward(np.ones_like(mean.numpy())).shape == x.shape
