"""Concat and Residual: values and gradients against torch, nested, frozen, copied, wrong shapes."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import fastconv.nn as nn

TOLERANCE = {"rtol": 1e-12, "atol": 1e-12}


def inception():
    return nn.Concat(
        nn.Conv2d(4, 3, 1, dtype=np.float64),
        nn.Sequential(
            nn.Conv2d(4, 2, 1, dtype=np.float64), nn.ReLU(),
            nn.Conv2d(2, 5, 3, padding=1, dtype=np.float64),
        ),
        nn.Sequential(),
        nn.MaxPool2d(3, 1, 1),
    )  # fmt: skip


def block(activation="relu"):
    branch = nn.Sequential(
        nn.Conv2d(4, 6, 3, 2, 1, dtype=np.float64), nn.Tanh(),
        nn.Conv2d(6, 6, 3, padding=1, dtype=np.float64),
    )  # fmt: skip
    return nn.Residual(branch, nn.Conv2d(4, 6, 1, 2, dtype=np.float64), activation)


def identity():
    return nn.Residual(nn.Conv2d(4, 4, 3, padding=1, dtype=np.float64))


NETS = {
    "inception": inception,
    "block": block,
    "identity": identity,
    "leaky": lambda: block(("leaky_relu", 0.3)),
    "module": lambda: block(nn.Sigmoid()),
    "nested": lambda: nn.Sequential(
        identity(), inception(), nn.ReLU(), nn.Concat({"a": nn.Sequential(), "b": nn.Tanh()})
    ),
    "inside": lambda: nn.Residual(
        nn.Sequential(inception(), nn.Conv2d(16, 4, 1, dtype=np.float64)), nn.Sequential()
    ),
    "one": lambda: nn.Concat(nn.Conv2d(4, 3, 2, dtype=np.float64)),
}


@pytest.fixture
def rng():
    return np.random.default_rng(12)


def theirs(net, x):
    """The net by torch, which has no such containers."""
    import torch
    import torch.nn.functional as T

    if isinstance(net, nn.Sequential):
        for module in net:
            x = theirs(module, x)
        return x
    if isinstance(net, nn.Concat):
        return torch.cat([theirs(branch, x) for branch in net], net.dim)
    if isinstance(net, nn.Residual):
        y = theirs(net.branch, x) + (x if net.shortcut is None else theirs(net.shortcut, x))
        return y if net.activation is None else theirs(net.activation, y)
    if isinstance(net, nn.Conv2d):
        w, b = (torch.tensor(p.data, requires_grad=True) for p in (net.weight, net.bias))
        net.torch = (w, b)
        return T.conv2d(x, w, b, net.stride, net.padding)
    if isinstance(net, nn.MaxPool2d):
        return T.max_pool2d(x, net.kernel_size, net.stride, net.padding)
    if isinstance(net, nn.LeakyReLU):
        return T.leaky_relu(x, net.negative_slope)
    return {"ReLU": torch.relu, "Tanh": torch.tanh, "Sigmoid": torch.sigmoid}[type(net).__name__](x)


@pytest.mark.parametrize("name", NETS)
def test_values_and_gradients_are_torchs(rng, name):
    torch = pytest.importorskip("torch")
    net, x = NETS[name](), rng.standard_normal((2, 4, 7, 6))
    tx = torch.tensor(x, requires_grad=True)
    y, ty = net(x), theirs(net, tx)
    np.testing.assert_allclose(y, ty.detach(), **TOLERANCE)
    gy = rng.standard_normal(y.shape)
    ty.backward(torch.tensor(gy))
    before = gy.copy()
    np.testing.assert_allclose(net.backward(gy), tx.grad, **TOLERANCE)
    np.testing.assert_array_equal(gy, before)
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            for parameter, wanted in zip((module.weight, module.bias), module.torch, strict=True):
                np.testing.assert_allclose(parameter.grad, wanted.grad, **TOLERANCE)


@pytest.mark.parametrize("name", NETS)
def test_training_does_not_need_the_inputs_gradient(rng, name):
    net, x = NETS[name](), rng.standard_normal((2, 4, 7, 6))
    outer = nn.Sequential(net)
    gy = rng.standard_normal(outer(x).shape)
    outer.backward(gy)
    wanted = [parameter.grad for parameter in net.parameters()]
    net.zero_grad()
    outer(x)
    assert outer.backward(gy, needs_input=False) is None
    for parameter, gradient in zip(net.parameters(), wanted, strict=True):
        np.testing.assert_array_equal(parameter.grad, gradient)


@pytest.mark.parametrize("name", NETS)
def test_modes_copies_and_state(rng, name):
    net, x = NETS[name](), rng.standard_normal((2, 4, 7, 6))
    wanted = net(x)
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        np.testing.assert_array_equal(twin(x), wanted)
        assert repr(twin) == repr(net)
    other = NETS[name]()
    other.load_state_dict(net.state_dict())
    np.testing.assert_array_equal(other(x), wanted)
    net.eval()
    np.testing.assert_array_equal(net(x), wanted)
    with pytest.raises(RuntimeError, match="eval"):
        net.backward(wanted)
    net.freeze()
    assert all(module._frozen for module in net.modules())
    np.testing.assert_allclose(net(x), wanted, **TOLERANCE)
    np.testing.assert_allclose(pickle.loads(pickle.dumps(net))(x), wanted, **TOLERANCE)
    assert not net.train()._frozen
    np.testing.assert_array_equal(net(x), wanted)


def test_names():
    assert list(inception().state_dict()) == [
        "0.weight", "0.bias", "1.0.weight", "1.0.bias", "1.2.weight", "1.2.bias",
    ]  # fmt: skip
    assert list(block().state_dict()) == [
        "branch.0.weight", "branch.0.bias", "branch.2.weight", "branch.2.bias", "shortcut.weight",
        "shortcut.bias",
    ]  # fmt: skip


def test_repr():
    assert repr(nn.Concat(nn.ReLU(), nn.Tanh())) == "Concat(\n  (0): ReLU()\n  (1): Tanh()\n)"
    assert repr(nn.Concat(nn.ReLU(), dim=-3)) == "Concat(\n  dim=-3\n  (0): ReLU()\n)"


def test_channels_last_stays_so(rng):
    x = np.moveaxis(rng.standard_normal((2, 7, 6, 4)), -1, 1)
    for net in (inception(), block(), identity()):
        y = net(x)
        assert np.moveaxis(y, 1, -1).flags.c_contiguous
        np.testing.assert_allclose(y, net(x.copy()), **TOLERANCE)
        net(x)
        assert net.backward(y).shape == x.shape


def test_without_a_batch(rng):
    x = rng.standard_normal((4, 7, 6))
    net = nn.Concat(nn.Sequential(), nn.Conv2d(4, 3, 1, dtype=np.float64), dim=-3)
    y = net(x)
    np.testing.assert_array_equal(y[:4], x)
    assert net(x[None]).shape == (1, 7, 7, 6)
    assert block()(x).shape == (6, 4, 3)


def test_concat_is_a_list():
    net = nn.Concat(nn.ReLU(), nn.Tanh(), dim=2)
    assert len(net.append(nn.Sigmoid())) == 3
    assert isinstance(net[2], nn.Sigmoid)
    assert net[:2].dim == 2
    assert [type(branch).__name__ for branch in net[1:]] == ["Tanh", "Sigmoid"]


def test_errors_name_the_shapes(rng):
    x = rng.standard_normal((1, 4, 7, 6))
    wrong = nn.Concat(nn.Sequential(), nn.MaxPool2d(2))
    with pytest.raises(ValueError, match=r"Concat: outputs have shapes 0 \(1, 4, 7, 6\), 1 \(1, 4"):
        wrong(x)
    with pytest.raises(ValueError, match="Concat: there is no branch"):
        nn.Concat()(x)
    with pytest.raises(ValueError, match="dim=4"):
        nn.Concat(nn.ReLU(), dim=4)(x)
    with pytest.raises(TypeError, match="Concat: 0 is a int"):
        nn.Concat(3)
    with pytest.raises(ValueError, match=r"output has shape \(1, 4, 3, 3\), input has shape \(1"):
        nn.Residual(nn.MaxPool2d(2))(x)
    with pytest.raises(ValueError, match="the shortcut's output has shape"):
        nn.Residual(nn.Sequential(), nn.MaxPool2d(2))(x)
    with pytest.raises(TypeError, match="Residual: branch is a NoneType"):
        nn.Residual(None)
    with pytest.raises(ValueError, match="activation is 'rely'"):
        nn.Residual(nn.ReLU(), activation="rely")
    for net in (identity(), inception()):
        with pytest.raises(RuntimeError, match="backward without a forward"):
            net.backward(x)
        net(x)
        with pytest.raises(ValueError, match="grad_output has shape"):
            net.backward(x[:, :, 1:])
