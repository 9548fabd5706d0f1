"""Average, Lp and adaptive pooling against torch's, or else the NumPy reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from oracle.checks import agree, bound_of, derived, epsilon, slope_is, torch, wide
from oracle.draws import DRAWN, Problem, examples, pairs_are_seen
from oracle.pools import MORE, counts, flat, image, overhang, window

import fastconv as fc
from fastconv import reference


def sums_of_windows(dims, x, how):
    """The sum over each window in torch: a convolution of each channel with ones."""
    kernel, stride, pairs, dilation, _ = how
    past = overhang(x.shape[2:], *how)
    around = [(before, after + more) for (before, after), more in zip(pairs, past)]
    padded = torch.nn.functional.pad(x, flat(around))
    ones = torch.ones((x.shape[1], 1, *kernel), dtype=x.dtype)
    conv = getattr(torch.nn.functional, f"conv{dims}d")
    return conv(padded, ones, None, stride, 0, dilation, x.shape[1])


def divisors(size, how, count_include_pad, override):
    """By torch's rule: the taps inside the image, or inside the image and its padding."""
    if override is not None:
        return np.float64(override)
    kernel, stride, pairs, dilation, _ = how
    product = np.ones(())
    terms = zip(counts(size, *how), size, kernel, stride, pairs, dilation)
    for o, n, k, s, (before, after), d in terms:
        taps = np.arange(o)[:, None] * s + np.arange(k) * d - before
        low, high = (-before, n + after) if count_include_pad else (0, n)
        product = np.multiply.outer(product, ((taps >= low) & (taps < high)).sum(axis=1))
    return product


@pytest.mark.parametrize("dims", [1, 2, 3])
@examples(60)
@given(data=DRAWN)
def test_avg_pool(dims, data):
    p = Problem(data)
    form = p.form(dims)
    kernel_size, how, padding, size = window(p, dims)
    count_include_pad = p.option("count_include_pad", True, lambda: False)
    override = None
    if dims > 1:
        override = p.option(
            "divisor_override", None, lambda: p.choice((1, 2, -3, 7, np.int64(5), 10**6))
        )
    x = image(p, form, size)
    p.noted(f"avg_pool{dims}d")
    kernel, stride, _, dilation, ceil_mode = how
    over = divisors(size, how, count_include_pad, override)
    share = np.where(over == 0, 0, 1 / np.where(over == 0, 1, over))

    def wanted(x, gy=None):
        if torch is not None:
            return derived(lambda t: sums_of_windows(dims, t, how) * torch.from_numpy(share), gy, x)
        options = (kernel, stride, padding, ceil_mode, count_include_pad, override)
        y = getattr(reference, f"avg_pool{dims}d")(x, *options[: 5 + (dims > 1)], dilation=dilation)
        if gy is None:
            return (y,)
        back = getattr(reference, f"avg_pool{dims}d_backward")
        return y, back(gy, x, *options[: 5 + (dims > 1)], dilation=dilation)

    (plain,) = wanted(x)
    given_x = p.laid(form.put(x))
    forward, backward = (getattr(fc, f"avg_pool{dims}d{end}") for end in ("", "_backward"))
    exact = p.whole and override == 1
    p.whole = exact
    y = forward(given_x, kernel_size, **p.keywords, **p.out(form.put(plain).shape))
    sign = np.sign(1.0 if override is None else override)
    terms = (np.prod(kernel),) * 2

    def bounded(got, pick, *arrays):
        sizes = wanted(*(np.abs(wide(a)) for a in arrays))[pick] * sign
        bound = 0.0 if exact else bound_of(p.dtype, terms[0], sizes)
        agree(got, wanted(*(wide(a) for a in arrays))[pick], p.dtype, bound)

    bounded(form.get(y), 0, x)
    gy = p.values(plain.shape)
    gx = form.get(backward(p.laid(form.put(gy)), given_x, kernel_size, **p.keywords))
    bounded(gx, 1, x, gy)
    if p.dtype == np.float64:
        p.keywords.pop("layout", None)
        slope_is(lambda a: forward(a, kernel_size, **p.keywords), [x], [gx], gy, 1.0,
                 64 * epsilon(float), p.rng)  # fmt: skip


