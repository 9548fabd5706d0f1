"""Padding an array at its edges, and the adjoint that folds a gradient back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ._coerce import Array, as_float, as_int, float_arrays, is_sequence

__all__ = ["pad", "pad_backward"]

_MOST = 2**46
MODES = ("constant", "reflect", "replicate", "circular")


def pad(
    input: Any, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Array:
    """Add elements before and after the last dimensions, or crop where a number is negative.

    Parameters
    ----------
    input : array, any shape
    pad : sequence of int
        (before, after) of the last dimension, then of the one before it, and so on.
    mode : str
        "constant", "reflect" (the edge itself not repeated), "replicate" or "circular".
    value : float, optional
        The constant; 0 by default.

    Returns
    -------
    array, in new memory

    Raises
    ------
    ValueError
        For an odd number of entries, an unknown mode, more padding than the mode can serve
        (reflect: the size minus one; circular: what cropping leaves) or a negative size.

    Examples
    --------
    >>> import fastconv.functional as F
    >>> import numpy as np
    >>> F.pad(np.arange(4.0), (2, -1), mode="reflect")
    array([2., 1., 0., 1., 2.])
    """
    (x,) = float_arrays("pad", input=input)
    pairs = _pairs("pad", x.shape, pad, mode, value)
    if mode == "constant":
        inner, outer = _overlap(x.shape, pairs)
        y = np.full(_padded_shape(x.shape, pairs), value or 0, x.dtype)
        y[outer] = x[inner]
        return y
    changed = [axis for axis, pair in enumerate(pairs) if pair != (0, 0)]
    for axis in changed:
        x = np.take(x, _sources(x.shape[axis], *pairs[axis], mode), axis=axis)
    return x if changed else x.copy()


def pad_backward(
    grad_output: Any,
    input: Any,
    pad: Sequence[int],
    mode: str = "constant",
    value: float | None = None,
) -> Array:
    """Gradient of `pad`: what an input element was copied to, summed."""
    g, x = float_arrays("pad_backward", grad_output=grad_output, input=input)
    pairs = _pairs("pad_backward", x.shape, pad, mode, value)
    wanted = _padded_shape(x.shape, pairs)
    if g.shape != wanted:
        raise ValueError(f"pad_backward: grad_output has shape {g.shape} (wanted {wanted})")
    inner, outer = _overlap(x.shape, pairs)
    if mode == "constant":
        gx = np.zeros(x.shape, x.dtype)
        gx[inner] = g[outer]
        return gx
    changed = [axis for axis, pair in enumerate(pairs) if pair != (0, 0)]
    for axis in changed:
        g = _fold(g, axis, x.shape[axis], *pairs[axis], mode)
    return np.ascontiguousarray(g) if changed else g.copy()


def _fold(g: Array, axis: int, size: int, before: int, after: int, mode: str) -> Array:
    """Adjoint of ``take(_sources(...))``: the middle is a copy, the edges are added one by one."""
    (inner,), (outer,) = _overlap((size,), [(before, after)])
    sources = _sources(size, before, after, mode)
    g = np.moveaxis(g, axis, 0)
    folded = np.zeros((size, *g.shape[1:]), g.dtype)
    folded[inner] = g[outer]
    edges = (*range(min(outer.start, len(sources))), *range(outer.stop, len(sources)))
    for position in edges:
        folded[sources[position]] += g[position]
    return np.moveaxis(folded, 0, axis)


def _sources(size: int, before: int, after: int, mode: str) -> Array:
    """For each padded position along a dimension, the input's position it is a copy of."""
    position: Array = np.arange(-before, size + after)
    if mode == "reflect":
        position = (size - 1) - np.abs((size - 1) - np.abs(position))
    elif mode == "replicate":
        position = np.clip(position, 0, size - 1)
    else:
        first = max(0, -before)
        position = first + (position - first) % max(_kept(size, (before, after)), 1)
    return position


def _overlap(
    shape: tuple[int, ...], pairs: list[tuple[int, int]]
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """The part of the input that is kept, as slices of the input and of the padded array."""
    inner, outer = [], []
    for size, (before, after) in zip(shape, pairs, strict=True):
        start, stop = max(0, -before), max(0, -before, size + min(0, after))
        stop = min(stop, size) if stop > start else start
        inner.append(slice(start, stop))
        outer.append(slice(start + before, stop + before))
    return tuple(inner), tuple(outer)


def _kept(size: int, pair: tuple[int, int]) -> int:
    """What cropping leaves of `size`; a circle is closed over that."""
    return size + min(pair[0], 0) + min(pair[1], 0)


def _padded_shape(shape: tuple[int, ...], pairs: list[tuple[int, int]]) -> tuple[int, ...]:
    return tuple(size + before + after for size, (before, after) in zip(shape, pairs, strict=True))


def _pairs(
    function: str, shape: tuple[int, ...], pad: Sequence[int], mode: str, value: float | None
) -> list[tuple[int, int]]:
    """One checked (before, after) pair for every dimension of `shape`."""
    if not is_sequence(pad):
        raise TypeError(f"{function}: pad is {pad!r} (wanted a sequence of ints)")
    flat = [as_int(function, "pad", item) for item in pad]
    if len(flat) % 2 or len(flat) > 2 * len(shape):
        raise ValueError(
            f"{function}: pad is {tuple(flat)}, input has {len(shape)} dimensions "
            f"(wanted (before, after) for at most so many)"
        )
    if not isinstance(mode, str) or mode not in MODES:
        raise ValueError(f"{function}: mode is {mode!r} (wanted one of {', '.join(MODES)})")
    if value is not None:
        as_float(function, "value", value)
    if value is not None and mode != "constant":
        raise ValueError(f"{function}: value is {value} with mode {mode!r} (wanted no value)")
    pairs = [(0, 0)] * (len(shape) - len(flat) // 2)
    pairs += [(flat[i], flat[i + 1]) for i in range(len(flat) - 2, -1, -2)]
    for axis, (size, pair) in enumerate(zip(shape, pairs, strict=True)):
        most = {"reflect": size - 1, "circular": _kept(size, pair)}.get(mode, max(*pair, 0))
        if pair != (0, 0) and (max(pair) > most or (mode == "replicate" and size == 0)):
            raise ValueError(
                f"{function}: pad is {pair} for dimension {axis} of size {size} "
                f"(wanted at most {max(most, 0)} for mode {mode!r})"
            )
        if size + sum(pair) < 0:
            raise ValueError(
                f"{function}: pad is {pair} for dimension {axis} of size {size} "
                "(wanted a size of 0 or more to be left)"
            )
    if math.prod(_padded_shape(shape, pairs)) > _MOST:
        raise ValueError(
            f"{function}: pad is {tuple(flat)}, input has shape {shape} "
            "(wanted at most 2**46 elements)"
        )
    return pairs
