"""Layers: names and reprs as torch's, values and gradients against torch, modes, copies, errors."""

from __future__ import annotations

import copy
import pickle
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import fastconv as fc
import fastconv.functional as F
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
    "MaxPool2d(2)",
    "MaxPool2d((3, 2), 2, 1, 1, False, True)",
    "AvgPool2d(2)",
    "AvgPool2d((3, 2), 2, 1, True, False)",
    "AvgPool2d(2, divisor_override=3)",
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
    "Dropout(0.0)",
    "Sequential()",
    "Sequential(Conv2d(4, 5, 3), ReLU(), MaxPool2d(2), Flatten(), Linear(20, 2))",
    "Sequential(Sequential(Conv2d(4, 2, 1), Tanh()), Flatten(), Sequential())",
]
LOSSES = ["CrossEntropyLoss()", "CrossEntropyLoss(label_smoothing=0.1)", "MSELoss()"]
TOLERANCE = {"rtol": 1e-12, "atol": 1e-12}


def make(text, module):
    return eval(text, {}, vars(module))


def shape_for(text):
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


def lenet(rng=None):
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1, rng=rng),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.5, rng=rng),
        nn.Linear(27, 4, rng=rng),
    )


@pytest.mark.parametrize("text", LAYERS + LOSSES)
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


def test_names_are_nested():
    class Block(nn.Module):
        def __init__(self):
            self.conv = nn.Conv2d(2, 2, 1)
            self.scale = nn.Parameter(np.ones(1, np.float32))
            self.register_buffer("count", np.array(0))

    class Net(nn.Module):
        def __init__(self):
            self.layer1 = nn.Sequential(Block(), nn.ReLU())
            self.head = nn.Linear(3, 2, bias=False)

    net = Net()
    assert list(net.state_dict()) == [
        "layer1.0.scale",
        "layer1.0.count",
        "layer1.0.conv.weight",
        "layer1.0.conv.bias",
        "head.weight",
    ]
    assert [name for name, _ in net.named_modules()] == [
        "",
        "layer1",
        "layer1.0",
        "layer1.0.conv",
        "layer1.1",
        "head",
    ]
    assert [name for name, _ in net.named_parameters()] == [
        "layer1.0.scale",
        "layer1.0.conv.weight",
        "layer1.0.conv.bias",
        "head.weight",
    ]
    assert [type(m).__name__ for m in net.children()] == ["Sequential", "Linear"]
    with pytest.raises(NotImplementedError, match="Net has no forward"):
        net(1)


def test_shared_parameters_are_counted_once():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    net[1].weight = net[0].weight
    assert len(list(net.parameters())) == 3
    assert len(net.state_dict()) == 4
    again = copy.deepcopy(net)
    assert again[1].weight is again[0].weight


def test_parameter_is_not_replaced_by_an_array():
    layer = nn.Linear(2, 2)
    with pytest.raises(TypeError, match="weight is a Parameter, got a ndarray"):
        layer.weight = np.zeros((2, 2))
    layer.weight += 1
    assert isinstance(layer.weight, nn.Parameter)
    layer.bias = None
    assert list(layer.state_dict()) == ["weight"]


def test_parameter_serves_as_an_array():
    p = nn.Parameter(np.arange(3.0))
    assert (p.shape, p.dtype, p.ndim, p.size, len(p)) == ((3,), np.float64, 1, 3, 3)
    assert p.grad is None
    assert p.requires_grad
    np.testing.assert_array_equal(np.asarray(p), [0, 1, 2])
    assert np.asarray(p) is p.data
    assert np.asarray(p, dtype=np.float32).dtype == np.float32
    assert not np.shares_memory(np.array(p), p.data)
    np.testing.assert_array_equal(2 * p + p, [0, 3, 6])
    assert np.sum(p) == 3
    assert p[2] == 2
    p[0] = 5
    assert p.data[0] == 5
    data = p.data
    p -= 1
    assert isinstance(p, nn.Parameter)
    assert p.data is data
    np.testing.assert_array_equal(F.relu(p), [4, 0, 1])
    assert repr(p) == "Parameter containing:\narray([4., 0., 1.])"
    frozen = nn.Parameter(np.ones(1), requires_grad=False)
    assert repr(frozen) == "Parameter containing:\narray([1.]), requires_grad=False"
    assert len({p, frozen}) == 2
    with pytest.raises(TypeError, match="Parameter: data has dtype int64"):
        nn.Parameter(np.arange(3))


