"""Dropout: random zeros, the rest scaled up so that the mean stays."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import random
from ._coerce import Array, as_array, as_int, float_arrays
from ._numeric import ieee, same_shape

__all__ = ["dropout", "dropout_backward"]


def dropout(
    input: Any,
    p: float = 0.5,
    training: bool = True,
    *,
    seed: int | None = None,
    mask: Any = None,
) -> Array:
    """Zero each element with probability `p` and scale the others by 1 / (1 - p).

    Parameters
    ----------
    input : array, any shape
    p : float
        Probability of a zero, 0 to 1.
    training : bool
        False returns `input` as it is.
    seed : int, optional
        The same seed and shape give the same mask; without one, `fastconv.manual_seed` rules.
    mask : array of bool, optional
        The elements that stay, in place of a drawn mask.

    Returns
    -------
    array of the input's shape

    Raises
    ------
    ValueError, TypeError
        For `p` outside 0 to 1, or a mask of another shape or dtype.

    Notes
    -----
    Srivastava et al. 2014, in the inverted form of PyTorch.
    """
    (x,) = float_arrays("dropout", input=input)
    _check_p("dropout", p)
    if not training or p == 0:
        return x
    if mask is None and seed is None:
        seed = random.draw_seed()
    return _scaled("dropout", x, p, seed, mask)


def dropout_backward(
    grad_output: Any,
    input: Any,
    p: float = 0.5,
    training: bool = True,
    *,
    seed: int | None = None,
    mask: Any = None,
) -> Array:
    """Gradient of `dropout`: `grad_output` through the same mask.

    Takes the forward's `seed` or `mask`; a ValueError where neither is given and one is needed.
    """
    g, x = float_arrays("dropout_backward", grad_output=grad_output, input=input)
    same_shape("dropout_backward", grad_output=g, input=x)
    _check_p("dropout_backward", p)
    if not training or p == 0:
        return g
    if mask is None and seed is None:
        raise ValueError(
            "dropout_backward: no seed and no mask (wanted the forward's seed= or mask=)"
        )
    return _scaled("dropout_backward", g, p, seed, mask)


def _scaled(function: str, x: Array, p: float, seed: int | None, mask: Any) -> Array:
    keep = _draw(function, x.shape, p, seed) if mask is None else as_array(function, "mask", mask)
    if keep.dtype != np.bool_:
        raise TypeError(f"{function}: mask has dtype {keep.dtype} (wanted bool)")
    same_shape(function, mask=keep, input=x)
    with ieee():
        y = np.multiply(x, keep, out=np.empty_like(x))
        y *= 1 / (1 - p) if p < 1 else 0
    return y


def _draw(function: str, shape: tuple[int, ...], p: float, seed: int | None) -> Array:
    number = as_int(function, "seed", seed)  # type: ignore[arg-type]
    if number < 0:
        raise ValueError(f"{function}: seed is {number} (wanted 0 or more)")
    generator = np.random.Generator(np.random.SFC64(number))
    keep: Array = generator.random(shape, dtype=np.float32) >= p
    return keep


def _check_p(function: str, p: float) -> None:
    if not 0 <= p <= 1:
        raise ValueError(f"{function}: p is {p} (wanted 0 to 1)")
