"""Elementwise activations and their gradients.

Every function keeps its input's shape, dtype and memory layout, and passes NaN on.
A gradient function takes the forward's arguments after ``grad_output``; where it is cheaper to
start from the forward's result, ``output=`` takes that.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _core
from ._coerce import Array, as_array, as_float

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

# The core's numbers.
ACTIVATIONS = {"relu": 1, "relu6": 2, "leaky_relu": 3, "sigmoid": 4, "tanh": 5, "silu": 6,
               "hard_swish": 7}  # fmt: skip


def relu(input: Any) -> Array:
    """max(x, 0).

    >>> import fastconv.functional as F
    >>> import numpy as np
    >>> F.relu(np.array([-1.0, 0.5]))
    array([0. , 0.5])
    """
    return _forward("relu", input)


def relu_backward(grad_output: Any, input: Any) -> Array:
    """Gradient of `relu`: 0 where x <= 0, else `grad_output`."""
    return _backward("relu", grad_output, input)


def relu6(input: Any) -> Array:
    """min(max(x, 0), 6) (Howard et al. 2017, MobileNets)."""
    return _forward("relu6", input)


def relu6_backward(grad_output: Any, input: Any) -> Array:
    """Gradient of `relu6`: 0 where x <= 0 or x >= 6, else `grad_output`."""
    return _backward("relu6", grad_output, input)


def leaky_relu(input: Any, negative_slope: float = 0.01) -> Array:
    """x where x > 0, else negative_slope * x (Maas et al. 2013)."""
    return _forward("leaky_relu", input, as_float("leaky_relu", "negative_slope", negative_slope))


def leaky_relu_backward(grad_output: Any, input: Any, negative_slope: float = 0.01) -> Array:
    """Gradient of `leaky_relu`: `grad_output` where x > 0, else negative_slope * `grad_output`."""
    return _backward(
        "leaky_relu",
        grad_output,
        input,
        as_float("leaky_relu_backward", "negative_slope", negative_slope),
    )


def sigmoid(input: Any) -> Array:
    """1 / (1 + exp(-x)), exact to a few ulp at either end.

    >>> import fastconv.functional as F
    >>> import numpy as np
    >>> F.sigmoid(np.array([-np.inf, 0, 1000]))
    array([0. , 0.5, 1. ])
    """
    return _forward("sigmoid", input)


def sigmoid_backward(grad_output: Any, input: Any, *, output: Any = None) -> Array:
    """Gradient of `sigmoid`: s (1 - s) `grad_output`, with s the `output`."""
    return _backward("sigmoid", grad_output, input, output=output)


def tanh(input: Any) -> Array:
    """Hyperbolic tangent."""
    return _forward("tanh", input)


def tanh_backward(grad_output: Any, input: Any, *, output: Any = None) -> Array:
    """Gradient of `tanh`: (1 - t²) `grad_output`, with t the `output`."""
    return _backward("tanh", grad_output, input, output=output)


def silu(input: Any) -> Array:
    """x sigmoid(x) (Elfwing et al. 2017), also called swish."""
    return _forward("silu", input)


def silu_backward(grad_output: Any, input: Any) -> Array:
    """Gradient of `silu`: s (1 + x (1 - s)) `grad_output`, with s = sigmoid(x)."""
    return _backward("silu", grad_output, input)


def hard_swish(input: Any) -> Array:
    """x min(max(x + 3, 0), 6) / 6 (Howard et al. 2019, MobileNetV3)."""
    return _forward("hard_swish", input)


def hard_swish_backward(grad_output: Any, input: Any) -> Array:
    """Gradient of `hard_swish`: 0 where x <= -3, `grad_output` where x >= 3, between x/3 + 1/2."""
    return _backward("hard_swish", grad_output, input)


def _forward(name: str, input: Any, slope: float = 0.0) -> Array:
    if type(input) is not np.ndarray:
        input = as_array(name, "input", input)
    return _core.activate(name, ACTIVATIONS[name], slope, input)


def _backward(
    name: str, grad_output: Any, input: Any, slope: float = 0.0, *, output: Any = None
) -> Array:
    function = f"{name}_backward"
    return _core.activate_backward(
        function, ACTIVATIONS[name], slope, as_array(function, "grad_output", grad_output),
        as_array(function, "input", input),
        None if output is None else as_array(function, "output", output),
    )  # fmt: skip
