"""The convolution kernels: every ISA, every tile edge, every argument, exact on integers."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from naive import naive_conv, naive_conv_backward

import fastconv as fc
from fastconv import reference

VECTOR_BYTES = {"avx512": 64, "avx2": 32, "baseline": 16, "neon": 16}
ALGORITHMS = ("auto", "direct", "im2col", "tiled")
NAMES = ("output", "grad_input", "grad_weight", "grad_bias")


def integers(rng, shape, dtype, most=4):
    """Small integers, on which sums are exact in any order."""
    return rng.integers(-most, most + 1, shape).astype(dtype)


def equal(actual, expected, dtype, message=""):
    assert actual.dtype == dtype
    assert actual.shape == expected.shape, message
    np.testing.assert_array_equal(actual, expected, err_msg=message)


def all_directions(module, x, w, b, gy, *args, **how):
    return (
        module.conv2d(x, w, b, *args, **how),
        *module.conv2d_backward(gy, x, w, b, *args, **how),
    )


@pytest.fixture(params=ALGORITHMS)
def algorithm(request):
    return request.param


@pytest.mark.parametrize("out_channels", [*range(1, 18), 33])
def test_every_row_and_column_tail(isa, dtype, out_channels, algorithm):
    """All widths from one pixel to past the widest tile, for all heights of a tile."""
    lanes = VECTOR_BYTES[isa] // np.dtype(dtype).itemsize
    rng = np.random.default_rng(out_channels)
    widest = 8 * lanes + 2
    x = integers(rng, (1, 2, 1, widest + 2), dtype)
    w = integers(rng, (out_channels, 2, 1, 3), dtype)
    b = integers(rng, out_channels, dtype)
    pairs = ((0, 0), (0, 0))
    whole = naive_conv(x, w, b, (1, 1), pairs, (1, 1), 1)
    gy = integers(rng, whole.shape, dtype)
    for width in range(1, widest + 1):
        part = np.ascontiguousarray(x[..., : width + 2])
        equal(
            fc.conv2d(part, w, b, algorithm=algorithm), whole[..., :width], dtype, f"width {width}"
        )
        grad = np.ascontiguousarray(gy[..., :width])
        got = fc.conv2d_backward(grad, part, w, b, algorithm=algorithm)
        wanted = reference.conv2d_backward(*(a.astype(float) for a in (grad, part, w, b)))
        for name, g, wish in zip(NAMES[1:], got, wanted):
            equal(g, wish, dtype, f"{name}, width {width}")


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("dilation", [(1, 1), (2, 1), (1, 3)])
@pytest.mark.parametrize("padding", [((0, 0), (0, 0)), ((1, 2), (0, 1)), ((3, 0), (2, 4))])
@pytest.mark.parametrize("stride", [(1, 1), (2, 1), (2, 3), (4, 5)])
def test_against_naive_loops(isa, stride, padding, dilation, groups, algorithm):
    rng = np.random.default_rng(1)
    x = integers(rng, (2, 2 * groups, 7, 6), np.float32)
    w = integers(rng, (2 * groups, 2, 2, 2), np.float32)
    b = integers(rng, 2 * groups, np.float32)
    wanted = naive_conv(x, w, b, stride, padding, dilation, groups)
    gy = integers(rng, wanted.shape, np.float32)
    got = all_directions(fc, x, w, b, gy, stride, padding, dilation, groups, algorithm=algorithm)
    grads = naive_conv_backward(gy, x, w, stride, padding, dilation, groups)
    for name, g, wish in zip(NAMES, got, (wanted, *grads)):
        equal(g, wish, np.float32, name)


def random_problem(draw: random.Random, rng, dtype):
    groups = draw.choice([1, 1, 1, 2, 3, 5])
    channels = groups * draw.choice([1, 2, 3, 7, 20])
    out_channels = groups * draw.choice([1, 2, 3, 8, 9, 17])
    kernel = draw.randint(1, 5), draw.randint(1, 5)
    height, width = draw.randint(1, 24), draw.choice([1, 2, 5, 7, 15, 16, 17, 33, 50, 600])
    shape = (draw.choice([1, 1, 2, 3]), channels, height, width)
    x = integers(rng, shape, dtype)
    if draw.random() < 0.3:
        x = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    w = integers(rng, (out_channels, channels // groups, *kernel), dtype)
    b = integers(rng, out_channels, dtype)
    stride = draw.randint(1, 4), draw.randint(1, 4)
    padding = draw.choice([0, 1, (2, 1), ((1, 2), (0, 3)), "valid", "same", "same_lower", "full"])
    dilation = draw.randint(1, 3), draw.randint(1, 3)
    return x, w, b, stride, padding, dilation, groups


@pytest.mark.parametrize("seed", range(8))
def test_random_problems(isa, dtype, threads, seed, algorithm):
    """Any arguments, any number of threads; where the reference refuses, so do the kernels."""
    draw, rng = random.Random(seed), np.random.default_rng(seed)
    for _ in range(40):
        x, w, b, *args = random_problem(draw, rng, dtype)
        problem = f"{x.shape} {w.shape} {args}"
        fc.set_num_threads(draw.choice([1, 2, 3, 8]))
        try:
            wanted = reference.conv2d(x.astype(float), w, b, *args)
        except ValueError:
            with pytest.raises(ValueError, match="conv2d: the"):
                fc.conv2d(x, w, b, *args)
            continue
        gy = integers(rng, wanted.shape, dtype)
        got = all_directions(fc, x, w, b, gy, *args, algorithm=algorithm)
        x, w, b, gy = (a.astype(float) for a in (x, w, b, gy))
        grads = reference.conv2d_backward(gy, x, w, b, *args)
        for name, g, wish in zip(NAMES, got, (wanted, *grads)):
            equal(g, wish, dtype, f"{name} of {problem}")


@pytest.mark.parametrize("seed", range(4))
def test_weight_gradients_of_batches(isa, dtype, threads, seed):
    """Several images in one go, the input read in place where nothing has to be copied: planes with
    and without gaps, pages apart or not, channels in any order.
    """
    draw, rng = random.Random(seed), np.random.default_rng(seed)
    for _ in range(8):
        fc.set_num_threads(draw.choice([1, 2, 3, 8]))
        n, ic, oc = draw.randint(2, 9), draw.choice([1, 3, 6, 70]), draw.choice([16, 33, 130])
        side, kernel = draw.choice([3, 7, 13, 32]), draw.choice([1, 1, 2, 3])
        stride, padding = draw.choice([1, 1, 2]), draw.choice([0, 0, kernel // 2])
        gap = draw.choice([0, 0, 5])
        x = integers(rng, (n, ic, side, side + gap), dtype)[..., :side]
        if draw.random() < 0.3:
            x = x.transpose(0, 2, 3, 1).copy().transpose(0, 3, 1, 2)
        w = integers(rng, (oc, ic, kernel, kernel), dtype)
        gy = integers(rng, reference.conv2d(x, w, None, stride, padding).shape, dtype)
        got = fc.conv2d_backward(gy, x, w, None, stride, padding, needs=(False, True, False))[1]
        expected = reference.conv2d_backward(gy, x, w, None, stride, padding)[1]
        equal(got, expected, dtype, f"{x.shape} {x.strides} {w.shape} {stride} {padding}")


@pytest.mark.parametrize("seed", range(4))
def test_weight_gradients_of_groups_in_channels_last_memory(isa, dtype, threads, seed):
    """Few channels a group, more and fewer than a vector; as exact as in planes."""
    draw, rng = random.Random(seed), np.random.default_rng(seed)
    for _ in range(10):
        fc.set_num_threads(draw.choice([1, 2, 3, 8]))
        groups, ic, oc = (
            draw.choice([16, 17, 33, 70]),
            draw.choice([1, 1, 2, 4]),
            draw.randint(1, 4),
        )
        dims, kernel = draw.choice([2, 2, 3]), draw.choice([3, 3, 5, 7])
        size = [draw.randint(7, 12) for _ in range(dims)]
        how = {"stride": draw.randint(1, 2), "padding": kernel // 2, "groups": groups}
        x = integers(rng, (draw.randint(1, 3), *size, groups * ic), dtype)
        w = integers(rng, (groups * oc, ic, *[kernel] * dims), dtype)
        forward, slow = (getattr(reference, f"conv{dims}d{end}") for end in ("", "_backward"))
        planes = np.moveaxis(x, -1, 1)
        gy = integers(rng, forward(planes, w, **how).shape, dtype)
        layout = {"layout": "NHWC", "needs": (False, True, False)}
        fast = getattr(fc, f"conv{dims}d_backward")
        got = fast(np.ascontiguousarray(np.moveaxis(gy, 1, -1)), x, w, **how, **layout)[1]
        equal(got, slow(gy, planes, w, **how)[1], dtype, f"{x.shape} {w.shape} {how}")


@pytest.mark.parametrize("stride", [2, (1, 2), (3, 2), (2, 5)])
@pytest.mark.parametrize("groups", [1, 2])
def test_weight_gradients_of_one_tap_leave_out_what_is_skipped(isa, dtype, threads, stride, groups):
    rng = np.random.default_rng(8)
    fc.set_num_threads(3)
    for side in (7, 9, 24):
        x = integers(rng, (3, 5 * groups, side, side + 4), dtype)[..., 1:-1]
        w = integers(rng, (131 * groups, 5, 1, 1), dtype)
        gy = integers(rng, reference.conv2d(x, w, None, stride, 0, 1, groups).shape, dtype)
        args = gy, x, w, None, stride, 0, 1, groups
        got = fc.conv2d_backward(*args, needs=(False, True, False))[1]
        equal(got, reference.conv2d_backward(*args)[1], dtype)
    x, w = integers(rng, (2, 3, 4, 5, 9), dtype), integers(rng, (131, 3, 1, 1, 1), dtype)
    strides = 3, *np.broadcast_to(stride, 2).tolist()
    gy = integers(rng, reference.conv3d(x, w, None, strides).shape, dtype)
    got = fc.conv3d_backward(gy, x, w, None, strides, needs=(False, True, False))[1]
    equal(got, reference.conv3d_backward(gy, x, w, None, strides)[1], dtype)


def test_many_channels_are_summed_in_chunks(isa, dtype, algorithm):
    """More input channels than one strip holds, more outputs than one task."""
    rng = np.random.default_rng(2)
    x = integers(rng, (1, 301, 9, 40), dtype, most=2)
    w = integers(rng, (75, 301, 3, 3), dtype, most=2)
    b = integers(rng, 75, dtype)
    wanted = reference.conv2d(x.astype(float), w, b, padding=1)
    gy = integers(rng, wanted.shape, dtype, most=2)
    got = all_directions(fc, x, w, b, gy, 1, 1, algorithm=algorithm)
    grads = reference.conv2d_backward(gy.astype(float), x, w, b, padding=1)
    for name, g, wish in zip(NAMES, got, (wanted, *grads)):
        equal(g, wish, dtype, name)


def test_nan_and_infinity_reach_what_they_touch_and_nothing_else(isa, dtype, algorithm):
    rng = np.random.default_rng(3)
    windows = [(1, 0, 1), (1, 2, 1), (2, 1, 1), (3, 0, 2)]
    for (stride, padding, dilation), (few, many) in itertools.product(windows, [(3, 5), (17, 33)]):
        x = integers(rng, (2, few, 11, 13), dtype)
        w = integers(rng, (many, few, 3, 3), dtype)
        b = integers(rng, many, dtype)
        gy = integers(rng, reference.conv2d(x, w, b, stride, padding, dilation).shape, dtype)
        x[0, 1, 4, 5], x[1, 0, 10, 12], x[1, 2, 0, 0] = np.nan, np.inf, -np.inf
        gy[0, 2, -1, 0], gy[1, 4, 0, -1] = np.inf, np.nan
        with np.errstate(invalid="ignore"):
            wanted = all_directions(reference, x, w, b, gy, stride, padding, dilation)
        got = all_directions(fc, x, w, b, gy, stride, padding, dilation, algorithm=algorithm)
        for name, g, wish in zip(NAMES, got, wanted):
            equal(g, wish, dtype, name)


@pytest.mark.parametrize(
    ("shape", "weight", "stride", "padding"),
    [
        ((4, 1, 28, 28), (6, 1, 5, 5), 1, 2),
        ((3, 6, 14, 14), (16, 6, 5, 5), 1, 0),
        ((1, 3, 64, 65), (16, 3, 11, 11), 4, 0),
        ((2, 40, 13, 13), (24, 40, 3, 3), 1, 1),
    ],
)
def test_rounding_stays_within_the_bound(isa, dtype, shape, weight, stride, padding, algorithm):
    """|error| <= 2 eps (sqrt(K) + 2) (|x| * |w|), element by element, against float64."""
    rng = np.random.default_rng(4)
    x, w = rng.standard_normal(shape).astype(dtype), rng.standard_normal(weight).astype(dtype)
    gy_shape = reference.conv2d(x, w, None, stride, padding).shape
    gy = rng.standard_normal(gy_shape).astype(dtype)
    exact = [a.astype(np.longdouble if dtype is np.float64 else float) for a in (x, w, gy)]
    got = all_directions(fc, x, w, None, gy, stride, padding, algorithm=algorithm)[:3]
    terms = (
        weight[1] * weight[2] * weight[3],
        weight[0] * weight[2] * weight[3],
        gy.size // weight[0],
    )

    def compute(a, b, c):
        return (reference.conv2d(a, b, None, stride, padding),
                *reference.conv2d_backward(c, a, b, None, stride, padding)[:2])  # fmt: skip

    wanted, scale = compute(*exact), compute(*(np.abs(a) for a in exact))
    for name, g, wish, size, count in zip(NAMES, got, wanted, scale, terms):
        bound = 2 * np.finfo(dtype).eps * (np.sqrt(count) + 2) * size
        assert (np.abs(g - wish) <= bound).all(), name


def test_same_bits_for_any_threads_batch_and_out(isa, dtype, threads, algorithm):
    rng = np.random.default_rng(5)
    how = {"algorithm": algorithm}
    for shape, weight, args in [
        ((5, 1, 28, 28), (6, 1, 5, 5), (1, 2)),
        ((5, 6, 14, 14), (16, 6, 5, 5), (1, 0)),
        ((3, 37, 15, 17), (53, 37, 3, 3), (2, 1)),
        ((2, 24, 30, 31), (24, 1, 3, 3), (1, 1, 1, 24)),
    ]:
        x = rng.standard_normal(shape).astype(dtype)
        w, b = rng.standard_normal(weight).astype(dtype), rng.standard_normal(weight[0], dtype)
        fc.set_num_threads(1)
        y = fc.conv2d(x, w, b, *args, **how)
        gy = rng.standard_normal(y.shape).astype(dtype)
        first = all_directions(fc, x, w, b, gy, *args, **how)
        for n in (2, 3, 8):
            fc.set_num_threads(n)
            for name, again, once in zip(
                NAMES, all_directions(fc, x, w, b, gy, *args, **how), first
            ):
                assert np.array_equal(again, once), f"{name}, {n} threads"
        alone = [fc.conv2d(image, w, b, *args, **how) for image in x]
        assert np.array_equal(np.stack(alone), y)
        grads = [fc.conv2d_backward(g, i, w, b, *args, **how)[0] for g, i in zip(gy, x)]
        assert np.array_equal(np.stack(grads), first[1])
        out = np.full(y.shape, np.nan, dtype)
        assert fc.conv2d(x, w, b, *args, out=out, **how) is out
        assert np.array_equal(out, y)


@pytest.mark.parametrize("args", [(1, 0), (2, 1), (1, "same", 2), ((3, 2), ((1, 0), (0, 2)), 1, 2)])
def test_gradients_by_finite_differences_and_adjoint(isa, args):
    rng = np.random.default_rng(6)
    groups = args[3] if len(args) > 3 else 1
    x = rng.standard_normal((2, 2 * groups, 6, 7))
    w = rng.standard_normal((2 * groups, 2, 3, 2))
    b = rng.standard_normal(2 * groups)
    y = fc.conv2d(x, w, b, *args)
    gy = rng.standard_normal(y.shape)
    gx, gw, gb = fc.conv2d_backward(gy, x, w, b, *args)
    step = 1e-6
    for array, grad in ((x, gx), (w, gw), (b, gb)):
        for i in rng.choice(array.size, min(array.size, 12), replace=False):
            kept = array.flat[i]
            array.flat[i] = kept + step
            above = (fc.conv2d(x, w, b, *args) * gy).sum()
            array.flat[i] = kept - step
            below = (fc.conv2d(x, w, b, *args) * gy).sum()
            array.flat[i] = kept
            assert grad.flat[i] == pytest.approx((above - below) / (2 * step), rel=1e-6, abs=1e-7)
    linear = fc.conv2d(x, w, None, *args)
    assert (linear * gy).sum() == pytest.approx((x * gx).sum(), rel=1e-12)
    assert (linear * gy).sum() == pytest.approx((w * gw).sum(), rel=1e-12)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("seed", range(4))
def test_depthwise_rows_of_channels_last_memory(isa, dtype, threads, seed, stride):
    """3 x 3 with every padding of 0 to 2, around rows of any length."""
    draw, rng = random.Random(seed), np.random.default_rng(seed)
    for _ in range(12):
        channels, batch = draw.choice([1, 3, 8, 17, 33, 64, 100, 210]), draw.choice([1, 1, 2])
        height, width = draw.randint(1, 9), draw.choice([*range(1, 12), 39, 40, 41, 80, 83, 121])
        padding = [[draw.randint(0, 2), draw.randint(0, 2)] for _ in range(2)]
        dilation = draw.choice([1, 1, (2, 1), (1, 2)])
        fill = [3 - size - sum(pair) for size, pair in zip((height, width), padding, strict=True)]
        height, width = height + max(0, fill[0]) + 2, width + max(0, fill[1]) + 2
        x = np.moveaxis(integers(rng, (batch, height, width, channels), dtype), -1, 1)
        w, b = integers(rng, (channels, 1, 3, 3), dtype), integers(rng, channels, dtype)
        how = {"stride": stride, "padding": padding, "dilation": dilation, "groups": channels}
        expected = reference.conv2d(x, w, b, **how)
        equal(fc.conv2d(x, w, b, **how), expected, dtype, f"{x.shape} {how}")


@pytest.mark.parametrize("seed", range(4))
def test_few_channels_between_zeros(isa, dtype, threads, seed, algorithm):
    """Planes of one to nine channels, padded left and right, to channels-last memory."""
    draw, rng = random.Random(seed), np.random.default_rng(seed)
    for _ in range(12):
        fc.set_num_threads(draw.choice([1, 2, 3, 8]))
        groups, channels, outs = (
            draw.choice([1, 1, 2]),
            draw.randint(1, 9),
            draw.choice([3, 16, 40]),
        )
        height, width = draw.randint(5, 20), draw.choice([*range(25, 60), 300])
        padding = [
            (draw.randint(0, 2), draw.randint(0, 2)),
            (draw.randint(0, 3), draw.randint(0, 3)),
        ]
        x = integers(rng, (draw.randint(1, 3), groups * channels, height, width), dtype)
        w = integers(rng, (groups * outs, channels, draw.randint(1, 5), draw.randint(2, 7)), dtype)
        b = integers(rng, groups * outs, dtype)
        args = draw.choice([1, 2, (3, 1), (1, 4)]), padding, draw.choice([1, 1, 2]), groups
        if args[2] == 2:
            w = np.ascontiguousarray(w[:, :, :2, :3])
        wanted = reference.conv2d(x, w, b, *args)
        out = np.full(np.moveaxis(wanted, 1, -1).shape, np.nan, dtype)
        fc.conv2d(x, w, b, *args, algorithm=algorithm, out=np.moveaxis(out, -1, 1))
        equal(np.moveaxis(out, -1, 1), wanted, dtype, f"{x.shape} {w.shape} {args}")


@pytest.mark.parametrize("out_channels", [1, 2, 5])
@pytest.mark.parametrize(
    ("kernel", "dilation"), [((5, 5), (2, 2)), ((2, 7), (3, 1)), ((9, 1), (1, 1))]
)
def test_few_output_channels_are_sums_of_products(
    isa, dtype, threads, out_channels, kernel, dilation
):
    """More rows than a block has, sides that see padding alone, sums longer than a block's."""
    rng = np.random.default_rng(out_channels)
    x = integers(rng, (2, 600, 75, 5), dtype)
    w = integers(rng, (out_channels, 600, *kernel), dtype)
    b = integers(rng, out_channels, dtype)
    args = 1, (9, 6), dilation
    if out_channels == 1 and kernel != (5, 5):
        assert "products of" in str(fc.explain(fc.conv2d, x, w, b, *args, algorithm="tiled"))
    wanted = reference.conv2d(*(a.astype(float) for a in (x, w, b)), *args)
    for n in (1, 2, 3, 8):
        fc.set_num_threads(n)
        equal(fc.conv2d(x, w, b, *args, algorithm="tiled"), wanted, dtype)


def test_needs_skips_gradients(isa):
    x, w, b = np.ones((1, 2, 5, 5)), np.ones((3, 2, 3, 3)), np.ones(3)
    gy = np.ones((1, 3, 3, 3))
    every = fc.conv2d_backward(gy, x, w, b)
    for needs in np.ndindex(2, 2, 2):
        grads = fc.conv2d_backward(gy, x, w, b, needs=needs)
        for need, grad, wanted in zip(needs, grads, every):
            assert np.array_equal(grad, wanted) if need else grad is None
    assert fc.conv2d_backward(gy, x, w)[2] is None


def test_empty_batch(isa, dtype):
    x, w, b = np.ones((0, 2, 5, 5), dtype), np.ones((3, 2, 3, 3), dtype), np.ones(3, dtype)
    y = fc.conv2d(x, w, b)
    equal(y, np.ones((0, 3, 3, 3)), dtype)
    gx, gw, gb = fc.conv2d_backward(y, x, w, b)
    equal(gx, x, dtype)
    equal(gw, np.zeros(w.shape), dtype)
    equal(gb, np.zeros(3), dtype)
