"""Transposed convolution against torch's, or else the NumPy reference."""

from __future__ import annotations

import pytest
from hypothesis import given
from oracle.both_ways import agrees
from oracle.checks import derived, torch
from oracle.draws import DRAWN, examples, pairs_are_seen

from fastconv import reference

CHANNELS = (1, 1, 2, 3, 4, 8, 17)
NAMED = ("valid", "same", "same_lower")


def oracle(dims, stride, pairs, more, groups, dilation):
    """``(x, w, b, residual, gy) -> (y, gx, gw, gb, g_residual)``: all that the input spreads to,
    less what the padding cuts off, with `more` elements after it.
    """

    def by_torch(x, w, b, residual, gy=None):
        conv = getattr(torch.nn.functional, f"conv_transpose{dims}d")
        longer = [n for m in reversed(more) for n in (0, m)]
        cuts = [-n for pair in reversed(pairs) for n in pair]

        def value(x, w, b, residual):
            whole = conv(x, w, None, stride, 0, 0, groups, dilation)
            y = torch.nn.functional.pad(torch.nn.functional.pad(whole, longer), cuts)
            y = y if b is None else y + b.reshape(-1, *(1,) * dims)
            return y if residual is None else y + residual

        return derived(value, gy, x, w, b, residual)

    def by_reference(x, w, b, residual, gy=None):
        how = (x, w, b, stride, pairs, more, groups, dilation)
        y = getattr(reference, f"conv_transpose{dims}d")(*how)
        y = y if residual is None else y + residual
        if gy is None:
            return (y,)
        gradients = getattr(reference, f"conv_transpose{dims}d_backward")(gy, *how)
        return (y, *gradients, None if residual is None else gy)

    return by_reference if torch is None else by_torch


def settled(padding, kernel, stride, dilation):
    """Cut off before and after, and added after, so that "same" has input * stride outputs."""
    if not isinstance(padding, str):
        return tuple(padding), (0,) * len(kernel)
    pairs, more = [], []
    for k, s, d in zip(kernel, stride, dilation):
        cut = d * (k - 1) + 1 - s if padding != "valid" else 0
        less, rest = max(cut, 0) // 2, (max(cut, 0) + 1) // 2
        pairs.append((less, rest) if padding != "same_lower" else (rest, less))
        more.append(max(-cut, 0))
    return tuple(pairs), tuple(more)


def problem(p, dims):
    """The canonical arrays and the window, with the keywords put into `p`."""
    form = p.form(dims)
    groups = p.option("groups", 1, lambda: p.int(2, 4))
    inside = p.choice(CHANNELS if groups == 1 else (1, 1, 2, 3))
    outside = p.choice(CHANNELS if groups == 1 else (1, 1, 2, 5))
    kernel = tuple(p.int(1, 7 if dims == 1 else 5 - dims // 2) for _ in range(dims))
    stride, dilation = p.ints("stride", dims, 1, 3), p.ints("dilation", dims, 1, 3)
    padding = p.padding(dims, [4] * dims, NAMED)
    pairs, more = settled(padding, kernel, stride, dilation)
    if padding in ("same", "same_lower"):
        least = (1,) * dims
    else:
        way = p.choice(("neither", "output_padding", "output_size"))
        room = [max(s, d if way == "output_padding" else 1) - 1 for s, d in zip(stride, dilation)]
        if way != "neither":
            more = tuple(p.int(0, n) for n in room)
        if way == "output_padding":
            p.keywords[way] = p.as_given(more)
        spans = zip(stride, dilation, kernel, pairs, more)
        least = tuple(max(1, 1 - (d * (k - 1) + m - sum(pair)) // s) for s, d, k, pair, m in spans)
    size = tuple(n + p.int(0, {1: 30, 2: 9, 3: 3}[dims]) for n in least)
    x = p.values((p.batch(form), groups * inside, *size))
    w = p.values((groups * inside, outside, *kernel))
    b = p.values((groups * outside,)) if p.chance() else None
    if padding not in ("same", "same_lower") and way == "output_size":
        spans = zip(size, stride, dilation, kernel, pairs, more)
        p.keywords[way] = p.as_given(
            tuple((n - 1) * s + d * (k - 1) + 1 + m - sum(pair) for n, s, d, k, pair, m in spans)
        )
    return form, x, w, b, (stride, pairs, more, groups, dilation)


@pytest.mark.parametrize("dims", [1, 2, 3])
@examples(60)
@given(data=DRAWN)
def test_conv_transpose(dims, data):
    agrees(f"conv_transpose{dims}d", dims, data, problem, oracle)


def test_all_pairs_of_arguments_were_drawn():
    for dims in (1, 2, 3):
        pairs_are_seen(f"conv_transpose{dims}d", [("output_padding", "output_size")])
