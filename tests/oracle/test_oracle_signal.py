"""`fastconv.signal` against SciPy, or else its formulas in NumPy."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from oracle.checks import agree, epsilon
from oracle.draws import DRAWN, Problem, examples, pairs_are_seen

from fastconv import signal
from fastconv.reference import signal as formulas

try:
    from scipy import ndimage
    from scipy import signal as scipy_signal
except ImportError:
    ndimage = scipy_signal = None

KINDS = ("float32", "float64", "uint8", "int8", "int16", "uint16", "int32", "uint32", "int64",
         "uint64", "complex64", "complex128", "bool")  # fmt: skip
MODES = ("reflect", "mirror", "nearest", "wrap", "constant", "grid-mirror", "grid-wrap",
         "grid-constant")  # fmt: skip


def numbers(p, shape, kind):
    """Of a dtype, sometimes so large that integers wrap around."""
    dtype = np.dtype(kind)
    if dtype.kind in "biu":
        high = min(np.iinfo(dtype).max, 2**40) if dtype.kind != "b" and p.int(0, 9) > 7 else 5
        low = 0 if dtype.kind in "bu" else -high
        return p.rng.integers(low, 2 if dtype.kind == "b" else high + 1, shape).astype(dtype)
    parts = [p.rng.integers(-4, 5, shape).astype(float) if p.whole else p.rng.normal(size=shape)
             for _ in range(2)]  # fmt: skip
    return (parts[0] + 1j * parts[1] if dtype.kind == "c" else parts[0]).astype(dtype)


def beside(got, wanted, sizes, terms, dtype):
    """Integers equal; sums of others within their bound, in the precision of the result."""
    assert got.dtype == wanted.dtype == dtype
    if dtype.kind in "biu":
        np.testing.assert_array_equal(got, wanted)
        return
    real = np.dtype(np.float32 if dtype.itemsize // (1 + (dtype.kind == "c")) == 4 else np.float64)
    bound = 4 * epsilon(real) * (np.sqrt(terms) + 2) * sizes
    for part in ("real", "imag")[: 1 + (dtype.kind == "c")]:
        agree(getattr(got, part), getattr(wanted, part).astype(np.float64), real, bound)


@pytest.mark.parametrize("name", ["convolve2d", "correlate2d"])
@examples(100)
@given(data=DRAWN)
def test_planes(name, data):
    p = Problem(data)
    kinds = [p.choice(KINDS), p.choice(KINDS)]
    if kinds == ["bool", "bool"]:
        kinds[1] = "int8"
    mode = p.option("mode", "full", lambda: p.choice(("valid", "same")))
    small = (p.int(1, 8), p.int(1, 8))
    large = (p.int(small[0], 25), p.int(small[1], 25))
    shapes = [small, large] if p.int(0, 4) == 4 else [large, small]
    arrays = [numbers(p, shape, kind) for shape, kind in zip(shapes, kinds)]
    boundary = p.option("boundary", "fill", lambda: p.choice(("wrap", "symm")))
    common = np.result_type(*arrays)
    p.option("fillvalue", 0, lambda: p.choice((1, 2, 0)))
    p.noted(name)
    if shapes[0] == small and boundary != "fill" and mode != "valid":
        arrays.reverse()
    got = getattr(signal, name)(*(p.laid(a) for a in arrays), **p.keywords)
    if scipy_signal is None:
        if common.kind in "fiu":
            wanted = getattr(formulas, name)(*arrays, **p.keywords).astype(common)
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wanted = getattr(scipy_signal, name)(*arrays, **p.keywords)
    terms = arrays[1].size if mode != "valid" else min(a.size for a in arrays)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sizes = getattr(formulas, name)(*(np.abs(a).astype(float) for a in arrays), **p.keywords)
    beside(got, wanted, sizes, terms, common)


def by_ndimage(name, x, w, keywords):
    """What SciPy gives; what it reflects wrongly, four lengths away (1.17), is put there."""
    pad = [(0, 0)] * x.ndim
    if keywords.get("mode", "reflect") in ("reflect", "grid-mirror"):
        pad = [(k // n * n, k // n * n) if k >= 4 * n else (0, 0) for k, n in zip(w.shape, x.shape)]
    got = getattr(ndimage, name)(np.pad(x, pad, "symmetric"), w, **keywords)
    return got[tuple(slice(low, low + n) for (low, _), n in zip(pad, x.shape))]


@pytest.mark.skipif(ndimage is None, reason="compares with SciPy")
@pytest.mark.parametrize("name", ["convolve", "correlate"])
@examples(100)
@given(data=DRAWN)
def test_filters(name, data):
    p = Problem(data)
    dims = p.int(1, 3)
    shape = tuple(p.int(1, (60, 25, 8)[dims - 1]) for _ in range(dims))
    kernel = tuple(p.int(1, (40, 9, 4)[dims - 1]) for _ in range(dims))
    kind = p.choice(KINDS[:-1])
    x = numbers(p, shape, kind)
    if x.dtype.kind in "iu":
        x = x % min(1000, np.iinfo(x.dtype).max)
    x = np.asarray(x, kind)
    w = numbers(p, kernel, p.choice(("float64", "float32", "int64") if p.int(0, 3) else
                                    ("complex128",)))  # fmt: skip
    if x.dtype.kind in "iu":  # a fraction is cut off, so sums must be exact
        w = np.round(w * 4) / 4 if w.dtype.kind == "f" else np.round(w)
        w = np.clip(w, -50, 50) if w.dtype.kind == "i" else w
    w = np.where(p.rng.random(kernel) < p.choice((0, 0.3)), 0, w).astype(w.dtype)
    p.option("mode", "reflect", lambda: p.choice(MODES))
    p.option("cval", 0.0, lambda: p.choice((1.0, -2, 0.25)))
    if p.chance():
        reach = [((n - 1) // 2 if name == "correlate" else n // 2) for n in kernel]
        low = [-(n // 2) if name == "correlate" else -((n - 1) // 2) for n in kernel]
        if name == "convolve":
            reach = [(n - 1) // 2 if n % 2 else n // 2 - 1 for n in kernel]
        p.keywords["origin"] = p.as_given(tuple(p.int(a, b) for a, b in zip(low, reach)))
    turns_complex = "c" in (x.dtype.kind, w.dtype.kind)
    if not turns_complex:
        p.option("output", None, lambda: p.choice((np.float64, np.float32)))
    p.noted(name)
    origin = p.keywords.get("origin", 0)
    origin = int(origin) if np.ndim(origin) == 0 else [int(n) for n in origin]
    theirs = {**p.keywords, "origin": origin if np.ndim(origin) == 0 or len(origin) == dims else
              origin * dims}  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = by_ndimage(name, x, w, theirs)
        absolute = {**theirs, "cval": abs(theirs.get("cval", 0)), "output": np.float64}
        sizes = by_ndimage(name, np.abs(x).astype(float), np.abs(w).astype(float), absolute)
        got = getattr(signal, name)(p.laid(x), p.laid(w), **p.keywords)
    beside(got, wanted, sizes, w.size, wanted.dtype)


def test_all_pairs_of_arguments_were_drawn():
    for name in ("convolve2d", "correlate2d", "convolve", "correlate"):
        pairs_are_seen(name)
