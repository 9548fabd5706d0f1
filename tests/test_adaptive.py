"""Adaptive pooling against the reference and torch: windows that differ, windows of one size and
global ones, in both memory orders.
"""

from __future__ import annotations

import random

import numpy as np
import pytest
from window_cases import (
    channels_last_axes,
    difference_quotients,
    equal,
    image_shape,
    laid,
    same_bits,
    within,
)

import fastconv as fc
from fastconv import reference

EXACT = 2**4 * 3**3 * 5 * 7  # a multiple of most windows' sizes, so that means are exact


def functions(kind, dims):
    name = f"adaptive_{kind}_pool{dims}d"
    return [getattr(m, name + end) for m in (fc, reference) for end in ("", "_backward")]


def problem(draw: random.Random, dims):
    shape = image_shape(draw, dims)
    most = {1: 70, 2: 24, 3: 9}[dims]
    output = [draw.choice([1, n, draw.randint(1, most), None]) for n in shape[2:]]
    for i, n in enumerate(shape[2:]):
        if draw.random() < 0.2:  # windows of one size
            output[i] = draw.choice([o for o in range(1, n + 1) if n % o == 0])
    return shape, tuple(output)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_maxima(isa, dtype, threads, dims, seed):
    draw, rng = random.Random(seed), np.random.default_rng(seed)
    forward, backward, ref, ref_backward = functions("max", dims)
    for _ in range(40):
        shape, output = problem(draw, dims)
        fc.set_num_threads(draw.choice([1, 2, 3, 8]))
        x = rng.integers(-2, 3, shape).astype(dtype)  # with many ties
        rare = rng.random(shape)
        x[rare < 0.1], x[rare > 0.85] = np.nan, -np.inf
        values, indices = ref(x, output, True)
        gy = rng.integers(-4, 5, values.shape).astype(dtype)
        grad = ref_backward(gy, x, output, indices=indices)
        for last in (False, True):
            image, message = laid(x, last), f"{shape} {output} {last}"
            equal(forward(image, output), values, dtype, message)
            got, places = forward(image, output, return_indices=True)
            equal(got, values, dtype, message)
            equal(places, indices, np.int64, message)
            equal(backward(laid(gy, last), image, output), grad, dtype, message)
            kept = places.astype(np.int32)
            equal(backward(gy, image, output, True, indices=kept), grad, dtype, message)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_means(isa, dtype, threads, dims, seed):
    draw, rng = random.Random(seed), np.random.default_rng(seed)
    forward, backward, ref, ref_backward = functions("avg", dims)
    for _ in range(40):
        shape, output = problem(draw, dims)
        fc.set_num_threads(draw.choice([1, 2, 3, 8]))
        x = rng.standard_normal(shape).astype(dtype)
        wide, terms = x.astype(np.longdouble), np.prod(shape[2:])
        wanted, size = ref(wide, output), ref(np.abs(wide), output)
        gy = rng.standard_normal(wanted.shape).astype(dtype)
        grads = [ref_backward(g.astype(np.longdouble), wide, output) for g in (gy, np.abs(gy))]
        for last in (False, True):
            image, message = laid(x, last), f"{shape} {output} {last}"
            within(forward(image, output), wanted, size, terms, message)
            within(backward(laid(gy, last), image, output), *grads, wanted.size, message)


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize(
    ("size", "output"), [((7, 9), (2, 6)), ((5, 6), (7, 4)), ((6, 6), (3, 2)), ((7, 5), 1)]
)
def test_integers_are_exact(isa, dtype, size, output, last):
    rng = np.random.default_rng(1)
    forward, backward, ref, ref_backward = functions("avg", 2)
    x = EXACT * rng.integers(-4, 5, (2, 5, *size)).astype(dtype)
    wanted = ref(x, output)
    equal(forward(laid(x, last), output), wanted, dtype)
    gy = EXACT * rng.integers(-4, 5, wanted.shape).astype(dtype)
    grad = backward(laid(gy, last), laid(x, last), output)
    equal(grad, ref_backward(gy, x, output), dtype)
    wide = [array.astype(float) for array in (grad, x, wanted, gy)]
    assert np.vdot(*wide[:2]) == np.vdot(*wide[2:])  # the adjoint


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_against_torch(dtype, dims):
    torch = pytest.importorskip("torch")
    draw, rng = random.Random(dims), np.random.default_rng(dims)
    for _ in range(250):
        shape, output = problem(draw, dims)
        x = rng.integers(-3, 4, shape).astype(dtype)
        rare = rng.random(shape)
        x[rare < 0.1], x[rare > 0.9] = np.nan, -np.inf
        tensor = torch.tensor(x, requires_grad=True)
        sizes = tuple(n if o is None else o for n, o in zip(shape[2:], output))
        pool = getattr(torch.nn.functional, f"adaptive_max_pool{dims}d")
        expected, places = pool(tensor, sizes, return_indices=True)
        forward, backward, *_ = functions("max", dims)
        got, indices = forward(x, output, True)
        equal(got, expected.detach().numpy(), dtype)
        equal(indices, places.numpy(), np.int64)
        gy = rng.integers(-4, 5, got.shape).astype(dtype)
        expected.backward(torch.tensor(gy))
        equal(backward(gy, x, output, indices=indices), tensor.grad.numpy(), dtype)

        x = rng.standard_normal(shape).astype(dtype)
        tensor = torch.tensor(x, requires_grad=True)
        expected = getattr(torch.nn.functional, f"adaptive_avg_pool{dims}d")(tensor, sizes)
        gy = rng.standard_normal(expected.shape).astype(dtype)
        expected.backward(torch.tensor(gy))
        forward, backward, ref, ref_backward = functions("avg", dims)
        # Either side is within the bound.
        size = 2 * ref(np.abs(x), output)
        within(forward(x, output), expected.detach().numpy(), size, np.prod(shape[2:]))
        size = 2 * ref_backward(np.abs(gy), x, output)
        within(backward(gy, x, output), tensor.grad.numpy(), size, gy.size)


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_gradients_are_difference_quotients(dims):
    rng = np.random.default_rng(4)
    size, output = (7, 4, 3)[:dims], (3, 6, 2)[:dims]
    x = rng.permutation(2 * np.prod(size)).reshape(1, 2, *size).astype(float)
    for kind in ("avg", "max"):
        forward, backward, *_ = functions(kind, dims)
        gy = rng.standard_normal(forward(x, output).shape)
        grad = difference_quotients(lambda x, f=forward: f(x, output), x, gy, 0.25)
        np.testing.assert_allclose(backward(gy, x, output), grad, rtol=0, atol=1e-10)


