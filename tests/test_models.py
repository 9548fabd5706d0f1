"""The networks of the literature: sizes as published, gradients, training, copies."""

from __future__ import annotations

import copy
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import FORCED
from torchvision_models import filled, undrawn  # noqa: F401

import fastconv as fc
import fastconv.nn as nn
from fastconv import models as M
from fastconv.models.__main__ import NETWORKS as NETWORKS_TABLE
from fastconv.models.__main__ import parameters

pytestmark = pytest.mark.skipif(bool(FORCED), reason="networks, not instruction sets")

# Makes the network, the shape of a small batch, and a learning rate for it.
NETWORKS = {
    "lenet5": (M.lenet5, {}, (4, 1, 32, 32), 0.002),
    "lenet5 28": (M.lenet5, {"size": 28}, (4, 1, 28, 28), 0.002),
    "lenet5 sigmoid": (M.lenet5, {"original": False, "activation": "sigmoid"}, (4, 1, 32, 32), 0.1),
    "lenet5 relu": (M.lenet5, {"original": False, "size": 28}, (4, 1, 28, 28), 0.1),
    "keras_cnn": (M.keras_cnn, {}, (4, 28, 28, 1), 0.01),
    "simple_convnet": (M.simple_convnet, {}, (4, 1, 28, 28), 0.1),
    "softmax_regression": (M.softmax_regression, {}, (4, 1, 28, 28), 0.001),
    "nin": (M.nin, {"dropout": 0}, (4, 3, 24, 24), 0.002),
    "nin imagenet": (M.nin, {"variant": "imagenet", "dropout": 0}, (2, 3, 67, 67), 0.001),
    "alexnet": (M.alexnet, {"num_classes": 4, "dropout": 0}, (4, 3, 64, 64), 0.0005),
    "alexnet torchvision": (
        M.alexnet, {"num_classes": 4, "dropout": 0, "variant": "torchvision"}, (4, 3, 64, 64), 0.05,
    ),
    "vgg11": (M.vgg11, {"num_classes": 4, "dropout": 0}, (2, 3, 32, 32), 0.02),
    "vgg13 bn": (
        M.vgg13, {"num_classes": 4, "dropout": 0, "batch_norm": True}, (4, 3, 32, 32), 0.002,
    ),
    "googlenet": (M.googlenet, {"num_classes": 4, "dropout": 0}, (4, 3, 48, 48), 0.0002),
    "googlenet torchvision": (
        M.googlenet, {"num_classes": 4, "dropout": 0, "variant": "torchvision"}, (4, 3, 48, 48),
        1e-5,
    ),
    "resnet18": (M.resnet18, {"num_classes": 4}, (4, 3, 48, 48), 0.01),
    "resnet34": (M.resnet34, {"num_classes": 4}, (4, 3, 48, 48), 0.01),
    "resnet50": (M.resnet50, {"num_classes": 4}, (4, 3, 48, 48), 3e-6),
    "mobilenet_v2": (M.mobilenet_v2, {"num_classes": 4, "dropout": 0}, (4, 3, 48, 48), 1e-5),
    "squeezenet1_1": (M.squeezenet1_1, {"num_classes": 4, "dropout": 0}, (4, 3, 48, 48), 0.005),
}  # fmt: skip
SMALL = ["lenet5", "lenet5 sigmoid", "lenet5 relu", "keras_cnn", "simple_convnet",
         "softmax_regression"]  # fmt: skip


def count(module):
    return sum(parameter.size for parameter in module.parameters())


def test_lenet5_is_the_published_one():
    net = M.lenet5(rng=0)
    layers = {"c1": 156, "s2": 12, "c3": 1516, "s4": 32, "c5": 48120, "f6": 10164}
    assert {name: count(getattr(net, name)) for name in layers} == layers
    assert sum(p.size for p in net.parameters() if p.requires_grad) == 60000
    table = net.c3.connections
    assert table.sum() == 60
    rows = ["X...XXX..XXXX.XX", "XX...XXX..XXXX.X", "XXX...XXX..X.XXX", ".XXX..XXXX..X.XX",
            "..XXX..XXXX.XX.X", "...XXX..XXXX.XXX"]  # fmt: skip
    assert ["".join(".X"[int(reads)] for reads in row) for row in table.T] == rows
    shapes = [layer.output for layer in fc.explain(net, (1, 1, 32, 32)).layers]
    for shape in ((1, 6, 28, 28), (1, 6, 14, 14), (1, 16, 10, 10), (1, 16, 5, 5), (1, 120, 1, 1)):
        assert shape in shapes
    assert set(np.unique(net.output.weight.data)) == {-1, 1}
    assert len(np.unique(net.output.weight.data, axis=0)) == 10
    x = np.random.default_rng(0).standard_normal((3, 1, 32, 32)).astype(np.float32)
    penalties = net[:-1](x)
    assert (penalties > 0).all()
    np.testing.assert_array_equal(net(x), -penalties)
    for name, inputs in {"c1": 25, "c5": 400, "f6": 120}.items():
        weight = getattr(net, name).weight.data
        assert weight.std() == pytest.approx(inputs**-0.5, rel=0.1)
    of_three, of_six = net.c3.weight.data[:18], net.c3.weight.data[-6:]
    assert of_three.std() == pytest.approx(75**-0.5, rel=0.1)
    assert of_six.std() == pytest.approx(150**-0.5, rel=0.1)
    window = np.arange(24, dtype=np.float32).reshape(1, 6, 2, 2) / 24
    np.testing.assert_allclose(
        net.s2(window).ravel(), nn.ScaledTanh()(window.mean((2, 3))).ravel(), rtol=1e-6
    )


