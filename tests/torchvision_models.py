"""Torchvision's networks, beside ours on the same weights, whatever they are."""

from __future__ import annotations

import importlib
import sys
import warnings
from functools import partial

import numpy as np
import pytest

import fastconv as fc

M = fc.models
VGG = ("vgg11", "vgg13", "vgg16", "vgg19")
OURS = {
    "alexnet": partial(M.alexnet, variant="torchvision"),
    **{name: getattr(M, name) for name in VGG},
    **{f"{name}_bn": partial(getattr(M, name), batch_norm=True) for name in VGG},
    "googlenet": partial(M.googlenet, variant="torchvision"),
    "googlenet aux": partial(M.googlenet, variant="torchvision", aux_logits=True),
    **{name: getattr(M, name) for name in ("resnet18", "resnet34", "resnet50")},
    "mobilenet_v2": M.mobilenet_v2,
    "squeezenet1_1": M.squeezenet1_1,
}  # fmt: skip


def theirs(name, net, change=lambda twin: None, **settings):
    """Torchvision's network of that name on the very arrays of `net`; skips without torchvision."""
    torch = pytest.importorskip("torch")
    make = getattr(_import(torch), name.split()[0])
    if name.startswith("googlenet"):
        settings |= {"aux_logits": name.endswith("aux"), "init_weights": False}
    with torch.device("meta"):
        twin = make(**settings)
        change(twin)
    state = {key: torch.from_numpy(array) for key, array in net.state_dict().items()}
    twin.load_state_dict(state, assign=True)
    return twin


def _import(torch):
    """A torchvision whose compiled operators do not fit torch lacks two, which no network uses."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return importlib.import_module("torchvision.models")
        except ImportError:
            pytest.skip("no torchvision")
        except RuntimeError:
            for name in [name for name in sys.modules if name.startswith("torchvision")]:
                del sys.modules[name]
        _import.library = library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        return importlib.import_module("torchvision.models")


def filled(net, seed=0):
    """`net` with random weights and statistics that keep the size of what passes, drawn cheaply."""
    block = np.random.default_rng(seed).standard_normal(1 << 16)
    for module in net.modules():
        for own, array in module.state_dict().items():
            if "." in own:  # a child's
                continue
            flat = array.reshape(-1)
            for i in range(0, flat.size, block.size):
                part = flat[i : i + block.size]
                part[...] = block[: part.size]
            if array.ndim > 1:
                array *= np.sqrt(2 / array[0].size)
            elif own == "num_batches_tracked":
                array[...] = 3
            elif own == "running_var":
                array[...] = 0.5 + np.abs(array)
            else:
                array *= 0.1
                array += own == "weight"
    return net


@pytest.fixture
def undrawn(monkeypatch):
    """Networks come without initial values, at once."""
    for module in ("_conv", "linear"):
        monkeypatch.setattr(
            f"fastconv.nn.{module}.uniform", lambda bound, shape, dtype, rng: np.empty(shape, dtype)
        )
    monkeypatch.setattr("fastconv.models._make.Maker.drawn", lambda self, net, conv, linear: net)
