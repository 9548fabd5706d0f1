"""The pooling kernels: every ISA, every row tail, torch's edge cases, exact on integers."""

from __future__ import annotations

import random

import numpy as np
import pytest
from naive import (
    naive_avg_pool,
    naive_avg_pool_backward,
    naive_max_pool,
    naive_max_pool_backward,
)

import fastconv as fc
from fastconv import reference


def equal(actual, expected, dtype, message=""):
    assert actual.dtype == dtype
    assert actual.shape == expected.shape, message
    np.testing.assert_array_equal(actual, expected, err_msg=message)


def with_specials(rng, shape, dtype):
    """Integers with many ties, NaNs and infinities among them."""
    x = rng.integers(-2, 3, shape).astype(dtype)
    x[rng.random(shape) < 0.15] = rng.choice([np.nan, np.inf, -np.inf])
    return x


@pytest.mark.parametrize("width", range(2, 70))
def test_every_row_tail(isa, dtype, width):
    rng = np.random.default_rng(width)
    x = rng.integers(-9, 10, (1, 2, 3, width)).astype(dtype)
    pairs, one = ((0, 0), (0, 0)), (1, 1)
    for stride in (1, 2, 3):
        steps = (1, stride)
        values, indices = naive_max_pool(x, (2, 2), steps, pairs, one)
        got, places = fc.max_pool2d(x, 2, steps, return_indices=True)
        equal(got, values, dtype)
        equal(places, indices, np.int64)
        equal(fc.max_pool2d(x, 2, steps), values, dtype)
        equal(fc.avg_pool2d(x, 2, steps), naive_avg_pool(x, (2, 2), steps, pairs, one), dtype)


def random_problem(draw: random.Random):
    shape = (draw.choice([1, 2]), draw.choice([1, 3]), draw.randint(1, 20),
             draw.choice([1, 2, 5, 7, 16, 17, 33, 50, 600]))  # fmt: skip
    kernel = draw.randint(1, 4), draw.randint(1, 5)
    stride = draw.choice([None, 1, 2, (3, 2)])
    padding = draw.choice([0, 0, 1, ((1, 0), (0, 2)), "same", "same_lower", "valid"])
    dilation = draw.choice([1, 1, 2, (1, 3)])
    return shape, kernel, stride, padding, dilation, draw.random() < 0.5


def refused(function, x, *args, **kwargs):
    """Whether the reference refuses a problem; then the kernels must."""
    try:
        getattr(reference, function)(x, *args, **kwargs)
    except ValueError:
        with pytest.raises(ValueError, match=f"{function}: "):
            getattr(fc, function)(x, *args, **kwargs)
        return True
    return False


@pytest.mark.parametrize("seed", range(6))
def test_random_max_pools(isa, dtype, threads, seed):
    draw, rng = random.Random(seed), np.random.default_rng(seed)
    for _ in range(50):
        shape, *args = random_problem(draw)
        fc.set_num_threads(draw.choice([1, 2, 3, 8]))
        x = with_specials(rng, shape, dtype)
        if refused("max_pool2d", x, *args):
            continue
        values, indices = reference.max_pool2d(x, *args, return_indices=True)
        got, places = fc.max_pool2d(x, *args, return_indices=True)
        equal(got, values, dtype, str(args))
        equal(places, indices, np.int64, str(args))
        gy = rng.integers(-4, 5, values.shape).astype(dtype)
        wanted = naive_max_pool_backward(gy, indices, x)
        equal(fc.max_pool2d_backward(gy, x, *args), wanted, dtype, str(args))
        equal(fc.max_pool2d_backward(gy, x, *args, indices=places), wanted, dtype, str(args))