def test_lenet5_pads_what_is_smaller():
    small, large = M.lenet5(size=27), M.lenet5()
    large.load_state_dict(small.state_dict())
    x = np.random.default_rng(0).standard_normal((2, 1, 27, 27)).astype(np.float32)
    padded = np.pad(x, ((0, 0), (0, 0), (2, 3), (2, 3)))
    np.testing.assert_allclose(small(x), large(padded), rtol=1e-5)


def test_keras_cnn_takes_both_orders():
    net = M.keras_cnn(in_channels=3, size=12)
    x = np.random.default_rng(0).standard_normal((2, 12, 12, 3)).astype(np.float32)
    first = np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    y = net(x)
    gradient = net.backward(np.ones_like(y))
    np.testing.assert_allclose(net(first), y, rtol=1e-4, atol=1e-6)
    assert gradient.shape == x.shape
    np.testing.assert_allclose(
        net.backward(np.ones_like(y)), gradient.transpose(0, 3, 1, 2), rtol=1e-4, atol=1e-6
    )
    maps = net[:7](x)  # Keras flattens rows, columns, channels
    np.testing.assert_array_equal(net.flatten(maps), maps.transpose(0, 2, 3, 1).reshape(2, -1))


def test_sizes(undrawn):  # noqa: F811
    """Of networks that torchvision has not: the figures of the papers and of the authors' files."""
    sizes = {
        60_965_224: M.alexnet(), 6_998_552: M.googlenet(), 13_378_280: M.googlenet(aux_logits=True),
        966_986: M.nin(), 7_595_176: M.nin(variant="imagenet"), 61_706: M.lenet5(False),
        3_274_634: M.keras_cnn(), 433_890: M.simple_convnet(), 7_850: M.softmax_regression(),
    }  # fmt: skip
    assert {size: count(net) for size, net in sizes.items()} == {size: size for size in sizes}
    theirs, ours = M.googlenet(variant="torchvision").state_dict(), M.googlenet().state_dict()
    assert {name for name in ours if "conv.bias" not in name} <= set(theirs)
    names = list(M.alexnet().state_dict())
    assert names[:4] == ["conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias"]
    norm = M.alexnet().norm2  # of the mean over 5 channels, where the paper takes the sum
    assert (norm.size, norm.alpha, norm.beta, norm.k) == (5, 5 * 1e-4, 0.75, 2)
    early = M.resnet50(stride_in_1x1=True).layer2[0]
    assert (early.conv1.stride, early.conv2.stride) == ((2, 2), (1, 1))
    late = M.resnet50().layer2[0]
    assert (late.conv1.stride, late.conv2.stride) == ((1, 1), (2, 2))


def test_readme_has_every_network_and_its_size(undrawn):  # noqa: F811
    """The rest of the table costs seconds."""
    readme = (Path(__file__).parent.parent / "README.md").read_text()
    for name, make, image, source in NETWORKS_TABLE:
        start = f"| `{name}` | {parameters(make()):,} | {'x'.join(map(str, image))} |"
        assert re.search(f"^{re.escape(start)} .* {re.escape(source)} \\|$", readme, re.MULTILINE)
    listed = {name.split("(")[0] for name, *_ in NETWORKS_TABLE}
    assert listed == set(M.__all__)


