"""Max pooling and unpooling: torch's where it has the padding, or else the NumPy reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from oracle.checks import agree, derived, torch, wide
from oracle.draws import DRAWN, Problem, examples, pairs_are_seen
from oracle.pools import flat, image, overhang, window

import fastconv as fc
from fastconv import reference


def oracle(dims, x, how, padding):
    """Maxima and indices. Torch pools the image with -inf around it, as far as windows reach, and
    its indices are carried back; a window that saw padding alone, or only -inf, is asked of the
    reference.
    """
    kernel, stride, pairs, dilation, ceil_mode = how
    by_reference = getattr(reference, f"max_pool{dims}d")(
        x, kernel, stride, padding, dilation, ceil_mode, True
    )
    if torch is None or x.size == 0:
        return by_reference
    past = overhang(x.shape[2:], *how)
    around = [(before, after + more) for (before, after), more in zip(pairs, past)]
    padded = torch.nn.functional.pad(torch.from_numpy(wide(x)), flat(around), value=-np.inf)
    pool = getattr(torch.nn.functional, f"max_pool{dims}d")
    y, indices = pool(padded, kernel, stride, 0, dilation, return_indices=True)
    places = np.unravel_index(indices.numpy(), tuple(padded.shape[2:]))
    inside = [place - before for place, (before, _) in zip(places, around)]
    clipped = [np.clip(place, 0, n - 1) for place, n in zip(inside, x.shape[2:])]
    carried = np.ravel_multi_index(clipped, x.shape[2:])
    return y.numpy(), np.where(np.isneginf(y.numpy()), by_reference[1], carried)


def with_rare(p, x):
    """Ties are common already; sometimes NaN and infinities too."""
    if p.chance() or x.size == 0:
        return x
    x = x.copy()
    share = p.choice((0.1, 0.5, 1.0))
    rare = p.rng.choice(np.array(p.choice(((np.nan,), (-np.inf,), (np.inf, -np.inf, np.nan)))),
                        x.shape)  # fmt: skip
    return np.where(p.rng.random(x.shape) < share, rare, x).astype(x.dtype)


@pytest.mark.parametrize("dims", [1, 2, 3])
@examples(60)
@given(data=DRAWN)
def test_max_pool(dims, data):
    p = Problem(data)
    form = p.form(dims)
    kernel_size, how, padding, size = window(p, dims)
    x = with_rare(p, image(p, form, size))
    forward, backward = (getattr(fc, f"max_pool{dims}d{end}") for end in ("", "_backward"))
    p.option("return_indices", False, lambda: True)
    p.noted(f"max_pool{dims}d")
    wanted, places = oracle(dims, x, how, padding)
    given_x = p.laid(form.put(x))
    out = p.out(form.put(wanted).shape)
    y = forward(given_x, kernel_size, **p.keywords, **out)
    kept = None
    if "return_indices" in p.keywords:
        y, kept = y
        assert kept.dtype == np.int64
        np.testing.assert_array_equal(form.get(kept), places)
    agree(form.get(y), wanted, p.dtype)
    if out:
        assert y is out["out"]

    gy = p.values(wanted.shape)
    if kept is not None and p.chance():
        p.keywords["indices"] = p.laid(kept.astype(p.choice((np.int32, np.int64))))
    gx = backward(p.laid(form.put(gy)), given_x, kernel_size, **p.keywords)
    planes = [int(np.prod(wanted.shape[:2])), int(np.prod(size))]
    sums, sizes, terms = (np.zeros(planes) for _ in range(3))
    for plane in range(planes[0]):
        at = places.reshape(planes[0], -1)[plane] if x.size else np.zeros(0, int)
        for total, value in ((sums, gy), (sizes, np.abs(gy)), (terms, np.ones(gy.shape))):
            given_back = value.reshape(planes[0], -1)[plane] if x.size else at
            np.add.at(total[plane], at[at >= 0], given_back[at >= 0])  # -1: of padding alone
    eps = 0 if p.whole else np.finfo(p.dtype).eps
    bound = 2 * eps * (np.sqrt(terms) + 2) * sizes * (terms > 1)
    agree(form.get(gx), sums.reshape(x.shape), p.dtype, bound.reshape(x.shape))


@pytest.mark.parametrize("dims", [1, 2, 3])
@examples(40)
@given(data=DRAWN)
def test_max_unpool(dims, data):
    """Of what torch pools, so that its unpooling has one answer; with its gradient."""
    p = Problem(data)
    form = p.form(dims)
    kernel = tuple(p.int(1, 4) for _ in range(dims))
    stride = p.ints("stride", dims, 1, 4, kernel)
    both = tuple(p.int(0, k // 2) for k in kernel) if p.chance() else (0,) * dims
    if any(both):
        p.keywords["padding"] = p.choice((both, [(n, n) for n in both]))
    pairs = [(n, n) for n in both]
    size = tuple(max(k - 2 * n, 1) + p.int(0, 8) for k, n in zip(kernel, both))
    x = image(p, form, size, whole=False)
    x = np.ascontiguousarray(x) + np.arange(x.size).reshape(x.shape)  # no ties
    x = x.astype(p.dtype)
    pooled, indices = oracle(dims, x, (kernel, stride, pairs, (1,) * dims, False), pairs)
    pooled = pooled.astype(p.dtype)
    p.option("output_size", None, lambda: p.choice((size, list(size), np.array(size))))
    if "output_size" not in p.keywords:
        size = tuple((o - 1) * s - 2 * n + k
                     for o, s, n, k in zip(pooled.shape[2:], stride, both, kernel))  # fmt: skip
        assume(min(size) > 0)
        indices %= np.prod(size)  # another plane, whose places need not be apart
    p.noted(f"max_unpool{dims}d")
    wanted = np.zeros((*x.shape[:2], int(np.prod(size))), p.dtype)
    for n, c in np.ndindex(wanted.shape[:2]):
        wanted[n, c, indices[n, c].ravel()] = pooled[n, c].ravel()  # the last of several stays
    wanted = wanted.reshape(*x.shape[:2], *size)
    at = p.laid(form.put(indices.astype(p.choice((np.int32, np.int64)))))
    forward, backward = (getattr(fc, f"max_unpool{dims}d{end}") for end in ("", "_backward"))
    arrays = (p.laid(form.put(pooled)), at, p.as_given(kernel))
    y = forward(*arrays, **p.keywords, **p.out(form.put(wanted).shape))
    agree(form.get(y), wanted, p.dtype)

    gy = p.values(wanted.shape)
    gx, none = backward(p.laid(form.put(gy)), *arrays, **p.keywords)
    assert none is None
    flat_gy = gy.reshape(*gy.shape[:2], int(np.prod(size)))
    slopes = np.take_along_axis(
        flat_gy,
        indices.reshape(*x.shape[:2], indices[0, 0].size)
        if indices.size
        else np.zeros((*x.shape[:2], 0), int),
        axis=2,
    )
    agree(form.get(gx), slopes.reshape(pooled.shape), p.dtype)
    if torch is None or x.size == 0:
        return
    unpool = getattr(torch.nn.functional, f"max_unpool{dims}d")
    places = torch.from_numpy(indices)
    if len(np.unique(indices[0, 0])) == indices[0, 0].size:
        theirs = derived(lambda t: unpool(t, places, kernel, stride, both, size), gy, pooled)
        if x.shape[0] * x.shape[1] == 1:
            agree(form.get(y), theirs[0], p.dtype)
        agree(form.get(gx), theirs[1], p.dtype)


def test_all_pairs_of_arguments_were_drawn():
    for dims in (1, 2, 3):
        pairs_are_seen(f"max_pool{dims}d")
        pairs_are_seen(f"max_unpool{dims}d")
