"""Where sliding windows fall: sizes, padding and the taps of a kernel, in any number of dimensions.

Along one dimension, window `o` reads the input at ``o * stride + t * dilation - before`` for the
taps ``t = 0 .. kernel - 1``. Convolution and pooling differ only in what they do with these values.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Ints = int | Sequence[int]
Padding = int | str | Sequence[int | Sequence[int]]
Sizes = tuple[int, ...]
Pairs = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Windows:
    """Kernel windows over the trailing dimensions of an image of `size`.

    `pads` is the padding asked for, `overhang` what a last window reaches past it (ceil mode).
    """

    size: Sizes
    kernel: Sizes
    stride: Sizes
    dilation: Sizes
    pads: Pairs
    output: Sizes
    overhang: Pairs

    @property
    def extent(self) -> Sizes:
        """What a window spans in the input: ``dilation * (kernel - 1) + 1``."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation))

    def pad(self, image: Array, value: float = 0, overhang: float | None = None) -> Array:
        """A copy of `image` with `value` in the padding, and `overhang` or else `value` past it."""
        padded = _pad(image, self.pads, value)
        if any(map(any, self.overhang)):
            padded = _pad(padded, self.overhang, value if overhang is None else overhang)
        return padded

    def crop(self, padded: Array) -> Array:
        """What `pad` put into the middle."""
        return np.asarray(padded[_inside(self.size, self.pads)])

    def taps(self, padded: Array) -> Iterator[Array]:
        """For every kernel tap, a view of the one value each window reads there: (..., *output)."""
        for tap in itertools.product(*map(range, self.kernel)):
            index: list[Any] = [...]
            for t, d, s, o in zip(tap, self.dilation, self.stride, self.output):
                index.append(slice(t * d, t * d + s * (o - 1) + 1, s))
            yield padded[tuple(index)]


def windows(
    size: Sizes,
    kernel: Sizes,
    stride: Ints,
    padding: Padding,
    dilation: Ints,
    ceil_mode: bool = False,
) -> Windows:
    """Settle the padding and the output size of `kernel` sliding over `size`."""
    dims = len(size)
    stride = per_dimension("stride", stride, dims)
    dilation = per_dimension("dilation", dilation, dims)
    if min((*kernel, *stride, *dilation)) < 1:
        raise ValueError(
            f"kernel size {kernel}, stride {stride}, dilation {dilation} (wanted at least 1)"
        )
    pads = _pads(size, kernel, stride, padding, dilation)
    output, overhang = [], []
    for n, k, s, d, (before, after) in zip(size, kernel, stride, dilation, pads):
        room = before + n + after - (d * (k - 1) + 1)
        count = (room + (s - 1 if ceil_mode else 0)) // s + 1
        if count < 1:
            raise ValueError(
                f"kernel of {kernel} dilated by {dilation} is larger than the padded input {size}"
            )
        if ceil_mode and (count - 1) * s >= n + before:
            count -= 1  # torch: no window starts in the padding after
        output.append(count)
        overhang.append((0, max(0, (count - 1) * s - room)))
    return Windows(size, kernel, stride, dilation, pads, tuple(output), tuple(overhang))


def pool_windows(
    size: Sizes,
    kernel_size: Ints,
    stride: Ints | None,
    padding: Padding,
    dilation: Ints,
    ceil_mode: bool,
) -> Windows:
    """Windows of a pooling: their stride is the kernel's size, their padding at most half of it."""
    kernel = per_dimension("kernel_size", kernel_size, len(size))
    if padding == "full":
        raise ValueError("padding is 'full' (wanted valid, same or same_lower)")
    window = windows(
        size, kernel, kernel if stride is None else stride, padding, dilation, ceil_mode
    )
    # "same" splits what dilated windows need, which may be more
    if not isinstance(padding, str):
        for pair, k in zip(window.pads, kernel):
            if max(pair) > k // 2:
                raise ValueError(f"padding is {padding!r} (wanted at most half of {kernel})")
    return window


def per_dimension(name: str, value: Ints, dims: int) -> Sizes:
    """One int a dimension."""
    numbers = (value,) if isinstance(value, int | np.integer) else tuple(value)
    if len(numbers) not in (1, dims):
        raise ValueError(f"{name} is {value!r} (wanted one int, or {dims})")
    numbers = tuple(operator.index(number) for number in numbers)
    return numbers * dims if len(numbers) == 1 else numbers


def batched(input: Array, dims: int) -> tuple[Array, bool]:
    """`input` as (N, C, *spatial), and whether it came with a batch."""
    image = np.asarray(input)
    if image.ndim not in (dims + 1, dims + 2):
        raise ValueError(
            f"input has shape {image.shape} (wanted {dims} spatial dimensions after "
            "channels, or after batch and channels)"
        )
    return (image, True) if image.ndim == dims + 2 else (image[np.newaxis], False)


def _pads(size: Sizes, kernel: Sizes, stride: Sizes, padding: Padding, dilation: Sizes) -> Pairs:
    """What goes before and after each dimension, from any form of `padding`."""
    if isinstance(padding, str):
        spans = tuple(d * (k - 1) for k, d in zip(kernel, dilation))
        return _named_pads(size, spans, stride, padding)
    return read_pads(size, padding)


def read_pads(size: Sizes, padding: Padding) -> Pairs:
    """One (before, after) pair for each dimension of `size`, from numbers or "valid"."""
    if padding == "valid":
        return ((0, 0),) * len(size)
    if isinstance(padding, str):
        raise ValueError(f"padding is {padding!r} (wanted numbers or a name)")
    entries = (padding,) if isinstance(padding, int | np.integer) else tuple(padding)
    pairs: list[tuple[int, int]] = []
    for entry in entries * len(size) if len(entries) == 1 else entries:
        before, after = per_dimension("padding", entry, 2)
        pairs.append((before, after))
    if len(pairs) != len(size):
        raise ValueError(f"padding is {padding!r} (wanted one entry, or {len(size)})")
    if any(min(pair) < 0 for pair in pairs):
        raise ValueError(f"padding is {padding!r} (wanted no negative number)")
    return tuple(pairs)


def _named_pads(size: Sizes, spans: Sizes, stride: Sizes, name: str) -> Pairs:
    """`spans` are the windows' extents less one."""
    if name == "valid":
        return ((0, 0),) * len(size)
    if name == "full":
        return tuple((span, span) for span in spans)
    # what ceil(n / s) windows need; TensorFlow puts the odd one after
    needs = (max(0, (-(-n // s) - 1) * s + span + 1 - n) for n, s, span in zip(size, stride, spans))
    if name == "same":
        return tuple((need // 2, need - need // 2) for need in needs)
    if name == "same_lower":
        return tuple((need - need // 2, need // 2) for need in needs)
    raise ValueError(f"padding is {name!r} (wanted valid, same, same_lower or full)")


def _pad(image: Array, pads: Pairs, value: float) -> Array:
    """A copy of `image` with `value` around its trailing dimensions."""
    size = image.shape[image.ndim - len(pads) :]
    padded_size = (before + n + after for n, (before, after) in zip(size, pads))
    padded = np.full((*image.shape[: image.ndim - len(pads)], *padded_size), value, image.dtype)
    padded[_inside(size, pads)] = image
    return padded


def _inside(size: Sizes, pads: Pairs) -> tuple[Any, ...]:
    """The index of what the padding surrounds."""
    return (..., *(slice(before, before + n) for n, (before, _) in zip(size, pads)))
