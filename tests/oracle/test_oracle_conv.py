"""Convolution against torch's, or else the NumPy reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from oracle.both_ways import agrees
from oracle.checks import derived, torch
from oracle.draws import DRAWN, examples, pairs_are_seen, settled, sizes_for

import fastconv as fc
from fastconv import reference

CHANNELS = (1, 1, 2, 3, 4, 8, 17)


def oracle(dims, stride, pairs, dilation, groups):
    """``(x, w, b, residual, gy) -> (y, gx, gw, gb, g_residual)``; without gy of y alone."""

    def by_torch(x, w, b, residual, gy=None):
        flat = [n for pair in reversed(pairs) for n in pair]
        conv = getattr(torch.nn.functional, f"conv{dims}d")

        def value(x, w, b, residual):
            y = conv(torch.nn.functional.pad(x, flat), w, b, stride, 0, dilation, groups)
            return y if residual is None else y + residual

        return derived(value, gy, x, w, b, residual)

    def by_reference(x, w, b, residual, gy=None):
        how = (x, w, b, stride, pairs, dilation, groups)
        y = getattr(reference, f"conv{dims}d")(*how)
        y = y if residual is None else y + residual
        if gy is None:
            return (y,)
        gradients = getattr(reference, f"conv{dims}d_backward")(gy, *how)
        return (y, *gradients, None if residual is None else gy)

    return by_reference if torch is None else by_torch


def problem(p, dims):
    """The canonical arrays and the window, with the keywords put into `p`."""
    form = p.form(dims)
    groups = p.option("groups", 1, lambda: p.int(2, 4))
    inside = p.choice(CHANNELS if groups == 1 else (1, 1, 2, 3))
    outside = p.choice(CHANNELS if groups == 1 else (1, 1, 2, 5))
    kernel = tuple(p.int(1, 7 if dims == 1 else 5 - dims // 2) for _ in range(dims))
    stride = p.ints("stride", dims, 1, 3)
    dilation = p.ints("dilation", dims, 1, 3)
    padding = p.padding(dims, [4] * dims)
    size = sizes_for(p, kernel, dilation, padding, {1: 40, 2: 18, 3: 6}[dims])
    pairs = settled(padding, size, kernel, stride, dilation)
    x = p.values((p.batch(form), groups * inside, *size))
    w = p.values((groups * outside, inside, *kernel))
    b = p.values((len(w),)) if p.chance() else None
    return form, x, w, b, (stride, pairs, dilation, groups)


@pytest.mark.parametrize("dims", [1, 2, 3])
@examples(60)
@given(data=DRAWN)
def test_conv(dims, data):
    agrees(f"conv{dims}d", dims, data, problem, oracle)


def test_all_pairs_of_arguments_were_drawn():
    for dims in (1, 2, 3):
        pairs_are_seen(f"conv{dims}d")


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_channels_last_memory_comes_back_channels_last(dims):
    size = (5, 6, 7)[:dims]
    x = np.moveaxis(np.ones((2, *size, 3), np.float32), -1, 1)
    w = np.ones((4, 3, *(2,) * dims), np.float32)
    y = getattr(fc, f"conv{dims}d")(x, w)
    gx, _, _ = getattr(fc, f"conv{dims}d_backward")(y, x, w)
    for array in (y, gx):
        assert np.moveaxis(array, 1, -1).flags.c_contiguous
