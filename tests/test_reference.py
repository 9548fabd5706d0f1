"""`fastconv.reference` against nested loops: equal to the last bit on small integers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from naive import (
    naive_avg_pool,
    naive_avg_pool_backward,
    naive_conv,
    naive_conv_backward,
    naive_max_pool,
    naive_max_pool_backward,
)

from fastconv import reference as ref

DTYPES = [np.float32, np.float64]
DIMS = [1, 2, 3]

# Batch, channels in, channels out, groups; and of a dimension: size, kernel, stride, padding,
# dilation. Cases in 2-D and 3-D take neighbouring rows for their dimensions.
CHANNELS = [(2, 3, 4, 1), (1, 4, 6, 2), (2, 3, 3, 3), (0, 2, 4, 2), (1, 1, 2, 1)]
ROWS = [
    (5, 3, 1, (0, 0), 1),
    (6, 2, 2, (1, 1), 1),
    (5, 3, 2, (2, 1), 1),
    (7, 3, 1, (0, 3), 2),
    (4, 1, 3, (0, 0), 1),
    (6, 4, 3, (5, 0), 1),
    (1, 1, 1, (0, 0), 1),
]
CONV_CASES = [
    (channels, list(zip(*(ROWS[(row + i) % len(ROWS)] for i in range(dims)))))
    for dims in DIMS
    for row, channels in zip(range(len(ROWS)), itertools.cycle(CHANNELS))
]

# A dimension of a pooling: size, kernel, stride, padding (at most half the kernel), dilation.
POOL_ROWS = [
    (6, 2, 2, (0, 0), 1),
    (7, 3, 2, (1, 1), 1),
    (5, 3, 1, (1, 0), 2),
    (5, 2, 3, (0, 1), 1),
    (6, 4, 3, (2, 2), 1),
    (3, 2, 1, (1, 1), 3),
    (2, 3, 2, (0, 0), 1),
    (1, 2, 2, (1, 1), 1),
]
POOL_CASES = [
    (list(zip(*(POOL_ROWS[(row + i) % len(POOL_ROWS)] for i in range(dims)))), ceil_mode)
    for dims in DIMS
    for row in range(len(POOL_ROWS))
    for ceil_mode in (False, True)
]


def integers(rng, shape, dtype=np.float64, low=-4, high=5):
    return rng.integers(low, high, shape).astype(dtype)


def call(name, dims, *args, **kwargs):
    return getattr(ref, name.format(dims))(*args, **kwargs)


def same(actual, expected, dtype=None):
    """Equal to the last bit (NaN is NaN), of the dtype asked for, and a fresh plain array."""
    np.testing.assert_array_equal(actual, expected)
    assert type(actual) is np.ndarray
    assert dtype is None or actual.dtype == dtype


# --- nested loops ---


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CONV_CASES, ids=str)
def test_conv_equals_loops(case, dtype):
    (batch, channels, out, groups), (size, kernel, stride, pads, dilation) = case
    dims, rng = len(size), np.random.default_rng(1)
    x = integers(rng, (batch, channels, *size), dtype)
    w = integers(rng, (out, channels // groups, *kernel), dtype)
    b = integers(rng, out, dtype)
    where = (stride, pads, dilation, groups)

    y = call("conv{}d", dims, x, w, b, *where)
    same(y, naive_conv(x, w, b, *where), dtype)
    same(call("conv{}d", dims, x, w, None, *where), naive_conv(x, w, None, *where), dtype)

    gy = integers(rng, y.shape, dtype)
    grads = call("conv{}d_backward", dims, gy, x, w, b, *where)
    for grad, expected in zip(grads, naive_conv_backward(gy, x, w, *where)):
        same(grad, expected, dtype)

    if batch:
        same(call("conv{}d", dims, x[0], w, b, *where), y[0])
        same(call("conv{}d_backward", dims, gy[0], x[0], w, b, *where)[0], grads[0][0])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", POOL_CASES, ids=str)
def test_max_pool_equals_loops(case, dtype):
    (size, kernel, stride, pads, dilation), ceil_mode = case
    dims, rng = len(size), np.random.default_rng(2)
    x = integers(rng, (2, 2, *size), dtype)
    where = (kernel, stride, pads, dilation)
    values, places = naive_max_pool(x, *where, ceil_mode)
    if 0 in values.shape:
        with pytest.raises(ValueError, match="larger than the padded input"):
            call("max_pool{}d", dims, x, *where, ceil_mode)
        return

    y, indices = call("max_pool{}d", dims, x, *where, ceil_mode, return_indices=True)
    same(y, values, dtype)
    same(indices, places, np.int64)
    same(call("max_pool{}d", dims, x, *where, ceil_mode), values, dtype)

    gy = integers(rng, y.shape, dtype)
    expected = naive_max_pool_backward(gy, places, x)
    same(call("max_pool{}d_backward", dims, gy, x, *where, ceil_mode), expected, dtype)
    kept = call("max_pool{}d_backward", dims, gy, x, *where, ceil_mode, True, indices=indices)
    same(kept, expected, dtype)
    same(call("max_pool{}d_backward", dims, gy[0], x[0], *where, ceil_mode), expected[0])


@pytest.mark.parametrize("count_include_pad", [True, False])
@pytest.mark.parametrize("case", POOL_CASES, ids=str)
def test_avg_pool_equals_loops(case, count_include_pad):
    (size, kernel, stride, pads, dilation), ceil_mode = case
    dims, rng = len(size), np.random.default_rng(3)
    x = 5040 * integers(rng, (2, 2, *size))  # divisible by most divisors: exact gradients
    forward = (kernel, stride, pads, dilation, ceil_mode, count_include_pad)
    expected = naive_avg_pool(x, *forward)
    args = (kernel, stride, pads, ceil_mode, count_include_pad)
    if expected.size == 0:
        with pytest.raises(ValueError, match="larger than the padded input"):
            call("avg_pool{}d", dims, x, *args, dilation=dilation)
        return

    y = call("avg_pool{}d", dims, x, *args, dilation=dilation)
    same(y, expected, np.float64)
    single = call("avg_pool{}d", dims, x.astype(np.float32), *args, dilation=dilation)
    same(single, expected.astype(np.float32), np.float32)

    gy = 5040 * 27 * integers(rng, y.shape)
    grad = naive_avg_pool_backward(gy, x, kernel, stride, pads, dilation, count_include_pad)
    same(call("avg_pool{}d_backward", dims, gy, x, *args, dilation=dilation), grad)
    same(call("avg_pool{}d_backward", dims, gy[0], x[0], *args, dilation=dilation), grad[0])
    if dims > 1:
        y = call("avg_pool{}d", dims, x, *args, 7, dilation=dilation)
        same(y, naive_avg_pool(x, *forward, divisor_override=7))


# --- forms of the arguments ---


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "dilation"),
    [(7, 3, 2, 1), (8, 4, 3, 1), (5, 2, 1, 3), (3, 1, 2, 1)],
)
def test_named_padding(size, kernel, stride, dilation):
    rng = np.random.default_rng(4)
    x, w = integers(rng, (2, 3, size)), integers(rng, (4, 3, kernel))
    span = dilation * (kernel - 1)
    need = max(0, ((size + stride - 1) // stride - 1) * stride + span + 1 - size)
    less, more = need // 2, need - need // 2
    pairs = {
        "same": (less, more),
        "same_lower": (more, less),
        "full": (span, span),
        "valid": (0, 0),
    }
    for name, pair in pairs.items():
        args = {"stride": stride, "dilation": dilation}
        y = ref.conv1d(x, w, padding=name, **args)
        same(y, ref.conv1d(x, w, padding=[pair], **args))
        grads = zip(
            ref.conv1d_backward(y, x, w, padding=name, **args)[:2],
            ref.conv1d_backward(y, x, w, padding=[pair], **args)[:2],
        )
        for grad, expected in grads:
            same(grad, expected)
        if name.startswith("same"):
            outputs = -(-size // stride)
            assert y.shape[2] == outputs
            values, indices = naive_max_pool(x, [kernel], [stride], [pair], [dilation])
            pooled = ref.max_pool1d(x, kernel, stride, name, dilation, return_indices=True)
            assert pooled[0].shape[2] == outputs
            same(pooled[0], values)
            same(pooled[1], indices)
            mean = naive_avg_pool(x, [kernel], [stride], [pair], [dilation])
            same(ref.avg_pool1d(x, kernel, stride, name, dilation=dilation), mean)
            same(ref.avg_pool1d(x, kernel, stride, name, ceil_mode=True, dilation=dilation), mean)


def test_strides_and_memory_of_the_input_do_not_matter():
    rng = np.random.default_rng(5)
    x, w, b = integers(rng, (2, 4, 6, 7)), integers(rng, (6, 4, 3, 3)), integers(rng, 6)
    channels_last = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    reversed_twice = np.ascontiguousarray(x[:, :, ::-1, ::-1])[:, :, ::-1, ::-1]
    wide = np.repeat(x, 2, axis=3)[..., ::2]
    y, gy = ref.conv2d(x, w, b, padding=1), integers(rng, (2, 6, 6, 7))
    grads = ref.conv2d_backward(gy, x, w, b, padding=1)
    for other in (channels_last, reversed_twice, wide):
        other.flags.writeable = False
        before = other.copy()
        same(ref.conv2d(other, w, b, padding=1), y)
        gy_strided = np.asfortranarray(gy)
        actual = ref.conv2d_backward(gy_strided, other, np.asfortranarray(w), b, padding=1)
        for grad, expected in zip(actual, grads):
            same(grad, expected)
        same(ref.max_pool2d(other, 2), ref.max_pool2d(x, 2))
        same(
            ref.max_pool2d_backward(gy[:, :4, ::2, 1::2], other, 2),
            ref.max_pool2d_backward(gy[:, :4, ::2, 1::2].copy(), x, 2),
        )
        same(ref.avg_pool2d(other, 2), ref.avg_pool2d(x, 2))
        same(other, before)


def test_needs():
    rng = np.random.default_rng(6)
    x, w, gy = integers(rng, (1, 2, 4, 4)), integers(rng, (3, 2, 3, 3)), integers(rng, (1, 3, 2, 2))
    b = integers(rng, 3)
    full = ref.conv2d_backward(gy, x, w, b)
    assert ref.conv2d_backward(gy, x, w)[2] is None
    for needs in itertools.product([True, False], repeat=3):
        grads = ref.conv2d_backward(gy, x, w, b, needs=needs)
        for needed, grad, expected in zip(needs, grads, full):
            assert (grad is not None) == needed
            if needed:
                same(grad, expected)


def test_wrong_values_are_refused():
    x, w = np.zeros((1, 4, 5, 5)), np.zeros((2, 4, 3, 3))
    for kwargs in (
        {"padding": -1},
        {"padding": "some"},
        {"padding": (1, 1, 1)},
        {"stride": 0},
        {"dilation": 3},
        {"groups": 2},
    ):
        with pytest.raises(ValueError):
            ref.conv2d(x, w, **kwargs)
    for kwargs in ({"padding": 2}, {"padding": "full"}, {"stride": 0}, {"dilation": 5}):
        with pytest.raises(ValueError):
            ref.max_pool2d(x, 3, **kwargs)
    with pytest.raises(ValueError):
        ref.conv2d_backward(np.zeros((1, 2, 5, 5)), x, w)
    with pytest.raises(ValueError):
        ref.cross_entropy(np.zeros((2, 3)), np.array([0, 3]))
    with pytest.raises(ValueError):
        ref.cross_entropy(np.zeros((2, 3)), np.array([0, -1]))
    with pytest.raises(ValueError):
        ref.mse_loss(x, x, "median")
