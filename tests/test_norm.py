"""Batch norm, local response norm and softmax in compiled passes: against the reference on every
ISA and around every edge of a vector, against torch, by finite differences, and as layers.
"""

from __future__ import annotations

import numpy as np
import pytest
from ulps import close

import fastconv as fc
import fastconv.functional as F
import fastconv.nn as nn
import fastconv.reference as reference

# Channels and pixels about the widths of vectors and of blocks.
SHAPES = [(2, 1, 1, 1), (3, 5, 1, 1), (2, 3, 1, 7), (2, 17, 4, 4), (5, 16, 3, 11), (1, 33, 5, 13),
          (2, 2, 33, 32), (40, 3), (9, 65), (300, 40), (2, 4, 70)]  # fmt: skip


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def orders(x):
    """The same numbers in C order, channels-last, and with gaps between them."""
    yield x
    yield np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)
    yield np.repeat(x, 2, axis=-1)[..., ::2]


def within(actual, expected, magnitude, terms):
    """The bound of sums of so many rounded terms, of which `magnitude` is the sum of sizes."""
    assert (actual.shape, actual.dtype) == (expected.shape, expected.dtype)
    eps = np.finfo(actual.dtype).eps
    assert np.all(np.abs(actual - expected) <= 2 * eps * (np.sqrt(terms) + 2) * magnitude)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_batch_norm_matches_the_reference(isa, dtype, rng, shape):
    c, terms = shape[1], np.prod(shape) // shape[1]
    if terms == 1:
        shape, terms = (2, *shape[1:]), 2
    along = (-1, *(1,) * (len(shape) - 2))
    axes = (0, *range(2, len(shape)))
    values = (rng.standard_normal(shape) * 3 + 5).astype(dtype)
    gy = rng.standard_normal(shape).astype(dtype)
    w, b = rng.uniform(0.5, 2, (2, c)).astype(dtype)
    for x in orders(values):
        for training in (True, False):
            stats = rng.uniform(0.5, 2, (2, c)).astype(dtype)
            wanted_stats = stats.copy()
            got = F.batch_norm(x, *stats, w, b, training, 0.3)
            wanted = reference.batch_norm(x, *wanted_stats, w, b, training, 0.3)
            spread = 1 / np.sqrt((x.var(axis=axes) if training else stats[1]) + 1e-5)
            mean = np.abs(x).mean(axis=axes) if training else stats[0]
            size = (np.abs(x) + mean.reshape(along)) * spread.reshape(along)
            within(got, wanted, size * w.reshape(along) + b.reshape(along), terms)
            within(stats, wanted_stats, np.abs(x).max() ** 2, terms)
            if x.flags.c_contiguous:
                assert got.flags.c_contiguous
            arguments = (gy, x, *stats, w, b, training)
            gx, _, _, gw, gb = F.batch_norm_backward(*arguments)
            wx, _, _, ww, wb = reference.batch_norm_backward(*arguments)
            within(gb, wb, np.abs(gy).sum(axis=axes), terms)
            within(gw, ww, np.abs(gy * size).sum(axis=axes), terms)
            share = np.abs(gy * size).mean(axis=axes).reshape(along) * size + np.abs(gy).max()
            within(gx, wx, (w * spread).reshape(along) * share, terms)


def test_batch_norm_of_far_numbers_keeps_its_digits(isa, rng):
    """The variance of numbers a million times as large as their distances."""
    x = (rng.integers(-8, 9, (8, 3, 20, 20)) + 2**20).astype(np.float32)
    got = F.batch_norm(x, None, None, training=True)
    np.testing.assert_allclose(
        got, reference.batch_norm(x.astype(np.float64), None, None, training=True), atol=1e-5
    )


def test_batch_norm_by_differences(rng):
    x, gy = rng.standard_normal((2, 3, 4, 5))
    w, b = rng.standard_normal((2, 4))
    step = 1e-5

    def loss(x, w, b):
        return np.sum(gy * F.batch_norm(x, None, None, w, b, training=True))

    gradients = F.batch_norm_backward(gy, x, None, None, w, b, training=True)
    for at, gradient in ((0, gradients[0]), (1, gradients[3]), (2, gradients[4])):
        arrays = [x, w, b]
        for index in np.ndindex(arrays[at].shape):
            up, down = ([a.copy() for a in arrays] for _ in range(2))
            up[at][index] += step
            down[at][index] -= step
            quotient = (loss(*up) - loss(*down)) / (2 * step)
            assert abs(quotient - gradient[index]) < 1e-8


