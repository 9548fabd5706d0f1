"""The textbooks' layers: connection tables, trainable subsampling, weighted means, distances;
values and gradients against their formula, torch and finite differences.
"""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import fastconv.functional as F
import fastconv.nn as nn

TOLERANCE = {"rtol": 1e-12, "atol": 1e-12}
STEP = 1e-5

# Table I of LeCun et al. 1998: which of S2's 6 maps each of C3's 16 reads.
C3_MAPS = "012 123 234 345 045 015 0123 1234 2345 0345 0145 0125 0134 1245 0235 012345"
C3 = np.array([[str(i) in maps for i in range(6)] for maps in C3_MAPS.split()])

LAYERS = {
    "pool": (lambda: nn.ScaledAvgPool2d(4, 2, dtype="f8"), (2, 4, 6, 5)),
    "pool tanh": (
        lambda: nn.ScaledAvgPool2d(4, (3, 2), 1, 1, activation="scaled_tanh", dtype="f8"),
        (2, 4, 6, 5),
    ),
    "pool leaky": (
        lambda: nn.ScaledAvgPool2d(4, 2, 2, "same", activation=("leaky_relu", 0.2), dtype="f8"),
        (4, 6, 5),
    ),
    "gaussian": (lambda: nn.GaussianPool2d(3, 2, 1), (2, 4, 6, 5)),
    "gaussian wide": (lambda: nn.GaussianPool2d((4, 3), 1, sigma=0.7), (3, 6, 5)),
    "rbf": (lambda: nn.RBF(5, 3, dtype="f8"), (4, 5)),
    "rbf of one": (lambda: nn.RBF(5, 3, dtype="f8"), (5,)),
    "rbf of many": (lambda: nn.RBF(5, 3, dtype="f8"), (2, 3, 5)),
    "tanh": (nn.ScaledTanh, (3, 4)),
    "table": (lambda: nn.Conv2d(6, 16, 3, connections=C3, dtype="f8"), (2, 6, 5, 6)),
    "table, strided": (
        lambda: nn.Conv2d(6, 16, (3, 2), 2, ((1, 0), (0, 2)), bias=False, connections=C3,
                          dtype="f8"),
        (6, 5, 6),
    ),
    "table, dilated": (
        lambda: nn.Conv2d(6, 16, 2, 1, "same", 2, padding_mode="reflect", connections=C3,
                          dtype="f8"),
        (2, 6, 5, 6),
    ),
}  # fmt: skip


