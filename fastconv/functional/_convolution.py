"""What the convolutions share, for any number of dimensions: coercion, activations, gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Sized
from typing import Any

import numpy as np

from .. import _core
from . import activation as act
from ._coerce import (
    Array,
    Ints,
    Padding,
    as_array,
    as_flags,
    as_float,
    as_int,
    as_ints,
    as_pads,
    float_arrays,
)
from ._layout import NCHW, check_layout
from .activation import ACTIVATIONS

Activation = str | tuple[str, float] | None
Gradients = tuple[Array | None, ...]

ALGORITHMS = {"auto": 0, "direct": 1, "im2col": 2, "tiled": 3}


def forward(
    function: str,
    dims: int,
    input: Any,
    weight: Any,
    bias: Any,
    stride: Ints,
    padding: Padding,
    dilation: Ints,
    groups: int,
    activation: Activation,
    residual: Any,
    algorithm: str,
    layout: str,
    out: Array | None,
) -> Array:
    """A convolution. What is plain already goes to the compiled module as it is."""
    if type(input) is not np.ndarray:
        input = as_array(function, "input", input)
    if type(weight) is not np.ndarray:
        weight = as_array(function, "weight", weight)
    if bias is not None and type(bias) is not np.ndarray:
        bias = as_array(function, "bias", bias)
    if residual is not None and type(residual) is not np.ndarray:
        residual = as_array(function, "residual", residual)
    if type(stride) is not int:
        stride = as_ints(function, "stride", stride, dims)
    if type(padding) is not int:
        padding = as_pads(function, padding, dims)
    if type(dilation) is not int:
        dilation = as_ints(function, "dilation", dilation, dims)
    if type(groups) is not int:
        groups = as_int(function, "groups", groups)
    kind, slope = (0, 0.0) if activation is None else as_activation(function, activation)
    return _core.conv_forward(
        function, dims, layout is not NCHW and check_layout(function, layout, dims), input, weight,
        bias, stride, padding, dilation, groups, as_algorithm(function, algorithm), kind, slope,
        residual, out,
    )  # fmt: skip


def as_algorithm(function: str, name: str) -> int:
    """The core's number."""
    number = ALGORITHMS.get(name) if isinstance(name, str) else None
    if number is None:
        wanted = ", ".join(map(repr, ALGORITHMS))
        raise ValueError(f"{function}: algorithm is {name!r} (wanted one of {wanted})")
    return number


def as_activation(function: str, activation: Activation) -> tuple[int, float]:
    """The core's number, and the slope of a leaky ReLU."""
    if activation is None:
        return 0, 0.0
    name: Any = activation
    slope: Any = 0.01
    if isinstance(activation, (tuple, list)) and len(activation) == 2:
        name, slope = activation
    named = isinstance(name, str) and (name is activation or name == "leaky_relu")
    number = ACTIVATIONS.get(name) if named else None
    if number is None:
        wanted = ", ".join(map(repr, ACTIVATIONS))
        raise ValueError(
            f"{function}: activation is {activation!r} "
            f"(wanted None, one of {wanted}, or ('leaky_relu', slope))"
        )
    return number, as_float(function, "activation's slope", slope)


def backward(
    function: str,
    dims: int,
    grad_output: Any,
    input: Any,
    weight: Any,
    bias: Any,
    stride: Ints,
    padding: Padding,
    dilation: Ints,
    groups: int,
    activation: Activation,
    residual: Any,
    output: Any,
    algorithm: str,
    layout: str,
    needs: Sequence[bool],
) -> Gradients:
    """The gradients of `forward`: of input, weight, bias and, where there is one, residual."""
    wanted = as_needs(function, needs, residual)
    grad = as_array(function, "grad_output", grad_output)
    image = as_array(function, "input", input)
    weights = as_array(function, "weight", weight)
    biases = None if bias is None else as_array(function, "bias", bias)

    def again(activation: Activation) -> Array:
        return forward(
            function, dims, image, weights, biases, stride, padding, dilation, groups, activation,
            residual, algorithm, layout, None,
        )  # fmt: skip

    grad_sum = gradient_of_sum(function, grad, activation, output, again)
    gradients = _core.conv_backward(
        function, dims, check_layout(function, layout, dims), grad_sum, image, weights, biases,
        as_ints(function, "stride", stride, dims), as_pads(function, padding, dims),
        as_ints(function, "dilation", dilation, dims), as_int(function, "groups", groups),
        as_algorithm(function, algorithm), *wanted[:3],
    )  # fmt: skip
    if residual is None:
        return gradients
    return *gradients, residual_gradient(function, grad, grad_sum, residual, wanted[3])


def as_needs(function: str, needs: Sequence[bool], residual: Any) -> tuple[bool, bool, bool, bool]:
    """Four bools: of input, weight, bias and residual; the last may be left out."""
    four = residual is not None and isinstance(needs, Sized) and len(needs) == 4
    flags = (*as_flags(function, needs, 4 if four else 3), residual is not None)
    return flags[0], flags[1], flags[2], flags[3]


def gradient_of_sum(
    function: str,
    grad: Array,
    activation: Activation,
    output: Any,
    again: Callable[[Activation], Array],
) -> Array:
    """The gradient before the activation, from `grad` after it.

    Most activations tell their slope by their result, `output`; where it is not given, and for
    the others, the forward pass is computed `again`.
    """
    if activation is None:
        return grad
    number, slope = as_activation(function, activation)
    name = next(name for name in ACTIVATIONS if ACTIVATIONS[name] == number)
    by_result = name not in ("silu", "hard_swish") and not (name == "leaky_relu" and slope < 0)
    if output is not None:
        start = as_array(function, "output", output)
        if start.shape != grad.shape:
            raise ValueError(
                f"{function}: output has shape {start.shape} (wanted {grad.shape}, grad_output's)"
            )
    if output is None or not by_result:
        start = again(activation if by_result else None)
        if start.shape != grad.shape:
            raise ValueError(
                f"{function}: grad_output has shape {grad.shape} "
                f"(wanted {start.shape}, the output's)"
            )
    float_arrays(function, grad_output=grad, output=start)
    if name == "leaky_relu":
        return act.leaky_relu_backward(grad, start, slope)
    settings = {"output": start} if name in ("sigmoid", "tanh") else {}
    gradient: Array = getattr(act, f"{name}_backward")(grad, start, **settings)
    return gradient


def residual_gradient(
    function: str, grad: Array, grad_sum: Array, residual: Any, wanted: bool
) -> Array | None:
    """That of the sum, in an array of its own."""
    array = as_array(function, "residual", residual)
    if array.shape != grad.shape:
        raise ValueError(
            f"{function}: residual has shape {array.shape} (wanted {grad.shape}, the output's)"
        )
    float_arrays(function, grad_output=grad, residual=array)
    if not wanted:
        return None
    return grad.copy() if grad_sum is grad else grad_sum