@pytest.mark.parametrize("layer", ["BatchNorm1d", "BatchNorm2d", "BatchNorm3d"])
@pytest.mark.parametrize("settings", [{}, {"momentum": None}, {"affine": False}, {"bias": False},
                                      {"track_running_stats": False}], ids=str)  # fmt: skip
def test_batch_norm_layers_are_torchs(rng, layer, settings):
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    dims = int(layer[-2])
    ours = getattr(nn, layer)(6, dtype=np.float64, **settings)
    theirs = getattr(torch.nn, layer)(6, **settings).double()
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for step in range(3):
        x = rng.standard_normal((4, 6, *(5, 4, 3)[:dims])) + step
        gy = rng.standard_normal(x.shape)
        tx = torch.tensor(x, requires_grad=True)
        ty = theirs(tx)
        ty.backward(torch.tensor(gy))
        close("batch_norm", ours(x), ty.detach().numpy())
        close("batch_norm_backward", ours.backward(gy), tx.grad.numpy())
    state = ours.state_dict()
    for key, value in theirs.state_dict().items():
        if key == "num_batches_tracked":
            assert (state[key], state[key].dtype) == (value.item(), np.int64)
        else:
            close("batch_norm", state[key], value.numpy())
    for own, their in zip(ours.parameters(), theirs.parameters(), strict=True):
        close("batch_norm_backward", own.grad, their.grad.numpy())
    ours.eval(), theirs.eval()
    close("batch_norm", ours(x), theirs(torch.tensor(x)).detach().numpy())


def test_a_frozen_sequential_folds_batch_norm(rng):
    net = nn.Sequential(nn.Conv2d(3, 8, 3, dtype=np.float64), nn.BatchNorm2d(8, dtype=np.float64),
                        nn.ReLU())  # fmt: skip
    for _ in range(3):
        net(rng.standard_normal((4, 3, 9, 9)) * 2 + 1)
    net[1].weight.data[...] = rng.uniform(0.5, 2, 8)
    net[1].bias.data[...] = rng.standard_normal(8)
    x = rng.standard_normal((2, 3, 9, 9))
    wanted = net.eval()(x)
    np.testing.assert_allclose(net.freeze()(x), wanted, atol=1e-13)
    (step,) = net._packed.steps
    assert step.modules == list(net)


RESPONSES = [(5, 1e-4, 0.75, 1.0), (1, 0.5, 0.5, 2.0), (2, 1.0, 1.0, 0.3), (4, 0.2, 0.75, 0.1),
             (9, 3.0, 0.6, 1.0), (40, 1.0, 0.75, 1.0)]  # fmt: skip


@pytest.mark.parametrize("response", RESPONSES, ids=str)
def test_local_response_matches_the_reference(isa, dtype, rng, response):
    for shape in SHAPES:
        if len(shape) < 3:
            continue
        gy = rng.standard_normal(shape).astype(dtype)
        for x in orders(rng.standard_normal(shape).astype(dtype)):
            got = F.local_response_norm(x, *response)
            close("local_response_norm", got, reference.local_response_norm(x, *response))
            got = F.local_response_norm_backward(gy, x, *response)
            wanted = reference.local_response_norm_backward(gy, x, *response)
            close("local_response_norm_backward", got, wanted)


