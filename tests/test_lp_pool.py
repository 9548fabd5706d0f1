"""Lp pooling against the reference and torch, within a few units in the last place of its power."""

from __future__ import annotations

import random

import numpy as np
import pytest
from window_cases import (
    channels_last_axes,
    difference_quotients,
    each_dimension,
    equal,
    image_shape,
    laid,
    same_bits,
)

import fastconv as fc
from fastconv import reference

POWERS = [1, 2, 3, 1.5, 2.5, 0.5, 4, float("inf")]
# Roots and powers of sums in another order; a power of p multiplies what its base is off by.
ULPS = 64


def close(actual, expected, message=""):
    """Relative to the largest element: terms of a gradient cancel."""
    assert (actual.shape, actual.dtype) == (expected.shape, expected.dtype), message
    rare = ~np.isfinite(expected)
    np.testing.assert_array_equal(actual[rare], expected[rare], err_msg=message)
    size = np.abs(expected[~rare])
    bound = ULPS * np.finfo(expected.dtype).eps * np.maximum(size, size.max(initial=1))
    assert (np.abs(actual[~rare] - expected[~rare]) <= bound).all(), message


def problem(draw: random.Random, dims):
    kernel = each_dimension(draw, dims, 1, 4)
    shape = image_shape(draw, dims, least=kernel)
    stride = draw.choice([None, each_dimension(draw, dims, 1, 3)])
    return shape, kernel, stride, draw.random() < 0.5


def values(draw, rng, shape, power, dtype):
    """Where an odd or broken power of a negative number has no root, none is negative."""
    x = rng.standard_normal(shape)
    x = x if power in (1, 2, 4) or draw.random() < 0.1 else np.abs(x)
    x[rng.random(shape) < 0.1] = 0 if power >= 1 else 0.5
    return x.astype(dtype)


