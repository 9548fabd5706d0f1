"""Unfolding and folding: exact against the reference and torch, each the other's adjoint."""

from __future__ import annotations

import random

import numpy as np
import pytest
from window_cases import each_dimension, equal, laid, same_bits

import fastconv as fc
from fastconv import reference


def problem(draw: random.Random):
    shape = (draw.choice([1, 2]), draw.choice([1, 3, 20]), draw.randint(1, 20),
             draw.choice([1, 2, 7, 16, 17, 33, 60, 300]))  # fmt: skip
    kernel, stride = each_dimension(draw, 2, 1, 4), each_dimension(draw, 2, 1, 4)
    padding = draw.choice([0, each_dimension(draw, 2, 0, 3)])
    return shape, (kernel, each_dimension(draw, 2, 1, 3), padding, stride)


@pytest.mark.parametrize("seed", range(4))
def test_against_the_reference(isa, dtype, threads, seed):
    draw, rng = random.Random(seed), np.random.default_rng(seed)
    for _ in range(40):
        shape, where = problem(draw)
        if draw.random() < 0.3:
            name = draw.choice(["same", "same_lower", "valid", "full", ((1, 0), (0, 2))])
            where = (*where[:2], name, where[3])
        fc.set_num_threads(draw.choice([1, 2, 3, 8]))
        x = rng.integers(-9, 10, shape).astype(dtype)
        message = f"{shape} {where}"
        try:
            columns = reference.unfold(x, *where)
        except ValueError:
            with pytest.raises(ValueError, match=r"unfold: the (dilated )?kernel has size"):
                fc.unfold(x, *where)
            continue
        gy = rng.integers(-9, 10, columns.shape).astype(dtype)
        image = reference.fold(gy, shape[2:], *where)
        assert np.vdot(columns, gy) == np.vdot(x, image)  # integers: the adjoint, exactly
        equal(fc.fold(gy, shape[2:], *where), image, dtype, message)
        equal(fc.fold(np.asfortranarray(gy), shape[2:], *where), image, dtype, message)
        for last in (False, True):
            given = laid(x, last)
            equal(fc.unfold(given, *where), columns, dtype, message)
            equal(fc.unfold_backward(gy, given, *where), image, dtype, message)
            equal(fc.fold_backward(given, gy, shape[2:], *where), columns, dtype, message)


def test_against_torch(dtype):
    torch = pytest.importorskip("torch")
    draw, rng = random.Random(1), np.random.default_rng(1)
    for _ in range(800):
        shape, where = problem(draw)
        x = rng.integers(-9, 10, shape).astype(dtype)
        tensor = torch.tensor(x, requires_grad=True)
        try:
            expected = torch.nn.functional.unfold(tensor, *where)
        except RuntimeError:
            with pytest.raises(ValueError, match="unfold: "):
                fc.unfold(x, *where)
            continue
        equal(fc.unfold(x, *where), expected.detach().numpy(), dtype)
        gy = rng.integers(-9, 10, expected.shape).astype(dtype)
        expected.backward(torch.tensor(gy))
        equal(fc.unfold_backward(gy, x, *where), tensor.grad.numpy(), dtype)
        folded = torch.nn.functional.fold(torch.tensor(gy), shape[2:], *where)
        equal(fc.fold(gy, shape[2:], *where), folded.numpy(), dtype)


def test_a_product_with_columns_is_a_convolution(dtype):
    rng = np.random.default_rng(2)
    x = rng.integers(-4, 5, (2, 3, 8, 9)).astype(dtype)
    w = rng.integers(-4, 5, (5, 3, 3, 2)).astype(dtype)
    y = w.reshape(5, -1) @ fc.unfold(x, (3, 2), 2, 1, (2, 1))
    equal(y.reshape(2, 5, 3, 9), fc.conv2d(x, w, None, (2, 1), 1, 2), dtype)


