"""Networks that torchvision has too: names, shapes, outputs, gradients and files."""

from __future__ import annotations

import hashlib
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import FORCED
from torchvision_models import OURS, filled, theirs, undrawn  # noqa: F401

import fastconv as fc
import fastconv.nn as nn

pytestmark = [
    pytest.mark.skipif(bool(FORCED), reason="compares networks, not instruction sets"),
    pytest.mark.usefixtures("undrawn"),
]

# Parameters, entries of the state_dict, and the digest of its names and shapes in their order.
STATE = {
    "alexnet": (61_100_840, 16, "9c198ebdae1863e4"),
    "vgg11": (132_863_336, 22, "cb3dc23f2a13e182"),
    "vgg13": (133_047_848, 26, "67c1dc8b57fde74b"),
    "vgg16": (138_357_544, 32, "35c4623e0cd4a39d"),
    "vgg19": (143_667_240, 38, "4723255af8f6c485"),
    "vgg11_bn": (132_868_840, 62, "8b6717e727c0ecf9"),
    "vgg13_bn": (133_053_736, 76, "f6b0597d18a7e4d2"),
    "vgg16_bn": (138_365_992, 97, "347371586a8ea365"),
    "vgg19_bn": (143_678_248, 118, "fc3ff6fab2b5cc09"),
    "googlenet": (6_624_904, 344, "f66489fa14bd9d5a"),
    "googlenet aux": (13_004_888, 364, "7f541ca29410efb1"),
    "resnet18": (11_689_512, 122, "84fb10d9c6905a1c"),
    "resnet34": (21_797_672, 218, "28f9096d51307499"),
    "resnet50": (25_557_032, 320, "d7e4f8bb0a536344"),
    "mobilenet_v2": (3_504_872, 314, "37bbbce8932fd0c4"),
    "squeezenet1_1": (1_235_496, 52, "1d365589393f9c1e"),
}
FIRE = [
    f"features.3.{layer}.{name}"
    for layer in ("squeeze", "expand1x1", "expand3x3")
    for name in ("weight", "bias")
]
# Names of some parameters of each network, for who reads a failure of the digest.
NAMES = {
    "alexnet": ["features.0.weight", "features.10.bias", "classifier.1.weight"],
    "vgg16": ["features.28.weight", "classifier.0.weight", "classifier.6.bias"],
    "vgg11_bn": ["features.0.weight", "features.1.running_mean", "features.25.weight"],
    "googlenet": ["conv1.conv.weight", "inception3a.branch2.0.bn.weight", "fc.bias"],
    "googlenet aux": ["aux1.conv.bn.bias", "aux1.fc1.weight", "aux2.fc2.bias"],
    "resnet18": ["conv1.weight", "layer1.0.bn2.num_batches_tracked", "layer2.0.downsample.1.bias"],
    "resnet50": ["layer1.0.downsample.0.weight", "layer4.2.conv3.weight", "fc.weight"],
    "mobilenet_v2": ["features.0.0.weight", "features.1.conv.1.weight", "features.17.conv.3.bias"],
    "squeezenet1_1": [*FIRE, "classifier.1.weight"],
}  # fmt: skip
IMAGES = np.random.default_rng(0).standard_normal((2, 3, 64, 64))


@pytest.mark.parametrize("name", OURS)
def test_names_and_shapes(name):
    net = OURS[name]()
    state = net.state_dict()
    assert set(NAMES.get(name, ())) <= set(state)
    lines = "\n".join(f"{name} {tuple(array.shape)}" for name, array in state.items())
    digest = hashlib.sha256(lines.encode()).hexdigest()[:16]
    assert (sum(p.size for p in net.parameters()), len(state), digest) == STATE[name]


@pytest.mark.parametrize("name", OURS)
def test_outputs(name):
    """In eval(), frozen too, on torchvision's module that shares the arrays."""
    torch = pytest.importorskip("torch")
    net = filled(OURS[name](num_classes=20)).eval()
    twin = theirs(name, net, num_classes=20).eval()
    x = IMAGES.astype(np.float32)
    with torch.no_grad():
        wanted = twin(torch.from_numpy(x)).numpy()
    size = np.abs(wanted).max()
    assert size > 0.1
    assert wanted.std() > size / 100
    np.testing.assert_allclose(net(x), wanted, rtol=0, atol=1e-4 * size)
    np.testing.assert_allclose(net.freeze()(x), wanted, rtol=0, atol=1e-4 * size)


