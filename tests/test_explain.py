"""`explain`: what it says is what runs, for functions, layers and models, arrays and shapes."""

from __future__ import annotations

import re

import numpy as np
import pytest

import fastconv as fc
import fastconv.functional as F
import fastconv.nn as nn

DENSE = {"input": (2, 64, 56, 56), "weight": (64, 64, 3, 3)}


def test_attributes_of_a_convolution(threads):
    fc.set_num_threads(1)
    chosen = fc.explain(fc.conv2d, *DENSE.values(), padding=1)
    assert chosen.name == "conv2d"
    assert chosen.input == chosen.output == (2, 64, 56, 56)
    assert chosen.algorithm in ("direct", "im2col", "tiled")
    assert chosen.isa == fc._core.isa()
    assert chosen.threads == 1
    assert chosen.tasks >= 1
    assert chosen.flop == 2 * 2 * 64 * 64 * 9 * 56 * 56
    assert chosen.bytes == 4 * (2 * 2 * 64 * 56 * 56 + 64 * 64 * 9)
    assert chosen.weight_bytes >= 4 * 64 * 64 * 9
    assert chosen.workspace_bytes > 0
    assert set(chosen.candidates) == set(chosen.cycles) == {"direct", "im2col", "tiled"}
    assert chosen.cycles[chosen.algorithm] == min(chosen.cycles[n] for n in ("direct", "tiled"))


@pytest.mark.parametrize("shape", [(256, 256, 56), (112, 224, 14), (144, 288, 14)])
def test_equal_tasks_end_together(shape, threads):
    channels, features, size = shape
    fc.set_num_threads(2)
    shapes = (1, channels, size, size), (features, channels, 3, 3)
    assert fc.explain(fc.conv2d, *shapes, padding=1).tasks % 2 == 0


def test_arrays_and_shapes_say_the_same(isa):
    arrays = {name: np.zeros(shape, np.float32) for name, shape in DENSE.items()}
    wanted = fc.explain(F.conv2d, **DENSE)
    assert fc.explain(F.conv2d, **arrays) == wanted
    assert fc.explain(F.conv2d, arrays["input"], DENSE["weight"]) == wanted
    double = fc.explain(F.conv2d, DENSE["input"], np.zeros(DENSE["weight"]))
    assert double.bytes == 2 * wanted.bytes
    assert wanted.isa == isa
    fc.conv2d(np.ones((1, 1, 2, 2)), np.ones((1, 1, 1, 1)))


@pytest.mark.parametrize("algorithm", ["direct", "im2col", "tiled"])
def test_algorithm_that_was_asked_for(algorithm):
    chosen = fc.explain(fc.conv2d, *DENSE.values(), algorithm=algorithm)
    assert chosen.algorithm == chosen.asked == algorithm
    assert "it was asked for" in str(chosen)


def test_table_is_readable():
    text = str(fc.explain(fc.conv2d, (1, 3, 32, 32), (8, 3, 3, 3), stride=2))
    lines = text.splitlines()
    assert lines[0] == "conv2d: (1, 3, 32, 32) -> (1, 8, 15, 15)"
    for word in ("algorithm", "blocking", "direct", "im2col", "tiled", "ISA", "memory", "work"):
        assert re.search(rf"^  +{word} ", text, re.MULTILINE), word
    assert "97.2 kflop" in text
    assert max(map(len, lines)) < 200


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_every_function(dims):
    x, w = (1, 4, *(6,) * dims), (4, 4, *(3,) * dims)
    chosen = fc.explain(getattr(fc, f"conv{dims}d"), x, w, layout="NCHW")
    assert chosen.output == (1, 4, *(4,) * dims)
    chosen = fc.explain(getattr(fc, f"conv_transpose{dims}d"), x, w, stride=2)
    assert chosen.output == (1, 4, *(13,) * dims)
    assert chosen.cycles
    if dims == 2:
        last = fc.explain(fc.conv2d, (6, 6, 4), w, layout="NHWC")
        assert last.output == (4, 4, 4)
        for pool in (fc.max_pool2d, fc.avg_pool2d):
            chosen = fc.explain(pool, x, 2)
            assert (chosen.algorithm, chosen.output, chosen.flop) == ("direct", (1, 4, 3, 3), 144)
            assert "it is the only one" in str(chosen)


