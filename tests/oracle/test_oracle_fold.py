"""Unfold, fold and pad against torch's, or else the NumPy reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from oracle.checks import agree, derived, epsilon, multilinear, slope_is, torch, wide
from oracle.draws import DRAWN, Problem, examples, pairs_are_seen, settled, sizes_for

import fastconv as fc
from fastconv import reference


def oracle(name, size, kernel, stride, pairs, dilation):
    """``(x, gy) -> (y, gx)``; torch's, between an asymmetric padding and a crop."""

    def by_torch(x, gy=None):
        F = torch.nn.functional
        (top, bottom), (left, right) = pairs
        around = (size[0] + top + bottom, size[1] + left + right)

        def unfold(t):
            return F.unfold(F.pad(t, (left, right, top, bottom)), kernel, dilation, 0, stride)

        def fold(t):
            whole = F.fold(t, around, kernel, dilation, 0, stride)
            return whole[..., top : top + size[0], left : left + size[1]]

        return derived({"unfold": unfold, "fold": fold}[name], gy, x)

    def by_reference(x, gy=None):
        how = (kernel, dilation, pairs, stride)
        how = how if name == "unfold" else (size, *how)
        y = getattr(reference, name)(x, *how)
        return (y,) if gy is None else (y, getattr(reference, f"{name}_backward")(gy, x, *how))

    return by_reference if torch is None else by_torch


@pytest.mark.parametrize("name", ["unfold", "fold"])
@examples(60)
@given(data=DRAWN)
def test_fold(name, data):
    p = Problem(data)
    kernel = (p.int(1, 5), p.int(1, 5))
    stride, dilation = p.ints("stride", 2, 1, 3), p.ints("dilation", 2, 1, 3)
    padding = p.padding(2, [3, 3])
    size = sizes_for(p, kernel, dilation, padding, 12)
    pairs = settled(padding, size, kernel, stride, dilation)
    channels, batch = p.choice((1, 2, 3, 5)), p.choice((1, 2, 3, 0))
    windows = [
        (n + sum(pair) - d * (k - 1) - 1) // s + 1
        for n, k, s, d, pair in zip(size, kernel, stride, dilation, pairs)
    ]
    columns = (batch, channels * kernel[0] * kernel[1], windows[0] * windows[1])
    x = p.values((batch, channels, *size) if name == "unfold" else columns)
    if batch == 1 and p.chance():
        x = x[0]
    p.noted(name)
    wanted = oracle(name, size, kernel, stride, pairs, dilation)
    if x.size == 0:  # torch takes no empty batch here
        shape = columns if name == "unfold" else (batch, channels, *size)
    else:
        shape = wanted(x)[0].shape
    arguments = [p.as_given(kernel)] if name == "unfold" else [p.as_given(size), p.as_given(kernel)]
    given_x = p.laid(x)
    y = getattr(fc, name)(given_x, *arguments, **p.keywords, **p.out(shape))
    gy = p.values(shape)
    gx = getattr(fc, f"{name}_backward")(p.laid(gy), given_x, *arguments, **p.keywords)
    if x.size == 0:
        assert (y.shape, gx.shape) == (shape, x.shape)
        return
    multilinear(p, wanted, [y, gx], (x, gy))
    if p.dtype == np.float64:
        slope_is(lambda a: getattr(fc, name)(a, *arguments, **p.keywords), [x], [gx], gy, 1.0,
                 64 * epsilon(float), p.rng)  # fmt: skip


MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


@examples(100)
@given(data=DRAWN)
def test_pad(data):
    """Cropped, then continued as `numpy.pad` does; beside torch's where it takes as many axes."""
    p = Problem(data)
    mode = p.option("mode", "constant", lambda: p.choice(tuple(MODES)))
    value = p.option("value", None, lambda: p.choice((0, 1.5, -2, 3))) if mode == "constant" else 0
    x = p.values(tuple(p.int(1, 6) for _ in range(p.int(1, 5))))
    axes = p.int(0, x.ndim)
    flat, numbers = [], []
    for n in x.shape[::-1][:axes]:
        most = {"reflect": n - 1, "circular": n}.get(mode, 5)
        before, after = p.int(-(n // 2), most), p.int(-((n - 1) // 2), most)
        if mode == "circular":
            before, after = min(before, n + min(after, 0)), min(after, n + min(before, 0))
        numbers.append((before, after))
        flat += [before, after]
    p.noted("pad")
    given_pad = p.choice((tuple(flat), list(flat), np.array(flat, int)))
    y = fc.pad(p.laid(x), given_pad, **p.keywords)
    pairs = [(0, 0)] * (x.ndim - axes) + numbers[::-1]
    extra = {"constant_values": value or 0} if mode == "constant" else {}

    def wanted(x):
        crop = tuple(slice(max(-b, 0), n - max(-a, 0)) for n, (b, a) in zip(x.shape, pairs))
        more = [(max(b, 0), max(a, 0)) for b, a in pairs]
        if mode == "reflect":  # of the whole axis, also where the other end is cropped
            whole = np.pad(x, more, "reflect")
            cut = tuple(slice(max(-b, 0), n - max(-a, 0)) for n, (b, a) in zip(whole.shape, pairs))
            return whole[cut]
        return np.pad(x[crop], more, MODES.get(mode, "constant"), **extra)

    if mode != "replicate" or all(b >= 0 <= a for b, a in pairs):
        agree(y, wanted(wide(x)), p.dtype)
    gy = p.values(y.shape)
    gx = fc.pad_backward(p.laid(gy), p.laid(x), given_pad, **p.keywords)
    slope_is(lambda a: fc.pad(a, given_pad, **p.keywords), [wide(x)], [wide(gx)], wide(gy), 1.0,
             64 * epsilon(p.dtype), p.rng)  # fmt: skip
    serves = mode == "constant" or axes in {2: (1,), 3: (1, 2), 4: (2,), 5: (3,)}.get(x.ndim, ())
    if torch is not None and serves and 0 not in y.shape and axes:

        def theirs(x, gy=None):
            pad = torch.nn.functional.pad
            return derived(lambda t: pad(t, flat, mode, **({"value": value or 0} if extra else {})),
                           gy, x)  # fmt: skip

        agree(y, theirs(x)[0], p.dtype)
        if value in (None, 0):
            multilinear(p, lambda x, gy: theirs(x, gy)[1:], [gx], (x, gy))


def test_all_pairs_of_arguments_were_drawn():
    pairs_are_seen("unfold")
    pairs_are_seen("fold")
    pairs_are_seen("pad")
