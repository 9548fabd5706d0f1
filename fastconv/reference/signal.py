"""The filters of `fastconv.signal` as their formula: all windows of the padded array, times the
weights, summed. Real results; the weights of a convolution are flipped, of a correlation not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Pairs = list[tuple[int, int]]

PADS = {"fill": "constant", "wrap": "wrap", "symm": "symmetric", "constant": "constant",
        "reflect": "symmetric", "mirror": "reflect", "nearest": "edge"}  # fmt: skip


def correlate2d(
    in1: Array, in2: Array, mode: str = "full", boundary: str = "fill", fillvalue: float = 0
) -> Array:
    """out[y, x] = sum over i, j of in2[i, j] * in1[y + i - before, x + j - before]."""
    if mode == "valid" and any(a < b for a, b in zip(in1.shape, in2.shape)):
        return correlate2d(in2, in1, mode, boundary, fillvalue)[::-1, ::-1]
    before = {"full": [n - 1 for n in in2.shape], "same": [(n - 1) // 2 for n in in2.shape]}
    after = {"full": [n - 1 for n in in2.shape], "same": [n // 2 for n in in2.shape]}
    pads = list(zip(before.get(mode, [0, 0]), after.get(mode, [0, 0])))
    dtype = np.result_type(in1, in2)
    return _sums(in1.astype(dtype), in2.astype(dtype), pads, boundary, fillvalue)


def convolve2d(
    in1: Array, in2: Array, mode: str = "full", boundary: str = "fill", fillvalue: float = 0
) -> Array:
    """`correlate2d` with the kernel flipped, whose middle is then on the other side."""
    if mode == "valid" and any(a < b for a, b in zip(in1.shape, in2.shape)):
        return convolve2d(in2, in1, mode, boundary, fillvalue)
    flipped = in2[::-1, ::-1]
    if mode != "same":
        return correlate2d(in1, flipped, mode, boundary, fillvalue)
    pads = [(n // 2, (n - 1) // 2) for n in in2.shape]
    dtype = np.result_type(in1, in2)
    return _sums(in1.astype(dtype), flipped.astype(dtype), pads, boundary, fillvalue)


def correlate(
    input: Array, weights: Array, output: Any = None, mode: str = "reflect", cval: float = 0.0,
    origin: tuple[int, ...] | None = None,
) -> Array:  # fmt: skip
    """out[o] = sum over t of weights[t] * input[o + t - weights.shape // 2 - origin]."""
    origin = origin or (0,) * input.ndim
    pads = [(n // 2 + s, n - 1 - n // 2 - s) for n, s in zip(weights.shape, origin)]
    sums = _sums(input.astype(np.float64), weights.astype(np.float64), pads, mode, cval)
    dtype = np.dtype(output or input.dtype)
    return sums.astype(np.int64).astype(dtype) if dtype.kind in "iu" else sums.astype(dtype)


def convolve(
    input: Array, weights: Array, output: Any = None, mode: str = "reflect", cval: float = 0.0,
    origin: tuple[int, ...] | None = None,
) -> Array:  # fmt: skip
    """`correlate` with the weights flipped; of an even size, the middle is on the other side."""
    origin = origin or (0,) * input.ndim
    turned = tuple(-s - (n % 2 == 0) for n, s in zip(weights.shape, origin))
    flipped = weights[(slice(None, None, -1),) * weights.ndim]
    return correlate(input, flipped, output, mode, cval, turned)


def _sums(x: Array, w: Array, pads: Pairs, mode: str, value: float) -> Array:
    settings = {"constant_values": value} if PADS[mode] == "constant" else {}
    padded = np.pad(x, pads, PADS[mode], **settings)  # type: ignore[call-overload]
    windows = np.lib.stride_tricks.sliding_window_view(padded, w.shape)
    products = windows * w
    result: Array = products.sum(tuple(range(x.ndim, 2 * x.ndim)), dtype=products.dtype)
    return result