@pytest.mark.parametrize("seed", range(6))
def test_random_avg_pools(isa, dtype, threads, seed):
    draw, rng = random.Random(seed), np.random.default_rng(seed)
    for _ in range(50):
        shape, kernel, stride, padding, dilation, ceil_mode = random_problem(draw)
        fc.set_num_threads(draw.choice([1, 2, 3, 8]))
        # A multiple of every divisor, so that means are exact.
        x = 15120 * rng.integers(-4, 5, shape).astype(dtype)
        args = (kernel, stride, padding, ceil_mode, draw.random() < 0.5,
                draw.choice([None, None, 3, -2]))  # fmt: skip
        if refused("avg_pool2d", x, *args, dilation=dilation):
            continue
        wanted = reference.avg_pool2d(x.astype(float), *args, dilation=dilation)
        equal(fc.avg_pool2d(x, *args, dilation=dilation), wanted, dtype, str(args))
        gy = 15120 * rng.integers(-4, 5, wanted.shape).astype(dtype)
        grad = reference.avg_pool2d_backward(gy.astype(float), x, *args, dilation=dilation)
        equal(fc.avg_pool2d_backward(gy, x, *args, dilation=dilation), grad, dtype, str(args))


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("padding", [((0, 0), (0, 0)), ((1, 0), (1, 1))])
@pytest.mark.parametrize("stride", [(1, 1), (2, 3)])
def test_against_naive_loops(isa, dtype, stride, padding, ceil_mode):
    rng = np.random.default_rng(7)
    x = 5040 * rng.integers(-4, 5, (2, 2, 7, 8)).astype(dtype)
    kernel, one = (3, 2), (1, 1)
    values, indices = naive_max_pool(x, kernel, stride, padding, one, ceil_mode)
    got, places = fc.max_pool2d(x, kernel, stride, padding, 1, ceil_mode, True)
    equal(got, values, dtype)
    equal(places, indices, np.int64)
    mean = naive_avg_pool(x, kernel, stride, padding, one, ceil_mode)
    equal(fc.avg_pool2d(x, kernel, stride, padding, ceil_mode), mean, dtype)
    gy = 5040 * rng.integers(-4, 5, mean.shape).astype(dtype)
    grad = naive_avg_pool_backward(gy, x, kernel, stride, padding, one)
    equal(fc.avg_pool2d_backward(gy, x, kernel, stride, padding, ceil_mode), grad, dtype)


def test_ties_nan_and_infinity(isa, dtype):
    nan, inf = np.nan, np.inf
    for window, value, index in [
        ([1, 1, 1, 1], 1, 0),
        ([0, 2, 2, 1], 2, 1),
        ([nan, 5, 3, 1], nan, 0),
        ([5, nan, nan, 1], nan, 2),
        ([-inf, -inf, -inf, -inf], -inf, 0),
        ([-inf, -inf, 0, inf], inf, 3),
    ]:
        x = np.array(window, dtype).reshape(1, 1, 2, 2)
        got, place = fc.max_pool2d(x, 2, return_indices=True)
        np.testing.assert_equal(got.item(), value)
        assert place.item() == index, window
    all_lowest = np.full((1, 1, 5, 5), -inf, dtype)
    _, places = fc.max_pool2d(all_lowest, 3, 2, 1, return_indices=True)
    assert places[0, 0].tolist() == [[0, 1, 3], [5, 6, 8], [15, 16, 18]]


def test_window_without_an_element(isa, dtype):
    """Both taps of a dilated window in the padding: the lowest value, no index, no gradient."""
    x = np.ones((1, 1, 1, 4), dtype)
    args = ((1, 2), 1, ((0, 0), (1, 1)), (1, 5))
    got, place = fc.max_pool2d(x, *args, return_indices=True)
    assert got.item() == -np.inf
    assert place.item() == -1
    grad = fc.max_pool2d_backward(np.ones_like(got), x, *args, indices=place)
    equal(grad, np.zeros(x.shape), dtype)


