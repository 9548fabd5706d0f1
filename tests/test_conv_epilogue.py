"""Activation and residual in the same pass as the sum, and the gradients through them."""

from __future__ import annotations

import re

import numpy as np
import pytest
from ulps import ULPS

import fastconv as fc
import fastconv.functional as F
from fastconv import _core
from fastconv.functional._convolution import as_activation, as_algorithm

ACTIVATIONS = ["relu", "relu6", "leaky_relu", ("leaky_relu", 0.25), ("leaky_relu", -0.5),
               "sigmoid", "tanh", "silu", "hard_swish"]  # fmt: skip
LAYERS = [((2, 3, 9, 17), (5, 3, 3, 3), 1), ((1, 32, 7, 7), (48, 32, 1, 1), 1),
          ((2, 6, 8, 8), (6, 1, 3, 3), 6)]  # fmt: skip
# eps per unit of max(1, |expected|), besides the elementwise functions' own
ROUNDING = 4


def name_of(activation):
    return activation if isinstance(activation, str) else activation[0]


def apply(activation, values):
    settings = () if isinstance(activation, str) else activation[1:]
    return getattr(F, name_of(activation))(values, *settings)


def arrays(shape, weight, groups, dtype=np.float32, layout="C"):
    """Quarters, whose sums are exact."""
    rng = np.random.default_rng(3)
    x, w = (rng.integers(-4, 5, s).astype(dtype) for s in (shape, weight))
    b = rng.integers(-4, 5, weight[0]).astype(dtype)
    w /= 8
    y = fc.conv2d(x, w, b, groups=groups)
    r = rng.integers(-4, 5, y.shape).astype(dtype) / 4
    return x, w, b, y, r.astype(dtype)


def close(activation, got, wanted):
    limit = (ULPS.get(name_of(activation), 0) + ROUNDING) * np.finfo(wanted.dtype).eps
    assert got.dtype == wanted.dtype
    assert got.shape == wanted.shape
    assert (np.abs(got - wanted) <= limit * np.maximum(1, np.abs(wanted))).all()


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
@pytest.mark.parametrize("algorithm", ["auto", "direct", "im2col", "tiled"])
def test_one_pass_gives_what_two_give(isa, dtype, activation, layer, algorithm):
    x, w, b, y, r = arrays(*layer, dtype)
    how = {"groups": layer[2], "activation": activation, "algorithm": algorithm}
    close(activation, fc.conv2d(x, w, b, **how), apply(activation, y))
    close(activation, fc.conv2d(x, w, b, residual=r, **how), apply(activation, y + r))


@pytest.mark.parametrize("algorithm", ["auto", "direct", "im2col", "tiled"])
def test_residual_of_any_memory(isa, algorithm):
    x, w, b, y, r = arrays(*LAYERS[0])
    last = np.moveaxis(np.ascontiguousarray(np.moveaxis(r, 1, -1)), -1, 1)
    x_last = np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)
    for image in (x, x_last):
        for residual in (r, last, r[:, ::-1].copy()[:, ::-1], fc.Parameter(r)):
            got = fc.conv2d(image, w, b, residual=residual, algorithm=algorithm)
            assert np.array_equal(got, y + r)
    out = np.empty_like(y)
    assert fc.conv2d(x, w, b, residual=last, out=out) is out
    assert np.array_equal(out, y + r)
    out = np.empty((*y.shape[:3], 2 * y.shape[3]), np.float32)[..., ::2]
    assert fc.conv2d(x, w, b, residual=r, out=out) is out
    assert np.array_equal(out, y + r)
    assert np.array_equal(fc.conv2d(x[0], w, b, residual=r[0]), (y + r)[0])
    nhwc = fc.conv2d(np.moveaxis(x, 1, -1), w, b, residual=np.moveaxis(r, 1, -1), layout="NHWC")
    assert np.array_equal(np.moveaxis(nhwc, -1, 1), y + r)
    assert np.array_equal(r, arrays(*LAYERS[0])[4])


@pytest.mark.parametrize("dims", [1, 3])
def test_other_dimensions(isa, dims):
    x, w = np.ones((1, 2, *(5,) * dims)), -np.ones((3, 2, *(2,) * dims))
    y = getattr(fc, f"conv{dims}d")(x, w, activation="leaky_relu")
    assert np.array_equal(y, np.full((1, 3, *(4,) * dims), -0.01 * 2 * 2**dims))


