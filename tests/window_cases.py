"""What the tests of pooling's relatives share: memory orders, draws, adjoints and quotients."""

from __future__ import annotations

import random

import numpy as np

import fastconv as fc

LARGEST = {1: 60, 2: 20, 3: 9}


def laid(array, last):
    """The same array, in memory with the channels last if asked for."""
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(array, 1, -1)), -1, 1) if last else array


def channels_last_axes(array):
    """The array with its channels as the last axis, as ``layout="NHWC"`` has shapes."""
    return np.ascontiguousarray(np.moveaxis(array, 1, -1))


def each_dimension(draw: random.Random, dims, low, high):
    return tuple(draw.randint(low, high) for _ in range(dims))


def image_shape(draw: random.Random, dims, least=None):
    """A batch and channels (as many as fill a vector, sometimes) of any small size."""
    size = (draw.randint(n, max(n, LARGEST[dims])) for n in least or (1,) * dims)
    return (draw.choice([1, 2]), draw.choice([1, 3, 5, 37]), *size)


def equal(actual, expected, dtype, message=""):
    assert actual.dtype == dtype, message
    assert actual.shape == expected.shape, message
    np.testing.assert_array_equal(actual, expected, err_msg=message)


def within(actual, expected, magnitude, terms, message=""):
    """The bound on a sum of `terms` products, ``2 eps (sqrt(terms) + 2)`` of their magnitude."""
    bound = 2 * np.finfo(actual.dtype).eps * (np.sqrt(terms) + 2)
    assert actual.shape == expected.shape, message
    assert (np.abs(actual - expected) <= bound * magnitude).all(), message


def difference_quotients(f, x, gy, step):
    """The gradient of <f(x), gy> by central differences, one element at a time."""
    grad = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        sides = [x.copy(), x.copy()]
        sides[0][place] += step
        sides[1][place] -= step
        up, down = (np.sum(f(side) * gy) for side in sides)
        grad[place] = (up - down) / (2 * step)
    return grad


def same_bits(calls):
    """Whether each call gives the same bits on 1, 2, 3 and 8 threads, and more than once."""
    fc.set_num_threads(1)
    expected = [call() for call in calls]
    for n in (2, 3, 8):
        fc.set_num_threads(n)
        for call, wanted in zip(calls, expected):
            assert np.array_equal(call(), wanted, equal_nan=True)
