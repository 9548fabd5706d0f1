"""`fastconv.signal` against SciPy and against its formula, over drawn problems; dtypes, exact
integers, borders, errors.
"""

from __future__ import annotations

import inspect
import itertools
import warnings

import numpy as np
import pytest

import fastconv as fc
import fastconv.reference.signal as formula
from fastconv import signal
from fastconv.signal import _sums
from fastconv.signal._extension import Extension

DRAWS = 3000  # a function
PLANES = ["convolve2d", "correlate2d"]
FILTERS = ["convolve", "correlate"]
BOUNDARIES = ["fill", "wrap", "symm"]
MODES = ["reflect", "constant", "nearest", "mirror", "wrap"]
ALIASES = ["grid-mirror", "grid-constant", "grid-wrap"]


def draw(rng, shape, dtype):
    """Small numbers; floats of 12 bits or so, of which products and sums still round."""
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    if dtype.kind in "iu":
        low = 0 if dtype.kind == "u" else -9
        return rng.integers(low, 10, shape).astype(dtype)
    values = rng.standard_normal(shape)
    if dtype.kind == "c":
        values = values + 1j * rng.standard_normal(shape)
    return values.astype(dtype)


def agrees(got, wanted, bound):
    """Type, shape, and values: equal for integers, within `bound` elsewhere."""
    assert (got.dtype, got.shape) == (wanted.dtype, wanted.shape)
    if got.dtype.kind in "biu":
        np.testing.assert_array_equal(got, wanted)
    else:
        assert np.all(np.abs(got - wanted) <= bound)


def sum_bound(dtype, taps, magnitude):
    """``2 eps (sqrt(taps) + 2) |x| * |w|``; complex sums have twice the terms, and two parts."""
    dtype = np.dtype(dtype)
    terms, parts = (2 * taps, 2) if dtype.kind == "c" else (taps, 1)
    return 2 * parts * np.finfo(dtype).eps * (np.sqrt(terms) + 2) * magnitude


def plane_problem(rng):
    types = ["uint8", "int16", "int32", "int64", "uint16", "bool", "float32", "float64",
             "complex64", "complex128", "longdouble"]  # fmt: skip
    dtypes = rng.choice(types, 2)
    if (dtypes == "bool").all():
        dtypes[1] = "int8"
    a, b = rng.integers(1, 12, 2), rng.integers(1, 8, 2)
    mode = str(rng.choice(["full", "same", "valid"]))
    if mode == "valid":
        a = np.maximum(a, b)
        if rng.random() < 0.3:
            a, b = b, a
    elif rng.random() < 0.2:
        a, b = b, a
    fill = int(rng.integers(0, 5)) * int(rng.random() < 0.6)
    x, w = draw(rng, tuple(a), dtypes[0]), draw(rng, tuple(b), dtypes[1])
    if rng.random() < 0.3:
        x, w = x[::-1], w[:, ::-1]
    return x, w, mode, str(rng.choice(BOUNDARIES)), fill


@pytest.mark.parametrize("name", PLANES)
def test_planes_are_scipys(name):
    scipy_signal = pytest.importorskip("scipy.signal")
    rng = np.random.default_rng(5)
    for _ in range(DRAWS):
        x, w, *options = plane_problem(rng)
        got = getattr(signal, name)(x, w, *options)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wanted = getattr(scipy_signal, name)(x, w, *options)
            of_sizes = getattr(scipy_signal, name)(
                np.abs(x).astype(float), np.abs(w).astype(float), *options
            )
        bound = 0
        if got.dtype.kind in "fc":
            bound = sum_bound(got.dtype, min(x.size, w.size), of_sizes)
        agrees(got, wanted, bound)


@pytest.mark.parametrize("name", PLANES)
def test_planes_are_their_formula(name):
    rng = np.random.default_rng(6)
    for _ in range(400):
        x, w, *options = plane_problem(rng)
        if "c" in x.dtype.kind + w.dtype.kind:
            continue
        got = getattr(signal, name)(x, w, *options)
        wanted = getattr(formula, name)(x, w, *options)
        of_sizes = getattr(formula, name)(
            np.abs(x).astype(float), np.abs(w).astype(float), *options
        )
        bound = 0
        if got.dtype.kind == "f":
            bound = sum_bound(got.dtype, min(x.size, w.size), of_sizes)
        agrees(got, wanted, bound)


