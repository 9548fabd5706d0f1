"""The losses and their gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _core
from ._coerce import Array, as_array, as_flags, as_float, as_int, float_arrays
from ._numeric import gradient_arrays, ieee

__all__ = ["cross_entropy", "cross_entropy_backward", "mse_loss", "mse_loss_backward"]

REDUCTIONS = ("none", "mean", "sum")  # by the core's numbers


def cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Array:
    """Cross entropy between softmax(input) and classes or class probabilities.

    Parameters
    ----------
    input : array, shape (N, C), (C,) or (N, C, d1, ...)
        Logits.
    target : array
        Classes 0 to C - 1 as int32 or int64, of the input's shape without C; or probabilities
        of the input's shape and dtype.
    weight : array, shape (C,), optional
        A factor for every class.
    ignore_index : int
        A class that counts for nothing (classes only).
    reduction : str
        "mean" (over the weights of the classes that count), "sum" or "none".
    label_smoothing : float
        Share of a uniform distribution mixed into the target, 0 to 1.

    Returns
    -------
    scalar, or an array of the input's shape without C for "none"

    Raises
    ------
    ValueError, TypeError
        For classes out of range and for shapes, dtypes and settings that do not fit.

    Examples
    --------
    >>> import fastconv.functional as F
    >>> import numpy as np
    >>> round(float(F.cross_entropy(np.zeros((2, 10)), np.array([3, 7]))), 4)
    2.3026
    """
    loss = _core.cross_entropy(
        "cross_entropy",
        *_operands(
            "cross_entropy", input, target, weight, ignore_index, reduction, label_smoothing
        ),
    )
    scalar: Array = loss[()]
    return scalar


def cross_entropy_backward(
    grad_output: Any,
    input: Any,
    target: Any,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
    *,
    needs: tuple[bool, ...] = (True, True, True),
) -> tuple[Array | None, Array | None, None]:
    """Gradients of `cross_entropy`: (grad_input, grad_target, None).

    With q the target's distribution times the class weights, grad_input is
    softmax(x) · (sum of q) - q. grad_target is None for classes, and weights have none.
    """
    name = "cross_entropy_backward"
    operands = _operands(name, input, target, weight, ignore_index, reduction, label_smoothing)
    if isinstance(grad_output, (int, float)):
        grad_output = np.array(grad_output, operands[0].dtype)
    grad = as_array(name, "grad_output", grad_output)
    return _core.cross_entropy_backward(name, grad, *operands, *as_flags(name, needs, 3)[:2])


def mse_loss(input: Any, target: Any, reduction: str = "mean") -> Array:
    """Mean (or "sum", or "none") of (input - target)², for two arrays of one shape."""
    x, t = gradient_arrays("mse_loss", input=input, target=target)
    _check_reduction("mse_loss", reduction)
    with ieee():
        squares = np.square(x - t)
        if reduction == "none":
            return np.asarray(squares)
        total: Array = np.sum(squares)
        if reduction == "mean":
            total = total / x.dtype.type(x.size)
        return total


def mse_loss_backward(
    grad_output: Any,
    input: Any,
    target: Any,
    reduction: str = "mean",
    *,
    needs: tuple[bool, ...] = (True, True),
) -> tuple[Array | None, Array | None]:
    """Gradients of `mse_loss`: 2 (input - target) `grad_output`, over the size for the mean."""
    x, t = gradient_arrays("mse_loss_backward", input=input, target=target)
    _check_reduction("mse_loss_backward", reduction)
    shape = x.shape if reduction == "none" else ()
    g = _loss_gradient("mse_loss_backward", grad_output, x, shape)
    with ieee():
        gx = np.asarray(x - t)
        gx *= g * x.dtype.type(2 / max(x.size, 1) if reduction == "mean" else 2)
    flags = as_flags("mse_loss_backward", needs, 2)
    return gx if flags[0] else None, -gx if flags[1] else None


def _operands(
    function: str,
    input: Any,
    target: Any,
    weight: Any,
    ignore_index: int,
    reduction: str,
    label_smoothing: float,
) -> tuple[Array, Array, Array | None, int, int, float]:
    """What the compiled module takes."""
    _check_reduction(function, reduction)
    return (
        as_array(function, "input", input),
        as_array(function, "target", target),
        None if weight is None else as_array(function, "weight", weight),
        as_int(function, "ignore_index", ignore_index),
        REDUCTIONS.index(reduction),
        as_float(function, "label_smoothing", label_smoothing),
    )


def _loss_gradient(function: str, grad_output: Any, x: Array, shape: tuple[int, ...]) -> Array:
    if isinstance(grad_output, (int, float)):
        grad_output = np.array(grad_output, x.dtype)
    _, g = float_arrays(function, input=x, grad_output=grad_output)
    if g.shape != shape:
        raise ValueError(f"{function}: grad_output has shape {g.shape} (wanted {shape})")
    return g


def _check_reduction(function: str, reduction: str) -> None:
    if not isinstance(reduction, str) or reduction not in REDUCTIONS:
        raise ValueError(
            f"{function}: reduction is {reduction!r} (wanted one of {', '.join(REDUCTIONS)})"
        )
