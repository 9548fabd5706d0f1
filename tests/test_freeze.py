"""Frozen layers: the same bits, read-only, copied, thawed, and called by many threads."""

from __future__ import annotations

import copy
import pickle
import threading

import numpy as np
import pytest

import fastconv as fc
import fastconv.nn as nn

X = np.random.default_rng(0).standard_normal((2, 4, 9, 8)).astype(np.float32)
LAYERS = [
    "Conv2d(4, 6, 3)",
    "Conv2d(4, 6, (3, 2), (2, 1), (1, 0), (1, 2), 2, False)",
    "Conv2d(4, 8, 3, padding='same', groups=4)",
    "Conv2d(4, 20, 1)",
    "Conv2d(4, 4, 3, padding=((1, 0), (2, 1)), stride=2)",
    "Conv2d(4, 4, 3, padding=1, padding_mode='reflect')",
    "Linear(8, 3)",
    "MaxPool2d(2)",
]
ACTIVATIONS = ["ReLU()", "ReLU6()", "LeakyReLU()", "LeakyReLU(0.3)", "Sigmoid()", "Tanh()",
               "SiLU()", "Hardswish()"]  # fmt: skip


def make(text):
    return eval(text, {}, vars(nn))


@pytest.mark.parametrize("text", LAYERS)
def test_frozen_layer_gives_the_same_bits(text):
    layer = make(text)
    wanted = layer.eval()(X)
    fortran = X.copy(order="F")  # may take another algorithm
    wanted_fortran = layer(fortran)
    assert layer.freeze() is layer
    assert not layer.training
    for x in (X, memoryview(X), fc.Parameter(X)):
        np.testing.assert_array_equal(layer(x), wanted)
    np.testing.assert_array_equal(layer(fortran), wanted_fortran)
    np.testing.assert_array_equal(layer(X[:1]), wanted[:1])  # another shape, and back
    np.testing.assert_array_equal(layer(X[1]), wanted[1])
    np.testing.assert_array_equal(layer(X), wanted)
    np.testing.assert_array_equal(layer.train()(X), wanted)


def test_channels_last_stays_so():
    x = np.moveaxis(np.ascontiguousarray(np.moveaxis(X, 1, -1)), -1, 1)
    y = make(LAYERS[0]).freeze()(x)
    assert np.moveaxis(y, 1, -1).flags.c_contiguous


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_images_leave_in_the_order_they_came_in(dims):
    rng = np.random.default_rng(2)
    conv = getattr(nn, f"Conv{dims}d")
    net = nn.Sequential(conv(3, 24, 3, padding=1), nn.ReLU(), conv(24, 5, 3, padding=1))
    for parameter in net.parameters():
        parameter.data = rng.integers(-2, 3, parameter.shape).astype(np.float32)
    x = rng.integers(-4, 5, (2, 3, *(9,) * dims)).astype(np.float32)
    wanted = net.eval()(x)
    net.freeze()
    unaligned = np.frombuffer(b"0" + x.tobytes(), np.float32, offset=1).reshape(x.shape)
    last = np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)
    for _ in range(2):  # the call that plans, and one in its buffers
        for given in (x, unaligned, last, x[0]):
            y = net(given)
            np.testing.assert_array_equal(y, wanted if given.ndim == x.ndim else wanted[0])
            assert (y if given is not last else np.moveaxis(y, 1, -1)).flags.c_contiguous
    assert net(x[:0]).shape == (0, *wanted.shape[1:])


@pytest.mark.parametrize("dims", [1, 3])
def test_other_dimensions(dims):
    layer = getattr(nn, f"Conv{dims}d")(4, 5, 3, padding=1, dtype=np.float64)
    x = np.random.default_rng(1).standard_normal((2, 4, *(6,) * dims))
    np.testing.assert_array_equal(layer.freeze()(x), layer.train()(x))


@pytest.mark.parametrize("mode", ["zeros", "circular"])
@pytest.mark.parametrize("text", ACTIVATIONS)
def test_activation_is_fused_into_the_convolution_before_it(text, mode):
    from ulps import close

    conv, activation = nn.Conv2d(4, 6, 3, padding=1, padding_mode=mode), make(text)
    net = nn.Sequential(conv, activation, nn.MaxPool2d(2))
    wanted, plain = net.eval()(X), conv(X)
    net.freeze()
    activation.forward = None  # it is not called
    close({"leaky_relu": "sigmoid"}.get(activation.function, activation.function), net(X), wanted)
    np.testing.assert_array_equal(conv(X), plain)  # the layer alone is the layer alone
    del activation.forward
    conv.train()
    conv.eval()
    np.testing.assert_array_equal(net(X), wanted)  # thawed apart
    net.train().eval()
    np.testing.assert_array_equal(net(X), wanted)


