"""What a result is held against: equality for whole numbers, one bound for others.

A sum of K products may lie ``2 eps (sqrt(K) + 2)`` of the products' sizes from its true value.
"""

from __future__ import annotations

import numpy as np

try:
    import torch
except ImportError:  # then the NumPy reference is the oracle
    torch = None  # type: ignore[assignment]


def wide(array):
    """In float64, in memory of its own; None stays."""
    return None if array is None else np.array(array, np.float64)


def tensors(*arrays):
    return [None if a is None else torch.from_numpy(wide(a)).requires_grad_() for a in arrays]


def derived(f, grad_output, *arrays):
    """``(f(*arrays), its gradients...)`` by torch in float64; None for an array that is None.

    Without `grad_output` of the function's value alone.
    """
    given = tensors(*arrays)
    y = f(*given)
    if grad_output is None:
        return (y.detach().numpy(),)
    wanted = [t for t in given if t is not None]
    gradients = iter(
        torch.autograd.grad(y, wanted, torch.from_numpy(wide(grad_output)), allow_unused=True)
    )
    found = [None if t is None else next(gradients) for t in given]
    return (
        y.detach().numpy(),
        *(
            None if t is None else (torch.zeros_like(t) if g is None else g).detach().numpy()
            for t, g in zip(given, found)
        ),
    )


def epsilon(dtype):
    return float(np.finfo(dtype).eps)


def bound_of(dtype, terms, sizes):
    return 2 * epsilon(dtype) * (np.sqrt(terms) + 2) * sizes


def agree(got, wanted, dtype, bound=0.0):
    """Equal, or finite and no farther than `bound`; NaN and infinities where they are wanted."""
    assert got.dtype == dtype
    assert got.shape == wanted.shape
    with np.errstate(invalid="ignore", over="ignore"):
        rounded = wanted.astype(dtype)
        near = np.abs(got - wanted) <= bound
    fits = near | (got == rounded) | (np.isnan(got) & np.isnan(wanted))
    if not fits.all():
        place = tuple(int(i) for i in np.argwhere(~fits)[0])
        limit = np.broadcast_to(bound, wanted.shape)[place]
        raise AssertionError(
            f"at {place} of {got.shape}: {got[place]!r}, wanted {wanted[place]!r} "
            f"to within {limit!r}; {np.sum(~fits)} places differ"
        )


def multilinear(p, oracle, got, arrays, slack=None, before=None):
    """Each of `got` beside `oracle(*arrays)`, a tuple of sums of products of the arrays.

    The sums of ones count their terms, and those of absolute values tell their sizes; `slack` is a
    relative error that the operands bring with them, in the sizes of those of `before`.
    """
    wanted = oracle(*(wide(a) for a in arrays))
    assert len(got) == len(wanted)
    if p.whole and slack is None:
        bounds = [0.0] * len(wanted)
    else:
        absolute = [None if a is None else np.abs(wide(a)) for a in before or arrays]
        sizes = oracle(*absolute)
        terms = oracle(*(None if a is None else np.ones(a.shape) for a in arrays))
        bounds = [
            None if k is None else bound_of(p.dtype, k, size) + (slack or 0) * size
            for k, size in zip(terms, sizes)
        ]
    for mine, wish, bound in zip(got, wanted, bounds):
        assert (mine is None) == (wish is None)
        if wish is not None:
            agree(mine, wish, p.dtype, bound)


def slope_is(f, arrays, gradients, grad_output, step, tolerance, rng):
    """<f(a + h v) - f(a - h v), gy> / 2 h = <gradients, v> for a random v, in float64.

    For sums of products of two arrays the quotient is the adjoint identity, true for any step.
    """
    moved = [
        None if g is None else rng.integers(-3, 4, a.shape).astype(float)
        for a, g in zip(arrays, gradients)
    ]
    ends = []
    for sign in (1, -1):
        at = [a if v is None else a + sign * step * v for a, v in zip(arrays, moved)]
        ends.append(np.sum(f(*at) * grad_output))
    quotient = (ends[0] - ends[1]) / (2 * step)
    products = [g * v for g, v in zip(gradients, moved) if v is not None]
    size = sum(np.abs(product).sum() for product in products) + np.abs(ends).max() + 1
    assert abs(quotient - sum(product.sum() for product in products)) <= tolerance * size


def last_in_memory(y, channels=1):
    """Whether the channels lie innermost."""
    return np.moveaxis(y, channels, -1).flags.c_contiguous