@pytest.mark.parametrize("power", POWERS)
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_against_the_reference(isa, dtype, threads, dims, power):
    draw, rng = random.Random(dims), np.random.default_rng(dims)
    forward, backward = (getattr(fc, f"lp_pool{dims}d{end}") for end in ("", "_backward"))
    ref, ref_backward = (getattr(reference, f"lp_pool{dims}d{end}") for end in ("", "_backward"))
    for _ in range(12):
        shape, *args = problem(draw, dims)
        half = tuple(k // 2 for k in args[0])
        extra = {
            "padding": draw.choice([0, half, "same", "same_lower"]),
            "dilation": draw.choice([1, each_dimension(draw, dims, 1, 2)]),
        }
        fc.set_num_threads(draw.choice([1, 2, 3, 8]))
        x = values(draw, rng, shape, power, dtype)
        message = f"{shape} {power} {args} {extra}"
        try:
            wanted = ref(x, power, *args, **extra)
        except ValueError:
            with pytest.raises(ValueError, match=f"lp_pool{dims}d: "):
                forward(x, power, *args, **extra)
            continue
        gy = rng.standard_normal(wanted.shape).astype(dtype)
        grad = ref_backward(gy, x, power, *args, **extra)
        for last in (False, True):
            image = laid(x, last)
            close(forward(image, power, *args, **extra), wanted, message)
            close(backward(laid(gy, last), image, power, *args, **extra), grad, message)


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_against_torch(dtype, dims):
    torch = pytest.importorskip("torch")
    draw, rng = random.Random(dims), np.random.default_rng(dims)
    for count in range(250):
        power = POWERS[count % len(POWERS)]
        shape, kernel, stride, ceil_mode = problem(draw, dims)
        if dims == 1:  # torch multiplies by it
            kernel, stride = kernel[0], stride and stride[0]
        x = values(draw, rng, shape, power, dtype)
        tensor = torch.tensor(x, requires_grad=True)
        args = (power, kernel, stride, ceil_mode)
        expected = getattr(torch.nn.functional, f"lp_pool{dims}d")(tensor, *args)
        close(getattr(fc, f"lp_pool{dims}d")(x, *args), expected.detach().numpy(), f"{args}")
        gy = rng.standard_normal(expected.shape).astype(dtype)
        expected.backward(torch.tensor(gy))
        grad = getattr(fc, f"lp_pool{dims}d_backward")(gy, x, *args)
        if not np.isnan(x).any() and not expected.isnan().any():
            close(grad, tensor.grad.numpy(), f"{shape} {args}")


@pytest.mark.parametrize("power", [1, 2, 3, 1.5, 0.5, 4])
def test_gradients_are_difference_quotients(power):
    rng = np.random.default_rng(3)
    x = 0.5 + rng.random((1, 2, 5, 6))
    args = (power, (3, 2), (2, 1), True)
    gy = rng.standard_normal(fc.lp_pool2d(x, *args, padding=1).shape)
    grad = difference_quotients(lambda x: fc.lp_pool2d(x, *args, padding=1), x, gy, 1e-5)
    got = fc.lp_pool2d_backward(gy, x, *args, padding=1)
    np.testing.assert_allclose(got, grad, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("power", POWERS)
def test_gradient_is_0_where_the_norm_is(isa, dtype, power):
    x = np.zeros((1, 1, 2, 6), dtype)
    x[..., 4:] = 2
    y = fc.lp_pool2d(x, power, 2)
    grad = fc.lp_pool2d_backward(np.ones_like(y), x, power, 2)
    assert y[..., :2].max() == 0
    assert (grad[..., :4] == 0).all()
    assert np.isfinite(grad).all()
    assert grad[..., 4:].max() > 0


def test_exact_values(isa, dtype):
    x = np.array([[[3, 4, 0, 0, -5, 12]]], dtype)
    equal(fc.lp_pool1d(x, 2, 2), np.array([[[5, 0, 13]]]), dtype)
    equal(fc.lp_pool1d(x, 1, 2), np.array([[[7, 0, 7]]]), dtype)
    equal(fc.lp_pool1d(x, float("inf"), 3, 3), np.array([[[4, 12]]]), dtype)
    # Of a window that reaches over the edge the mean of what is there counts for all of it.
    equal(fc.lp_pool1d(x[..., :3], 1, 2, ceil_mode=True), np.array([[[7, 0]]]), dtype)
    equal(fc.lp_pool1d(x[..., 1:2], 1, 3, 1, padding=1), np.array([[[4]]]), dtype)
    assert np.isnan(fc.lp_pool1d(-x, 3, 2)[0, 0, 0])


def test_layouts_batches_and_out(isa, dtype):
    rng = np.random.default_rng(5)
    x = rng.standard_normal((2, 5, 6, 8)).astype(dtype)
    args = (2, 3, 2)
    y = fc.lp_pool2d(x, *args)
    gy = rng.standard_normal(y.shape).astype(dtype)
    gx = fc.lp_pool2d_backward(gy, x, *args)
    equal(fc.lp_pool2d(x[0], *args), y[0], dtype)
    equal(fc.lp_pool2d_backward(gy[0], x[0], *args), gx[0], dtype)
    close(fc.lp_pool2d(channels_last_axes(x), *args, layout="NHWC"), channels_last_axes(y))
    back = fc.lp_pool2d_backward(channels_last_axes(gy), channels_last_axes(x), *args,
                                 layout="NHWC")  # fmt: skip
    close(back, channels_last_axes(gx))
    strided = np.repeat(np.repeat(x, 2, 2), 3, 1)[:, ::3, ::2]
    equal(fc.lp_pool2d(strided, *args), y, dtype)
    equal(fc.lp_pool2d_backward(gy, strided, *args), gx, dtype)
    out = np.full(y.shape, np.nan, dtype)
    assert fc.lp_pool2d(x, *args, out=out) is out
    equal(out, y, dtype)
    wide = np.full((*y.shape[:-1], 2 * y.shape[-1]), np.nan, dtype)
    fc.lp_pool2d(x, *args, out=wide[..., ::2])
    equal(wide[..., ::2], y, dtype)
    equal(fc.lp_pool2d(x[:0], *args), y[:0], dtype)
    equal(fc.lp_pool2d_backward(gy[:0], x[:0], *args), x[:0], dtype)
    for array in (fc.lp_pool2d(laid(x, True), *args),
                  fc.lp_pool2d_backward(gy, laid(x, True), *args)):  # fmt: skip
        assert array.transpose(0, 2, 3, 1).flags.c_contiguous


def test_same_bits_for_any_threads(isa, dtype, threads):
    rng = np.random.default_rng(6)
    x = rng.random((3, 20, 29, 31)).astype(dtype)
    gy = rng.standard_normal((3, 20, 14, 15)).astype(dtype)
    calls = []
    for power in (2, 2.5, float("inf")):
        calls += [lambda p=power: fc.lp_pool2d(x, p, 3, 2)]
        calls += [lambda p=power: fc.lp_pool2d_backward(gy, x, p, 3, 2)]
    same_bits(calls)


X = np.ones((1, 2, 6, 7))


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (ValueError, "lp_pool2d: norm_type is 0 (wanted a number above 0)",
         lambda: fc.lp_pool2d(X, 0, 2)),
        (ValueError, "lp_pool2d: norm_type is -1.5 (wanted", lambda: fc.lp_pool2d(X, -1.5, 2)),
        (ValueError, "lp_pool2d: norm_type is nan", lambda: fc.lp_pool2d(X, np.nan, 2)),
        (ValueError, "lp_pool2d: norm_type is -inf", lambda: fc.lp_pool2d(X, -np.inf, 2)),
        (TypeError, "lp_pool2d: norm_type is '2'", lambda: fc.lp_pool2d(X, "2", 2)),
        (TypeError, "lp_pool2d: norm_type is True", lambda: fc.lp_pool2d(X, True, 2)),
        (TypeError, "lp_pool2d: norm_type is None of type NoneType",
         lambda: fc.lp_pool2d(X, None, 2)),
        (ValueError, "lp_pool2d: kernel_size is (0, 0)", lambda: fc.lp_pool2d(X, 2, 0)),
        (ValueError, "lp_pool2d: stride is (0, 0)", lambda: fc.lp_pool2d(X, 2, 2, 0)),
        (ValueError, "lp_pool2d: padding is ((2, 2), (2, 2)), kernel_size is (3, 3)",
         lambda: fc.lp_pool2d(X, 2, 3, padding=2)),
        (ValueError, "lp_pool2d: the kernel has size (8, 8), the padded input (6, 7)",
         lambda: fc.lp_pool2d(X, 2, 8)),
        (TypeError, "lp_pool2d: input has dtype int64", lambda: fc.lp_pool2d(X.astype(int), 2, 2)),
        (ValueError, "lp_pool2d_backward: grad_output has shape (1, 2, 6, 7) (wanted (1, 2, 3, 3)",
         lambda: fc.lp_pool2d_backward(X, X, 2, 2)),
    ],
)  # fmt: skip
def test_errors(error, message, call):
    with pytest.raises(error) as caught:
        call()
    assert message in str(caught.value)