@pytest.fixture
def rng():
    return np.random.default_rng(13)


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_are_the_differences(rng, name):
    make, shape = LAYERS[name]
    layer, x = make(), rng.standard_normal(shape)
    gy = rng.standard_normal(layer(x).shape)
    gradients = [layer.backward(gy), *(p.grad for p in layer.parameters())]
    arrays = [x, *(p.data for p in layer.parameters())]
    for array, gradient in zip(arrays, gradients, strict=True):
        assert gradient.shape == array.shape
        for i in rng.permutation(array.size)[:40]:
            place = np.unravel_index(i, array.shape)
            value, sums = array[place], []
            for step in (STEP, -STEP):
                array[place] = value + step
                sums.append((layer(x) * gy).sum())
            array[place] = value
            difference = (sums[0] - sums[1]) / (2 * STEP)
            np.testing.assert_allclose(gradient[place], difference, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", LAYERS)
def test_modes_copies_and_state(rng, name):
    make, shape = LAYERS[name]
    layer, x = make(), rng.standard_normal(shape)
    wanted = layer(x)
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        np.testing.assert_array_equal(twin(x), wanted)
        assert repr(twin) == repr(layer)
    other = make()
    other.load_state_dict(layer.state_dict())
    np.testing.assert_array_equal(other(x), wanted)
    for mode in (layer.eval, layer.freeze):
        np.testing.assert_array_equal(mode()(x), wanted)
        with pytest.raises(RuntimeError, match="backward in eval"):
            layer.backward(wanted)
    layer.train()
    with pytest.raises(RuntimeError, match="backward without a forward"):
        layer.backward(wanted)
    chain = nn.Sequential(layer)
    chain.backward(np.ones_like(chain(x)))
    gradients = [p.grad for p in layer.parameters()]
    layer.zero_grad()
    assert chain(x) is not None
    assert chain.backward(np.ones_like(wanted), needs_input=False) is None
    for parameter, gradient in zip(layer.parameters(), gradients, strict=True):
        np.testing.assert_array_equal(parameter.grad, gradient)


def test_lenets_c3_has_the_papers_parameters():
    layer = nn.Conv2d(6, 16, 5, connections=C3)
    assert sum(p.size for p in layer.parameters()) == 1516
    assert repr(layer).endswith("stride=(1, 1), connections=60 of 96)")


@pytest.mark.parametrize("shape", [(2, 6, 9, 8), (6, 9, 8), (0, 6, 9, 8)])
@pytest.mark.parametrize("last", [False, True], ids=["channels first", "last"])
def test_a_table_is_the_dense_convolution_with_zeros(rng, shape, last):
    layer = nn.Conv2d(6, 16, (5, 3), 2, (2, 1), connections=C3, dtype=np.float64)
    x = rng.integers(-5, 6, shape).astype(np.float64)
    layer.weight.data[...] = rng.integers(-5, 6, layer.weight.shape)
    layer.bias.data[...] = rng.integers(-5, 6, 16)
    if last:
        x = np.moveaxis(np.ascontiguousarray(np.moveaxis(x, -3, -1)), -1, -3)
    dense = layer.dense_weight()
    assert np.count_nonzero(dense[~C3]) == 0
    y = layer(x)
    np.testing.assert_array_equal(y, F.conv2d(x, dense, layer.bias, 2, (2, 1)))
    if last and x.size:
        assert np.moveaxis(y, -3, -1).flags.c_contiguous
    gy = rng.integers(-5, 6, y.shape).astype(np.float64)
    gx, gw, gb = F.conv2d_backward(gy, x, dense, layer.bias, 2, (2, 1))
    np.testing.assert_array_equal(layer.backward(gy), gx)
    np.testing.assert_array_equal(layer.weight.grad, gw[C3])
    np.testing.assert_array_equal(layer.bias.grad, gb)


def test_an_unconnected_map_is_not_read(rng):
    x = rng.standard_normal((1, 6, 5, 5)).astype(np.float32)
    x[:, 0] = np.nan
    y = nn.Conv2d(6, 16, 5, connections=C3)(x)
    np.testing.assert_array_equal(np.isnan(y[0, :, 0, 0]), C3[:, 0])


@pytest.mark.parametrize("rare", [np.nan, np.inf])
@pytest.mark.parametrize("batched", [True, False])
def test_rare_numbers_stay_in_connected_maps_and_their_image(rng, rare, batched):
    """Whichever way it is computed; and other images keep their bits."""
    layer = nn.Conv2d(6, 16, 3, connections=C3)
    x = rng.standard_normal((3, 6, 5, 6)).astype(np.float32)
    gy = rng.standard_normal((3, 16, 3, 4)).astype(np.float32)
    if not batched:
        x, gy = x[1], gy[1]
    y = layer(x)
    gx = layer.backward(gy)
    image = 1 if batched else ...
    x[image][0], gy[image][2] = rare, rare
    rare_y = layer(x)
    rare_gx = layer.backward(gy)
    spoilt = ~np.isfinite(rare_y[image]).all((-2, -1))
    np.testing.assert_array_equal(spoilt, C3[:, 0])
    np.testing.assert_array_equal(~np.isfinite(rare_gx[image]).all((-2, -1)), C3[2])
    np.testing.assert_allclose(rare_y[image][~spoilt], y[image][~spoilt], rtol=1e-5, atol=1e-6)
    if batched:
        for other in (0, 2):
            assert np.array_equal(rare_y[other], y[other])
            assert np.array_equal(rare_gx[other], gx[other])


def test_a_table_may_be_a_list_and_repeats_with_its_seed():
    first, again = (nn.Conv2d(2, 3, 2, connections=[[1, 0], [1, 1], [0, 1]], rng=5) for _ in "ab")
    np.testing.assert_array_equal(first.weight, again.weight)
    assert first.weight.shape == (4, 2, 2)
    fan_in = np.array([1, 2, 2, 1]) * 4
    assert (np.abs(first.weight.data) <= 1 / np.sqrt(fan_in)[:, None, None]).all()
    assert nn.Conv2d(2, 3, 2).dense_weight().shape == (3, 2, 2, 2)


@pytest.mark.parametrize("activation", [None, "scaled_tanh", "tanh", ("leaky_relu", 0.1)])
def test_subsampling_is_torchs_composition(rng, activation):
    torch = pytest.importorskip("torch")
    layer = nn.ScaledAvgPool2d(3, (2, 3), (2, 1), activation=activation, dtype=np.float64)
    x = rng.standard_normal((2, 3, 7, 6))
    tx = torch.tensor(x, requires_grad=True)
    w, b = (torch.tensor(p.data, requires_grad=True) for p in layer.parameters())
    sums = torch.nn.functional.avg_pool2d(tx, (2, 3), (2, 1), divisor_override=1)
    ty = sums * w[:, None, None] + b[:, None, None]
    if activation == "scaled_tanh":
        ty = 1.7159 * torch.tanh(2 * ty / 3)
    elif activation is not None:
        ty = torch.tanh(ty) if activation == "tanh" else torch.nn.functional.leaky_relu(ty, 0.1)
    y = layer(x)
    np.testing.assert_allclose(y, ty.detach(), **TOLERANCE)
    gy = rng.standard_normal(y.shape)
    ty.backward(torch.tensor(gy))
    np.testing.assert_allclose(layer.backward(gy), tx.grad, **TOLERANCE)
    np.testing.assert_allclose(layer.weight.grad, w.grad, **TOLERANCE)
    np.testing.assert_allclose(layer.bias.grad, b.grad, **TOLERANCE)


def test_weighted_means(rng):
    layer = nn.GaussianPool2d(3, 1, sigma=1.2)
    near, corner = layer.weight[0, 1] / layer.weight[1, 1], layer.weight[0, 0] / layer.weight[1, 1]
    np.testing.assert_allclose([near, corner], np.exp([-1 / 2.88, -2 / 2.88]), **TOLERANCE)
    np.testing.assert_allclose(layer(np.full((1, 2, 5, 5), 7.0)), 7, **TOLERANCE)
    even = nn.GaussianPool2d(2).weight
    np.testing.assert_allclose(even, 0.25, **TOLERANCE)
    assert layer(rng.standard_normal((2, 5, 6)).astype(np.float32)).dtype == np.float32


def test_distances(rng):
    layer = nn.RBF(84, 10)
    assert set(np.unique(layer.weight.data)) == {-1, 1}
    x = rng.integers(-3, 4, (5, 84)).astype(np.float32)
    wanted = ((x[:, None] - layer.weight.data) ** 2).sum(-1)
    np.testing.assert_array_equal(layer(x), wanted)
    assert layer(layer.weight.data).diagonal().tolist() == [0] * 10
    layer.requires_grad_(False)
    layer(x)
    assert layer.backward(wanted).shape == x.shape
    assert layer.weight.grad is None


def test_lenet_5_trains(rng):
    """The paper's network, one step on one batch."""
    net = nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.ScaledTanh(), nn.ScaledAvgPool2d(6, 2, activation="scaled_tanh"),
        nn.Conv2d(6, 16, 5, connections=C3), nn.ScaledTanh(),
        nn.ScaledAvgPool2d(16, 2, activation="scaled_tanh"), nn.Conv2d(16, 120, 5),
        nn.ScaledTanh(), nn.Flatten(), nn.Linear(120, 84), nn.ScaledTanh(), nn.RBF(84, 10),
    )  # fmt: skip
    assert sum(p.size for p in net.parameters()) == 156 + 12 + 1516 + 32 + 48120 + 10164 + 840
    x, y = rng.standard_normal((4, 1, 32, 32)).astype(np.float32), np.arange(4)
    before = net(x)[np.arange(4), y].sum()
    gradient = np.zeros((4, 10), np.float32)
    gradient[np.arange(4), y] = 1  # of the distance to the right class
    net.backward(gradient, needs_input=False)
    for parameter in net.parameters():
        parameter -= 1e-4 * parameter.grad
    assert net(x)[np.arange(4), y].sum() < before


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: nn.Conv2d(6, 16, 5, connections=C3.T), ValueError,
         r"connections has shape \(6, 16\) \(wanted \(16, 6\)"),
        (lambda: nn.Conv2d(6, 16, 5, groups=2, connections=C3), ValueError, "groups is 2"),
        (lambda: nn.Conv2d(6, 16, 5, connections=C3 * 2), ValueError, "other values than 0 and 1"),
        (lambda: nn.Conv2d(1, 2, 5, connections=[[1], [0]]), ValueError, "for output map 1"),
        (lambda: nn.Conv2d(6, 16, 5, connections=C3)(np.ones((1, 5, 9, 9))), ValueError,
         r"input has shape \(1, 5, 9, 9\)"),
        (lambda: nn.ScaledAvgPool2d(0, 2), ValueError, "channels is 0"),
        (lambda: nn.ScaledAvgPool2d(2, 2, activation="tan"), ValueError, "activation is 'tan'"),
        (lambda: nn.ScaledAvgPool2d(2, 2)(np.ones((1, 3, 4, 4), "f4")), ValueError, "channels"),
        (lambda: nn.GaussianPool2d(2, sigma=0), ValueError, "sigma is 0"),
        (lambda: nn.GaussianPool2d(2)(np.ones((4, 4))), ValueError, r"input has shape \(4, 4\)"),
        (lambda: nn.RBF(3, 0), ValueError, "out_features is 0"),
        (lambda: nn.RBF(3, 2)(np.ones((4, 2), "f4")), ValueError, r"has shape \(4, 2\)"),
        (lambda: nn.RBF(3, 2)(np.ones((4, 3))), TypeError, "input is float64, weight is float32"),
    ],
)  # fmt: skip
def test_errors_name_what_is_wrong(call, error, words):
    with pytest.raises(error, match=words):
        call()