def test_batches_memory_and_out(isa, dtype):
    rng = np.random.default_rng(3)
    x = rng.integers(-9, 10, (2, 20, 9, 40)).astype(dtype)
    columns = fc.unfold(x, 3, 1, 1, 2)
    equal(fc.unfold(x[1], 3, 1, 1, 2), columns[1], dtype)
    image = fc.fold(columns, (9, 40), 3, 1, 1, 2)
    equal(fc.fold(columns[1], (9, 40), 3, 1, 1, 2), image[1], dtype)
    equal(fc.unfold_backward(columns[1], x[1], 3, 1, 1, 2), image[1], dtype)
    equal(fc.fold_backward(x[1], columns[1], (9, 40), 3, 1, 1, 2), columns[1], dtype)
    equal(fc.unfold(x[:0], 3, 1, 1, 2), columns[:0], dtype)
    equal(fc.fold(columns[:0], (9, 40), 3, 1, 1, 2), image[:0], dtype)
    spread = np.repeat(np.repeat(x, 2, 3), 3, 0)[::3, :, :, ::2]
    equal(fc.unfold(spread, 3, 1, 1, 2), columns, dtype)
    for out in (np.full(columns.shape, np.nan, dtype),
                np.full((*columns.shape[:2], 200), np.nan, dtype)[..., ::2],
                np.asfortranarray(np.full(columns.shape, np.nan, dtype))):  # fmt: skip
        assert fc.unfold(x, 3, 1, 1, 2, out=out) is out
        equal(out, columns, dtype)
    for out in (np.full(image.shape, np.nan, dtype),
                np.full((2, 20, 9, 80), np.nan, dtype)[..., ::2],
                laid(np.full(image.shape, np.nan, dtype), True)):  # fmt: skip
        assert fc.fold(columns, (9, 40), 3, 1, 1, 2, out=out) is out
        equal(out, image, dtype)
    grad = fc.unfold_backward(columns, laid(x, True), 3, 1, 1, 2)
    equal(grad, image, dtype)
    assert grad.transpose(0, 2, 3, 1).flags.c_contiguous


def test_same_bits_for_any_threads(isa, dtype, threads):
    rng = np.random.default_rng(4)
    x = rng.standard_normal((2, 20, 30, 50)).astype(dtype)
    gy = rng.standard_normal((2, 180, 1500)).astype(dtype)
    same_bits([lambda: fc.unfold(x, 3, 1, 1), lambda: fc.fold(gy, (30, 50), 3, 1, 1),
               lambda: fc.unfold_backward(gy, laid(x, True), 3, 1, 1)])  # fmt: skip


X, C = np.ones((1, 2, 6, 7)), np.ones((1, 8, 30))


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (ValueError, "unfold: the kernel has size (7, 7), the padded input (6, 7) (wanted the",
         lambda: fc.unfold(X, 7)),
        (ValueError, "unfold: kernel_size is (0, 2) (wanted at least 1",
         lambda: fc.unfold(X, (0, 2))),
        (ValueError, "unfold: stride is (0, 0)", lambda: fc.unfold(X, 2, stride=0)),
        (ValueError, "unfold: dilation is (-1, -1)", lambda: fc.unfold(X, 2, -1)),
        (ValueError, "unfold: padding is ((-1, -1), (-1, -1))", lambda: fc.unfold(X, 2, 1, -1)),
        (ValueError, "unfold: kernel_size is (1, 2, 3) with 3 numbers",
         lambda: fc.unfold(X, (1, 2, 3))),
        (ValueError, "unfold: input has shape (6, 7) (wanted 4 dimensions, or 3 without a batch)",
         lambda: fc.unfold(X[0, 0], 2)),
        (TypeError, "unfold: input has dtype int64", lambda: fc.unfold(X.astype(int), 2)),
        (ValueError, "unfold: the number of channels is 0", lambda: fc.unfold(X[:, :0], 2)),
        (ValueError, "unfold: the columns would have more than 2**46 elements",
         lambda: fc.unfold(X, 2, 1, 2**24)),
        (ValueError, "unfold: out has shape (1, 8, 29) (wanted (1, 8, 30))",
         lambda: fc.unfold(X, 2, out=C[..., :29])),
        (ValueError, "fold: input has 7 rows, kernel_size is (2, 2) (wanted a multiple of",
         lambda: fc.fold(C[:, :7], (6, 7), 2)),
        (ValueError, "fold: input has 29 columns (wanted 30, one a window)",
         lambda: fc.fold(C[..., :29], (6, 7), 2)),
        (ValueError, "fold: kernel_size is (0, 0)", lambda: fc.fold(C, (6, 7), 0)),
        (ValueError, "fold: the input's spatial size is (0, 7)", lambda: fc.fold(C, (0, 7), 2)),
        (ValueError, "fold: input has shape (8,) (wanted 3 dimensions, or 2 without a batch)",
         lambda: fc.fold(C[0, :, 0], (6, 7), 2)),
        (ValueError, "unfold_backward: grad_output has shape (1, 8, 29) (wanted (1, 8, 30), the",
         lambda: fc.unfold_backward(C[..., :29], X, 2)),
        (ValueError, "fold_backward: grad_output has shape (1, 2, 6, 7) (wanted (1, 2, 5, 7), the",
         lambda: fc.fold_backward(X, C[..., :24], (5, 7), 2)),
        (TypeError, "fold_backward: input is float64, grad_output is float32",
         lambda: fc.fold_backward(X.astype(np.float32), C, (6, 7), 2)),
    ],
)  # fmt: skip
def test_errors(error, message, call):
    with pytest.raises(error) as caught:
        call()
    assert message in str(caught.value)
