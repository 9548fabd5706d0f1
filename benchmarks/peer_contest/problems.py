"""What is computed: a convolution or a pooling, its arrays' shapes and its work."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod, sqrt

import numpy as np
from checks import LARGEST

Ints = tuple[int, ...]


@dataclass(frozen=True)
class ConvProblem:
    """A convolution, transposed or not, or one of its gradients, in any number of dimensions.

    `gradient` is "" for the forward, else "input" or "weight". In the summary a problem counts
    with its `category`.
    """

    name: str
    category: str
    batch: int
    in_channels: int
    size: Ints
    out_channels: int
    kernel: Ints
    stride: Ints
    padding: Ints
    dilation: Ints
    groups: int = 1
    transposed: bool = False
    output_padding: Ints = ()
    dtype: str = "float32"
    gradient: str = ""

    @property
    def dims(self) -> int:
        return len(self.size)

    @property
    def input_shape(self) -> Ints:
        return (self.batch, self.in_channels, *self.size)

    @property
    def weight_shape(self) -> Ints:
        outer, inner = self.out_channels, self.in_channels
        if self.transposed:
            outer, inner = inner, outer
        return (outer, inner // self.groups, *self.kernel)

    @property
    def output_shape(self) -> Ints:
        extent = tuple(d * (k - 1) + 1 for d, k in zip(self.dilation, self.kernel))
        if self.transposed:
            size = tuple(
                (n - 1) * s - 2 * p + e + o
                for n, s, p, e, o in zip(
                    self.size, self.stride, self.padding, extent, self.output_padding
                )
            )
        else:
            size = tuple(
                (n + 2 * p - e) // s + 1
                for n, s, p, e in zip(self.size, self.stride, self.padding, extent)
            )
        return (self.batch, self.out_channels, *size)

    @property
    def flop(self) -> int:
        """Of the sums as they are written, the zeros of the padding included; the gradients of
        input and weight have as many.
        """
        sites = self.size if self.transposed else self.output_shape[2:]
        pairs = self.in_channels * self.out_channels // self.groups
        return 2 * self.batch * prod(sites) * pairs * prod(self.kernel)

    @property
    def traffic(self) -> int:
        """Bytes, each operand read once and the result written once."""
        elements = prod(self.input_shape) + prod(self.weight_shape) + prod(self.output_shape)
        return elements * np.dtype(self.dtype).itemsize

    @property
    def terms(self) -> int:
        """Of the longest sum."""
        if self.gradient == "weight":
            return self.batch * prod(self.size if self.transposed else self.output_shape[2:])
        channels = self.out_channels if self.gradient else self.in_channels
        return channels // self.groups * prod(self.kernel) + 1

    exact = True  # small integers: any order of the sum gives the same

    @property
    def tolerance(self) -> float:
        """For another way to sum: ``2 eps (sqrt(K) + 2) |x| * |w|`` at its largest."""
        eps = float(np.finfo(self.dtype).eps)
        return 2 * eps * (sqrt(self.terms) + 2) * self.terms * LARGEST**2

    def __str__(self) -> str:
        text = f"{_times(self.input_shape)}>{self.out_channels} k{_times(self.kernel)}"
        for letter, values, usual in (
            ("s", self.stride, 1),
            ("p", self.padding, 0),
            ("d", self.dilation, 1),
            ("g", (self.groups,), 1),
            ("o", self.output_padding, 0),
        ):
            if any(value != usual for value in values):
                text += f" {letter}{_times(values)}"
        return text + " transposed" * self.transposed


@dataclass(frozen=True)
class PoolProblem:
    """A maximum ("max") or mean ("avg") pooling with equal sides, or its gradient; or the indices
    of the maxima, as they come with them.
    """

    name: str
    category: str
    kind: str
    batch: int
    channels: int
    size: Ints
    kernel: int
    stride: int
    padding: int = 0
    ceil_mode: bool = False
    indices: bool = False
    gradient: str = ""
    dtype: str = "float32"
    flop = 0

    @property
    def dims(self) -> int:
        return len(self.size)

    @property
    def input_shape(self) -> Ints:
        return (self.batch, self.channels, *self.size)

    @property
    def output_shape(self) -> Ints:
        up = self.stride - 1 if self.ceil_mode else 0
        free = tuple(n + 2 * self.padding - self.kernel for n in self.size)
        size = tuple((n + up) // self.stride + 1 for n in free)
        return (self.batch, self.channels, *size)

    @property
    def traffic(self) -> int:
        """Bytes; a maximum with indices writes int64 besides, and its gradient reads them."""
        extra = 8 if self.indices or (self.gradient and self.kind == "max") else 0
        return 4 * prod(self.input_shape) + (4 + extra) * prod(self.output_shape)

    @property
    def exact(self) -> bool:
        """A selection, and the sum of integers; a mean is rounded."""
        return self.kind == "max"

    @property
    def tolerance(self) -> float:
        """A mean of `integers` and of their absolute values is at most LARGEST."""
        eps = float(np.finfo(np.float32).eps)
        return 0.0 if self.exact else 2 * eps * (self.kernel ** (self.dims / 2) + 2) * LARGEST

    def __str__(self) -> str:
        text = f"{_times(self.input_shape)} {self.kind} k{self.kernel} s{self.stride}"
        text += f" p{self.padding}" * bool(self.padding)
        return text + " ceil" * self.ceil_mode + " indices" * self.indices


Problem = ConvProblem | PoolProblem


def conv(
    name: str,
    category: str,
    input_shape: Ints,
    out_channels: int,
    kernel: int | Ints,
    *,
    stride: int | Ints = 1,
    padding: int | Ints = 0,
    dilation: int | Ints = 1,
    groups: int = 1,
    transposed: bool = False,
    output_padding: int = 0,
    dtype: str = "float32",
) -> ConvProblem:
    """A problem, where one number stands for one a dimension."""
    batch, in_channels, *size = input_shape

    def each(value: int | Ints) -> Ints:
        return (value,) * len(size) if isinstance(value, int) else value

    return ConvProblem(
        *(name, category, batch, in_channels, tuple(size), out_channels),
        *(each(kernel), each(stride), each(padding), each(dilation), groups),
        *(transposed, each(output_padding), dtype),
    )


def _times(values: Ints) -> str:
    """1x64x56x56; a single number where all are the same one and there are few."""
    return str(values[0]) if len(set(values)) == 1 else "x".join(map(str, values))
