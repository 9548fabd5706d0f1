"""Initial values by their usual names, written into a Parameter or an array in place.

Of a weight (out, in, *kernel), fan in is in · prod(kernel), how many numbers an output is a sum of;
fan out is out · prod(kernel). Names, arguments and distributions are those of ``torch.nn.init``;
``lecun_uniform_`` and ``lecun_normal_`` are Keras's. Random numbers come from `rng`, a NumPy
Generator or an int, or else from what `fastconv.manual_seed` seeded.

>>> import fastconv as fc
>>> conv = fc.nn.Conv2d(8, 16, 3)
>>> weight = fc.nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
>>> bias = fc.nn.init.zeros_(conv.bias)
"""

from __future__ import annotations

import math
from typing import Any, TypeVar

import numpy as np

from ..functional._coerce import Array
from ..random import Rng, as_generator
from .parameter import Parameter

__all__ = [
    "calculate_gain",
    "constant_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "lecun_normal_",
    "lecun_uniform_",
    "normal_",
    "ones_",
    "trunc_normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]

Values = TypeVar("Values", Parameter, Array)

# Below this share of draws between the bounds, a truncated normal is a wrong argument.
LEAST_MASS = 1e-4


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor on the deviation that keeps a signal's size through `nonlinearity`.

    `param` is the negative slope of "leaky_relu", 0.01 by default.

    >>> round(calculate_gain("relu"), 4)
    1.4142
    """
    slope = 0.01 if param is None else param
    convolutions = [f"conv{kind}{d}d" for kind in ("", "_transpose") for d in (1, 2, 3)]
    gains = {
        **dict.fromkeys(["linear", *convolutions, "sigmoid"], 1.0),
        "tanh": 5 / 3,
        "relu": math.sqrt(2),
        "leaky_relu": math.sqrt(2 / (1 + slope**2)),
        "selu": 3 / 4,
    }
    if nonlinearity not in gains:
        raise ValueError(
            f"calculate_gain: nonlinearity is {nonlinearity!r} (wanted one of {', '.join(gains)})"
        )
    return gains[nonlinearity]


def uniform_(tensor: Values, a: float = 0.0, b: float = 1.0, *, rng: Rng | None = None) -> Values:
    """Numbers of the uniform distribution from `a` to `b`."""
    return _fill(tensor, as_generator(rng).uniform(a, b, tensor.shape))


def normal_(
    tensor: Values, mean: float = 0.0, std: float = 1.0, *, rng: Rng | None = None
) -> Values:
    """Numbers of the normal distribution."""
    return _fill(tensor, as_generator(rng).normal(mean, std, tensor.shape))


def trunc_normal_(
    tensor: Values,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    *,
    rng: Rng | None = None,
) -> Values:
    """Numbers of the normal distribution that lie between `a` and `b`; others are drawn again."""
    if not std > 0:
        raise ValueError(f"trunc_normal_: std is {std} (wanted a number above 0)")
    low, high = ((bound - mean) / (std * math.sqrt(2)) for bound in (a, b))
    if not (math.erf(high) - math.erf(low)) / 2 >= LEAST_MASS:
        raise ValueError(
            f"trunc_normal_: a is {a}, b is {b}, mean {mean}, std {std} "
            f"(wanted bounds that hold {LEAST_MASS} of the distribution or more)"
        )
    generator = as_generator(rng)
    values = generator.normal(mean, std, tensor.shape)
    while (outside := (values < a) | (values > b)).any():
        values[outside] = generator.normal(mean, std, int(outside.sum()))
    return _fill(tensor, values)


def constant_(tensor: Values, val: float) -> Values:
    """`val` everywhere."""
    return _fill(tensor, val)


def zeros_(tensor: Values) -> Values:
    """0 everywhere."""
    return _fill(tensor, 0)


def ones_(tensor: Values) -> Values:
    """1 everywhere."""
    return _fill(tensor, 1)


def xavier_uniform_(tensor: Values, gain: float = 1.0, *, rng: Rng | None = None) -> Values:
    """Uniform, of variance gain² · 2 / (fan in + fan out) (Glorot and Bengio 2010)."""
    return _uniform(tensor, gain * math.sqrt(2 / sum(_fans(tensor))), rng)


def xavier_normal_(tensor: Values, gain: float = 1.0, *, rng: Rng | None = None) -> Values:
    """Normal, of variance gain² · 2 / (fan in + fan out) (Glorot and Bengio 2010)."""
    return normal_(tensor, 0.0, gain * math.sqrt(2 / sum(_fans(tensor))), rng=rng)


def kaiming_uniform_(
    tensor: Values,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    rng: Rng | None = None,
) -> Values:
    """Uniform, of variance gain² / fan (He et al. 2015); `a` is leaky_relu's negative slope.

    `mode` "fan_in" keeps the size of the signal, "fan_out" that of the gradients.
    """
    return _uniform(tensor, _kaiming_std(tensor, a, mode, nonlinearity), rng)


def kaiming_normal_(
    tensor: Values,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    rng: Rng | None = None,
) -> Values:
    """Normal, of variance gain² / fan (He et al. 2015); arguments as `kaiming_uniform_`'s."""
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity), rng=rng)


def lecun_uniform_(tensor: Values, *, rng: Rng | None = None) -> Values:
    """Uniform, of variance 1 / fan in (LeCun et al. 1998, "Efficient BackProp", 4.6)."""
    return _uniform(tensor, math.sqrt(1 / _fans(tensor)[0]), rng)


def lecun_normal_(tensor: Values, *, rng: Rng | None = None) -> Values:
    """Normal, of variance 1 / fan in (LeCun et al. 1998, "Efficient BackProp", 4.6)."""
    return normal_(tensor, 0.0, math.sqrt(1 / _fans(tensor)[0]), rng=rng)


def _uniform(tensor: Values, std: float, rng: Rng | None) -> Values:
    bound = math.sqrt(3) * std
    return uniform_(tensor, -bound, bound, rng=rng)


def _kaiming_std(tensor: Any, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"kaiming: mode is {mode!r} (wanted 'fan_in' or 'fan_out')")
    fan = _fans(tensor)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def _fans(tensor: Any) -> tuple[int, int]:
    shape = tensor.shape
    if len(shape) < 2 or 0 in shape:
        raise ValueError(f"init: tensor has shape {shape} (wanted a weight, (out, in, *kernel))")
    kernel = math.prod(shape[2:])
    return shape[1] * kernel, shape[0] * kernel


def _fill(tensor: Values, values: Any) -> Values:
    array = tensor.data if isinstance(tensor, Parameter) else tensor
    if not isinstance(array, np.ndarray):
        raise TypeError(f"init: tensor is a {type(tensor).__name__} (wanted a Parameter or array)")
    array[...] = values
    return tensor
