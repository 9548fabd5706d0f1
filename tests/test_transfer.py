"""Transfer learning: load, replace the head, freeze the body; what is not learned costs nothing."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import FORCED

import fastconv as fc
from fastconv import models, nn, optim, training

pytestmark = pytest.mark.skipif(bool(FORCED), reason="modules, not instruction sets")

RNG = np.random.default_rng(0)
IMAGES = RNG.random((6, 3, 32, 32), np.float32)
LABELS = np.arange(6) % 3


def transferred(path):
    """A residual network of 3 classes on the body of one that was saved with 10."""
    fc.save(path, models.resnet18(10, rng=0).state_dict())
    net = models.resnet18(10, rng=1)
    net.load_state_dict(fc.load(path))
    net.requires_grad_(False)
    net.fc = nn.Linear(512, 3, rng=2)
    return net


def test_the_head_learns_alone(tmp_path, monkeypatch):
    net = transferred(tmp_path / "body.safetensors")
    body = {key: value.copy() for key, value in net.state_dict().items() if "fc." not in key}
    for module in net.modules():  # a body in eval() keeps its batch norms' statistics
        if module not in (net, net.fc):
            module.training = False
    for layer in (nn.Conv2d, nn.BatchNorm2d, nn.MaxPool2d, nn.AdaptiveAvgPool2d):
        monkeypatch.setattr(layer, "backward", lambda *_: pytest.fail("a backward of the body"))
    head = [p for p in net.parameters() if p.requires_grad]
    assert [p.shape for p in head] == [(3, 512), (3,)]
    history = training.fit(net, (IMAGES, LABELS), epochs=3, optimizer=optim.SGD(head, 0.1))
    assert history.loss[-1] < history.loss[0]
    for key, value in body.items():
        np.testing.assert_array_equal(net.state_dict()[key], value)
    assert all(p.grad is None for p in net.parameters() if not p.requires_grad)


def test_gradients_are_those_of_the_whole():
    """Of the layers that learn; above them nothing changes and below them nothing is computed."""
    make = lambda: nn.Sequential(  # noqa: E731
        nn.Conv2d(3, 4, 3, rng=0), nn.ReLU(), nn.Conv2d(4, 5, 3, rng=1), nn.BatchNorm2d(5),
        nn.Residual(nn.Conv2d(5, 5, 3, padding=1, rng=2)), nn.Flatten(), nn.Linear(3920, 3, rng=3),
    )  # fmt: skip
    whole, part = make(), make()
    part[:3].requires_grad_(False)
    part[4].requires_grad_(False)
    for net in (whole, part):
        loss = nn.CrossEntropyLoss()
        loss(net(IMAGES), LABELS)
        assert net.backward(loss.backward(), needs_input=False) is None
    for (name, wanted), (_, got) in zip(whole.named_parameters(), part.named_parameters()):
        if got.requires_grad:
            np.testing.assert_array_equal(got.grad, wanted.grad, err_msg=name)
        else:
            assert got.grad is None, name


def test_no_gradient_is_computed_of_what_stays(monkeypatch):
    """Inside the network too: a frozen layer passes the gradient on and leaves its weight's out."""
    asked = []
    backward = fc.functional.conv2d_backward

    def spy(*arguments, needs, **settings):
        asked.append(needs)
        return backward(*arguments, needs=needs, **settings)

    monkeypatch.setattr(fc.functional, "conv2d_backward", spy)
    net = nn.Sequential(*(nn.Conv2d(3, 3, 3, rng=n) for n in range(4)))
    net[0].requires_grad_(False)
    net[2].requires_grad_(False)
    net(IMAGES)
    net.backward(np.ones((6, 3, 24, 24), np.float32), needs_input=False)
    assert asked == [(True, True, True), (True, False, False), (False, True, True)]