def small_head(net, linear):
    """In place of the classifier of 100 million parameters."""
    if hasattr(net, "classifier") and len(net.classifier) > 5:
        features = 256 * 6 * 6 if len(net.features) == 13 else 512 * 7 * 7
        net.classifier = linear(features, 3)


@pytest.mark.parametrize(
    "name",
    ["alexnet", "vgg11_bn", "googlenet", "googlenet aux", "resnet18", "resnet50", "mobilenet_v2",
     "squeezenet1_1"],
)  # fmt: skip
def test_gradients(name):
    """In float64, of the input and each parameter, in training mode with the batch's statistics."""
    torch = pytest.importorskip("torch")
    net = OURS[name](num_classes=3, dtype=np.float64)
    small_head(net, lambda n, m: nn.Linear(n, m, dtype=np.float64))
    filled(net)
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0
    twin = theirs(name, net, lambda twin: small_head(twin, torch.nn.Linear), num_classes=3)
    for module in twin.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0
    running = {k: array.copy() for k, array in net.state_dict().items() if "running" in k}
    x = torch.from_numpy(IMAGES).requires_grad_()
    outputs = twin(x)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    after = {k: array.copy() for k, array in net.state_dict().items() if "running" in k}
    for key, array in running.items():  # the modules share their memory
        net.state_dict()[key][...] = array
    rng = np.random.default_rng(1)
    weights = [rng.standard_normal(y.shape) for y in outputs]
    sum((y * torch.from_numpy(w)).sum() for y, w in zip(outputs, weights)).backward()
    ours = net(IMAGES)
    for mine, theirs_ in zip(ours if isinstance(ours, tuple) else (ours,), outputs, strict=True):
        close(mine, theirs_.detach().numpy())
    close(net.backward(tuple(weights) if len(weights) > 1 else weights[0]), x.grad.numpy())
    wanted = {key: p.grad.numpy() for key, p in twin.named_parameters()}
    for key, parameter in net.named_parameters():
        close(parameter.grad, wanted[key], key)
    for key, array in after.items():
        close(net.state_dict()[key], array, key)


def close(actual, wanted, name=""):
    """The gradient of a bias before a batch norm is 0, but for the roundings of the sum."""
    np.testing.assert_allclose(
        actual, wanted, rtol=0, atol=1e-8 * np.abs(wanted).max() + 1e-11, err_msg=name
    )


def test_weights_go_both_ways_as_safetensors(tmp_path):
    """num_batches_tracked, which has no axes and is int64, with them."""
    torch = pytest.importorskip("torch")
    files = pytest.importorskip("safetensors.torch")
    net = filled(fc.models.mobilenet_v2())
    twin = theirs("mobilenet_v2", net)
    files.save_file(
        {k: v.clone() for k, v in twin.state_dict().items()}, tmp_path / "t.safetensors"
    )
    other = fc.models.mobilenet_v2()
    other.load_state_dict(fc.load(tmp_path / "t.safetensors"))
    fc.save(tmp_path / "o.safetensors", other.state_dict())
    for module in twin.parameters():
        torch.nn.init.zeros_(module)
    assert not net.state_dict()["classifier.1.weight"].any()  # its memory
    twin.load_state_dict(files.load_file(tmp_path / "o.safetensors"))
    for name, array in other.state_dict().items():
        np.testing.assert_array_equal(net.state_dict()[name], array, err_msg=name)


def test_a_checkpoint_is_converted_as_the_readme_says(tmp_path):
    """One of before num_batches_tracked, too, as torch loads it."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("safetensors")
    readme = (Path(__file__).parent.parent / "README.md").read_text()
    command = re.search(r"^python (-c .*) resnet18.pth resnet18.safetensors$", readme, re.MULTILINE)
    assert command
    net = filled(fc.models.resnet18())
    old = {k: torch.from_numpy(a) for k, a in net.state_dict().items() if "num_batches" not in k}
    torch.save(old, tmp_path / "resnet18.pth")
    files = [tmp_path / "resnet18.pth", tmp_path / "resnet18.safetensors"]
    subprocess.run([sys.executable, *shlex.split(command[1]), *files], check=True)
    other = fc.models.resnet18()
    assert other.load_state_dict(fc.load(files[1])).missing_keys == []
    for name in old:
        np.testing.assert_array_equal(other.state_dict()[name], net.state_dict()[name])
    assert other.bn1.num_batches_tracked == 0
