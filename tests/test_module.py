"""Modules: names, state, modes, copies and sharing."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from networks import lenet

import fastconv.functional as F
import fastconv.nn as nn


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def test_names_are_nested():
    class Block(nn.Module):
        def __init__(self):
            self.conv = nn.Conv2d(2, 2, 1)
            self.scale = nn.Parameter(np.ones(1, np.float32))
            self.register_buffer("count", np.array(0))

    class Net(nn.Module):
        def __init__(self):
            self.layer1 = nn.Sequential(Block(), nn.ReLU())
            self.head = nn.Linear(3, 2, bias=False)

    net = Net()
    assert list(net.state_dict()) == [
        "layer1.0.scale",
        "layer1.0.count",
        "layer1.0.conv.weight",
        "layer1.0.conv.bias",
        "head.weight",
    ]
    assert [name for name, _ in net.named_modules()] == [
        "",
        "layer1",
        "layer1.0",
        "layer1.0.conv",
        "layer1.1",
        "head",
    ]
    assert [name for name, _ in net.named_parameters()] == [
        "layer1.0.scale",
        "layer1.0.conv.weight",
        "layer1.0.conv.bias",
        "head.weight",
    ]
    assert [type(m).__name__ for m in net.children()] == ["Sequential", "Linear"]
    with pytest.raises(NotImplementedError, match="Net has no forward"):
        net(1)


def test_shared_parameters_are_counted_once():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    net[1].weight = net[0].weight
    assert len(list(net.parameters())) == 3
    assert len(net.state_dict()) == 4
    again = copy.deepcopy(net)
    assert again[1].weight is again[0].weight


def test_parameter_is_not_replaced_by_an_array():
    layer = nn.Linear(2, 2)
    with pytest.raises(TypeError, match="weight is a Parameter, got a ndarray"):
        layer.weight = np.zeros((2, 2))
    layer.weight += 1
    assert isinstance(layer.weight, nn.Parameter)
    layer.bias = None
    assert list(layer.state_dict()) == ["weight"]


def test_parameter_serves_as_an_array():
    p = nn.Parameter(np.arange(3.0))
    assert (p.shape, p.dtype, p.ndim, p.size, len(p)) == ((3,), np.float64, 1, 3, 3)
    assert p.grad is None
    assert p.requires_grad
    np.testing.assert_array_equal(np.asarray(p), [0, 1, 2])
    assert np.asarray(p) is p.data
    assert np.asarray(p, dtype=np.float32).dtype == np.float32
    assert not np.shares_memory(np.array(p), p.data)
    np.testing.assert_array_equal(2 * p + p, [0, 3, 6])
    assert np.sum(p) == 3
    assert p[2] == 2
    p[0] = 5
    assert p.data[0] == 5
    data = p.data
    p -= 1
    assert isinstance(p, nn.Parameter)
    assert p.data is data
    np.testing.assert_array_equal(F.relu(p), [4, 0, 1])
    assert repr(p) == "Parameter containing:\narray([4., 0., 1.])"
    frozen = nn.Parameter(np.ones(1), requires_grad=False)
    assert repr(frozen) == "Parameter containing:\narray([1.]), requires_grad=False"
    assert len({p, frozen}) == 2
    with pytest.raises(TypeError, match="Parameter: data has dtype int64"):
        nn.Parameter(np.arange(3))


def test_gradients_add_up_until_cleared(rng):
    layer, x = nn.Linear(3, 2), rng.standard_normal((4, 3)).astype(np.float32)
    y = layer(x)
    layer.backward(y)
    once = layer.weight.grad.copy()
    layer(x)
    layer.backward(y)
    np.testing.assert_array_equal(layer.weight.grad, 2 * once)
    layer.zero_grad()
    assert layer.weight.grad is None
    assert layer.bias.grad is None


def test_parameters_without_requires_grad_are_skipped(rng):
    net = lenet().requires_grad_(False)
    net[5].bias.requires_grad = True
    x = rng.standard_normal((2, 1, 6, 6)).astype(np.float32)
    gx = net.backward(net(x))
    assert gx.shape == x.shape
    with_grad = [name for name, p in net.named_parameters() if p.grad is not None]
    assert with_grad == ["5.bias"]


def test_threads_share_a_network_in_eval(rng):
    net = lenet(rng=1).eval()
    images = rng.standard_normal((32, 3, 1, 6, 6)).astype(np.float32)
    expected = [net(x) for x in images]
    with ThreadPoolExecutor(8) as pool:
        for y, wanted in zip(pool.map(net, images), expected, strict=True):
            np.testing.assert_array_equal(y, wanted)


def test_train_and_eval_reach_all_modules():
    net = nn.Sequential(nn.Sequential(nn.Dropout()))
    assert net.eval() is net
    assert not any(module.training for module in net.modules())
    assert net.train() is net
    assert all(module.training for module in net.modules())


def test_copies_are_independent_and_keep_nothing(rng):
    net = lenet(rng=2)
    x = rng.standard_normal((2, 1, 6, 6)).astype(np.float32)
    net.backward(net(x))
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert repr(twin) == repr(net)
        assert all(module._saved is None for module in twin.modules())
        assert all(p.grad is None for p in twin.parameters())
        for (name, own), (key, other) in zip(
            net.state_dict().items(), twin.state_dict().items(), strict=True
        ):
            assert name == key
            np.testing.assert_array_equal(own, other)
            assert not np.shares_memory(own, other)
        np.testing.assert_array_equal(twin.eval()(x), copy.deepcopy(net).eval()(x))


def test_load_state_dict_copies_into_place():
    net, other = lenet(), lenet()
    arrays = list(net.state_dict().values())
    result = net.load_state_dict(other.state_dict())
    assert result == ([], [])
    for before, after, wanted in zip(
        arrays, net.state_dict().values(), other.state_dict().values(), strict=True
    ):
        assert before is after
        np.testing.assert_array_equal(after, wanted)
        assert not np.shares_memory(after, wanted)


def test_load_state_dict_names_what_misfits():
    net = lenet()
    before = copy.deepcopy(net.state_dict())
    state = {k: v + 1 for k, v in before.items()}
    del state["5.bias"]
    state["6.weight"] = np.ones(1)
    with pytest.raises(ValueError, match=r"missing: 5\.bias; unexpected: 6\.weight"):
        net.load_state_dict(state)
    state["5.weight"] = np.ones((4, 26), np.float32)
    with pytest.raises(ValueError, match=r"5\.weight has shape \(4, 26\) \(wanted \(4, 27\)\)"):
        net.load_state_dict(state, strict=False)
    state["5.weight"] = np.ones((4, 27))
    with pytest.raises(TypeError, match=r"5\.weight has dtype float64 \(wanted float32\)"):
        net.load_state_dict(state, strict=False)
    for key, value in net.state_dict().items():  # nothing was copied
        np.testing.assert_array_equal(value, before[key])
    del state["5.weight"]
    result = net.load_state_dict(state, strict=False)
    assert result.missing_keys == ["5.weight", "5.bias"]
    assert result.unexpected_keys == ["6.weight"]
    np.testing.assert_array_equal(net[0].bias, before["0.bias"] + 1)
