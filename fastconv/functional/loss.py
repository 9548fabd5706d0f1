"""The losses and their gradients."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ._coerce import Array, as_array, as_int, float_arrays
from ._numeric import gradient_arrays, ieee
from .softmax import log_soft, soft

__all__ = ["cross_entropy", "cross_entropy_backward", "mse_loss", "mse_loss_backward"]

REDUCTIONS = ("mean", "sum", "none")


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
    p = _problem("cross_entropy", input, target, weight, ignore_index, reduction, label_smoothing)
    logp = log_soft(p.x, p.axis)
    with ieee():
        loss = np.zeros(p.counts.shape, p.x.dtype)
        if p.labels is not None:
            picked = np.take_along_axis(logp, p.labels, p.axis)
            loss -= (p.factor * picked).squeeze(p.axis)
        if p.spread is not None:
            loss -= np.sum(p.spread * logp, axis=p.axis)
        loss[~p.counts] = 0
        total: Array = np.sum(loss) / p.divisor
        return loss if reduction == "none" else total


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
    p = _problem(name, input, target, weight, ignore_index, reduction, label_smoothing)
    g = _loss_gradient(name, grad_output, p.x, p.counts.shape if reduction == "none" else ())
    grad_input = grad_target = None
    with ieee():
        scale = np.expand_dims(p.counts * (g / p.divisor), p.axis)
        if needs[0]:
            grad_input = soft(p.x, p.axis)
            grad_input *= _total(p)
            if p.spread is not None:
                grad_input -= p.spread
            if p.labels is not None:
                at_label = np.take_along_axis(grad_input, p.labels, p.axis) - p.factor
                np.put_along_axis(grad_input, p.labels, at_label, p.axis)
            grad_input *= scale
        if needs[1] and p.labels is None:
            grad_target = log_soft(p.x, p.axis)
            grad_target *= -p.factor
            grad_target *= scale
    return grad_input, grad_target, None


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
    return gx if needs[0] else None, -gx if needs[1] else None


class _CrossEntropy(NamedTuple):
    """A checked cross entropy: loss = -sum over c of q_c log softmax(x)_c, over the divisor.

    q is `factor` at the label, if there are labels, plus `spread`. `labels` and `factor` broadcast
    against x; `counts` has the loss's shape and is False where a label is ignored.
    """

    x: Array
    axis: int
    labels: Array | None
    factor: Array  # (1 - smoothing) · class weight: of the label, or of every class
    spread: Array | None
    counts: Array
    divisor: Any


def _problem(
    function: str,
    input: Any,
    target: Any,
    weight: Any,
    ignore_index: int,
    reduction: str,
    smoothing: float,
) -> _CrossEntropy:
    (x,) = float_arrays(function, input=input)
    t = as_array(function, "target", target)
    _check_reduction(function, reduction)
    if x.ndim < 1 or x.shape[axis := min(1, x.ndim - 1)] == 0:
        raise ValueError(f"{function}: input has shape {x.shape} (wanted at least one class)")
    if not 0 <= smoothing <= 1:
        raise ValueError(f"{function}: label_smoothing is {smoothing} (wanted 0 to 1)")
    class_weight = _class_weight(function, x, axis, weight)
    factor = class_weight * x.dtype.type(1 - smoothing)
    uniform = class_weight * x.dtype.type(smoothing / x.shape[axis])
    if t.dtype.kind == "f":
        if ignore_index >= 0:
            raise ValueError(
                f"{function}: ignore_index is {ignore_index} with probabilities as target "
                "(wanted none)"
            )
        _, t = gradient_arrays(function, input=x, target=t)
        counts = np.ones(x.shape[:axis] + x.shape[axis + 1 :], np.bool_)
        labels, spread = None, t * factor + uniform
        mass: Any = counts.size
    else:
        ignored = as_int(function, "ignore_index", ignore_index)
        labels = _labels(function, x, t, axis, ignored)
        counts = t != ignored
        factor = factor.ravel()[labels]
        spread = uniform if smoothing else None
        mass = np.sum(class_weight.ravel()[labels].squeeze(axis)[counts], dtype=np.float64)
    divisor = x.dtype.type(mass if reduction == "mean" else 1)
    return _CrossEntropy(x, axis, labels, factor, spread, counts, divisor)


def _class_weight(function: str, x: Array, axis: int, weight: Any) -> Array:
    """A factor for every class, shaped to broadcast along `axis` of `x`."""
    classes = x.shape[axis]
    if weight is None:
        w = np.ones(classes, x.dtype)
    else:
        _, w = float_arrays(function, input=x, weight=weight)
        if w.shape != (classes,):
            raise ValueError(f"{function}: weight has shape {w.shape} (wanted ({classes},))")
    return w.reshape(-1, *(1,) * (x.ndim - axis - 1))


def _labels(function: str, x: Array, t: Array, axis: int, ignore_index: int) -> Array:
    """The checked labels, ignored ones replaced by 0, with the dimension of the classes."""
    classes = x.shape[axis]
    if t.dtype not in (np.int32, np.int64):
        raise TypeError(
            f"{function}: target has dtype {t.dtype} "
            f"(wanted int32 or int64 classes, or {x.dtype} probabilities)"
        )
    wanted = x.shape[:axis] + x.shape[axis + 1 :]
    if t.shape != wanted:
        raise ValueError(
            f"{function}: target has shape {t.shape}, input {x.shape} (wanted {wanted})"
        )
    labels = np.where(t == ignore_index, 0, t)
    wrong = (labels < 0) | (labels >= classes)
    if wrong.any():
        raise ValueError(
            f"{function}: target has class {labels[wrong][0]} "
            f"(wanted 0 to {classes - 1}, or ignore_index {ignore_index})"
        )
    return np.expand_dims(labels, axis)


def _total(p: _CrossEntropy) -> Array:
    """Sum of q over the classes."""
    total = np.zeros((), p.x.dtype)
    if p.labels is not None:
        total = total + p.factor
    if p.spread is not None:
        spread = np.broadcast_to(p.spread, p.x.shape)
        total = total + np.sum(spread, axis=p.axis, keepdims=True)
    return np.asarray(total)


def _loss_gradient(function: str, grad_output: Any, x: Array, shape: tuple[int, ...]) -> Array:
    if isinstance(grad_output, (int, float)):
        grad_output = np.array(grad_output, x.dtype)
    _, g = float_arrays(function, input=x, grad_output=grad_output)
    if g.shape != shape:
        raise ValueError(f"{function}: grad_output has shape {g.shape} (wanted {shape})")
    return g


def _check_reduction(function: str, reduction: str) -> None:
    if reduction not in REDUCTIONS:
        raise ValueError(
            f"{function}: reduction is {reduction!r} (wanted one of {', '.join(REDUCTIONS)})"
        )
