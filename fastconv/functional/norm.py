"""Normalisation: of batches and of neighbouring channels, with their gradients.

The channels are axis 1. Memory is read as it lies, (N, C, H, W) or channels-last, in one pass more
than the sums need; sums over a batch are made in blocks and added up in float64.
"""

from __future__ import annotations

from typing import Any

from .. import _core
from ._coerce import Array, as_array, as_bool, as_flags, as_float, as_int

__all__ = [
    "batch_norm",
    "batch_norm_backward",
    "local_response_norm",
    "local_response_norm_backward",
]


def batch_norm(
    input: Any,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Array:
    """(x - mean) / sqrt(variance + eps) · weight + bias, channel by channel.

    Parameters
    ----------
    input : array, shape (N, C, \\*)
    running_mean, running_var : array, shape (C,), or None
        Mean and variance of earlier batches. In training they may be None, and are moved in
        place: running = (1 - momentum) · running + momentum · the batch's (of the variance the
        unbiased one). Otherwise they are what the input is normalised by.
    weight, bias : array, shape (C,), optional
    training : bool
        Normalise by the batch's own mean and (biased) variance.
    momentum, eps : float

    Returns
    -------
    array of the input's shape and memory layout

    Raises
    ------
    ValueError, TypeError
        For shapes or dtypes that do not fit, one value a channel in training, and running
        statistics that are None outside of it.

    Notes
    -----
    Ioffe and Szegedy 2015.

    Examples
    --------
    >>> import fastconv.functional as F
    >>> import numpy as np
    >>> F.batch_norm(np.array([[1.0], [3.0]]), None, None, training=True, eps=0)
    array([[-1.],
           [ 1.]])
    """
    return normalised(
        "batch_norm", input, running_mean, running_var, weight, bias, training, momentum, eps
    )[0]


def batch_norm_backward(
    grad_output: Any,
    input: Any,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
    *,
    statistics: tuple[Array, Array] | None = None,
    needs: tuple[bool, ...] = (True, True, True, True, True),
) -> tuple[Array | None, None, None, Array | None, Array | None]:
    """Gradients of `batch_norm`: (grad_input, None, None, grad_weight, grad_bias).

    None where `needs` is False, and for weight and bias of None. `statistics` are the batch's mean
    and variance in float64, computed again where they are not given; nothing is moved.
    """
    name = "batch_norm_backward"
    flags = as_flags(name, needs, 5)
    if training and statistics is None:
        _, *computed = normalised(name, input, None, None, None, None, True, momentum, eps)
        statistics = computed[0], computed[1]
    mean, variance = (None, None) if statistics is None else statistics
    x = _channels(name, input)
    _wanted_statistics(name, training, running_mean, running_var)
    grad_input, grad_weight, grad_bias = _core.batch_norm_backward(
        name, as_array(name, "grad_output", grad_output), x,
        _optional(name, "running_mean", running_mean), _optional(name, "running_var", running_var),
        _optional(name, "weight", weight), as_bool(name, "training", training),
        as_float(name, "eps", eps), mean, variance, flags[0], weight is not None and flags[3],
        bias is not None and flags[4],
    )  # fmt: skip
    return grad_input, None, None, grad_weight, grad_bias


def local_response_norm(
    input: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Array:
    """x / (k + alpha · mean of x² over `size` neighbouring channels)^beta.

    Channels that are not there count as zeros in the mean. The cost does not depend on `size`.

    Parameters
    ----------
    input : array, shape (N, C, \\*)
    size : int
        size // 2 channels before, (size - 1) // 2 after.
    alpha, beta, k : float

    Returns
    -------
    array of the input's shape and memory layout

    Notes
    -----
    Krizhevsky et al. 2012, whose alpha is `alpha` / `size`.

    Examples
    --------
    >>> import fastconv.functional as F
    >>> import numpy as np
    >>> F.local_response_norm(np.array([[[3.0], [1.0]]]), 1, alpha=1.0, beta=0.5, k=0.0)
    array([[[1.],
            [1.]]])
    """
    name = "local_response_norm"
    return _core.local_response_norm(name, *_response(name, input, size, alpha, beta, k))


def local_response_norm_backward(
    grad_output: Any,
    input: Any,
    size: int,
    alpha: float = 1e-4,
    beta: float = 0.75,
    k: float = 1.0,
) -> Array:
    """Gradient of `local_response_norm`."""
    name = "local_response_norm_backward"
    return _core.local_response_norm_backward(
        name, as_array(name, "grad_output", grad_output),
        *_response(name, input, size, alpha, beta, k),
    )  # fmt: skip


def normalised(
    function: str,
    input: Any,
    running_mean: Any,
    running_var: Any,
    weight: Any,
    bias: Any,
    training: bool,
    momentum: float,
    eps: float,
) -> tuple[Array, Array, Array]:
    """`batch_norm`, and in training the batch's mean and variance in float64."""
    x = _channels(function, input)
    _wanted_statistics(function, training, running_mean, running_var)
    if training and x.size == x.shape[1]:
        raise ValueError(
            f"{function}: input has shape {x.shape} with one value a channel "
            "(wanted more in training)"
        )
    return _core.batch_norm(
        function, x, _optional(function, "running_mean", running_mean),
        _optional(function, "running_var", running_var), _optional(function, "weight", weight),
        _optional(function, "bias", bias), as_bool(function, "training", training),
        as_float(function, "momentum", momentum), as_float(function, "eps", eps),
    )  # fmt: skip


def _wanted_statistics(function: str, training: bool, mean: Any, variance: Any) -> None:
    if not training and (mean is None or variance is None):
        raise ValueError(
            f"{function}: running_mean or running_var is None (wanted arrays unless in training)"
        )


def _response(
    function: str, input: Any, size: int, alpha: float, beta: float, k: float
) -> tuple[Array, int, float, float, float]:
    x = _channels(function, input, least=3)
    return (
        x,
        as_int(function, "size", size),
        as_float(function, "alpha", alpha),
        as_float(function, "beta", beta),
        as_float(function, "k", k),
    )


def _channels(function: str, input: Any, least: int = 2) -> Array:
    x = as_array(function, "input", input)
    if x.ndim < least:
        raise ValueError(
            f"{function}: input has shape {x.shape} (wanted at least {least} dimensions)"
        )
    if x.shape[1] == 0:
        raise ValueError(f"{function}: input has 0 channels (wanted at least 1)")
    return x


def _optional(function: str, name: str, value: Any) -> Array | None:
    return None if value is None else as_array(function, name, value)
