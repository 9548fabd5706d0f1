"""Losses as layers: the value, and the gradient of what it was computed from."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from .. import functional as F
from ..functional._coerce import Array
from .module import FunctionModule


class _Loss(FunctionModule):
    needs: ClassVar[tuple[bool, ...]]  # of the function's gradients, the input's alone

    def forward(self, input: Any, target: Any) -> Array:
        """The loss: a scalar, or an array if `reduction` is "none"."""
        loss: Array = getattr(F, self.function)(input, target, **self._settings())
        self._keep(input, target, loss)
        return loss

    def backward(self, grad: Any = 1.0) -> Array:
        """The gradient of the loss's `input`, times `grad`."""
        input, target, loss = self._kept()
        grad = np.asarray(grad, dtype=loss.dtype)
        if grad.shape != loss.shape:
            grad = np.broadcast_to(grad, loss.shape)
        backward = getattr(F, f"{self.function}_backward")
        gradient: Array = backward(grad, input, target, **self._settings(), needs=self.needs)[0]
        return gradient


class CrossEntropyLoss(_Loss):
    """Cross entropy between softmax(input) and classes, or class probabilities.

    Parameters
    ----------
    weight : array, shape (C,), optional
    ignore_index : int
    reduction : "mean", "sum" or "none"
    label_smoothing : float
        As `fastconv.functional.cross_entropy` takes them.

    >>> import fastconv.nn as nn
    >>> import numpy as np
    >>> loss = nn.CrossEntropyLoss()
    >>> round(float(loss(np.zeros((1, 2)), np.array([1]))), 4)
    0.6931
    >>> loss.backward()
    array([[ 0.5, -0.5]])
    """

    function = "cross_entropy"
    needs = (True, False, False)
    settings = ("weight", "ignore_index", "reduction", "label_smoothing")

    def __init__(
        self,
        weight: Any = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        self.weight: Any = None
        if weight is not None:
            self.register_buffer("weight", weight)
        self.ignore_index = ignore_index
        self.reduction = reduction
        self.label_smoothing = label_smoothing


class MSELoss(_Loss):
    """Mean of (input - target)².

    Parameters
    ----------
    reduction : "mean", "sum" or "none"
    """

    function = "mse_loss"
    needs = (True, False)
    settings = ("reduction",)

    def __init__(self, reduction: str = "mean") -> None:
        self.reduction = reduction
