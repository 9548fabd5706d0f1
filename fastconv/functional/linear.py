"""The fully connected layer's product and its gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _core
from ._coerce import Array, as_array, as_flags, float_arrays
from ._numeric import ieee

__all__ = ["linear", "linear_backward"]


def linear(input: Any, weight: Any, bias: Any = None, *, out: Any = None) -> Array:
    """input · weightᵀ + bias over the last dimension.

    Parameters
    ----------
    input : array, shape (*, in_features)
    weight : array, shape (out_features, in_features) or (in_features,)
    bias : array, shape (out_features,) or (), optional
    out : array, optional
        Where the result goes; must not overlap an input.

    Returns
    -------
    array, shape (*, out_features), or (*) for a weight of one dimension

    Raises
    ------
    ValueError, TypeError
        For shapes that do not fit, mixed or other than floating dtypes.

    Notes
    -----
    The products are those of the convolutions. For 50 x 3136 times 3136 x 1024 they take 3.4 ms on
    one thread where NumPy's BLAS takes 4.7, its gradients 4.1 and 3.5 where it takes 3.9 and 3.3;
    on two threads 1.7 (2.5), 1.9 (2.3) and 1.7 (1.7) ms. They wait for no other library's pool, and
    results do not depend on the number of threads.

    Examples
    --------
    >>> import fastconv.functional as F
    >>> import numpy as np
    >>> F.linear(np.ones((1, 2)), np.array([[1.0, 2], [3, 4], [5, 6]]))
    array([[ 3.,  7., 11.]])
    """
    x, w, b = _operands("linear", input, weight, bias)
    rows, columns = _matrices(x, w)
    y = _core.product("linear", rows, columns, None if b is None else b.reshape(-1))
    y = y.reshape(x.shape[:-1] + w.shape[:-1])
    if out is None:
        return y
    target = _destination(out, y.shape, x, w, b)
    target[...] = y
    return target


def linear_backward(
    grad_output: Any,
    input: Any,
    weight: Any,
    bias: Any = None,
    *,
    needs: tuple[bool, ...] = (True, True, True),
) -> tuple[Array | None, Array | None, Array | None]:
    """Gradients of `linear`: (grad_input, grad_weight, grad_bias).

    grad_input = grad_output · weight, grad_weight = grad_outputᵀ · input, and grad_bias the
    sum of grad_output; None where `needs` is False or there is no bias.
    """
    x, w, b = _operands("linear_backward", input, weight, bias)
    _, g = float_arrays("linear_backward", input=x, grad_output=grad_output)
    wanted = x.shape[:-1] + w.shape[:-1]
    if g.shape != wanted:
        raise ValueError(
            f"linear_backward: grad_output has shape {g.shape}, input {x.shape} "
            f"and weight {w.shape} (wanted {wanted})"
        )
    x2, w2 = _matrices(x, w)
    g2 = g.reshape(len(x2), len(w2))
    grad_input = grad_weight = grad_bias = None
    flags = as_flags("linear_backward", needs, 3)
    if flags[0]:
        grad_input = _core.product("linear_backward", g2, w2.T, None).reshape(x.shape)
    if flags[1]:
        grad_weight = _core.product("linear_backward", g2.T, x2.T, None).reshape(w.shape)
    if b is not None and flags[2]:
        with ieee():
            grad_bias = g2.sum(axis=0).reshape(b.shape)
    return grad_input, grad_weight, grad_bias


def _matrices(x: Array, w: Array) -> tuple[Array, Array]:
    """Both with the features as their second axis."""
    features = w.shape[-1]
    return x.reshape(x.size // features, features), w.reshape(-1, features)


def _operands(
    function: str, input: Any, weight: Any, bias: Any
) -> tuple[Array, Array, Array | None]:
    if bias is None:
        x, w = float_arrays(function, input=input, weight=weight)
        b = None
    else:
        x, w, b = float_arrays(function, input=input, weight=weight, bias=bias)
    if x.ndim < 1:
        raise ValueError(f"{function}: input has no dimension (wanted shape (*, in_features))")
    if w.ndim not in (1, 2):
        raise ValueError(
            f"{function}: weight has shape {w.shape} (wanted (out_features, in_features))"
        )
    if w.size == 0:
        raise ValueError(f"{function}: weight has shape {w.shape} (wanted at least one feature)")
    if w.shape[-1] != x.shape[-1]:
        raise ValueError(
            f"{function}: weight has {w.shape[-1]} input features, input has {x.shape[-1]} "
            f"(wanted weight.shape[{w.ndim - 1}] == {x.shape[-1]})"
        )
    if b is not None and b.shape != w.shape[:-1]:
        raise ValueError(f"{function}: bias has shape {b.shape} (wanted {w.shape[:-1]})")
    return x, w, b


def _destination(out: Any, shape: tuple[int, ...], x: Array, *others: Array | None) -> Array:
    y = as_array("linear", "out", out)
    if y.dtype != x.dtype:
        raise TypeError(f"linear: out has dtype {y.dtype} (wanted {x.dtype})")
    if y.shape != shape:
        raise ValueError(f"linear: out has shape {y.shape} (wanted {shape})")
    if not y.flags.writeable:
        raise ValueError("linear: out is read-only (wanted an array that can be written)")
    for name, array in zip(("input", "weight", "bias"), (x, *others), strict=True):
        if array is not None and np.may_share_memory(y, array):
            raise ValueError(f"linear: out overlaps {name} (wanted memory of its own)")
    return y
