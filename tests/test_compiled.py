"""Frozen structures: what is fused, where values lie, and that nothing shows of either."""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pytest
from conftest import FORCED

import fastconv as fc
import fastconv.nn as nn
from fastconv.nn._compiled import Program

pytestmark = pytest.mark.skipif(bool(FORCED), reason="does not depend on the ISA")
RNG = np.random.default_rng(0)


def whole(*shape):
    return RNG.integers(-2, 3, shape).astype(np.float32)


def last(x):
    """The same numbers, channels-last in memory."""
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)


def exact(net):
    """Whole numbers as weights; batch norms with powers of two, so that folding rounds nothing."""
    for module in net.modules():
        for parameter in (getattr(module, name, None) for name in ("weight", "bias")):
            if parameter is not None:
                parameter.data[...] = whole(*parameter.shape)
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 0.0
            module.running_mean[...] = whole(module.num_features)
            module.running_var[...] = 4.0 ** RNG.integers(-1, 2, module.num_features)
    return net


def steps(net):
    """What is computed in one call, by type."""
    program = Program(net)
    return [" ".join(type(module).__name__ for module in step.modules) for step in program.steps]


def frames(net):
    return [frame for plan in net._packed.plans.values() for frame in plan.idle]


def check(net, *inputs):
    """Exactly eval()'s results, in buffers that hold NaN before every call."""
    exact(net).eval()
    wanted = [net(x) for x in inputs]
    net.freeze()
    for _ in range(3):
        for x, y in zip(inputs, wanted, strict=True):
            got = net(x)
            np.testing.assert_array_equal(got, y)
            assert got.strides == y.strides
            assert not any(np.may_share_memory(got, b) for f in frames(net) for b in f.buffers)
            for frame in frames(net):
                for buffer in frame.buffers:
                    buffer[...] = 255  # every bit set is a NaN


def conv(*args, **settings):
    return nn.Conv2d(*args, **settings)


