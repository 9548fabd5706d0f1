"""Activations, linear, losses and dropout: against torch and by finite differences."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from ulps import close

import fastconv.functional as F

INF, NAN = np.inf, np.nan
ACTIVATIONS = ("relu", "relu6", "leaky_relu", "sigmoid", "tanh", "silu", "hard_swish")
EDGES = [0.0, 1.0, -1.0, 3.0, -3.0, 6.0, 20.0, -20.0, 88.0, -90.0, 1e4, -1e4, INF, NAN]


@pytest.fixture
def rng():
    return np.random.default_rng(5)


@pytest.fixture
def torch():
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    return torch


def torch_function(torch, name):
    return getattr(torch.nn.functional, name.replace("hard_swish", "hardswish"))


def numeric_gradient(function, x, step=1e-6):
    """Central differences of a scalar function of a float64 array."""
    gradient = np.empty_like(x)
    for index in np.ndindex(x.shape):
        moved = x.copy()
        moved[index] += step
        above = function(moved)
        moved[index] -= 2 * step
        gradient[index] = (above - function(moved)) / (2 * step)
    return gradient


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_matches_torch(torch, rng, name, dtype):
    x = np.concatenate([rng.standard_normal(500) * 4, EDGES]).astype(dtype)
    finite = np.isfinite(x)
    gy = rng.standard_normal(x.shape).astype(dtype)
    tx = torch.tensor(x, requires_grad=True)
    ty = torch_function(torch, name)(tx)
    ty.backward(torch.tensor(gy))
    before = x.copy()
    close(name, getattr(F, name)(x), ty.detach().numpy())
    gx = getattr(F, f"{name}_backward")(gy, x)
    close(name, gx[finite], tx.grad.numpy()[finite])
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_gradient_by_differences(rng, name):
    x = rng.uniform(-5, 8, (3, 7))
    gy = rng.standard_normal(x.shape)
    numeric = numeric_gradient(lambda x: np.sum(gy * getattr(F, name)(x)), x)
    backward = getattr(F, f"{name}_backward")
    np.testing.assert_allclose(backward(gy, x), numeric, atol=1e-7)
    if name in ("sigmoid", "tanh"):
        given = backward(gy, x, output=getattr(F, name)(x))
        np.testing.assert_array_equal(given, backward(gy, x))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_keeps_nan_shape_and_layout(name):
    function, backward = getattr(F, name), getattr(F, f"{name}_backward")
    assert np.isnan(function(np.float32(NAN)))
    for shape in [(), (0, 3), (2, 3, 4, 5)]:
        x = np.ones(shape, np.float32)
        for y in (function(x), backward(x, x)):
            assert type(y) is np.ndarray
            assert (y.shape, y.dtype) == (shape, np.float32)
    nhwc = np.ones((2, 4, 5, 3), np.float32).transpose(0, 3, 1, 2)
    assert function(nhwc).strides == nhwc.strides
    read_only = np.ones(3)
    read_only.flags.writeable = False
    function(read_only)[0] = 7


def test_sigmoid_keeps_precision_at_both_ends():
    x = np.array([-80.0, -30, 30], np.float32)
    exact = 1 / (1 + np.exp(-x.astype(np.float64)))
    np.testing.assert_allclose(F.sigmoid(x), exact, rtol=4e-7)
    np.testing.assert_array_equal(F.sigmoid(np.array([-INF, INF])), [0, 1])


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: F.relu(np.arange(3)), TypeError, "relu: input has dtype int64"),
        (lambda: F.relu([1.0]), TypeError, "relu: input is a list"),
        (lambda: F.relu(np.ones(3, ">f4")), TypeError, "native byte order"),
        (
            lambda: F.relu_backward(np.ones(2), np.ones(3)),
            ValueError,
            r"relu_backward: grad_output has shape \(2,\), input has shape \(3,\)",
        ),
        (
            lambda: F.linear(np.ones((2, 4)), np.ones((3, 5))),
            ValueError,
            r"linear: weight has 5 input features, input has 4 \(wanted weight.shape\[1\] == 4\)",
        ),
        (
            lambda: F.linear(np.ones((2, 4)), np.ones((3, 4)), np.ones(4)),
            ValueError,
            r"bias has shape \(4,\) \(wanted \(3,\)\)",
        ),
        (lambda: F.linear(np.ones(4), np.ones((3, 4), "f")), TypeError, "wanted one dtype"),
        (
            lambda: F.linear_backward(np.ones((2, 2)), np.ones((2, 4)), np.ones((3, 4))),
            ValueError,
            r"grad_output has shape \(2, 2\)",
        ),
        (lambda: F.softmax(np.ones((2, 2)), dim=2), ValueError, r"dim is 2.*wanted -2 to 1"),
        (
            lambda: F.cross_entropy(np.ones((2, 3)), np.array([0, 3])),
            ValueError,
            "target has class 3 .wanted 0 to 2",
        ),
        (
            lambda: F.cross_entropy(np.ones((2, 3)), np.array([0, -1])),
            ValueError,
            "target has class -1",
        ),
        (
            lambda: F.cross_entropy(np.ones((2, 3)), np.array([0])),
            ValueError,
            r"target has shape \(1,\)",
        ),
        (
            lambda: F.cross_entropy(np.ones((2, 3)), np.array([0, 1], np.uint8)),
            TypeError,
            "target has dtype uint8",
        ),
        (
            lambda: F.cross_entropy(np.ones((2, 3)), np.array([0, 1]), reduction="avg"),
            ValueError,
            "reduction is 'avg'",
        ),
        (
            lambda: F.cross_entropy(np.ones((2, 3)), np.array([0, 1]), np.ones(2)),
            ValueError,
            r"weight has shape \(2,\) \(wanted \(3,\)\)",
        ),
        (
            lambda: F.cross_entropy(np.ones((2, 3)), np.ones((2, 3)), ignore_index=1),
            ValueError,
            "ignore_index is 1 with probabilities",
        ),
        (lambda: F.mse_loss(np.ones((3, 1)), np.ones(3)), ValueError, "wanted one shape"),
        (lambda: F.dropout(np.ones(3), p=1.5), ValueError, "dropout: p is 1.5"),
        (lambda: F.dropout(np.ones(3), mask=np.ones(3)), TypeError, "mask has dtype float64"),
        (lambda: F.dropout_backward(np.ones(3), np.ones(3)), ValueError, "no seed and no mask"),
        (lambda: F.pad(np.ones(3), (1,)), ValueError, r"pad is \(1,\)"),
        (lambda: F.pad(np.ones(3), (3, 0), "reflect"), ValueError, "wanted at most 2"),
        (lambda: F.pad(np.ones(3), (4, 0), "circular"), ValueError, "wanted at most 3"),
        (lambda: F.pad(np.ones(3), (-2, -2)), ValueError, "wanted a size of 0 or more"),
        (lambda: F.pad(np.ones(3), (1, 1), "mirror"), ValueError, "mode is 'mirror'"),
    ],
)
def test_error_says_what_it_got_and_wanted(call, error, words):
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize("shape", [(4,), (5, 4), (2, 3, 4), (0, 4)])
@pytest.mark.parametrize(
    ("weight_shape", "with_bias"), [((3, 4), True), ((3, 4), False), ((4,), False)]
)
def test_linear_matches_torch(torch, rng, shape, weight_shape, with_bias):
    x = rng.integers(-5, 6, shape).astype(np.float32)
    w = rng.integers(-5, 6, weight_shape).astype(np.float32)
    b = rng.integers(-5, 6, weight_shape[:-1]).astype(np.float32) if with_bias else None
    tensors = [None if a is None else torch.tensor(a, requires_grad=True) for a in (x, w, b)]
    ty = torch.nn.functional.linear(*tensors)
    gy = rng.integers(-5, 6, ty.shape).astype(np.float32)
    ty.backward(torch.tensor(gy))
    np.testing.assert_array_equal(F.linear(x, w, b), ty.detach().numpy())
    for actual, tensor in zip(F.linear_backward(gy, x, w, b), tensors, strict=True):
        if tensor is None:
            assert actual is None
        else:
            close("exact", actual, tensor.grad.numpy())
    assert F.linear_backward(gy, x, w, b, needs=(False, False, False)) == (None, None, None)


def test_linear_writes_into_out(rng):
    x, w, b = rng.standard_normal((5, 4)), rng.standard_normal((3, 4)), rng.standard_normal(3)
    out = np.full((5, 6), NAN)[:, ::2]
    assert F.linear(x, w, b, out=out) is out
    np.testing.assert_allclose(out, F.linear(x, w, b))
    with pytest.raises(ValueError, match="out overlaps input"):
        F.linear(x, w[:, :4], out=x[:, :3])
    with pytest.raises(ValueError, match=r"out has shape \(5, 2\)"):
        F.linear(x, w, out=np.empty((5, 2)))
    with pytest.raises(TypeError, match="out has dtype float32"):
        F.linear(x, w, out=np.empty((5, 3), np.float32))


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize(
    ("shape", "dim"), [((5, 7), 1), ((5, 7), 0), ((2, 3, 4), -2), ((0, 3), 1), ((3, 0), 1), ((), 0)]
)
def test_softmax_matches_torch(torch, rng, name, shape, dim):
    x = rng.standard_normal(shape) * 30
    gy = np.asarray(rng.standard_normal(shape))
    tx = torch.tensor(x, requires_grad=True)
    ty = getattr(torch.nn.functional, name)(tx, dim)
    ty.backward(torch.tensor(gy))
    y = getattr(F, name)(x, dim)
    close(name, y, ty.detach().numpy())
    backward = getattr(F, f"{name}_backward")
    close("cross_entropy", backward(gy, x, dim), tx.grad.numpy())
    close("cross_entropy", backward(gy, x, dim, output=y), tx.grad.numpy())


def test_softmax_of_infinities_is_as_torch(torch):
    x = np.array([[INF, 0, 1], [-INF, 0, 1], [-INF, -INF, -INF], [NAN, 0, 1]], np.float32)
    for name in ("softmax", "log_softmax"):
        expected = getattr(torch.nn.functional, name)(torch.tensor(x), 1).numpy()
        close(name, getattr(F, name)(x, 1), expected)


SETTINGS = list(
    itertools.product(
        [(6, 4), (4,), (3, 4, 5), (2, 4, 3, 2), (0, 4)],
        ["mean", "sum", "none"],
        [False, True],
        [0.0, 0.1],
    )
)


@pytest.mark.parametrize("probabilities", [False, True])
@pytest.mark.parametrize(("shape", "reduction", "weighted", "smoothing"), SETTINGS)
def test_cross_entropy_matches_torch(
    torch, rng, shape, reduction, weighted, smoothing, probabilities
):
    axis = min(1, len(shape) - 1)
    x = rng.standard_normal(shape) * 5
    w = rng.uniform(0.5, 2, 4) if weighted else None
    if probabilities:
        target = rng.dirichlet(np.ones(4), shape[:axis] + shape[axis + 1 :])
        target = np.moveaxis(target, -1, axis)
    else:
        target = np.asarray(rng.integers(0, 4, shape[:axis] + shape[axis + 1 :]))
        if target.size > 2:
            target.flat[1] = -100
    tx = torch.tensor(x, requires_grad=True)
    tt = torch.tensor(target, requires_grad=probabilities)
    tw = None if w is None else torch.tensor(w)
    settings = {"reduction": reduction, "label_smoothing": smoothing}
    loss = torch.nn.functional.cross_entropy(tx, tt, tw, **settings)
    gy = np.asarray(rng.standard_normal(loss.shape))
    loss.backward(torch.tensor(gy))
    close("cross_entropy", F.cross_entropy(x, target, w, **settings), loss.detach().numpy())
    gx, gt, gw = F.cross_entropy_backward(gy, x, target, w, **settings)
    close("cross_entropy", gx, tx.grad.numpy())
    assert gw is None
    if probabilities:
        close("cross_entropy", gt, tt.grad.numpy())
    else:
        assert gt is None
        small = target.astype(np.int32)
        np.testing.assert_array_equal(gx, F.cross_entropy_backward(gy, x, small, w, **settings)[0])


def test_cross_entropy_ignores_a_class_and_infinite_logits(torch):
    x = np.array([[0, -INF, 1], [2, 1, 0], [NAN, 0, 0]], np.float32)
    target = np.array([0, 1, 2])
    tx, tt = torch.tensor(x, requires_grad=True), torch.tensor(target)
    loss = torch.nn.functional.cross_entropy(tx, tt, ignore_index=2)
    loss.backward()
    close("cross_entropy", F.cross_entropy(x, target, ignore_index=2), loss.detach().numpy())
    gx = F.cross_entropy_backward(1.0, x, target, ignore_index=2)[0]
    close("cross_entropy", gx[:2], tx.grad.numpy()[:2])
    nothing = np.full(3, -100)
    assert np.isnan(F.cross_entropy(x[:1].repeat(3, 0), nothing))


def test_cross_entropy_gradient_by_differences(rng):
    x, target = rng.standard_normal((4, 3, 2)), rng.integers(0, 3, (4, 2))
    target[0, 0] = -100
    settings = {"weight": rng.uniform(0.5, 2, 3), "label_smoothing": 0.2}
    numeric = numeric_gradient(lambda x: F.cross_entropy(x, target, **settings), x)
    gx = F.cross_entropy_backward(1.0, x, target, **settings)[0]
    np.testing.assert_allclose(gx, numeric, atol=1e-8)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("shape", [(3, 4), (), (0, 2)])
def test_mse_loss_matches_torch(torch, rng, reduction, shape):
    x, t = (np.asarray(rng.standard_normal(shape)) for _ in range(2))
    tx, tt = torch.tensor(x, requires_grad=True), torch.tensor(t, requires_grad=True)
    loss = torch.nn.functional.mse_loss(tx, tt, reduction=reduction)
    gy = np.asarray(rng.standard_normal(loss.shape))
    loss.backward(torch.tensor(gy))
    close("mse_loss", F.mse_loss(x, t, reduction), loss.detach().numpy())
    gx, gt = F.mse_loss_backward(gy, x, t, reduction)
    close("mse_loss", gx, tx.grad.numpy())
    close("mse_loss", gt, tt.grad.numpy())


def test_linear_and_mse_gradients_by_differences(rng):
    x, w, b, t = (rng.standard_normal(s) for s in [(5, 4), (3, 4), (3,), (5, 3)])

    def loss(x, w, b):
        return F.mse_loss(F.linear(x, w, b), t)

    gy = F.mse_loss_backward(1.0, F.linear(x, w, b), t)[0]
    gradients = F.linear_backward(gy, x, w, b)
    numerics = (
        numeric_gradient(lambda x: loss(x, w, b), x),
        numeric_gradient(lambda w: loss(x, w, b), w),
        numeric_gradient(lambda b: loss(x, w, b), b),
    )
    for gradient, numeric in zip(gradients, numerics, strict=True):
        np.testing.assert_allclose(gradient, numeric, atol=1e-8)


def test_dropout_repeats_and_keeps_the_mean():
    x = np.ones((100, 100), np.float32)
    y = F.dropout(x, 0.25, seed=3)
    assert y.dtype == np.float32
    np.testing.assert_array_equal(np.unique(y), np.float32([0, 1 / 0.75]))
    assert abs(y.mean() - 1) < 0.03
    np.testing.assert_array_equal(y, F.dropout(x, 0.25, seed=3))
    np.testing.assert_array_equal(y, F.dropout_backward(x, x, 0.25, seed=3))
    np.testing.assert_array_equal(y, F.dropout(x, 0.25, mask=y > 0))
    assert not np.array_equal(y, F.dropout(x, 0.25, seed=4))
    assert not np.array_equal(F.dropout(x), F.dropout(x))


def test_dropout_at_its_ends():
    x = np.array([1.0, NAN])
    np.testing.assert_array_equal(F.dropout(x, 1.0), [0, NAN])
    np.testing.assert_array_equal(F.dropout(x, 0.0), x)
    np.testing.assert_array_equal(F.dropout(x, training=False), x)
    np.testing.assert_array_equal(F.dropout_backward(x, x, training=False), x)


@pytest.mark.parametrize(
    ("name", "shape", "maps"),
    [
        ("dropout1d", (5, 40, 7), (5, 40)),
        ("dropout1d", (40, 7), (40,)),
        ("dropout2d", (5, 40, 3, 4), (5, 40)),
        ("dropout2d", (5, 40, 7), (5, 40)),
        ("dropout3d", (5, 40, 2, 3, 4), (5, 40)),
        ("dropout3d", (40, 2, 3, 4), (40,)),
    ],
)
def test_channel_dropout_takes_maps_as_one(name, shape, maps):
    function, backward = getattr(F, name), getattr(F, f"{name}_backward")
    x = np.ones(shape)
    y = function(x, 0.25, seed=3)
    kept = y.reshape(*maps, -1)
    np.testing.assert_array_equal(kept, np.broadcast_to(kept[..., :1], kept.shape))
    np.testing.assert_array_equal(np.unique(y), [0, 1 / 0.75])
    np.testing.assert_array_equal(function(x, 0.25, mask=kept[..., 0] > 0), y)
    np.testing.assert_array_equal(backward(x, x, 0.25, seed=3), y)
    np.testing.assert_array_equal(function(x, training=False), x)
    with pytest.raises(ValueError, match=f"{name}: mask has shape"):
        function(x, mask=np.ones(3, bool))
    with pytest.raises(ValueError, match=f"{name}: input has shape"):
        function(np.ones(3))
