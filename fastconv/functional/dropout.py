"""Dropout: random zeros, of elements or of whole channels, the rest scaled up so that the mean
stays.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import random
from ._coerce import Array, as_array, as_bool, as_float, as_int, float_arrays
from ._numeric import ieee, same_shape

__all__ = [
    "dropout",
    "dropout1d",
    "dropout1d_backward",
    "dropout2d",
    "dropout2d_backward",
    "dropout3d",
    "dropout3d_backward",
    "dropout_backward",
]


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
    return _forward("dropout", input, p, training, seed, mask)


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
    return _backward("dropout_backward", grad_output, input, p, training, seed, mask)


def dropout1d(
    input: Any,
    p: float = 0.5,
    training: bool = True,
    *,
    seed: int | None = None,
    mask: Any = None,
) -> Array:
    """Zero each channel of (N, C, L) or (C, L) with probability `p`, scale the others.

    Arguments and errors as `dropout` has them; `mask` has shape (N, C) or (C,).

    Notes
    -----
    Tompson et al. 2015: neighbours in a map tell of each other, so a map falls out as one.
    """
    return _forward("dropout1d", input, p, training, seed, mask)


def dropout1d_backward(
    grad_output: Any,
    input: Any,
    p: float = 0.5,
    training: bool = True,
    *,
    seed: int | None = None,
    mask: Any = None,
) -> Array:
    """Gradient of `dropout1d`, as `dropout_backward` is of `dropout`."""
    return _backward("dropout1d_backward", grad_output, input, p, training, seed, mask)


def dropout2d(
    input: Any,
    p: float = 0.5,
    training: bool = True,
    *,
    seed: int | None = None,
    mask: Any = None,
) -> Array:
    """Zero each channel of (N, C, H, W), or as in torch of (N, C, L), with probability `p`.

    Arguments and errors as `dropout` has them; `mask` has shape (N, C).
    """
    return _forward("dropout2d", input, p, training, seed, mask)


def dropout2d_backward(
    grad_output: Any,
    input: Any,
    p: float = 0.5,
    training: bool = True,
    *,
    seed: int | None = None,
    mask: Any = None,
) -> Array:
    """Gradient of `dropout2d`, as `dropout_backward` is of `dropout`."""
    return _backward("dropout2d_backward", grad_output, input, p, training, seed, mask)


def dropout3d(
    input: Any,
    p: float = 0.5,
    training: bool = True,
    *,
    seed: int | None = None,
    mask: Any = None,
) -> Array:
    """Zero each channel of (N, C, D, H, W) or (C, D, H, W) with probability `p`.

    Arguments and errors as `dropout` has them; `mask` has shape (N, C) or (C,).
    """
    return _forward("dropout3d", input, p, training, seed, mask)


def dropout3d_backward(
    grad_output: Any,
    input: Any,
    p: float = 0.5,
    training: bool = True,
    *,
    seed: int | None = None,
    mask: Any = None,
) -> Array:
    """Gradient of `dropout3d`, as `dropout_backward` is of `dropout`."""
    return _backward("dropout3d_backward", grad_output, input, p, training, seed, mask)


# Numbers of dimensions of an input, and how many of the first ones count its channels.
_CHANNEL_AXES = {
    "dropout1d": {2: 1, 3: 2},
    "dropout2d": {3: 2, 4: 2},
    "dropout3d": {4: 1, 5: 2},
}


def _forward(
    function: str, input: Any, p: float, training: bool, seed: int | None, mask: Any
) -> Array:
    (x,) = float_arrays(function, input=input)
    _check_p(function, p)
    shape = _mask_shape(function, x)
    if not as_bool(function, "training", training) or p == 0:
        return x
    if mask is None and seed is None:
        seed = random.draw_seed()
    return _scaled(x, p, _mask(function, shape, p, seed, mask))


def _backward(
    function: str, grad_output: Any, input: Any, p: float, training: bool,
    seed: int | None, mask: Any,
) -> Array:  # fmt: skip
    g, x = float_arrays(function, grad_output=grad_output, input=input)
    same_shape(function, grad_output=g, input=x)
    _check_p(function, p)
    shape = _mask_shape(function, x)
    if not as_bool(function, "training", training) or p == 0:
        return g
    if mask is None and seed is None:
        raise ValueError(f"{function}: no seed and no mask (wanted the forward's seed= or mask=)")
    return _scaled(g, p, _mask(function, shape, p, seed, mask))


def _mask_shape(function: str, x: Array) -> tuple[int, ...]:
    axes = _CHANNEL_AXES.get(function.removesuffix("_backward"))
    if axes is None:
        return x.shape
    if x.ndim not in axes:
        raise ValueError(
            f"{function}: input has shape {x.shape} "
            f"(wanted {' or '.join(map(str, axes))} dimensions)"
        )
    return x.shape[: axes[x.ndim]]


def _mask(function: str, shape: tuple[int, ...], p: float, seed: int | None, mask: Any) -> Array:
    if mask is None:
        return _draw(function, shape, p, seed)
    keep = as_array(function, "mask", mask)
    if keep.dtype != np.bool_:
        raise TypeError(f"{function}: mask has dtype {keep.dtype} (wanted bool)")
    if keep.shape != shape:
        raise ValueError(f"{function}: mask has shape {keep.shape} (wanted {shape})")
    return keep


def _scaled(x: Array, p: float, keep: Array) -> Array:
    with ieee():
        y = np.multiply(x, keep.reshape(keep.shape + (1,) * (x.ndim - keep.ndim)),
                        out=np.empty_like(x))  # fmt: skip
        y *= 1 / (1 - p) if p < 1 else 0
    return y


def _draw(function: str, shape: tuple[int, ...], p: float, seed: int | None) -> Array:
    number = as_int(function, "seed", seed)  # type: ignore[arg-type]
    if number < 0:
        raise ValueError(f"{function}: seed is {number} (wanted 0 or more)")
    generator = np.random.Generator(np.random.SFC64(number))
    return np.asarray(generator.random(shape, dtype=np.float32) >= p)


def _check_p(function: str, p: float) -> None:
    if not 0 <= as_float(function, "p", p) <= 1:
        raise ValueError(f"{function}: p is {p} (wanted 0 to 1)")
