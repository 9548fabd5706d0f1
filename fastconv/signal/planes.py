"""``scipy.signal``'s convolution and correlation of planes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ._extension import Array, Extension, Pairs
from ._operands import as_operand
from ._sums import complex_sums, float_sums, integer_sums, tap_sums

_BOUNDARIES = {
    "fill": "constant", "pad": "constant", "wrap": "wrap", "circular": "wrap", "symm": "reflect",
    "symmetric": "reflect",
}  # fmt: skip
_MODES = ("full", "valid", "same")


def convolve2d(
    in1: Any, in2: Any, mode: str = "full", boundary: str = "fill", fillvalue: Any = 0
) -> Array:
    """Convolve two planes: ``sum over i, j of in2[i, j] * in1[y - i, x - j]``.

    Parameters
    ----------
    in1, in2 : array of two dimensions
        Of integers, floating or complex numbers; lists serve too.
    mode : "full", "valid" or "same"
        All places where the two overlap; those where one lies inside the other; or of in1's size,
        from the middle of "full".
    boundary : "fill", "wrap" or "symm"
        What is beyond in1's edges: `fillvalue`, in1 again, or in1 mirrored with its edge.
    fillvalue : number

    Returns
    -------
    array of NumPy's common type of both
        Integers wrap around.

    Raises
    ------
    ValueError
        For other than two dimensions, for "valid" if neither holds the other, for an unknown mode
        or boundary, and for a fill value that is not one number of the result's type.
    TypeError
        For a dtype that has no sum here, such as bool by bool, float16 and objects.

    Examples
    --------
    >>> from fastconv.signal import convolve2d
    >>> convolve2d([[1, 2, 3], [4, 5, 6]], [[1, 1]], mode="same")
    array([[ 1,  3,  5],
           [ 4,  9, 11]])
    """
    x, w, _ = _operands("convolve2d", in1, in2, mode)
    pads = {
        "full": _full(w),
        "same": tuple((n // 2, (n - 1) // 2) for n in w.shape),
    }
    return _plane("convolve2d", x, w[::-1, ::-1], pads.get(mode), boundary, fillvalue)


def correlate2d(
    in1: Any, in2: Any, mode: str = "full", boundary: str = "fill", fillvalue: Any = 0
) -> Array:
    """Correlate two planes: ``sum over i, j of conj(in2[i, j]) * in1[y + i, x + j]``.

    Arguments, result and errors as `convolve2d` has them.

    Examples
    --------
    >>> from fastconv.signal import correlate2d
    >>> correlate2d([[1, 2, 3], [4, 5, 6]], [[-1, 1]], mode="valid")
    array([[1, 1],
           [1, 1]])
    """
    x, w, swapped = _operands("correlate2d", in1, in2, mode)
    pads = {
        "full": _full(w),
        "same": tuple(((n - 1) // 2, n // 2) for n in w.shape),
    }
    result = _plane("correlate2d", x, w.conj(), pads.get(mode), boundary, fillvalue)
    return result[::-1, ::-1] if swapped else result


def _operands(function: str, in1: Any, in2: Any, mode: str) -> tuple[Array, Array, bool]:
    """What is slid over, what slides, and whether they changed places for "valid"."""
    x, w = as_operand(function, "in1", in1), as_operand(function, "in2", in2)
    for name, array in (("in1", x), ("in2", w)):
        if array.ndim != 2:
            raise ValueError(f"{function}: {name} has shape {array.shape} (wanted two dimensions)")
    if mode not in _MODES:
        wanted = ", ".join(map(repr, _MODES))
        raise ValueError(f"{function}: mode is {mode!r} (wanted {wanted})")
    swapped = False
    if mode == "valid":
        swapped = not _holds(x, w)
        if swapped and not _holds(w, x):
            raise ValueError(
                f"{function}: in1 has shape {x.shape}, in2 has shape {w.shape} "
                "(wanted one at least as large as the other in both for 'valid')"
            )
    return (w, x, True) if swapped else (x, w, False)


def _holds(outer: Array, inner: Array) -> bool:
    return all(a >= b for a, b in zip(outer.shape, inner.shape, strict=True))


def _full(w: Array) -> Pairs:
    return tuple((n - 1, n - 1) for n in w.shape)


def _plane(
    function: str, x: Array, w: Array, pads: Pairs | None, boundary: str, fillvalue: Any
) -> Array:
    """The correlation of `x`, continued by `pads`, with `w`."""
    mode = _BOUNDARIES.get(boundary) if isinstance(boundary, str) else None
    if mode is None:
        wanted = ", ".join(map(repr, _BOUNDARIES))
        raise ValueError(f"{function}: boundary is {boundary!r} (wanted one of {wanted})")
    for name, array in (("in2", w), ("in1", x)):
        if array.size == 0 and not (name == "in1" and mode == "constant"):
            raise ValueError(f"{function}: {name} has shape {array.shape} (wanted no size of 0)")
    dtype = np.result_type(x, w)
    add = _arithmetic(dtype)
    if add is None:
        raise TypeError(
            f"{function}: in1 is {x.dtype}, in2 is {w.dtype} "
            "(wanted integers, float32, float64, longdouble or complex)"
        )
    fill = _as_fill(function, fillvalue, dtype)
    if mode == "constant" and fill == 0 and pads == _full(w) and 0 < x.size < w.size:
        # Either may slide over the other: the smaller does, which is the kernel.
        x, w = w[::-1, ::-1], x[::-1, ::-1]
        pads = _full(w)
    beyond = Extension(mode, fill, pads or ((0, 0), (0, 0)))
    if dtype.kind != "c":
        return add(x, w, beyond, dtype)
    return complex_sums(x, w, beyond, dtype, add)


def _arithmetic(dtype: np.dtype[Any]) -> Callable[..., Array] | None:
    """How sums of `dtype`, or of its real and imaginary parts, are formed."""
    if dtype.kind in "iu":
        return integer_sums
    if dtype.char in "fdFD":
        return float_sums
    return tap_sums if dtype.char in "gG" else None


def _as_fill(function: str, value: Any, dtype: np.dtype[Any]) -> Any:
    """`value` as one number of `dtype`; a fraction is cut off for integers."""
    array = np.asarray(value)
    if array.size != 1 or array.dtype.kind not in "biufc":
        raise ValueError(f"{function}: fillvalue is {value!r} (wanted one number)")
    number = array.reshape(-1)[0]
    if dtype.kind != "c" and number.imag != 0:
        raise ValueError(f"{function}: fillvalue is {value!r} (wanted a real number for {dtype})")
    if dtype.kind == "c":
        return dtype.type(number)
    if dtype.kind == "f":
        return dtype.type(number.real)
    limits = np.iinfo(dtype)
    if not np.isfinite(number) or not limits.min <= int(number.real) <= limits.max:
        raise ValueError(f"{function}: fillvalue is {value!r} (wanted a number that fits {dtype})")
    return dtype.type(int(number.real))
