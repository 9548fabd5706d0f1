"""Convolution over one and three axes: the same as over two, by every algorithm and ISA."""

from __future__ import annotations

import random

import numpy as np
import pytest
from naive import naive_conv, naive_conv_backward

import fastconv as fc
from fastconv import reference

ALGORITHMS = ("auto", "direct", "im2col", "tiled")
NAMES = ("output", "grad_input", "grad_weight", "grad_bias")
LAYOUTS = {1: "NLC", 3: "NDHWC"}


def functions(module, dims):
    return getattr(module, f"conv{dims}d"), getattr(module, f"conv{dims}d_backward")


def integers(rng, shape, dtype=np.float32):
    return rng.integers(-4, 5, shape).astype(dtype)


def equal(got, wanted, dtype, message):
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, wanted, err_msg=message, strict=False)
    assert got.shape == wanted.shape


@pytest.fixture(params=ALGORITHMS)
def algorithm(request):
    return request.param


@pytest.fixture(params=LAYOUTS)
def dims(request):
    return request.param


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize(
    ("stride", "padding", "dilation"),
    [
        ((1, 1, 1), ((0, 0), (0, 0), (0, 0)), (1, 1, 1)),
        ((2, 1, 3), ((1, 2), (0, 1), (2, 0)), (1, 1, 1)),
        ((1, 2, 1), ((3, 0), (1, 1), (0, 3)), (2, 1, 2)),
    ],
)
def test_against_naive_loops(isa, dims, stride, padding, dilation, groups, algorithm):
    rng = np.random.default_rng(1)
    forward, backward = functions(fc, dims)
    how = stride[-dims:], padding[-dims:], dilation[-dims:], groups
    x = integers(rng, (2, 2 * groups, 5, 4, 6)[: 2 + dims])
    w = integers(rng, (2 * groups, 2, 2, 1, 3)[: 2 + dims])
    b = integers(rng, 2 * groups)
    wanted = naive_conv(x, w, b, *how)
    gy = integers(rng, wanted.shape)
    got = (
        forward(x, w, b, *how, algorithm=algorithm),
        *backward(gy, x, w, b, *how, algorithm=algorithm),
    )
    for name, g, wish in zip(NAMES, got, (wanted, *naive_conv_backward(gy, x, w, *how))):
        equal(g, wish, np.float32, name)


