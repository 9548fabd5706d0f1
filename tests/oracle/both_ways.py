"""Either convolution beside its oracle: forward and gradients, with all that is fused in."""

from __future__ import annotations

import numpy as np
from oracle.activations import activated, drawn_activation
from oracle.checks import epsilon, multilinear, slope_is
from oracle.draws import Problem

import fastconv as fc


def agrees(name, dims, data, problem, oracle):
    """`problem(p, dims)` draws arrays and window; `oracle(dims, *window)` computes with them."""
    p = Problem(data)
    activation = drawn_activation(p)
    form, x, w, b, window = problem(p, dims)
    wanted = oracle(dims, *window)
    p.option("algorithm", "auto", lambda: p.choice(("direct", "im2col", "tiled")))
    (plain,) = wanted(x, w, None, None)
    residual = p.values(plain.shape) if p.chance() else None
    if residual is not None:
        p.keywords["residual"] = p.laid(form.put(residual))
    arrays = [p.laid(form.put(x)), p.laid(w), None if b is None else p.laid(b)]
    beside = [] if b is None else ["bias"]
    p.noted(name, *beside)
    forward, backward = (getattr(fc, f"{name}{end}") for end in ("", "_backward"))

    y = forward(*arrays, **p.keywords, **p.out(form.put(plain).shape))
    if activation is None:
        multilinear(p, wanted, [form.get(y)], (x, w, b, residual))
    else:
        slack = activated(p, activation, wanted, form.get(y), (x, w, b, residual))

    gy = p.values(plain.shape)
    needs = p.option("needs", (True,) * 3, lambda: [p.chance() for _ in range(3)])
    if activation is not None and p.chance():
        p.keywords["output"] = p.laid(y)
    p.noted(name, *beside)
    got = list(backward(p.laid(form.put(gy)), *arrays, **p.keywords))
    kept = [*needs, True]
    got[0] = None if got[0] is None else form.get(got[0])
    if residual is not None:
        got[3] = form.get(got[3])

    def gradients(x, w, b, residual, gy):
        found = wanted(x, w, b, residual, gy)[1 : 4 + (residual is not None)]
        return [g if need else None for g, need in zip(found, kept)]

    if activation is not None:
        others = (x, w, b, residual)
        inner = activation.gradient(gy, wanted(*others)[0])
        multilinear(p, gradients, got, (*others, inner), slack, (*others, gy))
        return
    multilinear(p, gradients, got, (x, w, b, residual, gy))
    if p.dtype == np.float64:
        for extra in ("residual", "needs", "layout"):
            p.keywords.pop(extra, None)
        slope_is(lambda *a: forward(*a, **p.keywords), [x, w, b], got[:3], gy, 1.0,
                 64 * epsilon(float), p.rng)  # fmt: skip
