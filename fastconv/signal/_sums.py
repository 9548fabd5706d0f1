"""The sums of products: which arithmetic is exact, and how the border is come by.

``sums(x, w)[o] = sum over t of w[t] * X[o + t - before]``, with X the extension of x.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import functional as F
from ..functional._numeric import ieee
from ._extension import Array, Extension

_EXACT = ((np.float32, 2**24, np.int32), (np.float64, 2**53, np.int64))

# Above so many taps a large plane is copied with its border around it, which then costs less than
# padding in the convolution or computing the border apart: 5 x 5 in float32 takes 1.0 ms a
# megapixel so, and 1.2 and 1.4; 3 x 3 takes 0.85, and 0.45 and 0.7 (benchmarks/filters.py --border
# compares the last two).
_SMALL_KERNEL = 9
_LARGE_PLANE = 2**16

# Rows of a kernel, above which two rows of a plane are computed as two channels: 9 x 9 in float32
# takes 1.8 ms a megapixel so and 2.8 otherwise, 31 x 31 19 and 31; 7 x 7 1.2 and 1.0.
_PAIRED_ROWS = 7


def float_sums(x: Array, w: Array, beyond: Extension, dtype: npt.DTypeLike) -> Array:
    """Sums in float32 or float64."""
    w = np.ascontiguousarray(w, dtype)
    inside = not any(map(any, beyond.pads))  # nothing is beyond
    if _pairs_serve(x, w, beyond):
        return _paired_rows(x.astype(dtype, copy=False) if inside else beyond.padded(x, dtype), w)
    small, large = w.size <= _SMALL_KERNEL, x.size >= _LARGE_PLANE
    if inside or (x.size and beyond.is_zero() and (small or not large)):
        return _convolved(x.astype(dtype, copy=False), w, beyond.pads)
    if small and large and x.dtype == dtype and _border_is_apart(x, w, beyond):
        return _bordered(x, w, beyond)
    return _convolved(beyond.padded(x, dtype), w, 0)


def integer_sums(x: Array, w: Array, beyond: Extension, dtype: np.dtype[Any]) -> Array:
    """Sums in the integers of `dtype`, modulo its range."""
    x, w = x.astype(dtype, copy=False), w.astype(dtype, copy=False)
    largest = max(largest_of(x), abs(int(beyond.value)))
    bound = largest * sum(map(abs, w.ravel().tolist()))
    for floating, limit, integer in _EXACT:
        if bound <= limit:
            result = float_sums(x, w, beyond, floating)
            if bound <= np.iinfo(dtype).max and w.size and dtype.kind == "i":
                return result.astype(dtype)
            return result.astype(integer).astype(dtype)
    return tap_sums(x, w, beyond, dtype)


def tap_sums(
    x: Array, w: Array, beyond: Extension, dtype: npt.DTypeLike, zeros: bool = True
) -> Array:
    """Sums in any dtype, one tap of the kernel after the other; with those that are 0 or not."""
    X = beyond.padded(x, dtype)
    output = np.zeros(beyond.output_shape(x.shape, w.shape), dtype)
    with ieee():
        for t in np.argwhere((w != 0) | zeros).tolist():
            reach = tuple(slice(a, a + n) for a, n in zip(t, output.shape, strict=True))
            output += X[reach] * w[tuple(t)].astype(dtype)
    return output


def complex_sums(
    x: Array, w: Array, beyond: Extension, dtype: np.dtype[Any], add: Callable[..., Array]
) -> Array:
    """(a + ib) (c + id) = (ac - bd) + i (ad + bc), without the products of what is real.

    `add(x, w, beyond, dtype)` forms the real sums.
    """
    result = np.zeros(beyond.output_shape(x.shape, w.shape), dtype)
    fill = complex(beyond.value)
    for turn, (part, value) in enumerate(((x.real, fill.real), (x.imag, fill.imag))):
        if turn and x.dtype.kind != "c" and value == 0:
            continue
        edge = Extension(beyond.mode, value, beyond.pads)
        for more, weights in enumerate((w.real, w.imag)):
            if more and w.dtype.kind != "c":
                continue
            target = result.imag if turn != more else result.real
            sums = add(part, weights, edge, target.dtype)
            if turn and more:
                target -= sums
            else:
                target += sums
    return result


def largest_of(x: Array) -> int:
    """The largest absolute value of an array of integers, or of bools."""
    return max(int(x.max()), -int(x.min())) if x.size else 0


def _convolved(x: Array, w: Array, padding: Any) -> Array:
    """One channel by one kernel; `x` is padded with zeros."""
    convolve = (F.conv1d, F.conv2d, F.conv3d)[x.ndim - 1]
    output: Array = convolve(x[None], w[None, None], padding=padding)[0]
    return output


def _pairs_serve(x: Array, w: Array, beyond: Extension) -> bool:
    shape = beyond.output_shape(x.shape, w.shape)
    return x.ndim == 2 and len(w) > _PAIRED_ROWS and w.shape[1] > 1 and min(shape) > 1


def _paired_rows(x: Array, w: Array) -> Array:
    """A plane's valid convolution, rows 2 i and 2 i + 1 of the result as channels of one sum.

    Its input channels are the rows 2 i ... 2 i + len(w) of `x`, its weights

        w[0] w[1] ... w[-1]  0
         0   w[0] w[1] ...  w[-1]

    Each row that is read then serves two sums. A zero times infinity or NaN would be one row's
    NaN in the other: where any of them shows, all is computed plainly.
    """
    rows, taps = len(x) - len(w) + 1, len(w)
    pairs, width = rows // 2, x.shape[1] - w.shape[1] + 1
    band = np.zeros((2, taps + 1, w.shape[1]), w.dtype)
    band[0, :-1] = band[1, 1:] = w
    down, right = x.strides
    shape = (pairs, taps + 1, x.shape[1])
    channels = np.lib.stride_tricks.as_strided(x, shape, (2 * down, down, right), writeable=False)
    if rows % 2 == 0:
        output = F.conv1d(channels, band).reshape(rows, width)
    else:
        output = np.empty((rows, width), x.dtype)
        F.conv1d(channels, band, out=output[:-1].reshape(pairs, 2, width))
        F.conv2d(x[None, rows - 1 :], w[None, None], out=output[None, rows - 1 :])
    return output if all_finite(output) else _convolved(x, w, 0)


def all_finite(x: Array) -> bool:
    """Whether no value is NaN or infinite; or else False, as where the sum is too large."""
    with ieee():
        return bool(np.isfinite(x.sum(dtype=x.dtype)))


def _bordered(x: Array, w: Array, beyond: Extension) -> Array:
    """The image as if zeros were around it, and what reaches over the edges computed again."""
    output = _convolved(x, w, beyond.pads)
    for axis, (before, after) in enumerate(beyond.pads):
        end = output.shape[axis]
        for start, stop in ((0, before), (end - after, end)):
            if start == stop:
                continue
            starts, stops = [0] * x.ndim, list(output.shape)
            starts[axis], stops[axis] = start, stop
            places = zip(starts, stops, w.shape, beyond.pads, strict=True)
            reach = [(a - pad[0], b - pad[0] + taps - 1) for a, b, taps, pad in places]
            part = beyond.part(x, tuple(a for a, _ in reach), tuple(b for _, b in reach))
            border = tuple(slice(a, b) for a, b in zip(starts, stops, strict=True))
            output[border] = _convolved(part, w, 0)
    return output


def _border_is_apart(x: Array, w: Array, beyond: Extension) -> bool:
    """Whether there is an inside, which reaches over no edge."""
    shape = beyond.output_shape(x.shape, w.shape)
    return all(sum(pair) < n for pair, n in zip(beyond.pads, shape, strict=True))
