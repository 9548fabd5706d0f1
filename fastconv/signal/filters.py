"""``scipy.ndimage``'s convolution and correlation of signals, images and volumes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..functional._coerce import Ints, as_int, as_tuple
from ._extension import Array, Extension
from ._operands import as_operand
from ._sums import all_finite, complex_sums, float_sums, largest_of, tap_sums

_MODES = {
    "reflect": "reflect", "grid-mirror": "reflect", "constant": "constant",
    "grid-constant": "constant", "nearest": "nearest", "mirror": "mirror", "wrap": "wrap",
    "grid-wrap": "wrap",
}  # fmt: skip
_REALS = "?bBhHiIlLqQfd"
_EPSILON = float(np.finfo(np.float64).eps)  # weights up to it are none, as in SciPy
_WHOLE = 2**24  # what float32 sums exactly


def convolve(
    input: Any,
    weights: Any,
    output: Any = None,
    mode: str = "reflect",
    cval: Any = 0.0,
    origin: Ints = 0,
    *,
    axes: Ints | None = None,
) -> Array:
    """Convolve a signal, an image or a volume with weights, keeping its size.

    Parameters
    ----------
    input : array of one to three dimensions
        Of bools, integers, float32, float64 or complex numbers; lists serve too.
    weights : array of as many dimensions, or as `axes` names
    output : dtype or array of input's shape, optional
        Sums become this type: by C's rules, so a fraction is cut off for integers, and what
        does not fit wraps around. By default input's, or complex where weights are.
    mode : str
        What is beyond the edges: "reflect" or "grid-mirror" (c b a | a b c), "mirror"
        (. c b | a b c), "nearest" (a a a | a b c), "wrap" or "grid-wrap" (a b c | a b c),
        "constant" or "grid-constant" (`cval`).
    cval : number
    origin : int, or one int an axis
        How far the weights' middle, ``shape // 2``, is moved.
    axes : int or ints, optional
        Those along which weights are laid; all by default.

    Returns
    -------
    array of input's shape
        `output` itself where that is an array. float32 is summed in float32, all else in float64.
        A weight of at most 2.2e-16 is none: what is under it, NaN too, has no part in the sum.

    Raises
    ------
    ValueError, TypeError
        The message names the argument, what it got and what was wanted.

    Examples
    --------
    >>> from fastconv.signal import convolve
    >>> convolve([1, 2, 3, 4], [1, 0, -1])
    array([1, 2, 2, 1])
    """
    return _filtered("convolve", True, input, weights, output, mode, cval, origin, axes)


def correlate(
    input: Any,
    weights: Any,
    output: Any = None,
    mode: str = "reflect",
    cval: Any = 0.0,
    origin: Ints = 0,
    *,
    axes: Ints | None = None,
) -> Array:
    """Correlate a signal, an image or a volume with weights (conjugated), keeping its size.

    Arguments, result and errors as `convolve` has them; the weights are not flipped.

    Examples
    --------
    >>> from fastconv.signal import correlate
    >>> correlate([1, 2, 3, 4], [1, 0, -1], mode="nearest")
    array([-1, -2, -2, -1])
    """
    return _filtered("correlate", False, input, weights, output, mode, cval, origin, axes)


def _filtered(
    function: str, flip: bool, input: Any, weights: Any, output: Any, mode: str, cval: Any,
    origin: Ints, axes: Ints | None,
) -> Array:  # fmt: skip
    x, w = as_operand(function, "input", input), as_operand(function, "weights", weights)
    for name, array in (("input", x), ("weights", w)):
        if array.dtype.char not in _REALS + "FD":
            raise TypeError(
                f"{function}: {name} has dtype {array.dtype} "
                "(wanted bools, integers, float32, float64 or complex)"
            )
    w, shifts = _laid(function, x, w, origin, axes)
    if flip:
        w = w[(slice(None, None, -1),) * w.ndim]
        shifts = tuple(-s - (n % 2 == 0) for s, n in zip(shifts, w.shape, strict=True))
    else:
        w = w.conj()
    for shift, n in zip(shifts, w.shape, strict=True):
        if not -(n // 2) <= shift <= (n - 1) // 2:
            raise ValueError(
                f"{function}: origin is {origin!r}, weights have shape {w.shape} (wanted the "
                "origin inside: -(size // 2) to (size - 1) // 2, of `convolve` the other way)"
            )
    pads = tuple(
        (n // 2 + s, n - 1 - n // 2 - s) for s, n in zip(shifts, w.shape, strict=True)
    )  # fmt: skip
    known = _MODES.get(mode) if isinstance(mode, str) else None
    if known is None:
        wanted = ", ".join(map(repr, _MODES))
        raise ValueError(f"{function}: mode is {mode!r} (wanted one of {wanted})")
    if np.ndim(cval) or (np.iscomplexobj(cval) and x.dtype.kind != "c"):
        raise ValueError(f"{function}: cval is {cval!r} (wanted one number, real as input is)")
    target, dtype = _destination(function, output, x, w)
    if x.size == 0:
        return np.empty(x.shape, dtype) if target is None else target
    if dtype.kind == "c":
        result = complex_sums(x, w, Extension(known, complex(cval), pads), dtype, _real_sums)
    else:
        result = _real_sums(x, w, Extension(known, float(cval), pads), dtype)
    if target is None:
        return result
    target[...] = result
    return target


def _laid(
    function: str, x: Array, w: Array, origin: Ints, axes: Ints | None
) -> tuple[Array, tuple[int, ...]]:
    """Weights and origin with an entry for each of the input's axes."""
    if not 1 <= x.ndim <= 3:
        raise ValueError(f"{function}: input has shape {x.shape} (wanted one to three dimensions)")
    if axes is None:
        along = tuple(range(x.ndim))
    else:
        wanted = axes if isinstance(axes, Sequence) else (axes,)
        along = tuple(as_int(function, "axes", axis) for axis in wanted)
        if any(not -x.ndim <= axis < x.ndim for axis in along):
            raise ValueError(
                f"{function}: axes is {axes!r}, input has {x.ndim} dimensions "
                f"(wanted {-x.ndim} to {x.ndim - 1})"
            )
        along = tuple(axis % x.ndim for axis in along)
        if len(set(along)) != len(along):
            raise ValueError(f"{function}: axes is {axes!r} (wanted different ones)")
    if w.ndim != len(along) or w.size == 0:
        raise ValueError(
            f"{function}: weights have shape {w.shape}, input has shape {x.shape} "
            f"(wanted {len(along)} dimensions, none of them 0)"
        )
    origins = as_tuple(function, "origin", origin, len(along)) if along else ()
    if len(along) == x.ndim:
        return w, origins
    shape, shifts = [1] * x.ndim, [0] * x.ndim
    for axis, n in zip(sorted(along), w.shape, strict=True):  # as SciPy lays them
        shape[axis] = n
    for axis, shift in zip(along, origins, strict=True):
        shifts[axis] = shift
    return w.reshape(shape), tuple(shifts)