def unit(inputs, outputs, kernel=3, activation=None, **settings):
    layers = [conv(inputs, outputs, kernel, padding=kernel // 2, **settings),
              nn.BatchNorm2d(outputs)]  # fmt: skip
    return nn.Sequential(*layers, *([activation] if activation else []))


NETS = {
    "conv + norm + activation": (
        lambda: nn.Sequential(unit(4, 6, 3, nn.ReLU()), unit(6, 5, 1, nn.ReLU6(), bias=False)),
        ["Conv2d BatchNorm2d ReLU", "Conv2d BatchNorm2d ReLU6"],
    ),
    "identity shortcut": (
        lambda: nn.Residual(nn.Sequential(unit(4, 7, 3, nn.ReLU()), unit(7, 4)), activation="relu"),
        ["Conv2d BatchNorm2d ReLU", "Conv2d BatchNorm2d Residual ReLU"],
    ),
    "convolved shortcut": (
        lambda: nn.Residual(unit(4, 6, 3, stride=2), unit(4, 6, 1, stride=2), nn.ReLU()),
        ["Conv2d BatchNorm2d", "Conv2d BatchNorm2d Residual ReLU"],
    ),
    "convolved shortcut, and on": (
        lambda: nn.Sequential(nn.Residual(unit(4, 6, 3), unit(4, 6, 1), nn.ReLU()), conv(6, 3, 1)),
        ["Conv2d BatchNorm2d", "Conv2d BatchNorm2d Residual ReLU", "Conv2d"],
    ),
    "activation inside the branch": (
        lambda: nn.Residual(unit(4, 4, 3, nn.ReLU()), activation="relu6"),
        ["Conv2d BatchNorm2d ReLU", "Residual ReLU6"],
    ),
    "pooled shortcut": (
        lambda: nn.Residual(nn.MaxPool2d(3, 1, 1), conv(4, 4, 1)),
        ["MaxPool2d", "Conv2d Residual"],
    ),
    "sum of what is read twice": (
        lambda: nn.Sequential(conv(4, 4, 1), nn.Residual(nn.Sequential()), nn.ReLU()),
        ["Conv2d", "Residual ReLU"],
    ),
    "output that two read": (
        lambda: nn.Sequential(conv(4, 5, 1), nn.Concat(nn.ReLU(), nn.Sequential())),
        ["Conv2d", "ReLU", "Concat"],
    ),
    "branches": (
        lambda: nn.Sequential(
            nn.Concat(unit(4, 3, 1, nn.ReLU()), nn.Sequential(unit(4, 2), unit(2, 5)),
                      nn.MaxPool2d(3, 1, 1), nn.Sequential()),
            conv(16, 3, 3, padding=1),
        ),
        ["Conv2d BatchNorm2d ReLU", "Conv2d BatchNorm2d", "Conv2d BatchNorm2d", "MaxPool2d",
         "Concat", "Conv2d"],
    ),
    "branches within branches": (
        lambda: nn.Sequential(
            nn.Concat(nn.Concat(conv(4, 3, 1), nn.Concat(conv(4, 2, 1), nn.Sequential())),
                      nn.Residual(conv(4, 4, 1))),
            nn.ReLU(), nn.MaxPool2d(2), conv(13, 4, 1),
        ),
        ["Conv2d", "Conv2d", "Concat", "Concat", "Conv2d Residual", "Concat", "ReLU", "MaxPool2d",
         "Conv2d"],
    ),
    "residual read from a branch's channels": (
        lambda: nn.Sequential(nn.Concat(conv(4, 4, 1), nn.Residual(conv(4, 4, 3, padding=1))),
                              nn.Residual(conv(8, 8, 1)), conv(8, 2, 1)),
        ["Conv2d", "Conv2d Residual", "Concat", "Conv2d Residual", "Conv2d"],
    ),
    "head": (
        lambda: nn.Sequential(conv(4, 6, 3), nn.AdaptiveMaxPool2d((2, 3)), nn.Flatten(),
                              nn.Dropout(), nn.Linear(36, 5), nn.ReLU(), nn.Linear(5, 3)),
        ["Conv2d", "AdaptiveMaxPool2d", "Flatten", "Linear ReLU", "Linear"],
    ),
    "norm first": (
        lambda: nn.Sequential(nn.BatchNorm2d(4), nn.ReLU(), conv(4, 3, 3), nn.BatchNorm2d(3),
                              nn.BatchNorm2d(3)),
        ["BatchNorm2d", "ReLU", "Conv2d BatchNorm2d", "BatchNorm2d"],
    ),
    "transposed": (
        lambda: nn.Sequential(nn.ConvTranspose2d(4, 4, 2, 2), nn.BatchNorm2d(4), nn.ReLU(),
                              nn.Residual(nn.ConvTranspose2d(4, 4, 1)), conv(4, 2, 3)),
        ["ConvTranspose2d BatchNorm2d ReLU", "ConvTranspose2d Residual", "Conv2d"],
    ),
    "other padding": (
        lambda: nn.Sequential(conv(4, 4, 1),
                              nn.Residual(conv(4, 4, 3, padding=1, padding_mode="reflect")),
                              conv(4, 3, 3)),
        ["Conv2d", "Conv2d Residual", "Conv2d"],
    ),
    "only shapes": (lambda: nn.Sequential(nn.Flatten(), nn.Dropout()), ["Flatten"]),
}  # fmt: skip


@pytest.mark.parametrize("name", NETS)
def test_steps_and_results(name):
    make, wanted = NETS[name]
    net = make()
    assert steps(net.eval()) == wanted
    x = whole(2, 4, 8, 10)
    strided = np.repeat(whole(1, 4, 8, 20), 3, 0)[..., ::2]
    flat = any(isinstance(module, nn.Linear) for module in net.modules())
    others = [] if flat else [whole(1, 4, 9, 7), whole(5, 4, 6, 6)]  # other sizes and batches
    check(net, x, last(x), strided, whole(3, 4, 8, 10), *others)


def test_frozen_integers_do_not_hide_an_error():
    """The check sees a residual that is left out."""
    net = NETS["identity shortcut"][0]()
    exact(net).eval()
    x = whole(1, 4, 6, 6)
    wanted = net(x)
    net.freeze()
    net._packed = program = Program(net)
    program.steps[-1].inputs.pop()
    assert not np.array_equal(net(x), wanted)


@pytest.mark.parametrize("count", [2, 8])
def test_buffers_are_few(count):
    """Two of a chain, however long, and where something is added around it: in its own memory."""
    chain = nn.Sequential(*(unit(4, 4, 3, nn.ReLU()) for _ in range(count))).freeze()
    around = nn.Sequential(*(
        nn.Residual(nn.Sequential(unit(4, 4), unit(4, 4)), activation="relu") for _ in range(count)
    )).freeze()  # fmt: skip
    x = whole(2, 4, 8, 8)
    for net in (chain, around):
        net(x)
        (plan,) = net._packed.plans.values()
        assert len(plan.buffers) <= 2
        assert all(size == x.nbytes for size in plan.buffers)


def test_branches_write_to_their_channels():
    net = nn.Sequential(nn.Concat(conv(4, 3, 1), nn.MaxPool2d(1)), conv(7, 2, 1)).freeze()
    x = whole(1, 4, 8, 8)
    net(x), net(x)
    (plan,) = net._packed.plans.values()
    assert plan.buffers == [7 * 8 * 8 * 4]
    (frame,) = plan.idle
    first, second, joined = (frame._arrays[step.output] for step in net._packed.steps[:3])
    np.testing.assert_array_equal(joined[:, :3], first)
    assert np.shares_memory(joined, first)
    assert np.shares_memory(joined, second)


@pytest.mark.parametrize("sizes", [(7, 1000), (1800, 96), (3300, 248), (1601, 152)])
def test_single_rows(sizes):
    features, outputs = sizes
    net = nn.Sequential(nn.Linear(features, outputs), nn.ReLU(), nn.Linear(outputs, 72))
    check(net, whole(1, features), whole(3, features))


@pytest.mark.parametrize("images", [1, 3])
@pytest.mark.parametrize("layout", [np.ascontiguousarray, last])
def test_flattening_is_a_view_or_a_copy_within(images, layout):
    """A copy of channels-last maps has a buffer, so that the linear layer behind it is bound."""
    x = layout(whole(images, 4, 6, 5))
    net = nn.Sequential(conv(4, 6, 3), nn.Flatten(), nn.Linear(6 * 4 * 3, 7), nn.Linear(7, 2))
    check(net, x)
    ((plan,), (frame,)) = net._packed.plans.values(), frames(net)
    maps, flat = (frame._arrays[step.output] for step in net._packed.steps[:2])
    assert flat.flags.c_contiguous
    assert np.shares_memory(maps, flat) == maps.flags.c_contiguous
    assert plan.values[net._packed.steps[2].output].buffer >= 0
    assert isinstance(frame._calls[2], fc._core.Bound)


def test_a_flattened_branch_is_joined():
    branches = (nn.Sequential(conv(4, 6, 3), nn.Flatten()), nn.Flatten())
    net = nn.Sequential(nn.Concat(*branches), nn.Linear(6 * 4 * 3 + 4 * 6 * 5, 3))
    check(net, whole(2, 4, 6, 5), last(whole(2, 4, 6, 5)))


class Keeping(nn.Module):
    """A user's module, which keeps what it reads and hands it on."""

    def __init__(self):
        self.read = []

    def forward(self, x):
        self.read.append(x)
        return x


def test_a_foreign_module_in_the_middle():
    keeping = Keeping()
    parts = [unit(4, 4), nn.MaxPool2d(2), conv(4, 3, 1)]
    net = nn.Sequential(unit(4, 4, 3, nn.ReLU()), keeping, *parts)
    exact(net).eval()
    inputs = [whole(1, 4, 8, 8) for _ in range(4)]
    wanted = [(net(x), keeping.read[-1].copy()) for x in inputs]
    keeping.read.clear()
    net.freeze()
    got = [net(x) for x in inputs]
    for (y, inside), out, read in zip(wanted, got, keeping.read, strict=True):
        np.testing.assert_array_equal(out, y)
        np.testing.assert_array_equal(read, inside)  # nobody wrote to it since


def test_what_is_no_array_goes_from_module_to_module():
    class Pair(nn.Module):
        def forward(self, x):
            return x[0] if isinstance(x, tuple) else (x, x)

    net = exact(nn.Sequential(Pair(), conv(4, 4, 3), Pair(), Pair(), conv(4, 3, 1))).eval()
    x = whole(1, 4, 6, 6)
    with pytest.raises(TypeError, match="input is a tuple"):
        net(x)
    wanted = net[1:](x)
    net.freeze()
    for _ in range(3):
        np.testing.assert_array_equal(net((x, x)), wanted)
        np.testing.assert_array_equal(net[1:].freeze()(x), wanted)


def test_a_frozen_model_in_user_code():
    class Net(nn.Module):
        def __init__(self):
            self.body = nn.Sequential(unit(4, 4, 3, nn.ReLU()), unit(4, 4))
            self.head = conv(4, 2, 1)

        def forward(self, x):
            return self.head(self.body(x) + self.body(x))

    net = exact(Net()).eval()
    x = whole(2, 4, 6, 6)
    wanted = net(x)
    net.freeze()
    for _ in range(3):
        np.testing.assert_array_equal(net(x), wanted)


def test_results_are_the_callers():
    net = exact(nn.Sequential(conv(4, 4, 3), nn.ReLU(), conv(4, 4, 1))).freeze()
    x = whole(1, 4, 6, 6)
    first = net(x)
    kept = first.copy()
    net(x + 1), net(x + 2)
    np.testing.assert_array_equal(first, kept)
    first[...] = 7
    np.testing.assert_array_equal(net(x), kept)


@pytest.mark.parametrize("width", [4, 16])
def test_each_call_reads_its_own_array_and_keeps_none(width):
    """Plain and unaligned ones, and a channels-last one, of one shape."""
    net = exact(nn.Sequential(conv(4, width, 3), nn.Residual(conv(width, width, 1)))).eval()
    wanted = [(x, net(x)) for x in (whole(2, 4, 6, 7) for _ in range(4))]
    net.freeze()
    for _ in range(3):
        for x, y in wanted:
            np.testing.assert_array_equal(net(x), y)
            memory = np.empty(x.nbytes + 1, np.uint8)[1:].view(np.float32).reshape(x.shape)
            memory[...] = x
            np.testing.assert_array_equal(net(memory), y)
            np.testing.assert_array_equal(net(last(x)), y)
    given = whole(2, 4, 7, 6)  # a new shape: the call that plans, and one that binds
    seen = weakref.ref(given)
    net(given), net(given)
    del given
    gc.collect()
    assert seen() is None


def test_threads_have_buffers_of_their_own():
    branches = nn.Concat(unit(4, 8, 3, nn.ReLU()), unit(4, 8, 1))
    net = exact(nn.Sequential(branches, nn.Residual(unit(16, 16)), conv(16, 3, 1))).eval()
    images = [whole(n, 4, size, size) for n, size in ((1, 9), (2, 9), (1, 12), (3, 5))]
    wanted = [net(x) for x in images]
    net.freeze()
    wrong = []

    def work(start):
        for i in range(start, start + 40):
            if not np.array_equal(net(images[i % 4]), wanted[i % 4]):
                wrong.append(i)

    workers = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


def test_plans_are_bounded():
    from fastconv.nn._compiled import PLANS

    net = nn.Sequential(conv(4, 4, 1), conv(4, 4, 1)).freeze()
    for size in range(1, PLANS + 5):
        net(whole(1, 4, size, 3))
    assert len(net._packed.plans) == PLANS


def test_thawed_apart_and_frozen_again():
    net = exact(nn.Sequential(unit(4, 4, 3, nn.ReLU()), nn.Residual(unit(4, 4)))).freeze()
    x = whole(1, 4, 6, 6)
    before = net(x)
    weight = net[0][0].train().weight
    weight.data[...] *= 2
    changed = net.eval()(x)
    assert not np.array_equal(changed, before)
    net[0][0].freeze()
    np.testing.assert_array_equal(net(x), changed)
    np.testing.assert_array_equal(net(x), changed)


def test_empty_batches_and_errors():
    net = nn.Sequential(conv(4, 4, 3), nn.ReLU(), nn.Residual(conv(4, 5, 1))).freeze()
    with pytest.raises(ValueError, match="residual has shape"):
        net(whole(1, 4, 6, 6))
    net = nn.Sequential(conv(4, 4, 3), nn.Concat(nn.Sequential(), nn.MaxPool2d(2))).freeze()
    with pytest.raises(ValueError, match=r"Concat: outputs have shapes 0 \(1, 4, 4, 4\), 1 \(1"):
        net(whole(1, 4, 6, 6))
    net = nn.Sequential(conv(4, 4, 3), nn.ReLU(), conv(4, 3, 1)).freeze()
    for _ in range(3):
        assert net(whole(0, 4, 6, 6)).shape == (0, 3, 4, 4)
    with pytest.raises(TypeError, match="input is float64"):
        net(np.zeros((1, 4, 6, 6)))
    net.train().eval()


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "googlenet", "squeezenet1_1"])
def test_networks(name):
    settings = {"variant": "torchvision"} if name == "googlenet" else {}
    net = getattr(fc.models, name)(10, rng=0, **settings).eval()
    x = RNG.standard_normal((2, 3, 64, 64)).astype(np.float32)
    wanted = net(x)
    net.freeze()
    scale = abs(wanted).max()
    first = net(x)
    np.testing.assert_allclose(first, wanted, rtol=0, atol=1e-5 * scale)
    np.testing.assert_array_equal(net(x), first)
    np.testing.assert_array_equal(net(x[:1]), first[:1])  # whatever the batch