def filter_problem(rng, complex_too=True):
    types = ["uint8", "int8", "uint16", "int32", "int64", "bool", "float32", "float64"]
    types += ["complex64", "complex128"] if complex_too else []
    dims = int(rng.integers(1, 4))
    x = draw(rng, tuple(rng.integers(1, 10 if dims < 3 else 6, dims)), rng.choice(types))
    kinds = ["int64", "float64", "float32"] + (["complex128"] if complex_too else [])
    w = draw(rng, tuple(rng.integers(1, 7 if dims < 3 else 4, dims)), rng.choice(kinds))
    w = np.where(rng.random(w.shape) < 0.2, 0, w)
    if x.dtype.kind in "biu" and w.dtype.kind == "f":
        w = np.round(4 * w) / 4  # sums are exact, so that what is cut off is the same
    if x.dtype.kind in "biu" and w.dtype.kind == "c":
        w = np.round(w)
    return x, w


def filter_options(rng, name, x, w, modes):
    least = [-(n // 2) for n in w.shape]
    most = [(n - 1) // 2 for n in w.shape]
    if name == "convolve":
        least, most = [-b for b in most], [-a for a in least]
        most = [b if n % 2 else b - 1 for b, n in zip(most, w.shape)]
    origin = tuple(int(rng.integers(a, b + 1)) for a, b in zip(least, most))
    return {
        "mode": str(rng.choice(modes)),
        "cval": float(rng.integers(-3, 4)) if rng.random() < 0.7 else 0.25,
        "origin": origin if rng.random() < 0.7 else 0,
    }


@pytest.mark.parametrize("name", FILTERS)
def test_filters_are_scipys(name):
    ndimage = pytest.importorskip("scipy.ndimage")
    rng = np.random.default_rng(7)
    for _ in range(DRAWS):
        x, w = filter_problem(rng)
        options = filter_options(rng, name, x, w, MODES + ALIASES)
        if "c" in x.dtype.kind + w.dtype.kind:
            options["output"] = None
        else:
            options["output"] = rng.choice([None, "float64", "float32", "int32", "uint8"])
        got = getattr(signal, name)(x, w, **options)
        wanted = getattr(ndimage, name)(x, w, **options)
        if got.dtype.kind in "iu" and x.dtype.kind == "f":
            exact = getattr(ndimage, name)(x, w, **{**options, "output": "float64"})
            near = np.abs(exact - np.round(exact)) < 1e-9  # cut off on either side
            got, wanted = np.where(near, 0, got), np.where(near, 0, wanted)
        bound = 0
        if got.dtype.kind in "fc":
            options["output"], options["cval"] = None, abs(options["cval"])
            of_sizes = getattr(ndimage, name)(np.abs(x).astype(float), np.abs(w), **options)
            bound = sum_bound(got.dtype, w.size, of_sizes)
        agrees(got, wanted, bound)


@pytest.mark.parametrize("name", FILTERS)
def test_filters_are_their_formula(name):
    rng = np.random.default_rng(8)
    for _ in range(400):
        x, w = filter_problem(rng, complex_too=False)
        if x.dtype.kind == "b":
            continue
        options = filter_options(rng, name, x, w, MODES)
        options["origin"] = options["origin"] or None
        wanted = getattr(formula, name)(x, w, **options)
        of_sizes = getattr(formula, name)(
            np.abs(x).astype(float), np.abs(w), **{**options, "cval": abs(options["cval"])}
        )
        got = getattr(signal, name)(x, w, **{**options, "origin": options["origin"] or 0})
        bound = 0 if got.dtype.kind != "f" else sum_bound(got.dtype, w.size, of_sizes)
        agrees(got, wanted, bound)


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("mode", MODES)
def test_a_kernel_that_reaches_over_the_input_many_times(name, mode):
    """Not SciPy's: where that is over four times the size, its own "reflect" reads elsewhere."""
    rng = np.random.default_rng(9)
    for size, taps in itertools.product((1, 2, 3, 5), (7, 8, 16, 17, 40)):
        x, w = (draw(rng, n, "float64") for n in (size, taps))
        wanted = getattr(formula, name)(x, w, mode=mode)
        of_sizes = getattr(formula, name)(np.abs(x), np.abs(w), mode=mode)
        agrees(getattr(signal, name)(x, w, mode=mode), wanted, sum_bound(x.dtype, taps, of_sizes))


@pytest.mark.parametrize("size", [(300, 301), (70000,), (45, 40, 41)])
@pytest.mark.parametrize("mode", MODES)
def test_a_border_that_is_computed_apart(monkeypatch, isa, size, mode):
    """Of whole numbers, equal to the sums over the padded array."""
    monkeypatch.setattr(_sums, "_SMALL_KERNEL", 100)
    rng = np.random.default_rng(9)
    for kernel, dtype in itertools.product((1, 2, 3, 4), (np.float32, np.float64)):
        x = rng.integers(-9, 10, size).astype(dtype)
        w = rng.integers(-9, 10, (kernel,) * len(size)).astype(dtype)
        beyond = Extension(mode, 7, tuple((n // 2, n - 1 - n // 2) for n in w.shape))
        assert x.size >= _sums._LARGE_PLANE
        assert _sums._border_is_apart(x, w, beyond)
        got = _sums.float_sums(x, w, beyond, dtype)
        wanted = _sums.tap_sums(x, w, beyond, np.int64)
        np.testing.assert_array_equal(got, wanted)
        assert kernel == 1 or not _sums._border_is_apart(x[:1], w, beyond)


@pytest.mark.parametrize("shape", [(30, 40), (31, 40), (33, 17), (9, 9), (10, 9)])
def test_rows_that_are_computed_in_pairs(isa, dtype, shape):
    """Equal on whole numbers; and what is not finite stays where it belongs."""
    rng = np.random.default_rng(4)
    for kernel in ((8, 2), (8, 9), (9, 8)):
        beyond = Extension("reflect", 0, ((4, 3), (2, 0)))
        x, w = rng.integers(-9, 10, shape).astype(dtype), rng.integers(-9, 10, kernel).astype(dtype)
        assert _sums._pairs_serve(x, w, beyond)
        got = _sums.float_sums(x, w, beyond, dtype)
        np.testing.assert_array_equal(got, _sums.tap_sums(x, w, beyond, np.int64))
        w[w == 0] = 1
        for bad in (np.nan, np.inf):
            x[4, 5] = bad
            got = _sums.float_sums(x, w, beyond, dtype)
            np.testing.assert_array_equal(got, _sums.tap_sums(x, w, beyond, dtype))


@pytest.mark.parametrize(
    ("size", "dtype"), [(2**10, np.int64), (2**22, np.int64), (2**40, np.int64), (2**63, np.uint64)]
)
def test_integers_are_exact_or_wrap(size, dtype):
    """Where float32 holds the sums, where float64 does, and where neither does."""
    rng = np.random.default_rng(3)
    x = rng.integers(0, size, (9, 8), np.uint64 if dtype is np.uint64 else np.int64)
    w = rng.integers(0, size, (3, 4), np.uint64 if dtype is np.uint64 else np.int64)
    wanted = np.zeros((11, 11), object)
    for i, j in np.ndindex(w.shape):
        wanted[i : i + 9, j : j + 8] += x.astype(object) * int(w[i, j])
    wanted = (wanted % 2**64).astype(np.uint64).astype(dtype)
    np.testing.assert_array_equal(signal.convolve2d(x, w), wanted)


def test_a_small_type_wraps():
    x = np.full((3, 3), 200, np.uint8)
    np.testing.assert_array_equal(
        signal.convolve2d(x, x, "valid"), np.array([[200 * 200 * 9 % 256]])
    )
    assert signal.convolve2d(np.int8([[-128]]), np.int8([[-128]]))[0, 0] == 0


def test_what_no_weight_lies_on_has_no_part():
    x = np.array([1.0, np.nan, 3, np.inf, 5, 6])
    np.testing.assert_array_equal(
        signal.correlate(x, [1, 0, 1], mode="constant"), [np.nan, 4, np.nan, 8, np.inf, 5]
    )


def test_output_is_filled_and_returned():
    x, target = np.arange(5), np.zeros(5, np.float32)
    assert signal.correlate(x, [1, 2], output=target) is target
    np.testing.assert_array_equal(target, [0, 2, 5, 8, 11])
    signal.correlate(target, [1, 2], output=target)  # SciPy takes its own input too
    np.testing.assert_array_equal(target, [0, 4, 12, 21, 30])


@pytest.mark.parametrize(
    ("axes", "origin"), [((0, 1), (0, -1)), ((1,), 0), ((-1,), 0), ((0, -1), 0), (None, 0)]
)
def test_axes_are_scipys(axes, origin):
    ndimage = pytest.importorskip("scipy.ndimage")
    x = np.random.default_rng(2).integers(0, 9, (5, 6, 3))
    for w in (np.arange(1, 3), np.arange(1, 5).reshape(2, 2), np.arange(1, 9).reshape(2, 2, 2)):
        if w.ndim != (3 if axes is None else np.size(axes)):
            continue
        for name in FILTERS:
            shift = 0 if name == "convolve" else origin
            got = getattr(signal, name)(x, w, axes=axes, origin=shift)
            try:
                wanted = getattr(ndimage, name)(x, w, axes=axes, origin=shift)
            except TypeError:
                pytest.skip("a SciPy without axes")
            np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("name", PLANES)
def test_an_empty_plane(name):
    assert getattr(signal, name)(np.zeros((0, 3)), np.ones((2, 2))).tolist() == [[0, 0, 0, 0]]
    with pytest.raises(ValueError, match=rf"{name}: in1 has shape \(0, 3\)"):
        getattr(signal, name)(np.zeros((0, 3)), np.ones((2, 2)), boundary="wrap")
    assert signal.convolve(np.zeros((0, 3)), np.ones((2, 2))).shape == (0, 3)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_bits_do_not_depend_on_threads(threads, count):
    x = np.random.default_rng(1).standard_normal((300, 257)).astype(np.float32)
    w = x[:7, :7]
    results = []
    for n in (1, count):
        fc.set_num_threads(n)
        results.append((signal.convolve2d(x, w), signal.correlate(x, w)))
    for first, again in zip(*results):
        np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("name", PLANES)
def test_the_smaller_plane_slides(name):
    """As slow as it looks otherwise: a million taps for each of a million places."""
    rng = np.random.default_rng(10)
    small, large = rng.integers(-9, 9, (3, 4)), rng.integers(-9, 9, (700, 900))
    got = getattr(signal, name)(small, large)
    wanted = getattr(signal, name)(large, small)
    np.testing.assert_array_equal(got, wanted if name == "convolve2d" else wanted[::-1, ::-1])


@pytest.mark.parametrize("name", PLANES + FILTERS)
def test_arguments_are_scipys(name):
    words = "in1, in2, mode='full', boundary='fill', fillvalue=0"
    if name in FILTERS:
        words = "input, weights, output=None, mode='reflect', cval=0.0, origin=0, *, axes=None"
    parameters = inspect.signature(getattr(fc.signal, name)).parameters.values()
    plain = [p.replace(annotation=inspect.Parameter.empty) for p in parameters]
    assert str(inspect.Signature(plain)) == f"({words})"


P = np.ones((3, 4))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: signal.convolve2d(P[0], P), ValueError, r"convolve2d: in1 has shape \(4,\)"),
        (lambda: signal.convolve2d(P, P, "narrow"), ValueError, "mode is 'narrow'"),
        (lambda: signal.convolve2d(P, P, boundary="x"), ValueError, "boundary is 'x'"),
        (lambda: signal.convolve2d(P, P.T, "valid"), ValueError, r"\(3, 4\), in2 has shape \(4, 3"),
        (lambda: signal.convolve2d(P, P[:0]), ValueError, r"in2 has shape \(0, 4\)"),
        (lambda: signal.convolve2d(P, P, fillvalue=[1, 2]), ValueError, r"fillvalue is \[1, 2\]"),
        (lambda: signal.convolve2d(P, P, fillvalue=1j), ValueError, "wanted a real number"),
        (lambda: signal.convolve2d(P > 0, P > 0), TypeError, "in1 is bool, in2 is bool"),
        (lambda: signal.convolve2d(P.astype("e"), P.astype("e")), TypeError, "float16"),
        (lambda: signal.convolve2d(P.astype("B"), P.astype("B"), fillvalue=-1), ValueError,
         "fillvalue is -1"),
        (lambda: signal.convolve2d("image", P), TypeError, "in1 is a str"),
        (lambda: signal.correlate2d([[1, 2], [3]], P), ValueError, "in1 is a ragged list"),
        (lambda: signal.correlate(P, P[0]), ValueError, r"weights have shape \(4,\)"),
        (lambda: signal.correlate(P, P[:0]), ValueError, r"weights have shape \(0, 4\)"),
        (lambda: signal.correlate(P, P, mode="x"), ValueError, "mode is 'x'"),
        (lambda: signal.correlate(P, P, mode=["wrap"]), ValueError, r"mode is \['wrap'\]"),
        (lambda: signal.correlate(P, P, origin=2), ValueError, "origin is 2"),
        (lambda: signal.correlate(P, P, origin=(0, 0, 0)), ValueError, "origin"),
        (lambda: signal.correlate(P, P, cval=1j), ValueError, "cval is 1j"),
        (lambda: signal.correlate(P, P, output=P[0].copy()), ValueError, r"has shape \(4,\)"),
        (lambda: signal.correlate(P, P * 1j, output=np.zeros((3, 4))), TypeError, "a complex one"),
        (lambda: signal.correlate(P.astype("g"), P), TypeError, "input has dtype"),
        (lambda: signal.correlate(P[None, None], P), ValueError, "one to three"),
        (lambda: signal.correlate(P, P, axes=(0, 2)), ValueError, r"axes is \(0, 2\)"),
        (lambda: signal.correlate(P, P, axes=(0, -2)), ValueError, "wanted different ones"),
    ],
)  # fmt: skip
def test_errors_name_what_is_wrong(call, error, words):
    with pytest.raises(error, match=words):
        call()
