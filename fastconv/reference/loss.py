"""Losses and their gradients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ._shapes import Array
from .activation import log_softmax, softmax


def cross_entropy(
    input: Array,
    target: Array,
    weight: Array | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Array:
    """``-sum over c of weight[c] * q[c] * log_softmax(input)[c]``, for targets q.

    Parameters
    ----------
    input : (N, C), (C,) or (N, C, d1, ...)
        Logits.
    target : input's shape without C, of class indices; or input's shape, of probabilities
        A class index stands for probability 1 of that class.
    weight : (C,), optional
    ignore_index : int
        Elements of this class index count nothing.
    reduction : "mean", "sum" or "none"
        The mean is over elements, weighted with `weight` where targets are class indices.
    label_smoothing : float in [0, 1]
        Take ``(1 - label_smoothing) * q + label_smoothing / C`` for q: Szegedy et al.,
        "Rethinking the Inception architecture", 2016, section 7.

    Returns
    -------
    A scalar array, or with "none" one of input's shape without C.
    """
    logits, axis = _logits(input)
    shares, divisor = _shares(logits, target, weight, ignore_index, reduction, label_smoothing)
    log_p = log_softmax(logits, axis)
    with np.errstate(invalid="ignore"):  # 0 * inf and 0 / 0 are NaN, as in torch
        terms = shares * log_p
        if _has_indices(target):
            terms = np.where(shares == 0, np.zeros_like(terms), terms)
        losses = -terms.sum(axis=axis)
        loss = losses if reduction == "none" else losses.sum() / np.float64(divisor)
    return np.asarray(loss, logits.dtype)


def cross_entropy_backward(
    grad_output: Array,
    input: Array,
    target: Array,
    weight: Array | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
    *,
    needs: Sequence[bool] = (True, True, False),
) -> tuple[Array | None, Array | None, None]:
    """Gradients of `cross_entropy`: (grad_input, grad_target, None).

    With s = weight * q: ``softmax(input) * sum(s) - s`` for the input; for probabilities as
    target ``-(1 - label_smoothing) * weight * log_softmax(input)``, for class indices None.
    """
    logits, axis = _logits(input)
    shares, divisor = _shares(logits, target, weight, ignore_index, reduction, label_smoothing)
    grad = np.asarray(grad_output, logits.dtype)
    if reduction == "none":
        grad = np.expand_dims(grad, axis)
    elif divisor != 0:  # else a mean over nothing, where every share is 0
        grad = grad / divisor
    with np.errstate(invalid="ignore"):
        grad_input = grad_target = None
        if needs[0]:
            total = shares.sum(axis=axis, keepdims=True)
            grad_input = np.asarray(grad * (softmax(logits, axis) * total - shares))
        if needs[1] and not _has_indices(target):
            scale = (1 - label_smoothing) * _class_weights(logits, weight)
            grad_target = np.asarray(-grad * scale * log_softmax(logits, axis))
    return grad_input, grad_target, None


def mse_loss(input: Array, target: Array, reduction: str = "mean") -> Array:
    """Squared difference of `input` and `target`: its "mean", "sum", or ("none") as it is."""
    squares = np.square(_difference(input, target, reduction))
    if reduction == "none":
        return np.asarray(squares)
    divisor = squares.size if reduction == "mean" else 1
    with np.errstate(invalid="ignore"):  # a mean over nothing
        return np.asarray(squares.sum() / divisor, squares.dtype)


def mse_loss_backward(
    grad_output: Array,
    input: Array,
    target: Array,
    reduction: str = "mean",
    *,
    needs: Sequence[bool] = (True, True),
) -> tuple[Array | None, Array | None]:
    """Gradients of `mse_loss`: ``2 * (input - target)``, over the size for a mean; and minus it."""
    difference = _difference(input, target, reduction)
    scale = 2 / max(difference.size, 1) if reduction == "mean" else 2
    grad = np.asarray(difference * scale * np.asarray(grad_output), difference.dtype)
    return grad if needs[0] else None, np.asarray(-grad) if needs[1] else None


def _difference(input: Array, target: Array, reduction: str) -> Array:
    _check_reduction(reduction)
    if np.shape(input) != np.shape(target):
        raise ValueError(f"target has shape {np.shape(target)}, input {np.shape(input)}")
    return np.asarray(np.subtract(input, target))


def _logits(input: Array) -> tuple[Array, int]:
    """`input` as an array, and which dimension is the classes."""
    logits = np.asarray(input)
    return logits, 0 if logits.ndim == 1 else 1


def _has_indices(target: Array) -> bool:
    return bool(np.issubdtype(np.asarray(target).dtype, np.integer))


def _check_reduction(reduction: str) -> None:
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"reduction is {reduction!r} (wanted 'mean', 'sum' or 'none')")


def _along_classes(values: Array, logits: Array) -> Array:
    """One value a class, ready to broadcast over `logits`."""
    return values.reshape(-1, *(1,) * max(0, logits.ndim - 2))


def _class_weights(logits: Array, weight: Array | None) -> Array:
    classes = logits.shape[_logits(logits)[1]]
    values = np.ones(classes, logits.dtype) if weight is None else np.asarray(weight)
    if values.shape != (classes,):
        raise ValueError(f"weight has shape {values.shape} (wanted {(classes,)})")
    return _along_classes(values, logits)


def _one_hot(logits: Array, target: Array, ignore_index: int) -> tuple[Array, Array]:
    """Class indices as probabilities (ignored ones as zeros), and which of them are kept."""
    _, axis = _logits(logits)
    if target.shape != logits.shape[:axis] + logits.shape[axis + 1 :]:
        raise ValueError(f"target has shape {target.shape}, input {logits.shape}")
    classes = logits.shape[axis]
    kept = target != ignore_index
    if np.any(kept & ((target < 0) | (target >= classes))):
        raise ValueError(f"target holds a class outside 0 to {classes - 1}")
    kept = np.expand_dims(kept, axis)
    same = np.expand_dims(target, axis) == _along_classes(np.arange(classes), logits)
    return np.asarray(kept & same, logits.dtype), kept


def _shares(
    logits: Array,
    target: Array,
    weight: Array | None,
    ignore_index: int,
    reduction: str,
    label_smoothing: float,
) -> tuple[Array, float]:
    """What each log-probability counts in the sum, and what that is divided by."""
    _check_reduction(reduction)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing is {label_smoothing} (wanted 0 to 1)")
    labels, weights = np.asarray(target), _class_weights(logits, weight)
    classes = logits.shape[_logits(logits)[1]]
    spread = label_smoothing / classes
    if _has_indices(labels):
        one_hot, kept = _one_hot(logits, labels, ignore_index)
        shares = ((1 - label_smoothing) * one_hot + spread * kept) * weights
        divisor = float((one_hot * weights).sum())
    elif labels.shape != logits.shape:
        raise ValueError(f"target has shape {labels.shape}, input {logits.shape}")
    elif ignore_index >= 0:
        raise ValueError("ignore_index is for class indices (target holds probabilities)")
    else:
        shares = ((1 - label_smoothing) * labels + spread) * weights
        divisor = logits.size / classes
    return np.asarray(shares, logits.dtype), divisor if reduction == "mean" else 1.0
