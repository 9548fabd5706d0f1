"""Batch norm and local response normalisation; channels are axis 1."""

from __future__ import annotations

import numpy as np

from ._shapes import Array


def batch_norm(
    input: Array,
    running_mean: Array | None,
    running_var: Array | None,
    weight: Array | None = None,
    bias: Array | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Array:
    """``(x - mean) / sqrt(var + eps) * weight + bias``; in training with the batch's mean and
    biased variance, which move the running ones (there the variance is the unbiased one).
    """
    x = np.asarray(input)
    if training:
        mean, var, count = _moments(x)
        if running_mean is not None:
            running_mean += momentum * (mean - running_mean)
        if running_var is not None:
            running_var += momentum * (var * count / (count - 1) - running_var)
    else:
        mean, var = np.asarray(running_mean, np.float64), np.asarray(running_var, np.float64)
    y = (x - _along(mean, x)) / np.sqrt(_along(var, x) + eps)
    if weight is not None:
        y = y * _along(weight, x)
    if bias is not None:
        y = y + _along(bias, x)
    return np.asarray(y, x.dtype)


def batch_norm_backward(
    grad_output: Array,
    input: Array,
    running_mean: Array | None,
    running_var: Array | None,
    weight: Array | None = None,
    bias: Array | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> tuple[Array, None, None, Array | None, Array | None]:
    """Gradients of `batch_norm`: of the input, weight and bias, None for running statistics."""
    x, g = np.asarray(input), np.asarray(grad_output, np.float64)
    if training:
        mean, var, count = _moments(x)
    else:
        mean, var = np.asarray(running_mean, np.float64), np.asarray(running_var, np.float64)
    axes = _axes(x)
    scale = 1 / np.sqrt(_along(var, x) + eps)
    normal = (x - _along(mean, x)) * scale
    grad_bias, grad_weight = g.sum(axis=axes), (g * normal).sum(axis=axes)
    slope = g if weight is None else g * _along(weight, x)
    if training:
        slope = (
            slope
            - slope.sum(axis=axes, keepdims=True) / count
            - normal * (slope * normal).sum(axis=axes, keepdims=True) / count
        )
    return (
        np.asarray(slope * scale, x.dtype),
        None,
        None,
        None if weight is None else np.asarray(grad_weight, x.dtype),
        None if bias is None else np.asarray(grad_bias, x.dtype),
    )


def local_response_norm(
    input: Array, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Array:
    """``x / (k + alpha / size * (sum of squares over the window))**beta``, the window being
    ``size // 2`` channels before and ``(size - 1) // 2`` after.
    """
    x = np.asarray(input)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(x / _divisor(x, size, alpha, k) ** beta, x.dtype)


def local_response_norm_backward(
    grad_output: Array,
    input: Array,
    size: int,
    alpha: float = 1e-4,
    beta: float = 0.75,
    k: float = 1.0,
) -> Array:
    """Gradient of `local_response_norm`: each output has also those inputs in its divisor whose
    window it is in.
    """
    x, g = np.asarray(input, np.float64), np.asarray(grad_output, np.float64)
    d = _divisor(x, size, alpha, k)
    shared = _window(g * x * d ** (-beta - 1), (size - 1) // 2, size // 2)
    grad = g * d**-beta - 2 * alpha * beta / size * x * shared
    return np.asarray(grad, np.asarray(input).dtype)


def _divisor(x: Array, size: int, alpha: float, k: float) -> Array:
    squares = np.square(x.astype(np.float64))
    return np.asarray(k + alpha / size * _window(squares, size // 2, (size - 1) // 2))


def _window(x: Array, before: int, after: int) -> Array:
    """The sum over channels from ``c - before`` to ``c + after``."""
    rest = [(0, 0)] * (x.ndim - 2)
    padded = np.pad(x, [(0, 0), (before, after), *rest])
    channels = x.shape[1]
    return np.asarray(sum(padded[:, i : i + channels] for i in range(before + after + 1)))


def _moments(x: Array) -> tuple[Array, Array, int]:
    """Mean and biased variance of each channel, in float64, and their number of elements."""
    wide = x.astype(np.float64)
    return wide.mean(axis=_axes(x)), wide.var(axis=_axes(x)), x.size // x.shape[1]


def _axes(x: Array) -> tuple[int, ...]:
    return (0, *range(2, x.ndim))


def _along(values: Array, x: Array) -> Array:
    return np.asarray(values, np.float64).reshape(-1, *(1,) * (x.ndim - 2))
