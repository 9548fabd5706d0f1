"""Softmax and its logarithm along one dimension, with their gradients."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ._coerce import Array, as_int, float_arrays
from ._numeric import gradient_arrays, ieee

__all__ = ["log_softmax", "log_softmax_backward", "softmax", "softmax_backward"]


def softmax(input: Any, dim: int) -> Array:
    """exp(x) / sum of exp(x) along `dim`; the maximum is taken off first, so nothing overflows.

    >>> import fastconv.functional as F
    >>> import numpy as np
    >>> F.softmax(np.array([1000.0, 1000.0]), dim=0)
    array([0.5, 0.5])
    """
    (x,) = float_arrays("softmax", input=input)
    return soft(x, _axis("softmax", x, dim))


def softmax_backward(grad_output: Any, input: Any, dim: int, *, output: Any = None) -> Array:
    """Gradient of `softmax`: y (g - sum of g y along `dim`), with y the `output`."""
    g, x = gradient_arrays("softmax_backward", grad_output=grad_output, input=input)
    axis = _axis("softmax_backward", x, dim)
    if output is None:
        y = soft(x, axis)
    else:
        _, y = gradient_arrays("softmax_backward", input=x, output=output)
    with ieee():
        gx: Array = g - _sum(g * y, axis)
        gx *= y
    return gx


def log_softmax(input: Any, dim: int) -> Array:
    """log(softmax(x)) along `dim`, computed as x - max - log(sum of exp(x - max))."""
    (x,) = float_arrays("log_softmax", input=input)
    return log_soft(x, _axis("log_softmax", x, dim))


def log_softmax_backward(grad_output: Any, input: Any, dim: int, *, output: Any = None) -> Array:
    """Gradient of `log_softmax`: g - exp(y) (sum of g along `dim`), with y the `output`."""
    g, x = gradient_arrays("log_softmax_backward", grad_output=grad_output, input=input)
    axis = _axis("log_softmax_backward", x, dim)
    if output is None:
        y = soft(x, axis)
    else:
        _, y = gradient_arrays("log_softmax_backward", input=x, output=output)
        y = np.exp(y, out=np.empty_like(y))
    with ieee():
        y *= _sum(g, axis)
        return np.subtract(g, y, out=y)


def soft(x: Array, axis: int) -> Array:
    with ieee():
        y = np.subtract(x, _max(x, axis), out=np.empty_like(x))
        np.exp(y, out=y)
        y /= _sum(y, axis)
    return y


def log_soft(x: Array, axis: int) -> Array:
    with ieee():
        y = np.subtract(x, _max(x, axis), out=np.empty_like(x))
        y -= np.log(_sum(np.exp(y), axis))
    return y


def _max(x: Array, axis: int) -> Array:
    return np.asarray(np.max(x, axis=axis if x.ndim else None, keepdims=True, initial=-math.inf))


def _sum(x: Array, axis: int) -> Array:
    return np.asarray(np.sum(x, axis=axis if x.ndim else None, keepdims=True))


def _axis(function: str, x: Array, dim: int) -> int:
    axis, ndim = as_int(function, "dim", dim), max(x.ndim, 1)
    if not -ndim <= axis < ndim:
        raise ValueError(
            f"{function}: dim is {axis}, input has {x.ndim} dimensions "
            f"(wanted {-ndim} to {ndim - 1})"
        )
    return axis % ndim
