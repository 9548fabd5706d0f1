"""Batch and local response normalisation against torch's, or else the NumPy reference."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from oracle.checks import agree, derived, epsilon, slope_is, torch, wide
from oracle.draws import DRAWN, Problem, examples, pairs_are_seen

import fastconv as fc
from fastconv import reference


def batch(p, least=0):
    """(N, C, *) with 0 to 3 spatial axes, and `least` of them at least."""
    spatial = tuple(p.int(1, 9) for _ in range(p.int(least, 3)))
    return p.values((p.choice((2, 3, 8, 20)), p.choice((1, 2, 5, 16, 19)), *spatial))


@examples(150)
@given(data=DRAWN)
def test_batch_norm(data):
    p = Problem(data)
    x = batch(p) * p.dtype.type(p.choice((1, 5))) + p.dtype.type(p.choice((0, 0, 10)))
    channels = x.shape[1]
    training = p.option("training", False, lambda: True)
    mean = var = None
    if not training or p.chance():
        mean = p.values((channels,), whole=False)
        var = (p.rng.random(channels) + 0.1).astype(p.dtype)
        mean = np.array(mean)
    weight = p.values((channels,)) if p.chance() else None
    bias = p.values((channels,)) if p.chance() else None
    for name, array in (("weight", weight), ("bias", bias)):
        if array is not None:
            p.keywords[name] = p.laid(array)
    momentum = p.option("momentum", 0.1, lambda: p.choice((0.0, 0.5, 1.0, 1)))
    eps = p.option("eps", 1e-5, lambda: p.choice((1e-3, 1.0, 1e-12)))
    p.noted("batch_norm")
    running = [None if a is None else a.copy() for a in (mean, var)]
    given_x = p.laid(x)
    y = fc.batch_norm(given_x, *running, **p.keywords)
    gy = p.values(x.shape)
    needs = p.option("needs", (True,) * 5, lambda: tuple(p.chance() for _ in range(5)))
    before = [None if a is None else a.copy() for a in running]
    got = fc.batch_norm_backward(p.laid(gy), given_x, mean, var, **p.keywords)
    for mine, kept in zip(running, before):
        assert mine is None or np.array_equal(mine, kept)  # moved by the forward alone

    moved = [None if a is None else wide(a) for a in (mean, var)]
    if torch is not None:
        theirs = [None if a is None else torch.from_numpy(a) for a in moved]
        norm = torch.nn.functional.batch_norm

        def value(x, w, b):
            return norm(x, *theirs, w, b, training, momentum, eps)

        wanted = derived(value, gy, x, weight, bias)
    else:
        how = (None if weight is None else wide(weight), None if bias is None else wide(bias),
               training, momentum, eps)  # fmt: skip
        value = reference.batch_norm(wide(x), *moved, *how)
        found = reference.batch_norm_backward(wide(gy), wide(x), *moved, *how)
        wanted = value, found[0], *found[3:]
    axes = (0, *range(2, x.ndim))
    shape = (1, channels, *(1,) * (x.ndim - 2))
    centre = wide(x).mean(axis=axes).reshape(shape) if training else wide(mean).reshape(shape)
    spread = wide(x).var(axis=axes).reshape(shape) if training else wide(var).reshape(shape)
    scale = 1 / np.sqrt(spread + eps)
    w = 1.0 if weight is None else np.abs(wide(weight)).reshape(shape)
    many = np.sqrt(x.size / channels) + 4
    # An error of the mean, or of the input's own rounding, is divided by the deviation.
    limit = 4 * epsilon(p.dtype) * many * ((np.abs(x) + np.abs(centre) + 1) * scale * w + 1
            + (0 if bias is None else np.abs(bias).reshape(shape)))  # fmt: skip
    agree(y, wanted[0], p.dtype, np.broadcast_to(limit, x.shape))
    if mean is not None:
        for mine, wish in zip(running, moved):
            size = 1 + np.abs(wish) + np.abs(x).max() ** 2
            agree(mine, wish, p.dtype, 4 * epsilon(p.dtype) * many * size)
    sizes = np.abs(wide(gy)).sum(axis=axes).reshape(shape)
    normal = np.abs(wide(x) - centre) * scale + 1
    steep = (np.abs(wide(gy)) + sizes * normal) * w * scale * (np.abs(centre) * scale + 1)
    limits = (steep, sizes.ravel() * (normal.max() + np.abs(centre * scale).max()), sizes.ravel())
    assert got[1] is None
    assert got[2] is None
    wishes = [g if need else None for g, need in zip(wanted[1:], (needs[0], needs[3], needs[4]))]
    for mine, wish, size in zip((got[0], *got[3:]), wishes, limits):
        assert (mine is None) == (wish is None)
        if wish is not None:
            agree(mine, wish, p.dtype, np.broadcast_to(8 * epsilon(p.dtype) * many * size,
                                                       wish.shape))  # fmt: skip
    if p.dtype == np.float64 and got[0] is not None and eps > 1e-9 and spread.min() > 1e-3:
        p.keywords.pop("needs", None)

        def again(x):
            fresh = [None if a is None else a.copy() for a in (mean, var)]
            return fc.batch_norm(x, *fresh, **p.keywords)

        slope_is(again, [wide(x)], [got[0]], gy, 1e-6, 1e-5, p.rng)


@examples(100)
@given(data=DRAWN)
def test_local_response_norm(data):
    p = Problem(data)
    x = batch(p, 1)
    size = p.int(1, 9)
    alpha = p.option("alpha", 1e-4, lambda: p.choice((0.5, 1.0, 0.0)))
    beta = p.option("beta", 0.75, lambda: p.choice((0.5, 1.0, 0.3, 0.0, 2)))
    k = p.option("k", 1.0, lambda: p.choice((2.0, 0.5, 1)))
    p.noted("local_response_norm")
    given_x = p.laid(x)
    y = fc.local_response_norm(given_x, size, **p.keywords)
    gy = p.values(x.shape)
    gx = fc.local_response_norm_backward(p.laid(gy), given_x, size, **p.keywords)
    if torch is not None:
        norm = torch.nn.functional.local_response_norm
        wanted, slopes = derived(lambda t: norm(t, size, alpha, beta, k), gy, x)
    else:
        how = (size, alpha, beta, k)
        wanted = reference.local_response_norm(wide(x), *how)
        slopes = reference.local_response_norm_backward(wide(gy), wide(x), *how)
    rounding = 24 * epsilon(p.dtype) * (1 + beta)
    agree(y, wanted, p.dtype, rounding * np.abs(wanted))
    reach = np.abs(wide(gy)).max() * k**-beta * (1 + 2 * alpha * beta * np.abs(x).max() ** 2 / k)
    agree(gx, slopes, p.dtype, np.broadcast_to(rounding * reach, x.shape))
    if p.dtype == np.float64:
        slope_is(lambda x: fc.local_response_norm(x, size, **p.keywords), [wide(x)], [gx], gy,
                 1e-6, 1e-6, p.rng)  # fmt: skip


def test_all_pairs_of_arguments_were_drawn():
    pairs_are_seen("batch_norm")
    pairs_are_seen("local_response_norm")