def problem(draw, rng, dims, dtype):
    groups = draw.choice([1, 1, 1, 2, 3])
    channels, outs = (groups * draw.choice([1, 2, 3, 7, 20]) for _ in range(2))
    kernel = [draw.randint(1, 5 if dims == 1 else 3) for _ in range(dims)]
    sizes = [draw.choice([1, 2, 5, 7, 16, 33, 600] if dims == 1 else [1, 2, 5, 7, 17])
             for _ in range(dims)]  # fmt: skip
    x = integers(rng, (draw.choice([1, 2]), channels, *sizes), dtype)
    if draw.random() < 0.3:
        x = np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)
    w, b = integers(rng, (outs, channels // groups, *kernel), dtype), integers(rng, outs, dtype)
    padding = draw.choice([0, 1, [(1, 2)] * dims, "valid", "same", "same_lower", "full"])
    stride, dilation = ([draw.randint(1, 3) for _ in range(dims)] for _ in range(2))
    return x, w, b, stride, padding, dilation, groups


@pytest.mark.parametrize("seed", range(3))
def test_random_problems(isa, dtype, dims, threads, seed, algorithm):
    """Any arguments, any number of threads; where the reference refuses, so do the kernels."""
    draw, rng = random.Random(seed), np.random.default_rng(seed)
    forward, backward = functions(fc, dims)
    slow_forward, slow_backward = functions(reference, dims)
    for _ in range(20):
        x, w, b, *args = problem(draw, rng, dims, dtype)
        fc.set_num_threads(draw.choice([1, 2, 3]))
        try:
            wanted = slow_forward(x.astype(float), w, b, *args)
        except ValueError:
            with pytest.raises(ValueError, match=f"conv{dims}d: the"):
                forward(x, w, b, *args)
            continue
        gy = integers(rng, wanted.shape, dtype)
        got = (
            forward(x, w, b, *args, algorithm=algorithm),
            *backward(gy, x, w, b, *args, algorithm=algorithm),
        )
        grads = slow_backward(*(a.astype(float) for a in (gy, x, w, b)), *args)
        for name, g, wish in zip(NAMES, got, (wanted, *grads)):
            equal(g, wish, dtype, f"{name} of {x.shape} {w.shape} {args}")


def test_forms_of_the_same_images(isa, dims):
    """Without a batch, with channels last in memory or in shape, and into the caller's memory."""
    rng = np.random.default_rng(2)
    forward, backward = functions(fc, dims)
    x, w = integers(rng, (2, 3, 6, 5, 7)[: 2 + dims]), integers(rng, (4, 3, 2, 2, 2)[: 2 + dims])
    y = forward(x, w, padding="same", stride=2)
    how = {"padding": "same", "stride": 2}
    grads = backward(y, x, w, **how)

    def last(array):
        return np.ascontiguousarray(np.moveaxis(array, 1, -1))

    equal(forward(x[1], w, **how), y[1], np.float32, "no batch")
    equal(backward(y[1], x[1], w, **how)[0], grads[0][1], np.float32, "no batch")
    memory = np.moveaxis(last(x), -1, 1)
    got = forward(memory, w, **how)
    equal(got, y, np.float32, "memory")
    assert np.moveaxis(got, 1, -1).flags.c_contiguous
    for layout in (LAYOUTS[dims], "NHWC"):
        got = forward(last(x), w, **how, layout=layout)
        equal(got, last(y), np.float32, layout)
        assert got.flags.c_contiguous
        got = backward(last(y), last(x), w, **how, layout=layout)
        equal(got[0], last(grads[0]), np.float32, layout)
        equal(got[1], grads[1], np.float32, layout)
        out = np.empty_like(last(y))
        assert forward(last(x), w, **how, layout=layout, out=out) is out
        equal(out, last(y), np.float32, "out")
    equal(forward(x[:0], w, **how), y[:0], np.float32, "empty")


def test_one_channel_in_keras_order_stays_in_it(isa):
    """Its memory has both orders; the shape says which is meant."""
    y = fc.conv2d(np.ones((1, 5, 5, 1)), np.ones((3, 1, 2, 2)), layout="NHWC")
    assert y.shape == (1, 4, 4, 3)
    assert y.flags.c_contiguous


@pytest.mark.parametrize(
    ("message", "call"),
    [
        ("conv1d: input has shape (2, 3, 4, 5) (wanted 3 dimensions, or 2 without a batch)",
         lambda: fc.conv1d(np.ones((2, 3, 4, 5)), np.ones((1, 3, 2)))),
        ("conv3d: weight has shape (1, 3, 2) (wanted 5 dimensions: out, in / groups, kernel)",
         lambda: fc.conv3d(np.ones((2, 3, 4, 5, 6)), np.ones((1, 3, 2)))),
        ("conv3d: input has shape (1, 1, 1, 1, 1, 1, 1)",
         lambda: fc.conv3d(np.ones((1,) * 7), np.ones((1, 3, 2)))),
        ("conv1d: stride is (1, 2) with 2 numbers (wanted one int, or 1)",
         lambda: fc.conv1d(np.ones((1, 1, 4)), np.ones((1, 1, 2)), stride=(1, 2))),
        ("conv1d: layout is 'NLCC' (wanted 'NCL' or 'NLC')",
         lambda: fc.conv1d(np.ones((1, 1, 4)), np.ones((1, 1, 2)), layout="NLCC")),
        ("conv1d_backward: grad_output has shape (1, 3) (wanted (1, 1, 3), the output's)",
         lambda: fc.conv1d_backward(np.ones((1, 3)), np.ones((1, 1, 4)), np.ones((1, 1, 2)))),
        ("conv1d_backward: grad_output has shape (1, 2, 1) (wanted (1, 3, 1), the output's)",
         lambda: fc.conv1d_backward(
             np.ones((1, 2, 1)), np.ones((1, 4, 1)), np.ones((1, 1, 2)), layout="NLC")),
        ("conv1d_backward: bias has shape (2,) (wanted (1,))",
         lambda: fc.conv1d_backward(
             np.ones((1, 1, 3)), np.ones((1, 1, 4)), np.ones((1, 1, 2)), np.ones(2))),
    ],
)  # fmt: skip
def test_errors_name_what_they_got(message, call):
    with pytest.raises(ValueError) as caught:
        call()
    assert message in str(caught.value)