def test_local_response_is_torchs(rng):
    torch = pytest.importorskip("torch")
    for size in (1, 2, 5, 8):
        x, gy = rng.standard_normal((2, 3, 7, 4, 5))
        tx = torch.tensor(x, requires_grad=True)
        ty = torch.nn.functional.local_response_norm(tx, size, 0.3, 0.75, 1.5)
        ty.backward(torch.tensor(gy))
        layer = nn.LocalResponseNorm(size, 0.3, 0.75, 1.5)
        assert repr(layer) == repr(torch.nn.LocalResponseNorm(size, 0.3, 0.75, 1.5))
        close("local_response_norm", layer(x), ty.detach().numpy())
        close("local_response_norm_backward", layer.backward(gy), tx.grad.numpy())


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_matches_the_reference(isa, dtype, rng, name):
    for shape in SHAPES:
        gy = rng.standard_normal(shape).astype(dtype)
        for x in orders((rng.standard_normal(shape) * 4).astype(dtype)):
            wide, wide_gy = x.astype(np.float64), gy.astype(np.float64)
            for dim in range(x.ndim):
                y = getattr(F, name)(x, dim)
                close(name, y, getattr(reference, name)(wide, dim).astype(dtype))
                backward = getattr(F, f"{name}_backward")
                wanted = getattr(reference, f"{name}_backward")(wide_gy, wide, dim)
                close("softmax_backward", backward(gy, x, dim), wanted.astype(dtype))
                np.testing.assert_array_equal(backward(gy, x, dim, output=y), backward(gy, x, dim))


def test_results_do_not_depend_on_threads(threads, rng):
    calls = []
    for shape in [(16, 24, 30, 31), (4000, 40)]:
        for x in orders(rng.standard_normal(shape).astype(np.float32)):
            gy = rng.standard_normal(shape).astype(np.float32)
            labels = rng.integers(0, shape[1], (shape[0], *shape[2:]))
            calls += [
                lambda x=x: F.batch_norm(x, None, None, training=True),
                lambda x=x, gy=gy: F.batch_norm_backward(gy, x, None, None, training=True)[0],
                lambda x=x: F.softmax(x, 1),
                lambda x=x, gy=gy: F.log_softmax_backward(gy, x, 1),
                lambda x=x, t=labels: F.cross_entropy(x, t),
                lambda x=x, t=labels: F.cross_entropy_backward(1.0, x, t)[0],
                lambda x=x: F.silu(x),
                lambda x=x, gy=gy: F.tanh_backward(gy, x),
            ]
            if x.ndim > 2:
                calls.append(lambda x=x: F.local_response_norm(x, 5))
    wanted = None
    for count in (1, 2, 3, 8):
        fc.set_num_threads(count)
        results = [call() for call in calls]
        wanted = wanted or results
        for got, first in zip(results, wanted, strict=True):
            np.testing.assert_array_equal(got, first)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: F.batch_norm(np.ones(3), None, None, training=True), ValueError,
         r"batch_norm: input has shape \(3,\) \(wanted at least 2 dimensions\)"),
        (lambda: F.batch_norm(np.ones((1, 3)), None, None, training=True), ValueError,
         "one value a channel"),
        (lambda: F.batch_norm(np.ones((2, 3)), None, None), ValueError, "running_mean or"),
        (lambda: F.batch_norm(np.ones((2, 3)), np.ones(2), np.ones(3)), ValueError,
         r"running_mean has shape \(2,\) \(wanted \(3,\)\)"),
        (lambda: F.batch_norm(np.ones((2, 3)), None, None, np.ones(3, "f"), training=True),
         TypeError, "input is float64, weight is float32"),
        (lambda: nn.BatchNorm2d(3)(np.ones((2, 3), "f")), ValueError, "wanted 4 dimensions"),
        (lambda: nn.BatchNorm1d(3)(np.ones((2, 4), "f")), ValueError, "input has 4 channels"),
        (lambda: nn.BatchNorm1d(0), ValueError, "num_features is 0"),
        (lambda: F.local_response_norm(np.ones((2, 3)), 5), ValueError, "at least 3 dimensions"),
        (lambda: F.local_response_norm(np.ones((2, 3, 4)), 0), ValueError, "size is 0"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_named(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_an_empty_batch_has_gradients_of_zero():
    x = np.empty((0, 3, 2, 2), np.float32)
    w = np.ones(3, np.float32)
    gx, _, _, gw, gb = F.batch_norm_backward(x, x, None, None, w, w, training=True)
    assert gx.shape == x.shape
    np.testing.assert_array_equal([gw, gb], np.zeros((2, 3)))
    assert F.local_response_norm(x, 3).shape == x.shape
