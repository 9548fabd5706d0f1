"""Optimizers: torch's numbers over many steps, in place, with groups and saved states."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import fastconv.nn as nn
import fastconv.optim as optim

CALLS = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.3}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.4, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1, "nesterov": True}),
    ("Adam", {}),
    ("Adam", {"lr": 0.05, "betas": (0.7, 0.9), "eps": 1e-3, "weight_decay": 0.2}),
    ("Adam", {"lr": 0.05, "amsgrad": True}),
]
SHAPES = [(3, 2), (4,), ()]


def parameters(seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return [nn.Parameter(np.asarray(rng.standard_normal(shape), dtype)) for shape in SHAPES]


def set_gradients(members, step):
    rng = np.random.default_rng(100 + step)
    for p in members:
        p.grad = np.asarray(rng.standard_normal(p.shape) / (1 + step), p.dtype)


def run(optimizer, members, steps):
    for step in steps:
        set_gradients(members, step)
        optimizer.step()


@pytest.mark.parametrize(("name", "settings"), CALLS)
def test_steps_are_torchs(name, settings):
    torch = pytest.importorskip("torch")
    ours = parameters()
    theirs = [torch.tensor(p.data, requires_grad=True) for p in ours]
    optimizer = getattr(optim, name)(ours, **settings)
    torch_optimizer = getattr(torch.optim, name)(theirs, **settings)
    for step in range(12):
        set_gradients(ours, step)
        for own, their in zip(ours, theirs, strict=True):
            their.grad = torch.tensor(own.grad)
        if step == 5:  # a parameter that had no part in the loss
            ours[0].grad = theirs[0].grad = None
        optimizer.step()
        torch_optimizer.step()
    for own, their in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(own.data, their.detach().numpy(), rtol=1e-12)
    state, torch_state = optimizer.state_dict(), torch_optimizer.state_dict()
    assert state["param_groups"][0]["params"] == torch_state["param_groups"][0]["params"]
    for number, saved in state["state"].items():
        if name == "Adam":
            assert set(saved) == set(torch_state["state"][number])
        for key, value in saved.items():
            np.testing.assert_allclose(value, torch_state["state"][number][key], rtol=1e-12)


@pytest.mark.parametrize(("name", "settings"), CALLS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_steps_change_the_arrays_in_place(name, settings, dtype):
    members = parameters(dtype=dtype)
    arrays = [p.data for p in members]
    before = copy.deepcopy(arrays)
    set_gradients(members, 0)
    gradients = [p.grad.copy() for p in members]
    getattr(optim, name)(members, **settings).step()
    for p, array, old, gradient in zip(members, arrays, before, gradients, strict=True):
        assert p.data is array
        assert p.dtype == dtype
        assert not np.array_equal(array, old)
        np.testing.assert_array_equal(p.grad, gradient)


@pytest.mark.parametrize(("name", "settings"), CALLS)
def test_a_loaded_state_goes_on_the_same(name, settings):
    make = getattr(optim, name)
    straight, resumed = parameters(), parameters()
    run(make(straight, **settings), straight, range(6))
    first = make(resumed, **settings)
    run(first, resumed, range(3))
    saved = pickle.loads(pickle.dumps(first.state_dict()))
    second = make(resumed, lr=123.0)
    second.load_state_dict(saved)
    run(second, resumed, range(3, 6))
    for one, other in zip(straight, resumed, strict=True):
        np.testing.assert_array_equal(one.data, other.data)


def test_a_torch_state_loads():
    torch = pytest.importorskip("torch")
    ours = parameters()
    theirs = [torch.tensor(p.data, requires_grad=True) for p in ours]
    torch_optimizer = torch.optim.Adam(theirs, lr=0.1)
    for their in theirs:
        their.grad = torch.ones_like(their)
    torch_optimizer.step()
    optimizer = optim.Adam(ours)
    optimizer.load_state_dict(torch_optimizer.state_dict())
    assert optimizer.param_groups[0]["lr"] == 0.1
    assert optimizer.state[ours[0]]["step"] == 1


def test_groups_have_settings_of_their_own():
    a, b, c = parameters()
    groups = [{"params": [a, b]}, {"params": c, "lr": 0.0}]
    optimizer = optim.SGD(groups, lr=1.0)
    before = [p.data.copy() for p in (a, b, c)]
    set_gradients((a, b, c), 0)
    optimizer.step()
    np.testing.assert_allclose(a.data, before[0] - a.grad)
    np.testing.assert_allclose(b.data, before[1] - b.grad)
    np.testing.assert_array_equal(c.data, before[2])
    assert groups == [{"params": [a, b]}, {"params": c, "lr": 0.0}]
    assert "Parameter Group 1\n    dampening: 0\n    lr: 0.0" in repr(optimizer)


def test_parameters_may_come_from_a_generator():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    optimizer = optim.SGD(net.parameters(), lr=0.1)
    for p in net.parameters():
        p.grad = np.ones_like(p.data)
    optimizer.step()
    optimizer.zero_grad()
    assert all(p.grad is None for p in net.parameters())


def test_overflow_is_a_number_and_no_warning():
    p = nn.Parameter(np.full(2, 3e38, np.float32))
    p.grad = np.full(2, -3e38, np.float32)
    optim.SGD([p], lr=10.0).step()
    assert np.isinf(p.data).all()


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: optim.SGD([]), ValueError, "SGD: params is empty"),
        (lambda: optim.SGD(parameters()[0]), TypeError, "params is a Parameter"),
        (lambda: optim.SGD([np.ones(2)]), TypeError, "params has a ndarray"),
        (lambda: optim.SGD(parameters()[:1] * 2), ValueError, "a Parameter twice"),
        (lambda: optim.SGD(parameters(), lr=-1), ValueError, "lr is -1"),
        (lambda: optim.SGD(parameters(), momentum=-1), ValueError, "momentum is -1"),
        (lambda: optim.SGD(parameters(), nesterov=True), ValueError, "nesterov with momentum 0"),
        (lambda: optim.Adam(parameters(), betas=(0.9, 1.0)), ValueError, r"betas is \(0.9, 1.0\)"),
        (
            lambda: optim.SGD(parameters()).load_state_dict(
                optim.SGD(parameters()[:2]).state_dict()
            ),
            ValueError,
            r"groups of \[2\] parameters \(wanted \[3\]\)",
        ),
    ],
)
def test_wrong_arguments_are_named(call, error, words):
    with pytest.raises(error, match=words):
        call()