def test_layer_and_model():
    conv = nn.Conv2d(3, 8, 3, padding=1, padding_mode="reflect")
    alone = fc.explain(conv, (1, 3, 16, 16))
    assert (alone.name, alone.output) == ("Conv2d", (1, 8, 16, 16))
    net = nn.Sequential(
        conv, nn.ReLU(), nn.MaxPool2d(2), nn.Sequential(nn.ConvTranspose2d(8, 4, 2, 2)),
        nn.Flatten(), nn.Linear(1024, 10),
    )  # fmt: skip
    explained = fc.explain(net, np.zeros((2, 3, 16, 16), np.float32))
    names = ["0 Conv2d + ReLU", "2 MaxPool2d", "3.0 ConvTranspose2d", "4 Flatten", "5 Linear"]
    assert [layer.name for layer in explained.layers] == names
    assert [layer.output for layer in explained.layers][1:] == [
        (2, 8, 8, 8), (2, 4, 16, 16), (2, 1024), (2, 10),
    ]  # fmt: skip
    assert explained.layers[-1].flop == 2 * 2 * 1024 * 10
    assert explained.flop == sum(layer.flop for layer in explained.layers)
    assert explained.workspace_bytes == max(layer.workspace_bytes for layer in explained.layers)
    lines = str(explained).splitlines()
    assert lines[0].split()[:3] == ["layer", "output", "algorithm"]
    assert lines[6].startswith("total")
    assert len({len(line) for line in lines[1:4]}) == 1  # numbers end in one column
    assert max(map(len, lines[:7])) < 120
    for layer in explained.layers:
        assert layer.seconds > 0
        assert 0 <= layer.share < 2
    assert explained.seconds == sum(layer.seconds for layer in explained.layers)
    # The pooled and the enlarged images: the convolution's output is the largest, 2 x 8 x 16 x 16.
    assert explained.buffer_bytes == (4 * 2 * 8 * 16 * 16, 4 * 2 * 8 * 8 * 8)
    assert explained.value_bytes >= sum(explained.buffer_bytes)
    assert explained.peak_bytes == (
        sum(explained.buffer_bytes) + explained.weight_bytes + explained.workspace_bytes
    )
    assert lines[-2].startswith("memory of a call: ")


def test_a_model_of_another_structure():
    class Net(nn.Module):
        def __init__(self):
            self.first, self.second = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 3)

        def forward(self, x):
            return self.second(fc.relu(self.first(x)))

    explained = fc.explain(Net(), (1, 3, 8, 8))
    assert [layer.name for layer in explained.layers] == ["first Conv2d", "second Conv2d"]
    assert explained.seconds == 0 == len(explained.buffer_bytes)
    assert "total" in str(explained)


def test_summary():
    net = nn.Sequential({
        "conv": nn.Conv2d(3, 8, 3, padding=1, groups=1), "norm": nn.BatchNorm2d(8),
        "up": nn.Sequential(nn.ConvTranspose2d(8, 4, 2, 2)), "flat": nn.Flatten(),
        "head": nn.Linear(4096, 10),
    }).freeze()  # fmt: skip
    net.head.requires_grad_(False)
    told = fc.summary(net, (2, 3, 16, 16))
    products = [2 * 256 * 3 * 8 * 9, 2 * 256 * 8 * 4 * 4, 2 * 4096 * 10]
    assert [row.mult_adds for row in told.rows if row.mult_adds] == products
    assert told.total_params == 3 * 8 * 9 + 8 + 16 + 8 * 4 * 4 + 4 + 40970
    assert told.trainable_params == told.total_params - 40970
    assert told.param_bytes == 4 * told.total_params
    assert told.input_bytes == 4 * 2 * 3 * 256
    assert told.output_bytes == 4 * 2 * (2 * 8 * 256 + 2 * 4 * 1024 + 10)
    lines = str(told).splitlines()
    assert lines[1].split("  ")[0] == "Layer (type:depth-idx)"
    assert lines[6].startswith("├─Sequential: 1-3 (up)")
    assert lines[7].startswith("│ └─ConvTranspose2d: 2-1 (0)")
    assert f"Total params: {told.total_params:,}" in lines
    assert f"Total mult-adds (M): {sum(products) / 1e6:.2f}" in lines
    assert net(np.zeros((1, 3, 16, 16), np.float32)).shape == (1, 10)  # still frozen
    resnet = fc.summary(fc.models.resnet18(), np.zeros((1, 3, 64, 64), np.float32))
    assert resnet.total_params == 11_689_512


@pytest.mark.parametrize("state", ["train", "eval", "freeze"])
def test_the_model_stays_as_it_was(state):
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())
    x = np.ones((1, 3, 5, 5), np.float32)
    getattr(net, state)()
    y = net(x)
    before = {name: id(value) for name, value in vars(net[0]).items()}
    assert len(fc.explain(net, x.shape).layers) == 1
    assert {name: id(value) for name, value in vars(net[0]).items()} == before
    assert net[0].weight.data.flags.writeable == (state != "freeze")
    np.testing.assert_array_equal(net(x), y)
    if state == "train":
        net.backward(y)


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (TypeError, "explain: what is relu (wanted a module or one of conv1d, conv2d",
         lambda: fc.explain(fc.relu, (2, 3))),
        (TypeError, "explain: what is int", lambda: fc.explain(3)),
        (TypeError, "missing a required argument: 'weight'",
         lambda: fc.explain(fc.conv2d, (1, 3, 4, 4))),
        (ValueError, "conv2d: weight has 3 input channels a group, input has 4",
         lambda: fc.explain(fc.conv2d, (1, 4, 4, 4), (1, 3, 2, 2))),
        (ValueError, "conv2d: algorithm is 'fft'",
         lambda: fc.explain(fc.conv2d, (1, 3, 4, 4), (1, 3, 2, 2), algorithm="fft")),
    ],
)  # fmt: skip
def test_errors_name_what_they_got(error, message, call):
    with pytest.raises(error, match=re.escape(message)):
        call()
