"""Problems drawn at random: arguments in all their forms, values, and how arrays lie in memory.

By default each test takes a few examples, always the same ones; ``FASTCONV_EXAMPLES=2000 pytest
tests/oracle`` takes so many of each function, others each time, and asks that every two arguments
have been away from their defaults together.
"""

from __future__ import annotations

import itertools
import os
from collections import defaultdict

import numpy as np
from conftest import FORCED
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("FASTCONV_EXAMPLES", "0"))
DRAWN = st.data()
NAMED = ("valid", "same", "same_lower", "full")
LAYOUTS = {1: "NLC", 2: "NHWC", 3: "NDHWC"}
_SEEN: dict[str, set[tuple[str, str]]] = defaultdict(set)


def examples(default):
    """So many; a fifth of them on an ISA that is not the machine's best."""
    return settings(
        max_examples=EXAMPLES or (default // 5 if FORCED else default),
        derandomize=not EXAMPLES,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )


def pairs_are_seen(function, apart=()):
    """After many examples: every two keywords were given together, but for those `apart`."""
    if EXAMPLES >= 1000:
        names = sorted({name for pair in _SEEN[function] for name in pair})
        missing = set(itertools.combinations(names, 2)) - _SEEN[function]
        missing -= {tuple(sorted(pair)) for pair in apart}
        assert not missing, missing


class Problem:
    """A draw of one call: its dtype, whether values are whole numbers, its keywords."""

    def __init__(self, data):
        self.draw = data.draw
        self.dtype = np.dtype(self.choice((np.float32, np.float64)))
        self.whole = self.chance()
        self.rng = np.random.default_rng(self.int(0, 2**32 - 1))
        self.keywords = {}

    def int(self, low, high):
        return self.draw(st.integers(low, high))

    def choice(self, values):
        return self.draw(st.sampled_from(values))

    def chance(self):
        return self.draw(st.booleans())

    def option(self, name, default, make):
        """`default`, or half of the time what `make` draws, given as a keyword."""
        if not self.chance():
            return default
        value = self.keywords[name] = make()
        return value

    def noted(self, function, *more):
        """Remember which arguments stood together."""
        names = sorted({*self.keywords, *more})
        _SEEN[function].update(itertools.combinations(names, 2))

    def ints(self, name, dims, low, high, default=None):
        """One int a dimension, given in one of the forms that serve; or what is meant by none."""
        if not self.chance():
            return (low,) * dims if default is None else default
        values = tuple(self.int(low, high) for _ in range(dims))
        self.keywords[name] = self.as_given(values)
        return values

    def as_given(self, values):
        if len(set(values)) == 1 and self.chance():
            return self.choice((values[0], np.int64(values[0]), (values[0],), [values[0]]))
        return self.choice((values, list(values), np.array(values)))

    def padding(self, dims, most, names=NAMED):
        """A name, or one (before, after) pair a dimension of at most `most`; put in keywords."""
        form = self.choice(("none", "int", "ints", "pairs", *names))
        pairs = ((0, 0),) * dims
        if form in names:
            self.keywords["padding"] = pairs = form
        elif form == "pairs":
            pairs = tuple((self.int(0, m), self.int(0, m)) for m in most)
            self.keywords["padding"] = self.choice((pairs, [list(pair) for pair in pairs]))
        elif form != "none":
            both = [self.int(0, m) for m in most]
            both = [min(both)] * dims if form == "int" else both
            self.keywords["padding"] = both[0] if form == "int" else self.as_given(tuple(both))
            pairs = tuple((n, n) for n in both)
        return pairs

    def values(self, shape, whole=None, low=-4, high=4):
        """Small whole numbers or normal ones; sometimes repeated along an axis, in no memory."""
        if self.whole if whole is None else whole:
            array = self.rng.integers(low, high + 1, shape).astype(self.dtype)
        else:
            array = self.rng.standard_normal(shape).astype(self.dtype)
        if array.ndim and self.int(0, 9) == 9:
            array = np.broadcast_to(array[..., :1], shape)
        return array

    def laid(self, array, writable=False):
        """`array` in memory of some order, with gaps, backwards, off its alignment, read-only."""
        array = np.asarray(array)
        kind = self.choice(("plain", "channels last", "any", "any", "unaligned"))
        if kind == "plain" and not writable:
            return array
        order, gaps, offset = list(range(array.ndim)), [1] * array.ndim, 0
        if kind == "channels last" and array.ndim > 2:
            order = [0, *range(2, array.ndim), 1]
        elif kind == "any":
            order = list(self.draw(st.permutations(order)))
            gaps = [self.choice((1, 1, 2, 3, -1, -2)) for _ in order]
            offset = self.int(0, 3)
        sizes = [array.shape[axis] * abs(gaps[axis]) for axis in order]
        room = int(np.prod(sizes)) + offset
        memory = np.zeros(room * array.itemsize + 1, np.uint8)[
            kind == "unaligned" and not writable :
        ]
        buffer = memory[: room * array.itemsize].view(array.dtype)
        if array.dtype.kind == "f":
            buffer[...] = np.nan
        view = buffer[offset:].reshape(sizes).transpose(np.argsort(order))
        view = view[(*(slice(None, None, gap) for gap in gaps), ...)]
        view[...] = array
        view.flags.writeable = writable or self.chance()
        return view

    def form(self, dims, batched=None):
        """Whether there is a batch, and whether shapes have the channels last."""
        batched = self.int(0, 4) > 0 if batched is None else batched
        last = self.option("layout", "", lambda: LAYOUTS[dims]) != ""
        return Form(dims, batched, last)

    def batch(self, form):
        return self.choice((1, 1, 2, 3, 0)) if form.batched else 1

    def out(self, shape):
        """Sometimes an array to write to, of any strides."""
        if self.int(0, 3) < 3:
            return {}
        array = np.full(shape, np.nan, self.dtype)
        return {"out": self.laid(array, writable=True)}


class Form:
    """How an (N, C, *spatial) array is handed over, and back."""

    def __init__(self, dims, batched, last):
        self.dims, self.batched, self.last = dims, batched, last

    def put(self, array):
        if not self.batched:
            array = array[0]
        return np.moveaxis(array, -1 - self.dims, -1) if self.last else array

    def get(self, array):
        if self.last:
            array = np.moveaxis(array, -1, -1 - self.dims)
        return array if self.batched else array[np.newaxis]


def any_shape(p, least=0):
    return tuple(p.int(0 if p.int(0, 9) == 9 else 1, 9) for _ in range(p.int(least, 5)))


def settled(padding, size, kernel, stride, dilation):
    """One (before, after) pair a dimension, by TensorFlow's and ONNX's rules for the names."""
    if not isinstance(padding, str):
        return tuple(padding)
    pairs = []
    for n, k, s, d in zip(size, kernel, stride, dilation):
        extent = d * (k - 1) + 1
        outputs = (n + s - 1) // s
        total = max((outputs - 1) * s + extent - n, 0)
        small, large = total // 2, (total + 1) // 2
        pairs.append(
            {"valid": (0, 0), "same": (small, large), "same_lower": (large, small),
             "full": (extent - 1, extent - 1)}[padding]
        )  # fmt: skip
    return tuple(pairs)


def sizes_for(p, kernel, dilation, padding, more):
    """A spatial size on which at least one window fits."""
    least = [
        1 if padding in ("same", "same_lower", "full")
        else d * (k - 1) + 1 - (0 if isinstance(padding, str) else sum(pair))
        for k, d, pair in zip(kernel, dilation, padding if not isinstance(padding, str) else kernel)
    ]  # fmt: skip
    return tuple(max(n, 1) + p.int(0, more) for n in least)