def test_layouts_batches_and_out(isa, dtype):
    draw, rng = random.Random(5), np.random.default_rng(5)
    for dims in (1, 2, 3):
        for kind in ("avg", "max"):
            forward, backward, *_ = functions(kind, dims)
            for _ in range(6):
                shape, output = problem(draw, dims)
                x = rng.standard_normal(shape).astype(dtype)
                y = forward(x, output)
                gy = rng.standard_normal(y.shape).astype(dtype)
                gx = backward(gy, x, output)
                last = forward(channels_last_axes(x), output, layout="NHWC")
                tolerance = {"rtol": 0, "atol": 16 * np.finfo(dtype).eps}
                np.testing.assert_allclose(last, channels_last_axes(y), **tolerance)
                back = backward(channels_last_axes(gy), channels_last_axes(x), output,
                                layout="NHWC")  # fmt: skip
                np.testing.assert_allclose(
                    back, channels_last_axes(gx), rtol=0, atol=64 * np.finfo(dtype).eps
                )
                equal(forward(x[0], output), y[0], dtype)  # the same bits alone
                equal(backward(gy[0], x[0], output), gx[0], dtype)
                out = np.full(y.shape, np.nan, dtype)
                assert forward(x, output, out=out) is out
                equal(out, y, dtype)
                wide = np.full((*y.shape[:-1], 2 * y.shape[-1]), np.nan, dtype)
                forward(x, output, out=wide[..., ::2])
                equal(wide[..., ::2], y, dtype)
                assert np.isnan(wide[..., 1::2]).all()
                empty = forward(x[:0], output)
                equal(empty, y[:0], dtype)
                equal(backward(empty, x[:0], output), x[:0], dtype)
    x = laid(np.ones((2, 5, 7, 6), dtype), True)
    for output in (1, 3, (4, 9)):
        y, indices = fc.adaptive_max_pool2d(x, output, True)
        gx = fc.adaptive_avg_pool2d_backward(np.ascontiguousarray(y), x, output)
        for array in (y, indices, gx, fc.adaptive_avg_pool2d(x, output)):
            assert array.transpose(0, 2, 3, 1).flags.c_contiguous


