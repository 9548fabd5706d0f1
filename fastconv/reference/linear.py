"""The fully connected layer."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from ._shapes import Array


def linear(input: Array, weight: Array, bias: Array | None = None) -> Array:
    """``input @ weight.T + bias``.

    Parameters
    ----------
    input : (*, in)
    weight : (out, in) or (in,)
    bias : (out,), or () beside a weight of (in,); optional

    Returns
    -------
    (*, out), or (*) for a weight of (in,)
    """
    output = np.asarray(input) @ np.asarray(weight).T
    return np.asarray(output if bias is None else output + np.asarray(bias))


def linear_backward(
    grad_output: Array,
    input: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    needs: Sequence[bool] = (True, True, True),
) -> tuple[Array | None, Array | None, Array | None]:
    """Gradients of `linear`: ``grad @ weight``, ``grad.T @ input`` and the sum of `grad_output`.

    `needs` says which of (grad_input, grad_weight, grad_bias) to compute; None for the others.
    """
    image, matrix = np.asarray(input), np.atleast_2d(weight)
    rows = prod(image.shape[:-1])
    grad = np.asarray(grad_output).reshape(rows, matrix.shape[0])
    grad_input = grad_weight = grad_bias = None
    if needs[0]:
        grad_input = (grad @ matrix).reshape(image.shape)
    if needs[1]:
        grad_weight = (grad.T @ image.reshape(rows, image.shape[-1])).reshape(np.shape(weight))
    if needs[2] and bias is not None:
        grad_bias = grad.sum(axis=0).reshape(np.shape(bias))
    return grad_input, grad_weight, grad_bias
