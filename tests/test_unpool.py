"""Max unpooling: exact against the reference and torch, and every index checked."""

from __future__ import annotations

import random

import numpy as np
import pytest
from window_cases import (
    channels_last_axes,
    difference_quotients,
    each_dimension,
    equal,
    image_shape,
    laid,
    same_bits,
)

import fastconv as fc
from fastconv import reference


def problem(draw: random.Random, dims):
    """What was pooled, and how."""
    kernel = each_dimension(draw, dims, 1, 4)
    stride = draw.choice([None, tuple(draw.randint(1, k) for k in kernel)])
    padding = tuple(draw.randint(0, k // 2) for k in kernel)
    return image_shape(draw, dims, least=kernel), (kernel, stride, padding)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_unpooling_of_maxima(isa, dtype, threads, dims, seed):
    draw, rng = random.Random(seed), np.random.default_rng(seed)
    name = f"max_unpool{dims}d"
    for _ in range(30):
        shape, where = problem(draw, dims)
        fc.set_num_threads(draw.choice([1, 2, 3, 8]))
        x = rng.integers(-9, 10, shape).astype(dtype)
        pooled, indices = getattr(fc, f"max_pool{dims}d")(x, *where, return_indices=True)
        wanted = getattr(reference, name)(pooled, indices, *where, shape[2:])
        gy = rng.integers(-4, 5, wanted.shape).astype(dtype)
        grad, none = getattr(reference, f"{name}_backward")(gy, pooled, indices, *where, shape[2:])
        assert none is None
        size = draw.choice([shape[2:], shape])
        for last in (False, True):
            message = f"{shape} {where} {last}"
            arrays = (laid(pooled, last), laid(indices, draw.random() < 0.7))
            equal(getattr(fc, name)(*arrays, *where, size), wanted, dtype, message)
            small = (arrays[0], arrays[1].astype(np.int32))
            equal(getattr(fc, name)(*small, *where, shape[2:]), wanted, dtype, message)
            got = getattr(fc, f"{name}_backward")(laid(gy, last), *arrays, *where, size)
            assert got[1] is None
            equal(got[0], grad, dtype, message)


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_against_torch(dtype, dims):
    torch = pytest.importorskip("torch")
    draw, rng = random.Random(dims), np.random.default_rng(dims)
    for _ in range(250):
        shape, where = problem(draw, dims)
        x = torch.tensor(rng.integers(-9, 10, shape).astype(dtype))
        pool = getattr(torch.nn.functional, f"max_pool{dims}d")
        pooled, indices = pool(x, *where, return_indices=True)
        pooled.requires_grad_()
        unpool = getattr(torch.nn.functional, f"max_unpool{dims}d")
        size = draw.choice([None, shape[2:], shape, tuple(n + 1 for n in shape[2:])])
        arrays = (pooled.detach().numpy(), indices.numpy())
        try:
            expected = unpool(pooled, indices, *where, size)
        except (ValueError, RuntimeError):
            with pytest.raises(ValueError, match=f"max_unpool{dims}d: "):
                getattr(fc, f"max_unpool{dims}d")(*arrays, *where, size)
            continue
        got = getattr(fc, f"max_unpool{dims}d")(*arrays, *where, size)
        equal(got, expected.detach().numpy(), dtype)
        gy = rng.integers(-4, 5, got.shape).astype(dtype)
        expected.backward(torch.tensor(gy))
        grad, _ = getattr(fc, f"max_unpool{dims}d_backward")(gy, *arrays, *where, size)
        equal(grad, pooled.grad.numpy(), dtype)


def test_any_indices(isa, dtype, threads):
    """The last of equal ones stays; each reads its own gradient."""
    rng = np.random.default_rng(2)
    for last in (False, True):
        x = rng.integers(1, 9, (2, 18, 5, 6)).astype(dtype)
        indices = rng.integers(0, 120, x.shape)
        wanted = reference.max_unpool2d(x, indices, 2)
        equal(fc.max_unpool2d(laid(x, last), laid(indices, last), 2), wanted, dtype)
        gy = rng.integers(-4, 5, wanted.shape).astype(dtype)
        grad, _ = fc.max_unpool2d_backward(laid(gy, last), laid(x, last), indices, 2)
        equal(grad, reference.max_unpool2d_backward(gy, x, indices, 2)[0], dtype)
        arrays = laid(x, last), indices
        same_bits([lambda a=arrays: fc.max_unpool2d(*a, 2)])


def test_adjoint_and_quotients():
    rng = np.random.default_rng(3)
    x, indices = fc.max_pool2d(rng.standard_normal((1, 2, 6, 8)), 2, return_indices=True)
    y = fc.max_unpool2d(x, indices, 2)
    gy = rng.integers(-4, 5, y.shape).astype(float)
    grad, _ = fc.max_unpool2d_backward(gy, x, indices, 2)
    np.testing.assert_allclose(np.vdot(y, gy), np.vdot(x, grad), rtol=1e-14)
    quotients = difference_quotients(lambda x: fc.max_unpool2d(x, indices, 2), x, gy, 0.5)
    np.testing.assert_allclose(grad, quotients, atol=1e-13)


def test_layouts_batches_out_and_named_padding(isa, dtype):
    rng = np.random.default_rng(4)
    image = rng.standard_normal((2, 5, 7, 9)).astype(dtype)
    x, indices = fc.max_pool2d(image, 3, 2, "same", return_indices=True)
    y = fc.max_unpool2d(x, indices, 3, 2, "same", (7, 9))
    equal(y, np.where(np.isin(image, x), image, 0), dtype)
    assert fc.max_unpool2d(x, indices % 8, 3, 2, "same").shape == (2, 5, 8, 10)
    equal(fc.max_unpool2d(x[1], indices[1], 3, 2, "same", (7, 9)), y[1], dtype)
    last = fc.max_unpool2d(channels_last_axes(x), channels_last_axes(indices), 3, 2, "same",
                           (2, 7, 9, 5), layout="NHWC")  # fmt: skip
    equal(last, channels_last_axes(y), dtype)
    out = np.full((2, 5, 7, 18), np.nan, dtype)[..., ::2]
    assert fc.max_unpool2d(x, indices, 3, 2, "same", (7, 9), out=out) is out
    equal(out, y, dtype)
    again = fc.max_unpool2d(laid(x, True), laid(indices, True), 3, 2, "same", (7, 9))
    assert again.transpose(0, 2, 3, 1).flags.c_contiguous
    equal(fc.max_unpool2d(x[:0], indices[:0], 3, 2, "same", (7, 9)), y[:0], dtype)
    layer = fc.MaxUnpool2d(3, 2, "same")
    equal(layer(x, indices, (7, 9)), y, dtype)
    equal(layer.backward(y), x, dtype)


X, AT = np.ones((1, 2, 3, 3)), np.zeros((1, 2, 3, 3), int)


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (ValueError, "max_unpool2d: indices has 36 (wanted 0 to 35, the places of the output's",
         lambda: fc.max_unpool2d(X, AT + 36, 2)),
        (ValueError, "max_unpool2d: indices has -1 (wanted 0 to 35",
         lambda: fc.max_unpool2d(X, AT - 1, 2)),
        (ValueError, "max_unpool2d_backward: indices has 1099511627776",
         lambda: fc.max_unpool2d_backward(np.ones((1, 2, 6, 6)), X, AT + 2**40, 2)),
        (ValueError, "max_unpool2d: indices has shape (1, 2, 3, 2) (wanted (1, 2, 3, 3), the input",
         lambda: fc.max_unpool2d(X, AT[..., :2], 2)),
        (TypeError, "max_unpool2d: indices has dtype float64 (wanted int64 or int32)",
         lambda: fc.max_unpool2d(X, X, 2)),
        (ValueError, "max_unpool2d: output_size is (8, 6) (wanted from (5, 5) to (7, 7))",
         lambda: fc.max_unpool2d(X, AT, 2, output_size=(8, 6))),
        (ValueError, "max_unpool2d: output_size is (6, 4)",
         lambda: fc.max_unpool2d(X, AT, 2, output_size=(6, 4))),
        (ValueError, "max_unpool2d: output_size is 0",
         lambda: fc.max_unpool2d(X, AT, 2, output_size=0)),
        (ValueError, "max_unpool2d: output_size is (1, 2, 6) with 3 numbers",
         lambda: fc.max_unpool2d(X, AT, 2, output_size=(1, 2, 6))),
        (ValueError, "max_unpool2d: the output would have size (-1, -1) (wanted at least 1",
         lambda: fc.max_unpool2d(X, AT, 1, 1, 2)),
        (ValueError, "max_unpool2d: stride is (0, 0)", lambda: fc.max_unpool2d(X, AT, 2, 0)),
        (ValueError, "max_unpool2d: kernel_size is (0, 0)", lambda: fc.max_unpool2d(X, AT, 0)),
        (ValueError, "max_unpool2d: padding is ((-1, -1), (-1, -1)) (wanted from 0",
         lambda: fc.max_unpool2d(X, AT, 2, padding=-1)),
        (ValueError, "max_unpool2d: padding is 'full'",
         lambda: fc.max_unpool2d(X, AT, 2, padding="full")),
        (ValueError, "max_unpool2d: output would have more than 2**46 elements",
         lambda: fc.max_unpool2d(X, AT, 2, 2**46)),
        (ValueError, "max_unpool2d_backward: grad_output has shape (1, 2, 3, 3) (wanted (1, 2, 6",
         lambda: fc.max_unpool2d_backward(X, X, AT, 2)),
    ],
)  # fmt: skip
def test_errors(error, message, call):
    with pytest.raises(error) as caught:
        call()
    assert message in str(caught.value)
