"""Softmax and its logarithm along one dimension, with their gradients."""

from __future__ import annotations

from typing import Any

from .. import _core
from ._coerce import Array, as_array, as_int

__all__ = ["log_softmax", "log_softmax_backward", "softmax", "softmax_backward"]


def softmax(input: Any, dim: int) -> Array:
    """exp(x) / sum of exp(x) along `dim`; the maximum is taken off first, so nothing overflows.

    >>> import fastconv.functional as F
    >>> import numpy as np
    >>> F.softmax(np.array([1000.0, 1000.0]), dim=0)
    array([0.5, 0.5])
    """
    return _forward("softmax", input, dim)


def softmax_backward(grad_output: Any, input: Any, dim: int, *, output: Any = None) -> Array:
    """Gradient of `softmax`: y (g - sum of g y along `dim`), with y the `output`."""
    return _backward("softmax", grad_output, input, dim, output)


def log_softmax(input: Any, dim: int) -> Array:
    """log(softmax(x)) along `dim`, computed as x - max - log(sum of exp(x - max))."""
    return _forward("log_softmax", input, dim)


def log_softmax_backward(grad_output: Any, input: Any, dim: int, *, output: Any = None) -> Array:
    """Gradient of `log_softmax`: g - exp(y) (sum of g along `dim`), with y the `output`."""
    return _backward("log_softmax", grad_output, input, dim, output)


def _forward(name: str, input: Any, dim: int) -> Array:
    x = as_array(name, "input", input)
    return _core.softmax(name, name == "log_softmax", _axis(name, x, dim), x)


def _backward(name: str, grad_output: Any, input: Any, dim: int, output: Any) -> Array:
    function = f"{name}_backward"
    x = as_array(function, "input", input)
    return _core.softmax_backward(
        function, name == "log_softmax", _axis(function, x, dim),
        as_array(function, "grad_output", grad_output), x,
        None if output is None else as_array(function, "output", output),
    )  # fmt: skip


def _axis(function: str, x: Array, dim: int) -> int:
    axis, ndim = as_int(function, "dim", dim), max(x.ndim, 1)
    if not -ndim <= axis < ndim:
        raise ValueError(
            f"{function}: dim is {axis}, input has {x.ndim} dimensions "
            f"(wanted {-ndim} to {ndim - 1})"
        )
    return axis % ndim
