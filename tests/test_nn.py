"""Layers: names and reprs as torch's, values and gradients against torch, modes, copies, errors."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import pytest
from networks import lenet

import fastconv as fc
import fastconv.nn as nn

# Constructor calls that torch.nn takes as they stand.
LAYERS = [
    "Conv2d(1, 6, 5, padding=2)",
    "Conv2d(4, 6, (3, 2), (2, 1), (1, 0), (1, 2), 2, False)",
    "Conv2d(4, 4, 3, padding='same')",
    "Conv2d(4, 4, 3, padding='valid', groups=4)",
    "Conv2d(4, 4, 3, padding=1, padding_mode='reflect')",
    "Conv2d(4, 4, 3, padding=(2, 1), stride=2, padding_mode='replicate')",
    "Conv2d(4, 4, 3, padding=(2, 1), padding_mode='circular')",
    "Conv2d(4, 4, 3, padding='same', dilation=2, padding_mode='reflect')",
    "Conv1d(4, 6, 3, 2, 1)",
    "Conv1d(4, 6, (2,), padding='same', groups=2, padding_mode='circular')",
    "Conv3d(4, 6, 3, padding=(0, 1, 2))",
    "Conv3d(4, 2, (1, 3, 2), (1, 2, 1), 1, (1, 1, 2), 2, False)",
    "MaxPool2d(2)",
    "MaxPool2d((3, 2), 2, 1, 1, False, True)",
    "AvgPool2d(2)",
    "AvgPool2d((3, 2), 2, 1, True, False)",
    "AvgPool2d(2, divisor_override=3)",
    "AdaptiveAvgPool1d(4)",
    "AdaptiveAvgPool2d((None, 4))",
    "AdaptiveAvgPool3d(1)",
    "AdaptiveMaxPool1d(4)",
    "AdaptiveMaxPool2d((3, 4), True)",
    "AdaptiveMaxPool3d((2, None, 4))",
    "LPPool1d(2, 3)",
    "LPPool2d(2, (3, 2), 2, True)",
    "LPPool3d(4, 2)",
    "Unfold((3, 2), 2, (1, 0), 2)",
    "Fold((3, 4), 2)",
    "Linear(6, 3)",
    "Linear(6, 3, False)",
    "Flatten()",
    "Flatten(-2)",
    "ReLU()",
    "ReLU(inplace=True)",
    "ReLU6()",
    "LeakyReLU()",
    "LeakyReLU(0.2, True)",
    "Sigmoid()",
    "Tanh()",
    "SiLU()",
    "Hardswish()",
    "Softmax(1)",
    "LogSoftmax(1)",
    "Dropout(0.0)",
    "Dropout1d(0.0)",
    "Dropout2d(0.0)",
    "Dropout3d(0.0)",
    "Sequential()",
    "Sequential(Conv2d(4, 5, 3), ReLU(), MaxPool2d(2), Flatten(), Linear(20, 2))",
    "Sequential(Sequential(Conv2d(4, 2, 1), Tanh()), Flatten(), Sequential())",
]
UNPOOLS = ["MaxUnpool1d(2)", "MaxUnpool2d((2, 3), 2, 1)", "MaxUnpool3d(3, padding=1)"]
LOSSES = ["CrossEntropyLoss()", "CrossEntropyLoss(label_smoothing=0.1)", "MSELoss()"]
TOLERANCE = {"rtol": 1e-12, "atol": 1e-12}


def make(text, module):
    return eval(text, {}, vars(module))


def shape_for(text):
    if "Fold(" in text:
        return (2, 8, 6)
    if "1d" in text:
        return (2, 4, 9)
    if "3d" in text:
        return (2, 4, 4, 7, 6)
    if "Conv2d(1" in text:
        return (2, 1, 7, 6)
    return (2, 4, 7, 6)


@pytest.fixture
def tnn():
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    return torch.nn


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def double(module):
    """The same module with float64 parameters."""
    for owner in module.modules():
        for name, value in list(vars(owner).items()):
            if isinstance(value, nn.Parameter):
                setattr(owner, name, nn.Parameter(value.data.astype(np.float64)))
    return module


@pytest.mark.parametrize("text", LAYERS + UNPOOLS + LOSSES)
def test_repr_is_torchs(tnn, text):
    assert repr(make(text, nn)) == repr(make(text, tnn))


@pytest.mark.parametrize("text", LAYERS)
def test_layer_matches_torch(tnn, rng, text):
    import torch

    ours, theirs = double(make(text, nn)), make(text, tnn).double()
    x = rng.standard_normal(shape_for(text))
    tx = torch.tensor(x, requires_grad=True)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict({k: v.detach() for k, v in theirs.state_dict().items()})
    y, ty = ours(x), theirs(tx + 0)  # not a leaf, for inplace=True
    if isinstance(y, tuple):
        np.testing.assert_array_equal(y[1], ty[1].numpy())
        y, ty = y[0], ty[0]
    np.testing.assert_allclose(y, ty.detach().numpy(), **TOLERANCE)
    gy = rng.standard_normal(y.shape)
    ty.backward(torch.tensor(gy))
    np.testing.assert_allclose(ours.backward(gy), tx.grad.numpy(), **TOLERANCE)
    for own, their in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(own.grad, their.grad.numpy(), **TOLERANCE)
    ours.eval()
    again = ours(x)
    np.testing.assert_array_equal(again[0] if isinstance(again, tuple) else again, y)


@pytest.mark.parametrize("text", LOSSES)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_loss_matches_torch(tnn, rng, text, reduction):
    import torch

    ours, theirs = make(text, nn), make(text, tnn)
    ours.reduction = theirs.reduction = reduction
    x = rng.standard_normal((5, 3))
    target = rng.integers(0, 3, 5) if "Cross" in text else rng.standard_normal((5, 3))
    tx = torch.tensor(x, requires_grad=True)
    loss = theirs(tx, torch.tensor(target))
    np.testing.assert_allclose(ours(x, target), loss.detach().numpy(), **TOLERANCE)
    (2 * loss.sum()).backward()
    np.testing.assert_allclose(ours.backward(2.0), tx.grad.numpy(), **TOLERANCE)


def test_loss_weight_is_in_the_state(tnn):
    loss = nn.CrossEntropyLoss(np.ones(3, np.float32))
    assert list(loss.state_dict()) == ["weight"]
    assert list(nn.CrossEntropyLoss().state_dict()) == []
    with pytest.raises(RuntimeError, match="CrossEntropyLoss: backward without a forward"):
        loss.backward()


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
@pytest.mark.parametrize("padding", [1, (1, 2), ((1, 0), (0, 2)), "same", "same_lower", "full"])
def test_padding_mode_gradient_by_differences(rng, mode, padding):
    layer = double(nn.Conv2d(2, 2, (2, 3), 2, padding, padding_mode=mode, rng=0))
    x = rng.standard_normal((1, 2, 5, 4))
    gy = rng.standard_normal(layer(x).shape)
    gx = layer.backward(gy)
    direction = rng.standard_normal(x.shape)
    change = np.vdot(layer(x + direction) - layer(x), gy)  # linear in x: any step is exact
    np.testing.assert_allclose(change, np.vdot(gx, direction))


@pytest.mark.parametrize("text", [t for t in LAYERS if t != "Sequential()"])
def test_backward_needs_a_forward_in_training(text):
    layer = make(text, nn)
    x = np.ones(shape_for(text), np.float32)
    first = layer[-1] if isinstance(layer, nn.Sequential) else layer
    while isinstance(first, nn.Sequential) and len(first):
        first = first[-1]
    if isinstance(first, nn.Sequential):
        first = layer[1]
    name = type(first).__name__
    with pytest.raises(RuntimeError, match=f"{name}: backward without a forward"):
        layer.backward(x)
    layer(x)
    layer.eval()
    with pytest.raises(RuntimeError, match=rf"{name}: backward in eval\(\).*call train\(\)"):
        layer.backward(x)
    layer(x)
    assert all(module._saved is None for module in layer.modules())


def test_dropout_keeps_its_mask_for_backward():
    layer, x = nn.Dropout(0.5, rng=3), np.ones((8, 8))
    y = layer(x)
    np.testing.assert_array_equal(layer.backward(x), y)
    assert not np.array_equal(layer(x), y)
    np.testing.assert_array_equal(nn.Dropout(0.5, rng=3)(x), y)
    np.testing.assert_array_equal(layer.eval()(x), x)
    with pytest.raises(ValueError, match="Dropout: p is -1"):
        nn.Dropout(-1)


def test_seed_repeats_initial_values_and_masks():
    def run():
        fc.manual_seed(7)
        net = lenet()
        return [p.data for p in net.parameters()] + [net(np.ones((2, 1, 6, 6), np.float32))]

    for first, second in zip(run(), run(), strict=True):
        np.testing.assert_array_equal(first, second)
    assert not np.array_equal(nn.Linear(3, 2).weight, nn.Linear(3, 2).weight)
    np.testing.assert_array_equal(nn.Linear(3, 2, rng=1).weight, nn.Linear(3, 2, rng=1).weight)
    with pytest.raises(TypeError, match="seed is a str"):
        nn.Linear(3, 2, rng="seed")
    with pytest.raises(TypeError, match="seed is a NoneType"):
        fc.manual_seed(None)
    with pytest.raises(ValueError, match="seed is -1"):
        fc.manual_seed(-1)


def test_initial_values_have_torchs_distribution():
    for layer, fan_in in [
        (nn.Conv2d(8, 64, 5, groups=2, rng=0), 100),
        (nn.Linear(100, 200, rng=0), 100),
    ]:
        for parameter in (layer.weight, layer.bias):
            bound = 1 / np.sqrt(fan_in)
            assert np.abs(parameter).max() <= np.float32(bound)
            assert np.abs(parameter).max() > 0.95 * bound
            assert np.std(parameter.data) == pytest.approx(bound / np.sqrt(3), rel=0.15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_of_layers(dtype):
    net = nn.Sequential(nn.Conv2d(1, 2, 2, dtype=dtype), nn.Flatten(), nn.Linear(2, 2, dtype=dtype))
    x = np.ones((1, 1, 2, 2), dtype)
    assert net(x).dtype == dtype
    assert net.backward(np.ones((1, 2), dtype)).dtype == dtype
    assert {p.grad.dtype for p in net.parameters()} == {np.dtype(dtype)}


@pytest.mark.parametrize(
    ("text", "behind"),
    [("2", True), ("3, 2, 1", True), ("3, 2, ceil_mode=True", True), ("2, 1, 0, 2", False)],
)
def test_sequential_computes_relu_behind_max_pooling(text, behind):
    rng = np.random.default_rng(0)
    x = rng.integers(-3, 3, (2, 3, 8, 9)).astype(np.float32)  # many of them equal
    x[0, 1], x[1, 2, ::3, ::4] = -1, np.nan
    pool, again = (make(f"MaxPool2d({text})", nn) for _ in range(2))
    relu, net = nn.ReLU(), nn.Sequential(nn.ReLU(), again, nn.Flatten())
    wanted = pool(relu(x))
    np.testing.assert_array_equal(net(x), wanted.reshape(2, -1))
    grad = rng.normal(size=wanted.shape).astype(np.float32)
    np.testing.assert_array_equal(
        net.backward(grad.reshape(2, -1)), relu.backward(pool.backward(grad))
    )
    assert (net[0]._kept()[0].size == wanted.size) == behind


def test_sequential_is_a_list_of_modules():
    relu, tanh, flatten = nn.ReLU(), nn.Tanh(), nn.Flatten()
    net = nn.Sequential(relu, tanh)
    assert net.append(flatten) is net
    assert len(net) == 3
    assert list(net) == [relu, tanh, flatten]
    assert net[-1] is flatten
    assert isinstance(net[1:], nn.Sequential)
    assert list(net[1:]) == [tanh, flatten]
    net[0] = tanh
    assert list(net) == [tanh, tanh, flatten]
    with pytest.raises(IndexError, match="index is 3"):
        net[3]
    with pytest.raises(TypeError, match="1 is a function"):
        nn.Sequential(relu, lambda x: x)
    named = nn.Sequential(OrderedDict(act=relu, head=nn.Linear(2, 1)))
    assert list(named.state_dict()) == ["head.weight", "head.bias"]
    assert named.head is named[1]
    with pytest.raises(ValueError, match="name is 'forward', which is taken"):
        nn.Sequential(OrderedDict(forward=relu))
    with pytest.raises(ValueError, match="without dots"):
        nn.Sequential(OrderedDict({"a.b": relu}))


def test_whole_network_gradient_by_differences(rng):
    net = double(lenet(rng=4))
    net[4] = nn.Dropout(0.0)
    loss = nn.CrossEntropyLoss()
    x, target = rng.standard_normal((3, 1, 6, 6)), np.array([0, 3, 1])
    loss(net(x), target)
    gx = net.backward(loss.backward())
    for values, gradient in [(x, gx), *((p.data, p.grad) for p in net.parameters())]:
        direction, step = rng.standard_normal(values.shape), 1e-6
        values += step * direction
        above = loss(net(x), target)
        values -= 2 * step * direction
        below = loss(net(x), target)
        values += step * direction
        np.testing.assert_allclose((above - below) / (2 * step), np.vdot(gradient, direction), 1e-6)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: nn.Conv2d(0, 1, 1), ValueError, "Conv2d: in_channels is 0"),
        (lambda: nn.Conv2d(3, 4, 1, groups=2), ValueError, "in_channels is 3, groups is 2"),
        (lambda: nn.Conv2d(2, 3, 1, groups=2), ValueError, "out_channels is 3, groups is 2"),
        (lambda: nn.Conv2d(1, 1, (1, 0)), ValueError, r"kernel_size is \(1, 0\)"),
        (lambda: nn.Conv2d(1, 1, (1, 2, 3)), ValueError, "with 3 numbers"),
        (lambda: nn.Conv2d(1, 1, 1, stride=0), ValueError, "stride is"),
        (lambda: nn.Conv2d(1, 1, 1, padding=-1), ValueError, "padding is -1"),
        (lambda: nn.Conv2d(1, 1, 1, padding="some"), ValueError, "padding is 'some'"),
        (lambda: nn.Conv2d(1, 1, 1, padding_mode="mirror"), ValueError, "padding_mode is 'mirror'"),
        (lambda: nn.Conv2d(1, 1, 1.5), TypeError, "kernel_size is 1.5"),
        (lambda: nn.Conv2d(1, 1, 1, dtype=np.int32), TypeError, "dtype int32"),
        (lambda: nn.Linear(0, 1), ValueError, "Linear: in_features is 0"),
        (lambda: nn.Flatten(3)(np.ones((2, 2))), ValueError, "start_dim is 3"),
        (lambda: nn.Flatten(1, 0)(np.ones((2, 2))), ValueError, "start_dim before end_dim"),
    ],
)
def test_wrong_arguments_are_named(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_empty_batch_goes_through_a_network():
    net = lenet()
    x = np.zeros((0, 1, 6, 6), np.float32)
    y = net(x)
    assert y.shape == (0, 4)
    assert net.backward(y).shape == x.shape
    for parameter in net.parameters():
        np.testing.assert_array_equal(parameter.grad, np.zeros(parameter.shape))


class Noted(nn.Conv2d):
    """A layer with a backward of its own."""

    def backward(self, grad_output):
        self.called = True
        return super().backward(grad_output)


@pytest.mark.parametrize(
    "first",
    [
        lambda: nn.Conv2d(2, 3, 3, padding=1),
        lambda: nn.Conv2d(2, 3, 3, padding=1, padding_mode="reflect"),
        lambda: nn.ConvTranspose2d(2, 3, 3),
        lambda: nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU()),
        lambda: nn.Linear(5, 4),
        lambda: nn.ReLU(),
        lambda: Noted(2, 3, 3),
    ],
)
def test_backward_without_the_inputs_gradient_is_the_same_for_parameters(first):
    net = nn.Sequential(first(), nn.Tanh())
    x = np.random.default_rng(0).standard_normal((2, 2, 5, 5)).astype(np.float32)
    grads = []
    for needs_input in (True, False):
        net.zero_grad()
        y = net(x)
        gx = net.backward(np.ones_like(y), needs_input=needs_input)
        assert (gx is not None) == needs_input
        grads.append([p.grad for p in net.parameters()])
    for one, other in zip(*grads, strict=True):
        np.testing.assert_array_equal(one, other)
    if isinstance(net[0], Noted):
        assert net[0].called