def made(name, **more):
    make, settings, shape, _ = NETWORKS[name]
    net = make(**settings, **more)
    return net, np.random.default_rng(2).standard_normal(shape)


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients(undrawn, name):  # noqa: F811
    """By differences in float64, along the gradient: of each parameter, or of all at once."""
    net, x = made(name, dtype=np.float64)
    narrow(net)
    filled(net)
    if name == "lenet5":
        net.output.requires_grad_()
    gy = np.random.default_rng(3).standard_normal(net(x).shape)
    arrays = {"input": (x, net.backward(gy))}
    arrays |= {name: (p.data, p.grad) for name, p in net.named_parameters() if p.requires_grad}
    groups = [[name] for name in arrays] if name in SMALL else [["input"], list(arrays)[1:]]
    for group in groups:
        steps = [g / (np.linalg.norm(g) + 1e-8) for _, g in (arrays[name] for name in group)]
        expected = sum(float((arrays[n][1] * step).sum()) for n, step in zip(group, steps))
        size = 1e-6 / expected  # of the loss: small, for a rectifier's kink passed is an error
        values = []
        for factor in (size, -2 * size):
            for member, step in zip(group, steps):
                arrays[member][0][...] += factor * step
            values.append(float((net(x) * gy).sum()))
        for member, step in zip(group, steps):
            arrays[member][0][...] += size * step
        difference = (values[0] - values[1]) / (2 * size)
        assert difference == pytest.approx(expected, rel=1e-5), group


def narrow(net):
    """Smaller layers in place of the linear ones of 4096."""
    if hasattr(net, "fc6"):
        net.fc6, net.fc7, net.fc8 = (linear(*n) for n in ((9216, 16), (16, 16), (16, 3)))
    elif hasattr(net, "classifier") and len(net.classifier) > 5:
        net.classifier = linear(25088 if len(net.features) > 13 else 9216, 3)


def linear(n, m):
    return nn.Linear(n, m, dtype=np.float64)


@pytest.mark.parametrize("name", NETWORKS)
def test_training_steps_lower_the_loss(name):
    net, x = made(name, rng=0)
    x, labels = x.astype(np.float32), np.arange(len(x)) % 4
    optimizer, criterion = fc.optim.SGD(net.parameters(), NETWORKS[name][3]), nn.CrossEntropyLoss()
    losses = []
    for _ in range(2 if "vgg" in name else 3):
        losses.append(float(criterion(net(x), labels)))
        optimizer.zero_grad()
        net.backward(criterion.backward(), needs_input=False)
        optimizer.step()
    assert sorted(losses, reverse=True) == losses
    assert losses[-1] < losses[0]


COPIED = ["lenet5", "keras_cnn", "nin", "googlenet", "googlenet torchvision", "resnet18",
          "mobilenet_v2", "squeezenet1_1"]  # fmt: skip