def test_gradients_add_up_until_cleared(rng):
    layer, x = nn.Linear(3, 2), rng.standard_normal((4, 3)).astype(np.float32)
    y = layer(x)
    layer.backward(y)
    once = layer.weight.grad.copy()
    layer(x)
    layer.backward(y)
    np.testing.assert_array_equal(layer.weight.grad, 2 * once)
    layer.zero_grad()
    assert layer.weight.grad is None
    assert layer.bias.grad is None


def test_parameters_without_requires_grad_are_skipped(rng):
    net = lenet().requires_grad_(False)
    net[5].bias.requires_grad = True
    x = rng.standard_normal((2, 1, 6, 6)).astype(np.float32)
    gx = net.backward(net(x))
    assert gx.shape == x.shape
    with_grad = [name for name, p in net.named_parameters() if p.grad is not None]
    assert with_grad == ["5.bias"]


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


def test_threads_share_a_network_in_eval(rng):
    net = lenet(rng=1).eval()
    images = rng.standard_normal((32, 3, 1, 6, 6)).astype(np.float32)
    expected = [net(x) for x in images]
    with ThreadPoolExecutor(8) as pool:
        for y, wanted in zip(pool.map(net, images), expected, strict=True):
            np.testing.assert_array_equal(y, wanted)


def test_train_and_eval_reach_all_modules():
    net = nn.Sequential(nn.Sequential(nn.Dropout()))
    assert net.eval() is net
    assert not any(module.training for module in net.modules())
    assert net.train() is net
    assert all(module.training for module in net.modules())


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


def test_copies_are_independent_and_keep_nothing(rng):
    net = lenet(rng=2)
    x = rng.standard_normal((2, 1, 6, 6)).astype(np.float32)
    net.backward(net(x))
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert repr(twin) == repr(net)
        assert all(module._saved is None for module in twin.modules())
        assert all(p.grad is None for p in twin.parameters())
        for (name, own), (key, other) in zip(
            net.state_dict().items(), twin.state_dict().items(), strict=True
        ):
            assert name == key
            np.testing.assert_array_equal(own, other)
            assert not np.shares_memory(own, other)
        np.testing.assert_array_equal(twin.eval()(x), copy.deepcopy(net).eval()(x))


def test_load_state_dict_copies_into_place():
    net, other = lenet(), lenet()
    arrays = list(net.state_dict().values())
    result = net.load_state_dict(other.state_dict())
    assert result == ([], [])
    for before, after, wanted in zip(
        arrays, net.state_dict().values(), other.state_dict().values(), strict=True
    ):
        assert before is after
        np.testing.assert_array_equal(after, wanted)
        assert not np.shares_memory(after, wanted)


def test_load_state_dict_names_what_misfits():
    net = lenet()
    before = copy.deepcopy(net.state_dict())
    state = {k: v + 1 for k, v in before.items()}
    del state["5.bias"]
    state["6.weight"] = np.ones(1)
    with pytest.raises(ValueError, match=r"missing: 5\.bias; unexpected: 6\.weight"):
        net.load_state_dict(state)
    state["5.weight"] = np.ones((4, 26), np.float32)
    with pytest.raises(ValueError, match=r"5\.weight has shape \(4, 26\) \(wanted \(4, 27\)\)"):
        net.load_state_dict(state, strict=False)
    state["5.weight"] = np.ones((4, 27))
    with pytest.raises(TypeError, match=r"5\.weight has dtype float64 \(wanted float32\)"):
        net.load_state_dict(state, strict=False)
    for key, value in net.state_dict().items():  # nothing was copied
        np.testing.assert_array_equal(value, before[key])
    del state["5.weight"]
    result = net.load_state_dict(state, strict=False)
    assert result.missing_keys == ["5.weight", "5.bias"]
    assert result.unexpected_keys == ["6.weight"]
    np.testing.assert_array_equal(net[0].bias, before["0.bias"] + 1)


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