@pytest.mark.parametrize("dims", [1, 2, 3])
@examples(40)
@given(data=DRAWN)
def test_lp_pool(dims, data):
    p = Problem(data)
    form = p.form(dims)
    kernel_size, how, padding, size = window(p, dims)
    norm = p.choice((1, 2, 2.0, 3, 4, 1.5, 0.5, 2.5, np.inf, np.float32(2)))
    even = float(norm) in (2.0, 4.0)
    x = image(p, form, size, whole=p.whole, low=-4 if even or norm in (1, np.inf) else 0)
    if not even and norm not in (1, np.inf):
        x = np.abs(x)
    p.noted(f"lp_pool{dims}d")
    kernel, stride, pairs, dilation, ceil_mode = how
    forward, backward = (getattr(fc, f"lp_pool{dims}d{end}") for end in ("", "_backward"))
    past = (kernel, stride, ceil_mode)
    mine = {"padding": padding, "dilation": dilation}
    wanted = getattr(reference, f"lp_pool{dims}d")(wide(x), norm, *past, **mine)
    given_x = p.laid(form.put(x))
    y = form.get(forward(given_x, norm, kernel_size, **p.keywords,
                         **p.out(form.put(wanted).shape)))  # fmt: skip
    # The power and the root bring a few roundings; a root's error is 1 / norm of its argument's.
    steps = bound_of(p.dtype, np.prod(kernel), 1.0) * max(1, 1 / norm) + 16 * epsilon(p.dtype)
    size_of = np.abs(wanted)
    if norm == 1:  # a sum with signs: the error is of its terms' sizes
        size_of = getattr(reference, f"lp_pool{dims}d")(np.abs(wide(x)), norm, *past, **mine)
    agree(y, wanted, p.dtype, steps * size_of)

    gy = p.values(wanted.shape)
    gx = form.get(backward(p.laid(form.put(gy)), given_x, norm, kernel_size, **p.keywords))
    back = getattr(reference, f"lp_pool{dims}d_backward")
    slopes = back(wide(gy), wide(x), norm, *past, **mine)
    sizes = back(np.abs(wide(gy)), np.abs(wide(x)), norm, *past, **mine)
    if norm != 1:
        agree(gx, slopes, p.dtype, (norm + 2) * steps * np.abs(sizes) if norm < np.inf else
              bound_of(p.dtype, np.prod(kernel), np.abs(sizes)))  # fmt: skip
    simple = not any(map(any, pairs)) and set(dilation) == {1} and 1 < norm < np.inf and x.size
    if torch is None or not simple or norm not in (2, 3, 4):
        return
    pool = getattr(torch.nn.functional, f"lp_pool{dims}d")
    one = (kernel[0], stride[0], ceil_mode) if dims == 1 else past
    theirs = derived(lambda t: pool(t, float(norm), *one), gy, x)
    agree(y, theirs[0], p.dtype, steps * np.abs(theirs[0]) + epsilon(p.dtype))
    regular = np.isfinite(theirs[1])
    agree(gx[regular], theirs[1][regular], p.dtype, (norm + 2) * steps * np.abs(sizes[regular])
          + epsilon(p.dtype))  # fmt: skip


@pytest.mark.parametrize("kind", ["avg", "max"])
@pytest.mark.parametrize("dims", [1, 2, 3])
@examples(40)
@given(data=DRAWN)
def test_adaptive_pool(kind, dims, data):
    p = Problem(data)
    form = p.form(dims)
    size = tuple(p.int(1, MORE[dims]) for _ in range(dims))
    output = tuple(p.choice((1, 1, 2, 3, 5, 7, n, n + 2)) for n in size)
    x = image(p, form, size)
    if kind == "max" and not p.whole and p.chance():
        x = np.where(p.rng.random(x.shape) < 0.2, p.choice((np.nan, -np.inf)), x).astype(p.dtype)
    given = tuple(None if o == n and p.chance() else o for o, n in zip(output, size))
    if None not in given:
        given = p.as_given(given)
    elif set(given) == {None} and p.chance():
        given = None
    name = f"adaptive_{kind}_pool{dims}d"
    p.option("return_indices", False, lambda: True) if kind == "max" else None
    p.noted(name)
    forward, backward = (getattr(fc, f"{name}{end}") for end in ("", "_backward"))
    options = [output] + ([True] if kind == "max" else [])
    wanted = getattr(reference, name)(x, *options)
    wanted, places = wanted if kind == "max" else (wanted, None)
    theirs = getattr(torch.nn.functional, name) if torch is not None and x.size else None
    given_x = p.laid(form.put(x))
    y = forward(given_x, given, **p.keywords, **p.out(form.put(wanted).shape))
    gy = p.values(wanted.shape)
    most = np.prod([n // o + 2 for n, o in zip(size, output)])
    if kind == "max":
        y, indices = y if "return_indices" in p.keywords else (y, None)
        agree(form.get(y), wanted, p.dtype)
        if indices is not None:
            np.testing.assert_array_equal(form.get(indices), places)
            if p.chance():
                p.keywords["indices"] = p.laid(indices)
        if theirs and not np.isneginf(x).any():
            their_y, at = theirs(torch.from_numpy(wide(x)), output, True)
            agree(form.get(y), their_y.numpy(), p.dtype)
            np.testing.assert_array_equal(places, at.numpy())
        slopes = getattr(reference, f"{name}_backward")(wide(gy), wide(x), output)
        sizes = getattr(reference, f"{name}_backward")(np.abs(wide(gy)), wide(x), output)
        gx = form.get(backward(p.laid(form.put(gy)), given_x, given, **p.keywords))
        agree(gx, slopes, p.dtype, 0 if p.whole else bound_of(p.dtype, most, sizes))
        return
    gx = form.get(backward(p.laid(form.put(gy)), given_x, given, **p.keywords))
    p.whole = False  # means are broken numbers

    def means(x, gy):
        if theirs:
            return derived(lambda t: theirs(t, output), gy, x)
        return (getattr(reference, name)(x, output),
                getattr(reference, f"{name}_backward")(gy, x, output))  # fmt: skip

    for got, pick in ((form.get(y), 0), (gx, 1)):
        sizes = means(np.abs(wide(x)), np.abs(wide(gy)))[pick]
        agree(got, means(wide(x), wide(gy))[pick], p.dtype, bound_of(p.dtype, most, sizes))
    if p.dtype == np.float64:
        p.keywords.pop("layout", None)
        slope_is(lambda a: forward(a, given), [x], [gx], gy, 1.0, 64 * epsilon(float), p.rng)


def test_all_pairs_of_arguments_were_drawn():
    for dims in (1, 2, 3):
        for name in ("avg_pool", "lp_pool", "adaptive_avg_pool", "adaptive_max_pool"):
            pairs_are_seen(f"{name}{dims}d")
