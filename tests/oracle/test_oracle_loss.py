"""The losses against torch's, or else the NumPy reference or a formula."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from oracle.checks import agree, bound_of, derived, epsilon, slope_is, torch, wide
from oracle.draws import DRAWN, Problem, any_shape, examples, pairs_are_seen

import fastconv as fc
from fastconv import reference


@examples(150)
@given(data=DRAWN)
def test_cross_entropy(data):
    p = Problem(data)
    classes, more = p.int(1, 9), tuple(p.int(1, 4) for _ in range(p.choice((0, 0, 1, 2))))
    batch = (p.choice((1, 2, 5, 17, 0)),) if more or p.chance() else ()
    places = (*batch, *more)
    x = p.values((*batch, classes, *more)) * p.dtype.type(p.choice((1, 20)))
    by_class = p.chance()
    ignored = -100
    if by_class:
        target = p.rng.integers(0, classes, places).astype(p.choice((np.int32, np.int64)))
        ignored = p.option("ignore_index", -100, lambda: p.choice((-1, 0, 2, 255)))
        target = np.where(p.rng.random(places) < p.choice((0, 0.4)), ignored, target)
        target = np.asarray(target, p.choice((np.int32, np.int64)))
    else:
        target = p.rng.random(x.shape).astype(p.dtype)
    weight = p.rng.random(classes).astype(p.dtype) + p.dtype.type(0.1) if p.chance() else None
    if weight is not None:
        p.keywords["weight"] = p.laid(weight)
    reduction = p.option("reduction", "mean", lambda: p.choice(("sum", "none")))
    smoothing = p.option("label_smoothing", 0.0, lambda: p.choice((0.1, 0.5, 1.0, 0)))
    p.noted("cross_entropy")
    given_x, given_t = p.laid(x), p.laid(target)
    y = np.asarray(fc.cross_entropy(given_x, given_t, **p.keywords))
    gy = p.values(places if reduction == "none" else ())
    gx, gt, none = fc.cross_entropy_backward(p.laid(gy), given_x, given_t, **p.keywords)
    assert none is None
    assert (gt is None) == by_class

    def theirs(x, t, gy):
        how = {"ignore_index": ignored, "reduction": reduction, "label_smoothing": smoothing}
        if torch is None:
            how |= {"weight": None if weight is None else wide(weight)}
            loss = reference.cross_entropy(x, t, **how)
            return (loss, *reference.cross_entropy_backward(gy, x, t, **how)[:2])
        w = None if weight is None else torch.from_numpy(wide(weight))
        loss = torch.nn.functional.cross_entropy
        if by_class:
            labels = torch.from_numpy(np.array(t, np.int64))
            return (*derived(lambda x: loss(x, labels, w, **how), gy, x), None)
        how.pop("ignore_index")
        return derived(lambda x, t: loss(x, t, w, **how), gy, x, t)

    with np.errstate(all="ignore"):
        wanted = theirs(wide(x), target if by_class else wide(target), wide(gy))
    many = np.sqrt(max(x.size, 1)) + 2
    size = 8 * epsilon(p.dtype) * many * (1 + np.abs(x).max(initial=0)) * classes
    scale = max(np.prod(places), 1) if reduction == "sum" else 1
    agree(y, np.asarray(wanted[0]), p.dtype, size * scale)
    agree(gx, wanted[1], p.dtype, size * (1 + np.abs(gy).max(initial=0)))
    if gt is not None:
        agree(gt, wanted[2], p.dtype, size * (1 + np.abs(gy).max(initial=0)))
    if p.dtype == np.float64 and np.isfinite(y).all() and x.size:
        slope_is(lambda x: fc.cross_entropy(x, given_t, **p.keywords), [wide(x)], [gx], gy, 1e-6,
                 1e-6, p.rng)  # fmt: skip


@examples(60)
@given(data=DRAWN)
def test_mse_loss(data):
    p = Problem(data)
    shape = any_shape(p)
    x, t = p.values(shape), p.values(shape)
    reduction = p.option("reduction", "mean", lambda: p.choice(("sum", "none")))
    given_x, given_t = p.laid(x), p.laid(t)
    y = np.asarray(fc.mse_loss(given_x, given_t, **p.keywords)) if x.size else None
    if y is None:
        return
    gy = p.values(shape if reduction == "none" else ())
    got = fc.mse_loss_backward(p.laid(gy), given_x, given_t, **p.keywords)
    difference = wide(x) - wide(t)
    many, share = {"none": (1, 1), "sum": (x.size, 1), "mean": (x.size, x.size)}[reduction]
    squares = difference**2 if reduction == "none" else np.sum(difference**2) / share
    exact = p.whole and reduction != "mean"
    agree(y, np.asarray(squares), p.dtype,
          0 if exact else 2 * bound_of(p.dtype, many, squares + epsilon(p.dtype)))  # fmt: skip
    slope = 2 * difference * wide(gy) / share
    limit = 0 if exact else bound_of(p.dtype, 4, np.abs(gy) * (np.abs(x) + np.abs(t)) * 2 / share)
    agree(got[0], slope, p.dtype, limit)
    agree(got[1], -slope, p.dtype, limit)


def test_all_pairs_of_arguments_were_drawn():
    pairs_are_seen("cross_entropy")
