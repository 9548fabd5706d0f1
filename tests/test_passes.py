"""Elementwise passes on every ISA: each function beside its formula in float64, at every length
about a vector's, in any order of axes; optimizers beside their rules; products of matrices exactly.
"""

from __future__ import annotations

import numpy as np
import pytest
from ulps import close

import fastconv.functional as F
import fastconv.nn as nn
import fastconv.optim as optim
from fastconv import _core

LENGTHS = (*range(1, 36), 63, 64, 65, 127, 129, 1000)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


FORMULAS = {
    "relu": (lambda x: np.maximum(x, 0), lambda x: x > 0),
    "relu6": (lambda x: np.clip(x, 0, 6), lambda x: (x > 0) & (x < 6)),
    "leaky_relu": (lambda x: np.where(x > 0, x, x * 0.01), lambda x: np.where(x > 0, 1, 0.01)),
    "sigmoid": (sigmoid, lambda x: sigmoid(x) * (1 - sigmoid(x))),
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "silu": (lambda x: x * sigmoid(x), lambda x: sigmoid(x) * (1 + x * (1 - sigmoid(x)))),
    "hard_swish": (
        lambda x: x * np.clip(x + 3, 0, 6) / 6,
        lambda x: np.select([x <= -3, x >= 3], [0, 1], x / 3 + 0.5),
    ),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_activation_beside_its_formula(isa, dtype, name):
    rng = np.random.default_rng(3)
    function, slope = FORMULAS[name]
    for length in LENGTHS:
        x = (rng.standard_normal(length) * 4).astype(dtype)
        g = rng.integers(-4, 5, length).astype(dtype)
        wide = x.astype(np.float64)
        close(name, getattr(F, name)(x), function(wide).astype(dtype))
        got = getattr(F, f"{name}_backward")(g, x)
        close(f"{name}_backward", got, (g * slope(wide)).astype(dtype))


@pytest.mark.parametrize("name", FORMULAS)
def test_activation_keeps_every_order_of_axes(isa, name):
    rng = np.random.default_rng(4)
    x = rng.standard_normal((3, 5, 7, 9))
    g = rng.standard_normal(x.shape)
    wanted, wanted_grad = getattr(F, name)(x), getattr(F, f"{name}_backward")(g, x)
    for axes in [(0, 2, 3, 1), (3, 2, 1, 0), (1, 0, 3, 2)]:
        back = np.argsort(axes)
        other = np.ascontiguousarray(x.transpose(axes)).transpose(back)
        y = getattr(F, name)(other)
        assert y.strides == other.strides
        np.testing.assert_array_equal(y, wanted)
        np.testing.assert_array_equal(getattr(F, f"{name}_backward")(g, other), wanted_grad)
    for view in (x[:, ::2], x[..., ::-1], np.broadcast_to(x[:1], x.shape)):
        np.testing.assert_array_equal(
            getattr(F, name)(view), getattr(F, name)(np.ascontiguousarray(view))
        )


def test_activation_in_place_changes_the_array_alone(isa):
    x = np.linspace(-2, 2, 99, dtype=np.float32).reshape(9, 11)
    wide = np.full((9, 22), np.nan, np.float32)
    part = wide[:, ::2]
    part[...] = x
    assert _core.activate_("relu", 1, 0.0, part) is part
    np.testing.assert_array_equal(part, np.maximum(x, 0))
    assert np.isnan(wide[:, 1::2]).all()


def steps(kind, settings, data, grads):
    p = nn.Parameter(data)
    optimizer = getattr(optim, kind)([p], **settings)
    for grad in grads:
        p.grad = grad
        optimizer.step()
    return p.data


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("SGD", {"lr": 0.25}),
        ("SGD", {"lr": 0.25, "momentum": 0.5, "nesterov": True, "weight_decay": 0.5}),
        ("Adam", {"lr": 0.1, "amsgrad": True}),
    ],
)
def test_an_optimizers_step_is_the_same_at_every_place(isa, dtype, kind, settings):
    """Element by element, whatever the length, the order of axes and the gaps."""
    rng = np.random.default_rng(5)
    data, *grads = rng.standard_normal((4, 2000)).astype(dtype)
    alone = np.concatenate(
        [steps(kind, settings, data[i : i + 1].copy(), [g[i : i + 1] for g in grads])
         for i in range(70)]
    )  # fmt: skip
    for length in LENGTHS:
        got = steps(kind, settings, data[:length].copy(), [g[:length] for g in grads])
        np.testing.assert_array_equal(got[:70], alone[:length])
    wide = np.full((40, 100), np.nan, dtype)
    part = wide.T[::2]
    part[...] = data.reshape(50, 40)
    steps(kind, settings, part, [g.reshape(50, 40) for g in grads])
    np.testing.assert_array_equal(part.ravel(), steps(kind, settings, data.copy(), grads))
    assert np.isnan(wide.T[1::2]).all()


def test_adam_is_its_rule(isa):
    rng = np.random.default_rng(6)
    data, *grads = rng.standard_normal((4, 50))
    wanted, mean, square = data.copy(), 0.0, 0.0
    for t, g in enumerate(grads, 1):
        mean, square = 0.9 * mean + 0.1 * g, 0.999 * square + 0.001 * g * g
        root = np.sqrt(square / (1 - 0.999**t)) + 1e-8
        wanted -= 0.01 * mean / (1 - 0.9**t) / root
    np.testing.assert_allclose(steps("Adam", {"lr": 0.01}, data, grads), wanted, rtol=1e-13)


@pytest.mark.parametrize("order", ["C", "F"])
def test_linear_is_exact_for_integers(isa, dtype, order):
    rng = np.random.default_rng(7)

    def integers(*shape):
        return np.asarray(rng.integers(-4, 5, shape), dtype, order)

    for rows in (1, 2, 7, 16, 129):
        for columns in (1, 3, 17, 64, 130):
            for depth in (1, 5, 33, 300):
                x, w, b = integers(rows, depth), integers(columns, depth), integers(columns)
                g = integers(rows, columns)
                np.testing.assert_array_equal(F.linear(x, w, b), x @ w.T + b)
                for got, wanted in zip(
                    F.linear_backward(g, x, w, b), (g @ w, g.T @ x, g.sum(0)), strict=True
                ):
                    np.testing.assert_array_equal(got, wanted)


def test_linear_of_a_row_does_not_depend_on_the_batch(threads):
    import fastconv as fc

    rng = np.random.default_rng(8)
    for features, outputs in ((400, 120), (3136, 256), (84, 10)):
        x = rng.standard_normal((200, features)).astype(np.float32)
        w = rng.standard_normal((outputs, features)).astype(np.float32)
        b = rng.standard_normal(outputs).astype(np.float32)
        wanted = F.linear(x, w, b)
        for count in (1, 2, 8):
            fc.set_num_threads(count)
            for rows in (1, 3, 50, 128, 129):
                np.testing.assert_array_equal(F.linear(x[:rows], w, b), wanted[:rows])