@pytest.mark.parametrize("name", COPIED)
def test_copies_frozen_and_files(tmp_path, name):
    net, x = made(name, rng=0)
    x = x.astype(np.float32)
    for module in net.modules():  # other statistics than the first
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean[...] = np.linspace(-0.2, 0.2, module.num_features)
            module.running_var[...] = np.linspace(0.5, 2, module.num_features)
    wanted = net.eval()(x)
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        np.testing.assert_array_equal(twin(x), wanted)
    fc.save(tmp_path / "net.safetensors", net.state_dict())
    other, _ = made(name, rng=1)
    other.load_state_dict(fc.load(tmp_path / "net.safetensors"))
    np.testing.assert_array_equal(other.eval()(x), wanted)
    frozen = net.freeze()(x)
    np.testing.assert_allclose(frozen, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        np.testing.assert_array_equal(twin(x), frozen)
    if name not in ("lenet5", "keras_cnn"):
        assert fc.explain(net, x.shape).flop > 1e6


@pytest.mark.parametrize("name", ["resnet18", "googlenet", "mobilenet_v2", "squeezenet1_1"])
def test_the_head_is_replaced_and_learns_alone(name):
    net, x = made(name, rng=0)
    x, labels = x.astype(np.float32), np.array([0, 1, 2, 0])
    before = net(x)
    net.requires_grad_(False)
    if name == "mobilenet_v2":
        net.classifier[1] = head = nn.Linear(1280, 3, rng=0)
    elif name == "squeezenet1_1":
        net.classifier[1] = head = nn.Conv2d(512, 3, 1, rng=0)
    else:
        net.fc = head = nn.Linear(net.fc.in_features, 3, rng=0)
    body = {key: array.copy() for key, array in net.state_dict().items()}
    criterion = nn.CrossEntropyLoss()
    optimizer = fc.optim.SGD([p for p in net.parameters() if p.requires_grad], 0.0005)
    losses = []
    net.eval().train()  # with the structure made anew
    for _ in range(3):
        losses.append(float(criterion(net(x), labels)))
        optimizer.zero_grad()
        net.backward(criterion.backward(), needs_input=False)
        optimizer.step()
    assert before.shape == (4, 4)
    assert losses[2] < losses[1] < losses[0]
    learned = [key for key, p in net.named_parameters() if not np.array_equal(p.data, body[key])]
    own = [key for key, p in net.named_parameters() if any(p is q for q in head.parameters())]
    assert learned == own
    assert len(own) == 2


def test_auxiliary_heads_of_googlenet():
    net = M.googlenet(3, aux_logits=True, dropout=0, rng=0)
    x = np.random.default_rng(0).standard_normal((2, 3, 48, 48)).astype(np.float32)
    outputs = net(x)
    assert outputs._fields == ("logits", "aux_logits2", "aux_logits1")
    assert [y.shape for y in outputs] == [(2, 3)] * 3
    weights = [np.ones((2, 3), np.float32) * size for size in (1, 0.3, 0.3)]
    gradient = net.backward(tuple(weights))
    assert gradient.shape == x.shape
    assert all(parameter.grad is not None for parameter in net.parameters())
    score = net.eval()(x)
    np.testing.assert_allclose(score, outputs.logits, rtol=1e-5)
    plain = M.googlenet(3, rng=0)
    kept = plain.load_state_dict(net.state_dict(), strict=False)
    assert not kept.missing_keys
    assert {key.split(".")[0] for key in kept.unexpected_keys} == {"aux1", "aux2"}
    np.testing.assert_array_equal(plain.eval()(x), score)


def test_initial_values_repeat_and_come_from_their_distributions():
    for name in ("lenet5", "resnet18"):
        first, second, third = (made(name, rng=seed)[0].state_dict() for seed in (1, 1, 2))
        for key, array in first.items():
            np.testing.assert_array_equal(array, second[key])
        assert any(not np.array_equal(first[key], third[key]) for key in first)
    fc.manual_seed(3)
    net = M.nin()
    fc.manual_seed(3)
    np.testing.assert_array_equal(M.nin().conv3.weight, net.conv3.weight)
    assert net.conv3.weight.data.std() == pytest.approx(np.sqrt(2 / (192 * 9)), rel=0.01)
    assert (net.cccp3_2.bias.data == 1).all()
    assert net.cccp3_2.weight.data.std() == pytest.approx(0.01, rel=0.1)
    resnet = M.resnet18(rng=0)
    assert resnet.layer2[0].conv1.weight.data.std() == pytest.approx(np.sqrt(2 / (128 * 9)), 0.01)
    assert np.abs(resnet.fc.weight.data).max() == pytest.approx(1 / np.sqrt(512), rel=0.01)
    last = M.squeezenet1_1(rng=0).classifier[1]
    assert last.weight.data.std() == pytest.approx(0.01, rel=0.02)
    assert not last.bias.data.any()
    fresh = M.simple_convnet(weight_init_std=0.05, rng=0, dtype=np.float64)
    assert fresh.affine1.weight.data.std() == pytest.approx(0.05, rel=0.01)
    assert fresh.affine1.weight.dtype == np.float64


@pytest.mark.parametrize(
    ("message", "call"),
    [
        ("alexnet: variant is 'caffe' (wanted 'paper' or 'tor", lambda: M.alexnet(variant="caffe")),
        ("googlenet: variant is 1 (wanted", lambda: M.googlenet(variant=1)),
        ("nin: variant is 'paper' (wanted 'cifar' or 'imagenet')", lambda: M.nin(variant="paper")),
        ("lenet5: size is 33 (wanted 1 to 32)", lambda: M.lenet5(size=33)),
        ("lenet5: activation is 'elu' (wanted", lambda: M.lenet5(False, activation="elu")),
        ("simple_convnet: conv_param has 'padding' (wanted", lambda: M.simple_convnet(
            conv_param={"padding": 1})),
        ("Images: input has shape (2, 1, 8, 9) (wanted (N, 1, 28, 28) or (N, 28, 28, 1))",
         lambda: M.keras_cnn()(np.zeros((2, 1, 8, 9), np.float32))),
    ],
)  # fmt: skip
def test_errors_name_what_they_got(message, call):
    with pytest.raises(ValueError) as caught:
        call()
    assert message in str(caught.value)


def test_models_are_imported_when_asked_for():
    code = (
        "import sys, fastconv as fc; print('fastconv.models' in sys.modules, end=' ');"
        "print(fc.models.softmax_regression()(__import__('numpy').zeros((1, 784), 'f')).shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False (1, 10)\n"
