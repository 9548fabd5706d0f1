"""Arrays continued beyond their edges: constant, by the nearest value, mirrored or periodic.

Before the edge of a row ``a b c d`` there stands, by mode,

    constant  v v v v | a b c d        nearest  a a a a | a b c d        wrap  a b c d | a b c d
    reflect   d c b a | a b c d        mirror   . d c b | a b c d
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Pairs = tuple[tuple[int, int], ...]
OUTSIDE = -1


@dataclass(frozen=True)
class Extension:
    """A mode, the value of "constant", and how far (before, after) each axis goes on."""

    mode: str
    value: Any
    pads: Pairs

    def is_zero(self) -> bool:
        """Whether zeros are beyond the edges, as the convolutions pad."""
        return self.mode == "constant" and bool(self.value == 0)

    def output_shape(self, shape: tuple[int, ...], kernel: tuple[int, ...]) -> tuple[int, ...]:
        """That of a convolution."""
        sizes = zip(shape, kernel, self.pads, strict=True)
        return tuple(size + sum(pair) - taps + 1 for size, taps, pair in sizes)

    def padded(self, x: Array, dtype: npt.DTypeLike) -> Array:
        """`x` in `dtype` with all that `pads` says around it."""
        sizes = tuple(n + sum(pair) for n, pair in zip(x.shape, self.pads, strict=True))
        whole = np.empty(sizes, dtype)
        inside = tuple(slice(b, b + n) for n, (b, _) in zip(x.shape, self.pads, strict=True))
        whole[inside] = x
        for axis, (n, (before, after)) in enumerate(zip(x.shape, self.pads, strict=True)):
            # Along this axis, in what the axes before it have filled already.
            filled = tuple(inside[i] if i > axis else slice(None) for i in range(x.ndim))
            for start, stop in ((0, before), (before + n, before + n + after)):
                edge = _along(filled, axis, slice(start, stop))
                if self.mode == "constant":
                    whole[edge] = self.value
                elif start < stop:
                    index = self._index(start - before, stop - before, n) + before
                    whole[edge] = whole[_along(filled, axis, index)]
        return whole

    def part(self, x: Array, starts: tuple[int, ...], stops: tuple[int, ...]) -> Array:
        """Positions `starts` to `stops`, which may lie outside `x`; the shortest axis first."""
        for axis in sorted(range(x.ndim), key=lambda i: stops[i] - starts[i]):
            n, start, stop = x.shape[axis], starts[axis], stops[axis]
            index = self._index(start, stop, n)
            x = x[_along((slice(None),) * x.ndim, axis, index)]
            if self.mode == "constant":
                x[_along((slice(None),) * x.ndim, axis, index == OUTSIDE)] = self.value
        return x

    def _index(self, start: int, stop: int, n: int) -> Array:
        """Where the values of positions `start` to `stop` of an axis of `n` stand in it."""
        at = np.arange(start, stop)
        if self.mode == "constant":
            return np.where((at < 0) | (at >= n), OUTSIDE, at)
        if self.mode == "nearest":
            return np.clip(at, 0, n - 1)
        if self.mode == "wrap":
            return at % n
        period = 2 * n if self.mode == "reflect" else max(2 * n - 2, 1)
        at %= period
        return np.minimum(at, period - (self.mode == "reflect") - at)


def _along(index: tuple[Any, ...], axis: int, entry: Any) -> tuple[Any, ...]:
    return (*index[:axis], entry, *index[axis + 1 :])
