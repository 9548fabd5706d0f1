"""Elementwise activations and their gradients.

Every function keeps its input's shape, dtype and memory layout, and passes NaN on.
A gradient function takes the forward's arguments after ``grad_output``; where it is cheaper to
start from the forward's result, ``output=`` takes that.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._coerce import Array, float_arrays
from ._numeric import choose, gradient_arrays, ieee

__all__ = [
    "hard_swish",
    "hard_swish_backward",
    "leaky_relu",
    "leaky_relu_backward",
    "relu",
    "relu6",
    "relu6_backward",
    "relu_backward",
    "sigmoid",
    "sigmoid_backward",
    "silu",
    "silu_backward",
    "tanh",
    "tanh_backward",
]


def relu(input: Any) -> Array:
    """max(x, 0).

    >>> import fastconv.functional as F
    >>> import numpy as np
    >>> F.relu(np.array([-1.0, 0.5]))
    array([0. , 0.5])
    """
    (x,) = float_arrays("relu", input=input)
    return np.maximum(x, 0, out=np.empty_like(x))


def relu_backward(grad_output: Any, input: Any) -> Array:
    """Gradient of `relu`: 0 where x <= 0, else `grad_output`."""
    g, x = gradient_arrays("relu_backward", grad_output=grad_output, input=input)
    return choose(x <= 0, x.dtype.type(0), g)


def relu6(input: Any) -> Array:
    """min(max(x, 0), 6) (Howard et al. 2017, MobileNets)."""
    (x,) = float_arrays("relu6", input=input)
    return np.clip(x, 0, 6, out=np.empty_like(x))


def relu6_backward(grad_output: Any, input: Any) -> Array:
    """Gradient of `relu6`: 0 where x <= 0 or x >= 6, else `grad_output`."""
    g, x = gradient_arrays("relu6_backward", grad_output=grad_output, input=input)
    return choose((x <= 0) | (x >= 6), x.dtype.type(0), g)


def leaky_relu(input: Any, negative_slope: float = 0.01) -> Array:
    """x where x > 0, else negative_slope * x (Maas et al. 2013)."""
    (x,) = float_arrays("leaky_relu", input=input)
    with ieee():
        return choose(x > 0, x, x * x.dtype.type(negative_slope))


def leaky_relu_backward(grad_output: Any, input: Any, negative_slope: float = 0.01) -> Array:
    """Gradient of `leaky_relu`: `grad_output` where x > 0, else negative_slope * `grad_output`."""
    g, x = gradient_arrays("leaky_relu_backward", grad_output=grad_output, input=input)
    with ieee():
        return choose(x > 0, g, g * x.dtype.type(negative_slope))


def sigmoid(input: Any) -> Array:
    """1 / (1 + exp(-x)), exact to a few ulp at either end.

    >>> import fastconv.functional as F
    >>> import numpy as np
    >>> F.sigmoid(np.array([-np.inf, 0, 1000]))
    array([0. , 0.5, 1. ])
    """
    (x,) = float_arrays("sigmoid", input=input)
    return _sigmoid(x)


def sigmoid_backward(grad_output: Any, input: Any, *, output: Any = None) -> Array:
    """Gradient of `sigmoid`: s (1 - s) `grad_output`, with s the `output`."""
    g, x = gradient_arrays("sigmoid_backward", grad_output=grad_output, input=input)
    s = _result("sigmoid_backward", output, x)
    if s is None:
        s = _sigmoid(x)
    with ieee():
        slope = np.subtract(1, s, out=np.empty_like(x))
        slope *= s
        slope *= g
    return slope


def tanh(input: Any) -> Array:
    """Hyperbolic tangent."""
    (x,) = float_arrays("tanh", input=input)
    return np.tanh(x, out=np.empty_like(x))


def tanh_backward(grad_output: Any, input: Any, *, output: Any = None) -> Array:
    """Gradient of `tanh`: (1 - t²) `grad_output`, with t the `output`."""
    g, x = gradient_arrays("tanh_backward", grad_output=grad_output, input=input)
    t = _result("tanh_backward", output, x)
    if t is None:
        t = np.tanh(x, out=np.empty_like(x))
    with ieee():
        slope = np.multiply(t, t, out=np.empty_like(x))
        np.subtract(1, slope, out=slope)
        slope *= g
    return slope


def silu(input: Any) -> Array:
    """x sigmoid(x) (Elfwing et al. 2017), also called swish."""
    (x,) = float_arrays("silu", input=input)
    y = _sigmoid(x)
    with ieee():
        y *= x
    return y


def silu_backward(grad_output: Any, input: Any) -> Array:
    """Gradient of `silu`: s (1 + x (1 - s)) `grad_output`, with s = sigmoid(x)."""
    g, x = gradient_arrays("silu_backward", grad_output=grad_output, input=input)
    s = _sigmoid(x)
    with ieee():
        slope = np.subtract(1, s, out=np.empty_like(x))
        slope *= x
        slope += 1
        slope *= s
        slope *= g
    return slope


def hard_swish(input: Any) -> Array:
    """x min(max(x + 3, 0), 6) / 6 (Howard et al. 2019, MobileNetV3)."""
    (x,) = float_arrays("hard_swish", input=input)
    with ieee():
        y = np.add(x, 3, out=np.empty_like(x))
        np.clip(y, 0, 6, out=y)
        y *= x
        y /= 6
    return y


def hard_swish_backward(grad_output: Any, input: Any) -> Array:
    """Gradient of `hard_swish`: 0 where x <= -3, `grad_output` where x >= 3, between x/3 + 1/2."""
    g, x = gradient_arrays("hard_swish_backward", grad_output=grad_output, input=input)
    with ieee():
        slope = np.divide(x, 3, out=np.empty_like(x))
        slope += 0.5
        slope *= g
    return choose(x <= -3, x.dtype.type(0), choose(x >= 3, g, slope))


def _sigmoid(x: Array) -> Array:
    """With z = exp(-|x|) <= 1, which cannot overflow: 1 / (1 + z) or, for x < 0, z / (1 + z)."""
    z = np.abs(x, out=np.empty_like(x))
    np.negative(z, out=z)
    np.exp(z, out=z)
    numerator = choose(x < 0, z, x.dtype.type(1))
    z += 1
    return np.divide(numerator, z, out=z)


def _result(function: str, output: Any, x: Array) -> Array | None:
    if output is None:
        return None
    _, y = gradient_arrays(function, input=x, output=output)
    return y
