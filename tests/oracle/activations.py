"""Activations fused into a convolution: their formulas, slopes, and what they do to errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from oracle.checks import agree, bound_of, epsilon, wide

NAMES = ("relu", "relu6", "leaky_relu", "sigmoid", "tanh", "silu", "hard_swish")
KINKED = ("relu", "relu6", "leaky_relu", "hard_swish")


@dataclass
class Activation:
    name: str
    slope: float = 0.01

    def __call__(self, x):
        return value(self.name, x, self.slope)

    def gradient(self, grad_output, x):
        return grad_output * slope_of(self.name, wide(x), self.slope)


def value(name, x, slope=0.01):
    """The formula, of an array."""
    with np.errstate(over="ignore", invalid="ignore"):
        s = 1 / (1 + np.exp(-x))
        return {
            "relu": lambda: np.where(x > 0, x, np.where(np.isnan(x), x, 0)),
            "relu6": lambda: np.clip(x, 0, 6),
            "leaky_relu": lambda: np.where(x > 0, x, slope * x),
            "sigmoid": lambda: s,
            "tanh": lambda: np.tanh(x),
            "silu": lambda: x * s,
            "hard_swish": lambda: np.where(x == -np.inf, np.nan, x) * np.clip(x + 3, 0, 6) / 6,
        }[name]()


def slope_of(name, x, slope=0.01):
    """The derivative; at kinks that of the side where it is smaller in size, as torch has it."""
    with np.errstate(over="ignore", invalid="ignore"):
        s = 1 / (1 + np.exp(-x))
        return {
            "relu": lambda: 1.0 * (x > 0),
            "relu6": lambda: 1.0 * ((x > 0) & (x < 6)),
            "leaky_relu": lambda: np.where(x > 0, 1, slope),
            "sigmoid": lambda: s * (1 - s),
            "tanh": lambda: 1 - np.tanh(x) ** 2,
            "silu": lambda: s * (1 + x * (1 - s)),
            "hard_swish": lambda: np.where(x <= -3, 0, np.where(x < 3, x / 3 + 0.5, 1)),
        }[name]()


def drawn_activation(p):
    """None, or one that is put into the problem's keywords; kinks are met by exact sums only."""
    if p.chance():
        return None
    name = p.choice(NAMES)
    if name in KINKED:
        p.whole = True
    if name == "leaky_relu" and p.chance():
        slope = p.choice((0.25, 0.0, 1.0, -0.5))
        p.keywords["activation"] = (name, slope)
        return Activation(name, slope)
    p.keywords["activation"] = name
    return Activation(name)


def activated(p, activation, oracle, got, arrays):
    """Check the result, and return the relative error that the gradient brings with it."""
    (sums,) = oracle(*arrays)
    error = np.zeros(sums.shape)
    if not p.whole:
        sizes = oracle(*(None if a is None else np.abs(wide(a)) for a in arrays))[0]
        terms = oracle(*(None if a is None else np.ones(a.shape) for a in arrays))[0]
        error = bound_of(p.dtype, terms, sizes)
    wanted = activation(sums)
    rounding = 8 * epsilon(p.dtype) * np.maximum(1, np.abs(wanted))
    if activation.name in ("relu", "relu6"):
        rounding = 0.0
    agree(got, wanted, p.dtype, 1.5 * error + rounding)
    return 24 * epsilon(p.dtype) + error.max(initial=0)