class Scaled(nn.Module):
    """What a BatchNorm in eval() is."""

    def __init__(self, channels):
        rng = np.random.default_rng(5)
        self.weight = nn.Parameter(rng.standard_normal(channels).astype(np.float32))
        self.register_buffer("shift", rng.standard_normal(channels).astype(np.float32))

    def forward(self, x):
        return x * self.weight.data[:, None, None] + self.shift[:, None, None]

    def _affine(self):
        return self.weight.data, self.shift


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    "text", ["Conv2d(4, 6, 3, bias=bias)", "Conv2d(4, 6, 3, 1, 1, 1, 2, bias, 'reflect')",
             "ConvTranspose2d(4, 6, 3, 2, 0, 0, 2, bias)"]
)  # fmt: skip
def test_affine_map_is_folded_into_the_convolution_before_it(text, bias):
    conv = eval(text, {"bias": bias}, vars(nn))
    net = nn.Sequential(conv, Scaled(6), nn.ReLU(), Scaled(6))
    wanted, plain = net.eval()(X), conv(X)
    net.freeze()
    net[1].forward = net[2].forward = None  # they are not called
    np.testing.assert_allclose(net(X), wanted, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(conv(X), plain)
    del net[1].forward, net[2].forward
    with pytest.raises(ValueError, match="read-only"):
        net[1].shift[...] = 0
    net[1].train()
    net[1].shift[...] += 1
    assert not np.allclose(net(X), wanted)  # thawed apart


def test_what_overrides_forward_is_left_alone():
    class Doubled(nn.Conv2d):
        def forward(self, input):
            return 2 * super().forward(input)

    class Shifted(nn.ReLU):
        def forward(self, input):
            return super().forward(input) + 1

    net = nn.Sequential(Doubled(4, 3, 3), nn.ReLU(), nn.Conv2d(3, 2, 1), Shifted(), nn.ReLU())
    wanted = net.eval()(X)
    np.testing.assert_array_equal(net.freeze()(X), wanted)


def test_frozen_is_read_only_until_train():
    net = nn.Sequential(nn.Conv2d(4, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(252, 2))
    state = {name: array.copy() for name, array in net.state_dict().items()}
    before = net.freeze()(X)
    conv = net[0]
    writes = [
        lambda: conv.weight.__setitem__(0, 1),
        lambda: conv.bias.data.__setitem__(0, 1),
        lambda: np.copyto(net.state_dict()["0.weight"], 0),
        lambda: net[3].weight.__iadd__(1),
        lambda: setattr(conv.weight, "data", conv.weight.data.copy()),
        lambda: setattr(conv, "weight", nn.Parameter(state["0.weight"])),
        lambda: setattr(conv, "bias", None),
        lambda: setattr(conv, "stride", (2, 2)),
        lambda: net.__setitem__(1, nn.Tanh()),
        lambda: net.append(nn.Tanh()),
        lambda: net.load_state_dict(state),
        lambda: conv.load_state_dict(conv.state_dict()),
    ]
    for write in writes:
        with pytest.raises(ValueError, match=r"read-only|frozen"):
            write()
    with pytest.raises(ValueError, match=r"Sequential: load_state_dict into a frozen module \(tr"):
        net.load_state_dict(state)
    with pytest.raises(RuntimeError, match=r"backward in eval\(\)"):
        net.backward(before)
    np.testing.assert_array_equal(net(X), before)
    assert net.eval()[0]._frozen
    net.train()
    conv.weight.data *= 2
    conv.stride = (1, 1)
    net.load_state_dict(state)
    conv.bias[...] = 0
    assert not np.array_equal(net(X), before)


def test_what_was_read_only_before_stays_so():
    values = np.ones((6, 4, 3, 3), np.float32)
    values.flags.writeable = False
    layer = nn.Conv2d(4, 6, 3)
    layer.weight = nn.Parameter(values)
    layer.freeze().freeze().train()
    assert not layer.weight.data.flags.writeable
    assert layer.bias.data.flags.writeable


def test_weights_are_taken_when_frozen():
    layer = nn.Conv2d(4, 6, 3)
    first = layer.freeze()(X)
    layer.train()
    layer.weight.data *= 0.5
    layer.bias.data *= 0.5
    np.testing.assert_array_equal(layer.freeze()(X), first / 2)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_frozen_layers_are_copied_and_pickled(duplicate):
    net = nn.Sequential(nn.Conv2d(4, 6, 3), nn.ReLU(), nn.Conv2d(6, 2, 1, padding_mode="reflect"))
    wanted = net.freeze()(X)
    twin = duplicate(net)
    np.testing.assert_array_equal(twin(X), wanted)
    with pytest.raises(ValueError, match="read-only"):
        twin[0].weight[...] = 0
    twin.train()
    twin[0].weight[...] = 0
    np.testing.assert_array_equal(net(X), wanted)
    assert not np.array_equal(twin(X), wanted)


def test_threads_get_the_bits_of_one():
    net = nn.Sequential(nn.Conv2d(4, 32, 3), nn.SiLU(), nn.Conv2d(32, 8, 1)).freeze()
    images = [X, X[:1], X[:, :, 1:].copy(), X[:, :, :, :6]]
    wanted = [net(x) for x in images]
    wrong = []

    def work(start):
        for i in range(start, start + 60):
            if not np.array_equal(net(images[i % 4]), wanted[i % 4]):
                wrong.append(i)

    workers = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


def test_every_isa(isa):
    layer = nn.Conv2d(4, 6, 3)
    wanted = layer.eval()(X)
    np.testing.assert_array_equal(layer.freeze()(X), wanted)


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (
            TypeError,
            "Conv2d: input is float64, the frozen weight is float32",
            lambda f: f(X.astype(float)),
        ),
        (TypeError, "Conv2d: input is a str", lambda f: f("x")),
        (ValueError, "Conv2d: weight has 4 input channels a group, in", lambda f: f(X[:, :3])),
        (ValueError, "Conv2d: input has shape (4, 9, 8, 1, 1)", lambda f: f(X[..., None, None][0])),
        (ValueError, "Conv2d: the kernel has size (3, 3), the pa", lambda f: f(X[:, :, :2])),
    ],
)  # fmt: skip
def test_errors_name_what_they_got(error, message, call):
    with pytest.raises(error) as caught:
        call(nn.Conv2d(4, 6, 3).freeze())
    assert message in str(caught.value)