SUMS_IN_PLACE = [((2, 3, 9, 17), (5, 3, 3, 3), 1, 1), ((1, 32, 7, 7), (48, 32, 1, 1), 1, 0),
                 ((2, 6, 8, 13), (6, 1, 3, 3), 6, 1), ((1, 16, 14, 30), (64, 16, 3, 3), 1, 1),
                 ((1, 512, 5, 9), (20, 512, 3, 3), 1, 1), ((3, 4, 40, 41), (24, 4, 1, 1), 1, 0)]  # fmt: skip


@pytest.mark.parametrize("algorithm", ["auto", "direct", "im2col", "tiled"])
@pytest.mark.parametrize("layer", SUMS_IN_PLACE)
@pytest.mark.parametrize("last", [False, True], ids=["planes", "channels-last"])
def test_a_residual_may_be_the_output(isa, dtype, algorithm, layer, last):
    """Each element is read before it is written, and once: of a bound frozen convolution."""
    *case, padding = layer
    x, w, b, _, _ = arrays(*case, dtype)
    how = {"padding": padding, "groups": case[2], "activation": "relu"}
    y = fc.conv2d(x, w, b, **how)
    r = np.random.default_rng(4).integers(-4, 5, y.shape).astype(dtype)
    wanted = fc.conv2d(x, w, b, residual=r, algorithm=algorithm, **how)
    frozen = _core.FrozenConv(
        "conv", _core.Weights("conv", w, case[2]), b, (1, 1), (padding, padding), (1, 1),
        *as_activation("conv", "relu"), algorithm=as_algorithm("conv", algorithm),
    )  # fmt: skip
    if last:
        x, r = (np.moveaxis(np.ascontiguousarray(np.moveaxis(a, 1, -1)), -1, 1) for a in (x, r))
    frozen.bind(x, r, r)()
    np.testing.assert_array_equal(r, wanted)
    memory = np.zeros(r.size + 1, dtype)
    one, other = (np.ndarray(r.shape, dtype, memory[i:], 0, r.strides) for i in (0, 1))
    with pytest.raises(ValueError, match="out overlaps an input"):
        frozen.bind(x, one, other)


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("activation", [None, *ACTIVATIONS], ids=str)
def test_gradients_by_finite_differences(isa, activation, residual):
    rng = np.random.default_rng(4)
    arrays = [rng.standard_normal(s) for s in ((2, 2, 5, 4), (3, 2, 2, 3), (3,), (2, 3, 4, 2))]
    x, w, b, r = arrays
    more = {"activation": activation, "residual": r if residual else None}
    y = fc.conv2d(x, w, b, **more)
    gy = rng.standard_normal(y.shape)
    grads = fc.conv2d_backward(gy, x, w, b, **more)
    assert len(grads) == 3 + residual
    with_output = fc.conv2d_backward(gy, x, w, b, **more, output=y)
    for one, other in zip(grads, with_output):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)
    for array, grad in zip(arrays, grads):
        direction, step = rng.standard_normal(array.shape), 1e-6
        array += step * direction
        above = fc.conv2d(x, w, b, **more)
        array -= 2 * step * direction
        below = fc.conv2d(x, w, b, **more)
        array += step * direction
        change = np.vdot(above - below, gy) / (2 * step)
        assert np.vdot(grad, direction) == pytest.approx(change, rel=1e-6, abs=1e-7)


def test_gradients_in_keras_order(isa):
    x, w, b, y, r = arrays(*LAYERS[0])
    gy = np.sign(y)
    more = {"activation": "silu"}
    wanted = fc.conv2d_backward(gy, x, w, b, residual=r, **more)
    gy, x, r = (np.moveaxis(a, 1, -1) for a in (gy, x, r))
    got = fc.conv2d_backward(gy, x, w, b, residual=r, layout="NHWC", **more)
    for i, (one, other) in enumerate(zip(got, wanted)):
        assert np.array_equal(np.moveaxis(one, -1, 1) if i in (0, 3) else one, other)