def test_wrong_indices_are_an_error(isa):
    x, gy = np.ones((1, 1, 4, 4)), np.ones((1, 1, 2, 2))
    for bad in (16, -2, 2**40):
        indices = np.full((1, 1, 2, 2), bad, np.int64)
        with pytest.raises(ValueError, match="indices has an element outside the plane"):
            fc.max_pool2d_backward(gy, x, 2, indices=indices)
    small = np.full((1, 1, 2, 2), 3, np.int32)
    assert fc.max_pool2d_backward(gy, x, 2, indices=small)[0, 0, 0, 3] == 4
    with pytest.raises(TypeError, match="indices has dtype float64"):
        fc.max_pool2d_backward(gy, x, 2, indices=gy)
    with pytest.raises(ValueError, match="indices has shape"):
        fc.max_pool2d_backward(gy, x, 2, indices=small[..., :1])


def test_same_bits_for_any_threads(isa, dtype, threads):
    rng = np.random.default_rng(8)
    x = rng.standard_normal((3, 6, 29, 31)).astype(dtype)
    gy = rng.standard_normal((3, 6, 15, 16)).astype(dtype)
    results = []
    for n in (1, 2, 3, 8):
        fc.set_num_threads(n)
        results.append((fc.avg_pool2d(x, 3, 2, 1), fc.max_pool2d(x, 3, 2, 1),
                        fc.avg_pool2d_backward(gy, x, 3, 2, 1),
                        fc.max_pool2d_backward(gy, x, 3, 2, 1)))  # fmt: skip
    for other in results[1:]:
        for one, two in zip(results[0], other):
            assert np.array_equal(one, two)


@pytest.mark.parametrize("side", [9, 40, 80])
@pytest.mark.parametrize("kernel", [2, 3, 5, 9])
def test_same_bits_for_any_batch_and_out(isa, dtype, side, kernel):
    rng = np.random.default_rng(side)
    x = rng.standard_normal((3, 20, side, side)).astype(dtype)
    y = fc.avg_pool2d(x, kernel, 1)
    apart = np.full((*y.shape[:3], 2 * y.shape[3]), np.nan, dtype)[..., ::2]
    assert np.array_equal(fc.avg_pool2d(x, kernel, 1, out=apart), y)
    assert np.array_equal(fc.avg_pool2d(x[1:2], kernel, 1), y[1:2])
    last = np.full((*y.shape[:1], *y.shape[2:], y.shape[1]), np.nan, dtype).transpose(0, 3, 1, 2)
    assert np.array_equal(fc.avg_pool2d(x, kernel, 1, out=last), y)


def test_empty_batch(isa, dtype):
    x = np.ones((0, 2, 4, 4), dtype)
    fc.max_pool2d(np.ones((1, 1, 2, 2), dtype), 2)
    for function in ("max_pool2d", "avg_pool2d"):
        y = getattr(fc, function)(x, 2)
        equal(y, np.ones((0, 2, 2, 2)), dtype)
        equal(getattr(fc, function + "_backward")(y, x, 2), x, dtype)


def test_window_far_larger_than_the_image(isa, dtype):
    """Taps that never meet the image cost neither time nor memory."""
    rng = np.random.default_rng(9)
    x = rng.integers(-4, 5, (1, 2, 7, 9)).astype(dtype)
    huge = 2**40
    args = ((huge, 1), (1, 1), ((huge // 2, huge // 2 - 6), (0, 0)))
    y, places = fc.max_pool2d(x, *args, return_indices=True)
    assert y.shape == (1, 2, 2, 9)
    equal(y, np.repeat(x.max(2, keepdims=True), 2, 2), dtype)
    equal(places[:, :, 0], x.argmax(2) * 9 + np.arange(9), np.int64)
    total = fc.avg_pool2d(x, *args, divisor_override=1)
    equal(total, np.repeat(x.sum(2, keepdims=True), 2, 2), dtype)
    gy = rng.integers(-4, 5, y.shape).astype(dtype)
    grad = fc.avg_pool2d_backward(gy, x, *args, divisor_override=1)
    equal(grad, np.repeat(gy.sum(2, keepdims=True), 7, 2), dtype)
