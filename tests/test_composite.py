"""Composite: a structure over children that keep their names."""

from __future__ import annotations

import copy
import pickle
import threading

import numpy as np
import pytest
from conftest import FORCED

import fastconv.nn as nn

pytestmark = pytest.mark.skipif(bool(FORCED), reason="no kernel of its own")

X = np.random.default_rng(0).standard_normal((2, 4, 7, 6)).astype(np.float32)
GY = np.random.default_rng(1).standard_normal((2, 6, 7, 6)).astype(np.float32)


class Block(nn.Composite):
    def __init__(self, rng=0):
        rng = np.random.default_rng(rng)
        self.conv1 = nn.Conv2d(4, 4, 3, padding=1, bias=False, rng=rng)
        self.bn1 = nn.BatchNorm2d(4)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1, rng=rng)
        self.left = nn.Conv2d(4, 2, 1, rng=rng)
        self.right = nn.Conv2d(4, 4, 1, rng=rng)
        self.composed = 0

    def compose(self):
        vars(self)["composed"] += 1
        branch = nn.Sequential(self.conv1, self.bn1, self.relu1, self.conv2)
        return nn.Sequential(
            nn.Residual(branch, activation="relu"), nn.Concat(self.left, self.right)
        )


def plain(block):
    """The same modules in containers, whose names differ."""
    twin = copy.deepcopy(block)
    return twin.compose()


def test_names_are_those_of_the_children():
    block = Block()
    names = ["conv1", "bn1", "relu1", "conv2", "left", "right"]
    for _ in range(2):
        assert [name for name, _ in block.named_modules()] == ["", *names]
        assert list(dict(block.named_children())) == names
        assert [name for name in block.state_dict() if "conv" in name] == [
            "conv1.weight", "conv2.weight", "conv2.bias",
        ]  # fmt: skip
        assert len(list(block.parameters())) == 9
        block(X)  # makes the structure
    assert repr(block).startswith("Block(\n  (conv1): Conv2d(4, 4")
    assert "Residual" not in repr(block)
    assert block.composed == 1


@pytest.mark.parametrize("needs_input", [True, False])
def test_computes_and_learns_as_the_structure(needs_input):
    block = Block()
    twin = plain(block)
    np.testing.assert_array_equal(block(X), twin(X))
    gradient, wanted = block.backward(GY, needs_input), twin.backward(GY, needs_input)
    if needs_input:
        np.testing.assert_array_equal(gradient, wanted)
    else:
        assert gradient is wanted is None
    for own, other in zip(block.parameters(), twin.parameters(), strict=True):
        np.testing.assert_array_equal(own.grad, other.grad)
    np.testing.assert_array_equal(block.bn1.running_mean, next(
        m for m in twin.modules() if isinstance(m, nn.BatchNorm2d)).running_mean)  # fmt: skip


def test_frozen_it_fuses():
    block = Block()
    block(X)
    wanted = block.eval()(X)
    assert block.freeze() is block
    block.bn1.forward = block.relu1.forward = None  # they are not called
    np.testing.assert_allclose(block(X), wanted, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="Block: conv1 is frozen"):
        block.conv1 = nn.Conv2d(4, 4, 1)
    with pytest.raises(ValueError, match="read-only"):
        block.conv1.weight[...] = 0
    with pytest.raises(RuntimeError, match=r"backward in eval\(\)"):
        block.backward(GY)
    del block.bn1.forward, block.relu1.forward
    block.conv1.train()
    block.conv1.eval()
    block.conv1.weight.data *= 2  # thawed apart
    assert not np.allclose(block(X), wanted)
    block.conv1.weight.data /= 2
    np.testing.assert_array_equal(block.train().eval()(X), wanted)


def test_frozen_inside_of_another():
    net = nn.Sequential(Block(), nn.ReLU()).eval()
    wanted = net(X)
    net.freeze()
    net[0].relu1.forward = None
    np.testing.assert_allclose(net(X), wanted, rtol=1e-5, atol=1e-6)
    del net[0].relu1.forward
    net[0].train()
    net[0].eval()
    np.testing.assert_array_equal(net(X), wanted)


def test_a_child_is_replaced():
    block = Block()
    block(X)
    block.left = nn.Conv2d(4, 3, 1)
    assert block(X).shape == (2, 7, 7, 6)
    block.eval()(X)
    block.relu1 = nn.Tanh()
    y = block(X)
    twin = plain(block)
    np.testing.assert_array_equal(y, twin(X))
    assert block.freeze()(X).shape == y.shape
    block.train()
    block.left = nn.Conv2d(4, 1, 1)
    assert block.freeze()(X).shape == (2, 5, 7, 6)


def test_modes():
    block = Block()
    with pytest.raises(RuntimeError, match="backward without a forward"):
        block.backward(GY)
    block(X)
    block.train()  # it is already
    block.backward(GY)
    block.eval()(X)
    assert all(m._saved is None and not m.training for m in block.structure.modules())
    with pytest.raises(RuntimeError, match=r"backward in eval\(\)"):
        block.backward(GY)
    block.train()
    block.bn1.eval()  # a layer whose statistics stay
    block(X)
    assert block.bn1.num_batches_tracked == 1


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
@pytest.mark.parametrize("mode", ["train", "eval", "freeze"])
def test_copies(duplicate, mode):
    block = Block()
    block(X)
    getattr(block, mode)()
    wanted = block(X)
    twin = duplicate(block)
    assert "_composed" not in vars(twin)
    np.testing.assert_array_equal(twin(X), wanted)
    if mode == "train":
        twin.backward(GY)
        assert block.conv1.weight.grad is None
    twin.train()
    twin.conv1.weight.data[...] = 0
    assert not np.array_equal(twin(X), wanted)
    np.testing.assert_array_equal(block(X), wanted)


def test_threads_share_it():
    block = Block().eval()
    wanted, wrong = block(X), []

    def work():
        wrong.extend(i for i in range(40) if not np.array_equal(block(X), wanted))

    for _ in range(5):
        block.train().eval()
        workers = [threading.Thread(target=work) for _ in range(6)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    assert not wrong


def test_what_it_cannot_be():
    with pytest.raises(NotImplementedError, match="Composite has no compose"):
        nn.Composite()(X)

    class Loose(nn.Composite):
        def compose(self):
            return nn.Sequential(nn.Conv2d(4, 4, 1))

    with pytest.raises(ValueError, match="Loose: compose made a Conv2d with parameters"):
        Loose()(X)


def test_what_does_not_learn_has_no_backward():
    body, head = nn.Sequential(nn.Conv2d(4, 4, 3), nn.ReLU(), Block()), nn.Conv2d(6, 2, 1)
    net = nn.Sequential(body, nn.ReLU(), head)
    body.requires_grad_(False)
    y = net(X)
    for module in (*body.modules(), net[1]):
        module.backward = None
    net.backward(np.ones_like(y), needs_input=False)
    assert head.weight.grad is not None
    assert all(parameter.grad is None for parameter in body.parameters())
    body[2].right.requires_grad_()
    with pytest.raises(TypeError):
        net.backward(np.ones_like(y), needs_input=False)
