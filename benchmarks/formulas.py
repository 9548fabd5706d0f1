"""NumPy formulas for the functions that `fastconv.reference` leaves out, so that they too have
something to be held against: same names, same arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastconv.reference as reference

Array = NDArray[Any]


def relu6(input: Array) -> Array:
    return np.clip(input, 0, 6)


def relu6_backward(grad_output: Array, input: Array) -> Array:
    return grad_output * ((input > 0) & (input < 6))


def leaky_relu(input: Array, negative_slope: float = 0.01) -> Array:
    return np.where(input > 0, input, negative_slope * input)


def leaky_relu_backward(grad_output: Array, input: Array, negative_slope: float = 0.01) -> Array:
    return np.where(input > 0, grad_output, negative_slope * grad_output)


def silu(input: Array) -> Array:
    return np.asarray(input * reference.sigmoid(input))


def silu_backward(grad_output: Array, input: Array) -> Array:
    s = reference.sigmoid(input)
    return np.asarray(grad_output * s * (1 + input * (1 - s)))


def hard_swish(input: Array) -> Array:
    return np.asarray(input * np.clip(input + 3, 0, 6) / 6)


def hard_swish_backward(grad_output: Array, input: Array) -> Array:
    slope = np.where(input <= -3, 0, np.where(input >= 3, 1, input / 3 + np.float32(0.5)))
    return np.asarray(grad_output * slope)


def dropout(input: Array, p: float = 0.5, training: bool = True, *, mask: Array) -> Array:
    return np.where(mask, input / (1 - p), np.float32(0)) if training else input


def dropout_backward(
    grad_output: Array, input: Array, p: float = 0.5, training: bool = True, *, mask: Array
) -> Array:
    return dropout(grad_output, p, training, mask=mask)


def dropout2d(input: Array, p: float = 0.5, training: bool = True, *, mask: Array) -> Array:
    """Of whole channels; `mask` is (N, C)."""
    return dropout(input, p, training, mask=mask.reshape(*mask.shape, *(1,) * (input.ndim - 2)))


def dropout2d_backward(
    grad_output: Array, input: Array, p: float = 0.5, training: bool = True, *, mask: Array
) -> Array:
    return dropout2d(grad_output, p, training, mask=mask)


dropout1d = dropout3d = dropout2d
dropout1d_backward = dropout3d_backward = dropout2d_backward


def pad(input: Array, pad: Sequence[int]) -> Array:
    return np.pad(input, _pairs(input, pad))


def pad_backward(grad_output: Array, input: Array, pad: Sequence[int]) -> Array:
    pairs = zip(_pairs(input, pad), grad_output.shape)
    inner = tuple(slice(before, n - after) for (before, after), n in pairs)
    return np.array(grad_output[inner])


def sgd_step(data: Array, grad: Array, state: dict[str, Any]) -> Array:
    """With a momentum of 0.9, as `fastconv.optim.SGD` has it."""
    if "buffer" in state:
        state["buffer"] = 0.9 * state["buffer"] + grad
    else:
        state["buffer"] = grad.copy()
    data -= np.float32(1e-3) * state["buffer"]
    return data


def adam_step(data: Array, grad: Array, state: dict[str, Any]) -> Array:
    """By the defaults of `fastconv.optim.Adam`."""
    step = state["step"] = state.get("step", 0) + 1
    state["mean"] = state.get("mean", np.float32(0)) * np.float32(0.9) + np.float32(0.1) * grad
    square = np.float32(0.001) * grad * grad
    state["square"] = state.get("square", np.float32(0)) * np.float32(0.999) + square
    root = np.sqrt(state["square"] / np.float32(1 - 0.999**step)) + np.float32(1e-8)
    data -= np.float32(1e-3 / (1 - 0.9**step)) * state["mean"] / root
    return data


def _pairs(input: Array, pad: Sequence[int]) -> list[tuple[int, int]]:
    """(before, after) of each dimension; `pad` lists them from the last one on."""
    given = list(zip(pad[::2], pad[1::2]))
    return [(0, 0)] * (input.ndim - len(given)) + given[::-1]
