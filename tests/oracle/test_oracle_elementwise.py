"""Activations, softmax, linear and dropout: torch's, or else formulas in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from oracle.activations import NAMES, slope_of, value
from oracle.checks import agree, derived, epsilon, multilinear, torch, wide
from oracle.draws import DRAWN, Problem, any_shape, examples

import fastconv as fc
from fastconv import reference

RARE = (0.0, -0.0, 3.0, -3.0, 6.0, np.inf, -np.inf, np.nan, 1e-30, 88.0, -88.0, 1e30)
# Roundings of a formula, in units of eps * max(1, |wanted|).
ROUNDINGS = 16


def rare(p, x):
    """Some of `x` replaced by numbers where formulas break."""
    if p.chance() or x.size == 0:
        return x
    return np.where(p.rng.random(x.shape) < 0.3, p.rng.choice(RARE, x.shape), x).astype(x.dtype)


def roundings(wanted, dtype, count=ROUNDINGS):
    return count * epsilon(dtype) * np.maximum(1, np.nan_to_num(np.abs(wanted), posinf=1))


@pytest.mark.parametrize("name", NAMES)
@examples(60)
@given(data=DRAWN)
def test_activation(name, data):
    p = Problem(data)
    x = rare(p, p.values(any_shape(p)) * p.dtype.type(p.choice((1, 4))))
    slope = 0.01
    if name == "leaky_relu":
        slope = p.option("negative_slope", slope, lambda: p.choice((0.25, 0.0, -0.5, 2)))
    forward, backward = getattr(fc, name), getattr(fc, f"{name}_backward")
    given_x = p.laid(x)
    y = forward(given_x, **p.keywords)
    with np.errstate(all="ignore"):
        wanted = value(name, wide(x), slope)
    # In float32 a large number is not one that float64 would overflow on.
    large = np.abs(wide(x)) > 1e29
    agree(y[~large], wanted[~large], p.dtype,
          0 if name in ("relu", "relu6") else roundings(wanted[~large], p.dtype))  # fmt: skip
    if torch is not None:
        call = getattr(torch.nn.functional, {"hard_swish": "hardswish"}.get(name, name))
        more = (slope,) if name == "leaky_relu" else ()
        theirs = call(torch.from_numpy(np.array(x)), *more).numpy()
        agree(y, theirs, p.dtype, roundings(theirs, p.dtype))
    gy = p.values(x.shape)
    if name in ("sigmoid", "tanh") and p.chance():
        p.keywords["output"] = p.laid(y)
    gx = backward(p.laid(gy), given_x, **p.keywords)
    ordinary = np.isfinite(x) & ~large
    slopes = wide(gy) * slope_of(name, wide(x), slope)
    limit = roundings(slopes, p.dtype, 24) * np.maximum(1, np.abs(gy))
    agree(gx[ordinary], slopes[ordinary], p.dtype, limit[ordinary])


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@examples(100)
@given(data=DRAWN)
def test_softmax(name, data):
    p = Problem(data)
    shape = any_shape(p)
    dim = p.int(-max(len(shape), 1), max(len(shape), 1) - 1)
    x = p.values(shape) * p.dtype.type(p.choice((1, 30, 1000)))
    if x.size and p.int(0, 4) == 4:
        x = np.where(p.rng.random(x.shape) < 0.3, -np.inf, x).astype(p.dtype)
    given_x = p.laid(x)
    y = getattr(fc, name)(given_x, p.choice((dim, np.int64(dim))))
    gy = p.values(shape)
    gx = getattr(fc, f"{name}_backward")(
        p.laid(gy), given_x, dim, **({"output": p.laid(y)} if p.chance() else {})
    )
    if x.size == 0 or x.ndim == 0:
        assert (y.shape, gx.shape) == (shape, shape)
        return
    if torch is not None:
        call = getattr(torch.nn.functional, name)
        wanted, slopes = derived(lambda t: call(t, dim), gy, x)
    else:
        with np.errstate(all="ignore"):
            wanted = getattr(reference, name)(wide(x), dim)
            slopes = getattr(reference, f"{name}_backward")(wide(gy), wide(x), dim)
    agree(y, wanted, p.dtype, roundings(wanted, p.dtype))
    regular = np.isfinite(slopes)  # -inf in all places has no gradient
    sums = np.abs(wide(gy)).sum(axis=dim, keepdims=True) + 1
    limit = np.broadcast_to(32 * epsilon(p.dtype) * sums, x.shape)
    agree(gx[regular], slopes[regular], p.dtype, limit[regular])


@examples(100)
@given(data=DRAWN)
def test_linear(data):
    p = Problem(data)
    features, outputs = p.choice((1, 2, 5, 16, 33, 70)), p.choice((0, 1, 2, 7, 16, 40))
    x = p.values((*any_shape(p)[:3], features))
    w = p.values((outputs, features) if outputs else (features,))
    b = p.values(w.shape[:-1]) if p.chance() else None
    arrays = [p.laid(x), p.laid(w), None if b is None else p.laid(b)]
    y = fc.linear(*arrays, **p.out((*x.shape[:-1], *w.shape[:-1])))
    gy = p.values(y.shape)
    needs = p.option("needs", (True,) * 3, lambda: tuple(p.chance() for _ in range(3)))
    got = fc.linear_backward(p.laid(gy), *arrays, **p.keywords)

    def oracle(x, w, b, gy):
        rows, columns = (
            x.reshape(-1, features) if x.size else x.reshape(0, features),
            w.reshape(-1, features),
        )
        g = gy.reshape(len(rows), len(columns))
        y = (rows @ columns.T).reshape(gy.shape) + (0 if b is None else b)
        found = [(g @ columns).reshape(x.shape), (g.T @ rows).reshape(w.shape),
                 None if b is None else g.sum(axis=0).reshape(b.shape)]  # fmt: skip
        return y, *(slope if need else None for slope, need in zip(found, needs))

    multilinear(p, oracle, [y, *got], (x, w, b, gy))


@pytest.mark.parametrize("name", ["dropout", "dropout1d", "dropout2d", "dropout3d"])
@examples(60)
@given(data=DRAWN)
def test_dropout(name, data):
    """A mask's elements are zeros or scaled inputs, the same ones both ways, of whole channels."""
    p = Problem(data)
    if name == "dropout":
        shape = any_shape(p)
        mask_shape = shape
    else:
        dims = int(name[-2])
        batched = p.chance() or dims == 2
        shape = tuple(p.int(1, 6) for _ in range(dims + 1 + batched))
        mask_shape = shape[: 1 + batched]
    x, gy = p.values(shape), p.values(shape)
    x, gy = x + 9, gy + 9
    probability = p.option("p", 0.5, lambda: p.choice((0.0, 0.1, 0.9, 1.0, 1)))
    training = p.option("training", True, lambda: False)
    if p.chance():
        p.keywords["mask"] = p.rng.random(mask_shape) < 0.5
    else:
        p.keywords["seed"] = p.int(0, 2**40)
    y = getattr(fc, name)(p.laid(x), **p.keywords)
    gx = getattr(fc, f"{name}_backward")(p.laid(gy), p.laid(x), **p.keywords)
    if not training or probability == 0:
        agree(y, wide(x), p.dtype)
        agree(gx, wide(gy), p.dtype)
        return
    kept = y != 0
    by_channel = kept.reshape(*mask_shape, -1) if x.size else kept
    if x.size and name != "dropout":
        assert (by_channel == by_channel[..., :1]).all()
    if "mask" in p.keywords and probability < 1 and x.size and name == "dropout":
        np.testing.assert_array_equal(kept, p.keywords["mask"])
    scale = 1 / (1 - probability) if probability < 1 else 0
    for got, array in ((y, x), (gx, gy)):
        wanted = np.where(kept, wide(array) * scale, 0)
        agree(got, wanted, p.dtype, 2 * epsilon(p.dtype) * np.abs(wanted))