def _destination(
    function: str, output: Any, x: Array, w: Array
) -> tuple[Array | None, np.dtype[Any]]:
    """The caller's array where there is one, and the result's dtype."""
    turns_complex = "c" in (x.dtype.kind, w.dtype.kind)
    if isinstance(output, np.ndarray):
        target, dtype = output, output.dtype
        if output.shape != x.shape:
            raise ValueError(
                f"{function}: output has shape {output.shape} (wanted input's, {x.shape})"
            )
        if not output.flags.writeable:
            raise ValueError(f"{function}: output is read-only (wanted an array to write to)")
    else:
        target = None
        dtype = x.dtype if output is None else np.dtype(output)
        if turns_complex:
            dtype = np.promote_types(dtype, np.complex64)
    if dtype.newbyteorder("=").char not in _REALS + "FD" or turns_complex != (dtype.kind == "c"):
        kind = "complex" if turns_complex else "real"
        raise TypeError(f"{function}: output has dtype {dtype} (wanted a {kind} one)")
    return target, dtype


def _real_sums(x: Array, w: Array, beyond: Extension, dtype: np.dtype[Any]) -> Array:
    w = w.astype(np.float64)
    w[np.abs(w) <= _EPSILON] = 0
    floating: type = np.float32 if _float32_serves(x, w, beyond, dtype) else np.float64
    result = float_sums(x, w, beyond, floating)
    if x.dtype.kind == "f" and not (w.all() or all_finite(result)):
        result = tap_sums(
            x, w, beyond, floating, zeros=False
        )  # NaN or infinity, perhaps of no weight
    if dtype.kind in "iu" and dtype.itemsize < 8:
        with np.errstate(invalid="ignore"):  # NaN; what is small fits the narrower one
            result = result.astype(np.int64 if floating is np.float64 else np.int32)
    elif dtype.kind == "b":
        result = np.trunc(result)
    with np.errstate(invalid="ignore", over="ignore"):
        return result.astype(dtype, copy=False)


def _float32_serves(x: Array, w: Array, beyond: Extension, dtype: np.dtype[Any]) -> bool:
    """Whether sums are float32's by their type, or are small whole numbers."""
    if x.dtype.kind == "f":
        with np.errstate(over="ignore"):
            narrow = bool(np.isfinite(w.astype(np.float32)).all())
        return x.dtype == dtype == np.float32 and narrow
    whole = bool((w == np.trunc(w)).all()) and float(beyond.value).is_integer()
    return whole and max(largest_of(x), abs(beyond.value)) * float(np.abs(w).sum()) <= _WHOLE
