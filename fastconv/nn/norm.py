"""Normalisation layers."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from .. import functional as F
from ..functional._coerce import Array, as_array, as_int
from ..functional.norm import normalised
from .module import Module, UnaryModule
from .parameter import Parameter


class _BatchNorm(Module):
    """Batch norm for any number of dimensions; a subclass says how many an input may have."""

    axes: ClassVar[tuple[int, ...]]
    weight: Parameter | None
    bias: Parameter | None
    running_mean: Any
    running_var: Any
    num_batches_tracked: Any
    _settled: ClassVar[tuple[str, ...]] = ("eps",)

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        bias: bool = True,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        name = type(self).__name__
        self.num_features = as_int(name, "num_features", num_features)
        if self.num_features < 1:
            raise ValueError(f"{name}: num_features is {num_features} (wanted at least 1)")
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        shape = (self.num_features,)
        self.weight = Parameter(np.ones(shape, dtype)) if affine else None
        self.bias = Parameter(np.zeros(shape, dtype)) if affine and bias else None
        self.running_mean = self.running_var = self.num_batches_tracked = None
        if track_running_stats:
            self.register_buffer("running_mean", np.zeros(shape, dtype))
            self.register_buffer("running_var", np.ones(shape, dtype))
            self.register_buffer("num_batches_tracked", np.zeros((), np.int64))

    def forward(self, input: Any) -> Array:
        """The normalised `input`; in training its statistics move the running ones."""
        name, x = type(self).__name__, as_array(type(self).__name__, "input", input)
        if x.ndim not in self.axes:
            wanted = " or ".join(map(str, self.axes))
            raise ValueError(f"{name}: input has shape {x.shape} (wanted {wanted} dimensions)")
        if x.shape[1] != self.num_features:
            raise ValueError(
                f"{name}: input has {x.shape[1]} channels (wanted {self.num_features})"
            )
        momentum = self.momentum
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked += 1
            if momentum is None:
                momentum = 1 / float(self.num_batches_tracked)
        output, mean, variance = normalised(
            name, x, self.running_mean, self.running_var, self.weight, self.bias,
            self.training or self.running_mean is None, momentum or 0.0, self.eps,
        )  # fmt: skip
        self._keep(x, mean, variance)
        return output

    def backward(self, grad_output: Any) -> Any:
        """The input's gradient; adds those of weight and bias."""
        input, mean, variance = self._kept()
        parameters = (self.weight, self.bias)
        wanted = tuple(p is not None and p.requires_grad for p in parameters)
        grad_input, _, _, *gradients = F.batch_norm_backward(
            grad_output, input, None, None, self.weight, self.bias, True, eps=self.eps,
            statistics=(mean, variance), needs=(True, False, False, *wanted),
        )  # fmt: skip
        for parameter, gradient in zip(parameters, gradients, strict=True):
            if parameter is not None and gradient is not None:
                parameter.add_grad(gradient)
        return grad_input

    def _affine(self) -> tuple[Array, Array] | None:
        if self.running_mean is None or type(self).forward is not _BatchNorm.forward:
            return None
        scale = 1 / np.sqrt(self.running_var.astype(np.float64) + self.eps)
        if self.weight is not None:
            scale = scale * self.weight.data
        shift = -scale * self.running_mean
        return scale, shift if self.bias is None else shift + self.bias.data

    def extra_repr(self) -> str:
        """Torch's words for batch norm."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
            f"affine={self.affine}, bias={self.bias is not None}, "
            f"track_running_stats={self.track_running_stats}"
        )


class BatchNorm1d(_BatchNorm):
    """Batch norm of (N, C) or (N, C, L); arguments and attributes as `BatchNorm2d` has them."""

    axes = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Batch norm of images: (x - mean) / sqrt(variance + eps) · weight + bias for each channel.

    Mean and variance are the batch's in training, the running ones in `eval`; a frozen
    `Sequential` folds the layer into the convolution before it.

    Parameters
    ----------
    num_features : int
        The number of channels.
    eps : float
    momentum : float or None
        The share of the batch in the running statistics; None averages over all batches.
    affine : bool
        Whether there are a weight (ones at first) and, unless `bias` is False, a bias (zeros).
    track_running_stats : bool
        Without them the batch's statistics serve in `eval` too.
    dtype : float32 or float64

    Attributes
    ----------
    weight, bias : Parameter, shape (num_features,), or None
    running_mean, running_var : array, shape (num_features,), or None
    num_batches_tracked : int64 array without axes, or None

    >>> import fastconv.nn as nn
    >>> nn.BatchNorm2d(16)
    BatchNorm2d(16, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)
    """

    axes = (4,)


class BatchNorm3d(_BatchNorm):
    """Batch norm of volumes; arguments and attributes as `BatchNorm2d` has them."""

    axes = (5,)


class LocalResponseNorm(UnaryModule):
    """x / (k + alpha · mean of x² over `size` neighbouring channels)^beta.

    >>> import fastconv.nn as nn
    >>> nn.LocalResponseNorm(5)
    LocalResponseNorm(5, alpha=0.0001, beta=0.75, k=1.0)
    """

    function = "local_response_norm"
    settings = ("size", "alpha", "beta", "k")

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def extra_repr(self) -> str:
        """Torch's words for local response normalisation."""
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
