"""Activations, element by element, and softmax along one dimension."""

from __future__ import annotations

import numpy as np

from ._shapes import Array


def relu(input: Array) -> Array:
    """``max(input, 0)``; NaN stays NaN."""
    return np.asarray(np.maximum(input, 0), np.asarray(input).dtype)


def relu_backward(grad_output: Array, input: Array) -> Array:
    """Gradient of `relu`: `grad_output` where the input is not <= 0 (so at 0 it is 0)."""
    grad = np.asarray(grad_output)
    return np.where(np.asarray(input) <= 0, np.zeros_like(grad), grad)


def sigmoid(input: Array) -> Array:
    """``1 / (1 + exp(-input))``, from exponentials of negative numbers only: none overflows."""
    x = np.asarray(input)
    return np.asarray(np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x))), x.dtype)


def sigmoid_backward(grad_output: Array, input: Array) -> Array:
    """Gradient of `sigmoid`: ``grad_output * s * (1 - s)``."""
    s = sigmoid(input)
    return np.asarray(grad_output * s * (1 - s), s.dtype)


def tanh(input: Array) -> Array:
    """Hyperbolic tangent."""
    return np.asarray(np.tanh(input))


def tanh_backward(grad_output: Array, input: Array) -> Array:
    """Gradient of `tanh`: ``grad_output * (1 - t**2)``."""
    t = tanh(input)
    return np.asarray(grad_output * (1 - t * t), t.dtype)


def softmax(input: Array, dim: int) -> Array:
    """``exp(input) / sum(exp(input))`` along `dim`."""
    powers = np.exp(_below_maximum(input, dim))
    return np.asarray(powers / powers.sum(axis=dim, keepdims=True))


def softmax_backward(grad_output: Array, input: Array, dim: int) -> Array:
    """Gradient of `softmax`: ``s * (grad_output - sum(grad_output * s))``."""
    s = softmax(input, dim)
    return np.asarray(s * (grad_output - (grad_output * s).sum(axis=dim, keepdims=True)))


def log_softmax(input: Array, dim: int) -> Array:
    """``input - log(sum(exp(input)))`` along `dim`."""
    shifted = _below_maximum(input, dim)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=dim, keepdims=True)))


def log_softmax_backward(grad_output: Array, input: Array, dim: int) -> Array:
    """Gradient of `log_softmax`: ``grad_output - softmax(input) * sum(grad_output)``."""
    total = np.sum(grad_output, axis=dim, keepdims=True)
    return np.asarray(grad_output - softmax(input, dim) * total)


def _below_maximum(input: Array, dim: int) -> Array:
    """`input` less its maximum along `dim`, which changes no softmax and lets no `exp` overflow."""
    x = np.asarray(input)
    with np.errstate(invalid="ignore", over="ignore"):  # inf - inf makes a NaN row, as in torch
        return np.asarray(x - x.max(axis=dim, keepdims=True, initial=-np.inf))
