"""The same bits, of random numbers: whatever the memory, the batch, `out` and the threads."""

from __future__ import annotations

import numpy as np
import pytest

import fastconv as fc

RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.standard_normal(shape)


def conv(channels, outs, kernel, size, groups=1, **options):
    """The three parts of a convolution of so many dimensions, as functions of images."""
    dims = len(size)
    w, b = normal(outs, channels // groups, *kernel), normal(outs)
    options["groups"] = groups
    name = f"conv{dims}d"
    y = getattr(fc, name)(normal(2, channels, *size), w, b, **options)
    return (name, (3, channels, *size), (w, b), options, (3, *y.shape[1:]))


def other(name, shape, *args, **options):
    y = getattr(fc, name)(normal(*shape), *args, **options)
    return (name, shape, args, options, y.shape)


CASES = {
    "dense": conv(24, 20, (3, 3), (14, 15), padding=1),
    "first layer": conv(3, 16, (5, 5), (30, 41), padding=2, stride=2),
    "pointwise": conv(40, 33, (1, 1), (9, 11)),
    "depthwise": conv(12, 12, (3, 3), (17, 35), groups=12, padding="same"),
    "grouped": conv(12, 18, (3, 3), (17, 20), groups=3, dilation=2, padding=2),
    "one channel": conv(1, 1, (3, 3), (40, 50)),
    "signal": conv(8, 6, (9,), (200,), stride=3, padding=4),
    "volume": conv(3, 5, (3, 2, 3), (6, 7, 8), padding=1),
    "average": other("avg_pool2d", (3, 5, 20, 37), 3, 2, 1),
    "average, large": other("avg_pool2d", (3, 5, 30, 37), 13, 1, 6),
    "average, whole": other("avg_pool2d", (3, 5, 7, 7), 7),
    "average, dilated": other("avg_pool2d", (3, 5, 20, 20), 3, 1, dilation=3),
    "average, ceil": other("avg_pool2d", (3, 5, 21, 22), 4, 3, 1, True, False),
    "average 1d": other("avg_pool1d", (3, 7, 100), 5, 2),
    "average 3d": other("avg_pool3d", (3, 4, 8, 9, 10), 3, 2, 1),
    "maximum": other("max_pool2d", (3, 5, 20, 37), 3, 2, 1),
    "lp 2": other("lp_pool2d", (3, 5, 20, 37), 2, 3, 2),
    "lp 4": other("lp_pool2d", (3, 5, 20, 37), 4, 5, 1),
    "lp 3d": other("lp_pool3d", (3, 2, 8, 9, 10), 2, 3, 1),
    "adaptive": other("adaptive_avg_pool2d", (3, 5, 20, 37), (7, 5)),
    "adaptive, uniform": other("adaptive_avg_pool2d", (3, 5, 20, 40), (5, 8)),
    "adaptive, global": other("adaptive_avg_pool2d", (3, 20, 14, 14), 1),
    "adaptive 3d": other("adaptive_avg_pool3d", (3, 5, 7, 8, 9), 4),
    "unfold": other("unfold", (3, 4, 9, 10), 3, 1, 1),
    "fold": other("fold", (3, 36, 90), (9, 10), 3, 1, 1),
    "response": other("local_response_norm", (3, 17, 9, 10), 5, 0.5),
    "log softmax": other("log_softmax", (3, 17, 9, 10), 1),
    "silu": other("silu", (3, 17, 9, 10)),
}
for dims, size in ((1, (40,)), (2, (9, 10)), (3, (4, 5, 6))):
    w, b = normal(6, 5, *(3,) * dims), normal(5)
    CASES[f"transposed {dims}d"] = other(
        f"conv_transpose{dims}d", (3, 6, *size), w, b, stride=2, padding=1
    )


def cropped(array, order):
    """The same values in the same order of axes, within a larger array."""
    wide = np.full([array.shape[axis] + 3 for axis in order], np.nan, array.dtype)
    view = wide[tuple(slice(1, -2) for _ in order)].transpose(np.argsort(order))
    view[...] = array
    return view


def spaced(array, order):
    """The same values in the same order of axes, with gaps and an offset, partly backwards."""
    wide = np.full([2 * array.shape[axis] + 1 for axis in order], np.nan, array.dtype)
    backwards = (slice(None, 0, -2) if i == 0 else slice(1, None, 2) for i in order)
    view = wide[tuple(backwards)].transpose(np.argsort(order))
    view[...] = array
    return view


def dense(array, order):
    return np.ascontiguousarray(array.transpose(order)).transpose(np.argsort(order))


def bits(results):
    results = results if isinstance(results, tuple) else (results,)
    return [None if r is None else np.array(r).tobytes() for r in results]


@pytest.mark.parametrize("last", [False, True], ids=["NCHW", "NHWC"])
@pytest.mark.parametrize("case", CASES)
def test_same_bits(isa, dtype, threads, case, last):
    name, shape, args, options, output = CASES[case]
    forward, backward = getattr(fc, name), getattr(fc, f"{name}_backward")
    args = [a.astype(dtype) if isinstance(a, np.ndarray) else a for a in args]
    order = [0, *range(2, len(shape)), 1] if last else list(range(len(shape)))
    out_order = order if len(output) == len(shape) else list(range(len(output)))
    x, gy = normal(*shape).astype(dtype), normal(*output).astype(dtype)
    x, gy = dense(x, order), dense(gy, out_order)
    y, gradients = bits(forward(x, *args, **options)), bits(backward(gy, x, *args, **options))

    for n in (2, 3, 8):
        fc.set_num_threads(n)
        assert bits(forward(x, *args, **options)) == y, f"{n} threads"
        assert bits(backward(gy, x, *args, **options)) == gradients, f"{n} threads"
    fc.set_num_threads(1)

    for view in (cropped, spaced):
        far_x, far_gy = view(x, order), view(gy, out_order)
        assert bits(forward(far_x, *args, **options)) == y, view.__name__
        assert bits(backward(far_gy, far_x, *args, **options)) == gradients, view.__name__
    wholes = forward(x, *args, **options), backward(gy, x, *args, **options)
    grad_input = wholes[1][0] if isinstance(wholes[1], tuple) else wholes[1]
    for i in range(len(x)):
        one, grad = x[i : i + 1], gy[i : i + 1]
        assert bits(forward(one, *args, **options)) == bits(wholes[0][i]), "one image"
        alone = backward(grad, one, *args, **options)
        alone = alone[0] if isinstance(alone, tuple) else alone
        assert bits(alone) == bits(grad_input[i]), "one image's gradient"
    if name in ("local_response_norm", "log_softmax", "silu"):
        return
    for place in (np.full(output, np.nan, dtype), spaced(gy, out_order)):
        assert bits(forward(x, *args, **options, out=place)) == y, "out"