def test_needs_and_memory_of_the_residuals_gradient(isa):
    x, w, b, y, r = arrays(*LAYERS[0])
    every = fc.conv2d_backward(y, x, w, b, residual=r)
    assert np.array_equal(every[3], y)
    assert not np.shares_memory(every[3], y)
    for needs in np.ndindex(2, 2, 2, 2):
        grads = fc.conv2d_backward(y, x, w, b, residual=r, needs=needs)
        for need, grad, wanted in zip(needs, grads, every):
            assert np.array_equal(grad, wanted) if need else grad is None
    grads = fc.conv2d_backward(y, x, w, residual=r, needs=(False, False, True))
    assert grads[:3] == (None, None, None)
    assert np.array_equal(grads[3], y)


X, W, B, Y, R = arrays(*LAYERS[0])
ERRORS = [
    (ValueError, "conv2d: activation is 'gelu' (wanted None, one of 'relu', 'relu6'", lambda: fc.conv2d(X, W, activation="gelu")),
    (ValueError, "conv2d: activation is ('relu', 1)", lambda: fc.conv2d(X, W, activation=("relu", 1))),
    (ValueError, "conv2d: activation is 3 ", lambda: fc.conv2d(X, W, activation=3)),
    (TypeError, "conv2d: activation's slope is 'x' of type str (wanted a number)", lambda: fc.conv2d(X, W, activation=("leaky_relu", "x"))),
    (ValueError, "conv2d: residual has shape (2, 5, 7) (wanted (2, 5, 7, 15), the output's)", lambda: fc.conv2d(X, W, residual=R[..., 0])),
    (ValueError, "conv2d: residual has shape (1, 5, 7, 15) (wanted (2, 5, 7, 15), the output's)", lambda: fc.conv2d(X, W, residual=R[:1])),
    (ValueError, "conv2d: residual has shape (15,) (wanted 4 dimensions", lambda: fc.conv2d(X, W, residual=R[0, 0, 0])),
    (TypeError, "conv2d: input is float32, residual is float64 (wanted one dtype)", lambda: fc.conv2d(X, W, residual=R.astype(float))),
    (TypeError, "conv2d: residual is a str (wanted an array)", lambda: fc.conv2d(X, W, residual="r")),
    (ValueError, "conv2d: out overlaps an input", lambda: fc.conv2d(X, W, residual=Y, out=Y)),
    (ValueError, "conv2d: out overlaps an input", lambda: fc.conv2d(X, W, Y[0, 0, 0, :5], out=Y)),
    (ValueError, "conv2d_backward: output has shape (2, 5, 7, 14) (wanted (2, 5, 7, 15), grad_output's)", lambda: fc.conv2d_backward(Y, X, W, activation="relu", output=Y[..., 1:])),
    (ValueError, "conv2d_backward: grad_output has shape (2, 5, 7, 14) (wanted (2, 5, 7, 15), the output's)", lambda: fc.conv2d_backward(Y[..., 1:], X, W, activation="relu")),
    (ValueError, "conv2d_backward: grad_output has shape (2, 5, 7, 14)", lambda: fc.conv2d_backward(Y[..., 1:], X, W, activation="relu", output=Y[..., 1:])),
    (TypeError, "conv2d_backward: grad_output is float32, output is float64", lambda: fc.conv2d_backward(Y, X, W, activation="relu", output=Y.astype(float))),
    (ValueError, "conv2d_backward: residual has shape (1, 5, 7, 15) (wanted (2, 5, 7, 15), the output's)", lambda: fc.conv2d_backward(Y, X, W, residual=R[:1])),
    (TypeError, "conv2d_backward: grad_output is float32, residual is float64", lambda: fc.conv2d_backward(Y, X, W, residual=R.astype(float))),
    (ValueError, "needs is (1, 1, 1, 1) (wanted three bools)", lambda: fc.conv2d_backward(Y, X, W, needs=(1, 1, 1, 1))),
    (ValueError, "needs is (1, 1) (wanted three bools)", lambda: fc.conv2d_backward(Y, X, W, residual=R, needs=(1, 1))),
]  # fmt: skip


@pytest.mark.parametrize(("error", "message", "call"), ERRORS, ids=[e[1][:60] for e in ERRORS])
def test_error_names_what_it_got_and_wanted(error, message, call):
    with pytest.raises(error, match=re.escape(message)):
        call()