@pytest.mark.parametrize("last", [False, True])
def test_same_bits_for_any_threads(isa, dtype, threads, last):
    rng = np.random.default_rng(6)
    x = laid(rng.standard_normal((3, 40, 29, 31)).astype(dtype), last)
    calls = []
    for output in ((7, 11), (50, 3), 1):
        gy = rng.standard_normal(fc.adaptive_avg_pool2d(x, output).shape).astype(dtype)
        for kind in ("avg", "max"):
            forward, backward, *_ = functions(kind, 2)
            calls += [lambda f=forward, o=output: f(x, o)]
            calls += [lambda f=backward, o=output, g=gy: f(g, x, o)]
    same_bits(calls)


def test_no_windows(dtype):
    """As in torch: an empty result, and a gradient of zeros."""
    x = np.ones((2, 3, 4, 5), dtype)
    for output in (0, (3, 0)):
        for kind in ("avg", "max"):
            forward, backward, *_ = functions(kind, 2)
            y = forward(x, output)
            assert y.size == 0
            equal(backward(y, x, output), np.zeros_like(x), dtype)


X = np.ones((1, 2, 6, 7))


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (ValueError, "adaptive_avg_pool2d: output_size is (-1, -1) (wanted at least 0 in each",
         lambda: fc.adaptive_avg_pool2d(X, -1)),
        (ValueError, "adaptive_avg_pool2d: output_size is (2, 2, 2) with 3 numbers (wanted one",
         lambda: fc.adaptive_avg_pool2d(X, (2, 2, 2))),
        (TypeError, "adaptive_max_pool2d: output_size is 2.5 of type float (wanted an int)",
         lambda: fc.adaptive_max_pool2d(X, 2.5)),
        (TypeError, "adaptive_max_pool2d: output_size is '2' of type str (wanted an int)",
         lambda: fc.adaptive_max_pool2d(X, "2")),
        (ValueError, "wanted a number below 2**63", lambda: fc.adaptive_max_pool2d(X, 2**63)),
        (ValueError, "adaptive_max_pool2d: output would have more than 2**46 elements",
         lambda: fc.adaptive_max_pool2d(X, 2**40)),
        (ValueError, "adaptive_max_pool2d: output_size is (4611686018427387904, 46",
         lambda: fc.adaptive_max_pool2d(X, 2**62)),
        (TypeError, "adaptive_avg_pool2d: input has dtype int64",
         lambda: fc.adaptive_avg_pool2d(X.astype(int), 2)),
        (ValueError, "adaptive_avg_pool1d: input has shape (1, 2, 6, 7) (wanted 3 dimensions",
         lambda: fc.adaptive_avg_pool1d(X, 2)),
        (ValueError, "adaptive_avg_pool2d: the input's spatial size is (0, 7)",
         lambda: fc.adaptive_avg_pool2d(X[:, :, :0], 2)),
        (ValueError, "adaptive_avg_pool2d: the number of channels is 0",
         lambda: fc.adaptive_avg_pool2d(X[:, :0], 2)),
        (ValueError, "adaptive_avg_pool2d_backward: grad_output has shape (1, 2, 6, 7) (wanted (1, "
         "2, 2, 2), the output's)", lambda: fc.adaptive_avg_pool2d_backward(X, X, 2)),
        (TypeError, "adaptive_avg_pool2d_backward: input is float64, grad_output is float32",
         lambda: fc.adaptive_avg_pool2d_backward(X[..., :2, :2].astype(np.float32), X, 2)),
        (ValueError, "adaptive_max_pool2d_backward: indices has an element outside the plane",
         lambda: fc.adaptive_max_pool2d_backward(X[..., :4, :4], X, 4,
                                                 indices=np.full((1, 2, 4, 4), 42))),
        (ValueError, "adaptive_avg_pool2d: out overlaps an input",
         lambda: fc.adaptive_avg_pool2d(X, (6, 7), out=X)),
    ],
)  # fmt: skip
def test_errors(error, message, call):
    with pytest.raises(error) as caught:
        call()
    assert message in str(caught.value)
