"""Transposed convolution: the adjoint of convolution, torch's arguments, ONNX's "same"."""

from __future__ import annotations

import random
import re

import numpy as np
import pytest
from naive import naive_conv_backward

import fastconv as fc
import fastconv.nn as nn
from fastconv import reference

ALGORITHMS = ("auto", "direct", "im2col", "tiled")
NAMES = ("output", "grad_input", "grad_weight", "grad_bias")
LAYOUTS = {1: "NLC", 2: "NHWC", 3: "NDHWC"}


def functions(module, dims):
    name = f"conv_transpose{dims}d"
    return getattr(module, name), getattr(module, name + "_backward")


def integers(rng, shape, dtype=np.float32):
    return rng.integers(-4, 5, shape).astype(dtype)


def equal(got, wanted, dtype, message=""):
    assert got.dtype == dtype
    assert got.shape == wanted.shape, message
    np.testing.assert_array_equal(got, wanted, err_msg=message)


@pytest.fixture(params=ALGORITHMS)
def algorithm(request):
    return request.param


@pytest.fixture(params=[1, 2, 3])
def dims(request):
    return request.param


def cases(dims):
    """stride, padding pairs, output_padding, dilation; sizes large enough for all."""
    for stride, pairs, extra, dilation in [
        ((1, 1, 1), ((0, 0), (0, 0), (0, 0)), (0, 0, 0), (1, 1, 1)),
        ((2, 3, 1), ((1, 0), (0, 2), (1, 1)), (1, 0, 0), (1, 1, 2)),
        ((3, 2, 2), ((0, 0), (1, 1), (2, 0)), (2, 1, 1), (1, 2, 1)),
        ((1, 1, 2), ((0, 1), (0, 0), (0, 0)), (1, 2, 0), (2, 3, 1)),
    ]:
        yield stride[-dims:], pairs[-dims:], extra[-dims:], dilation[-dims:]


@pytest.mark.parametrize("case", range(4))
@pytest.mark.parametrize("groups", [1, 2])
def test_against_naive_loops(isa, dims, groups, case, algorithm):
    """The output is the input gradient of naive_conv, whose outputs fit in it."""
    stride, pairs, extra, dilation = list(cases(dims))[case]
    rng = np.random.default_rng(1)
    forward, backward = functions(fc, dims)
    x = integers(rng, (2, 2 * groups, 3, 2, 4)[: 2 + dims])
    w = integers(rng, (2 * groups, 3, 2, 3, 2)[: 2 + dims])
    b = integers(rng, 3 * groups)
    where = stride, pairs, extra, groups, dilation
    y = forward(x, w, b, *where, algorithm=algorithm)
    reach = [
        (n - 1) * s - sum(p) + d * (k - 1) + 1 + e
        for n, s, p, e, d, k in zip(x.shape[2:], stride, pairs, extra, dilation, w.shape[2:])
    ]
    assert y.shape == (2, 3 * groups, *reach)
    # naive_conv of the output has as many outputs as the input, or more where extra >= stride
    fits = [n + (e // s) for n, e, s in zip(x.shape[2:], extra, stride)]
    wide = np.zeros((*x.shape[:2], *fits))
    wide[(..., *(slice(n) for n in x.shape[2:]))] = x
    adjoint = naive_conv_backward(wide, np.zeros(y.shape), w, stride, pairs, dilation, groups)[0]
    equal(y, adjoint + b.reshape(-1, *(1,) * dims), np.float32)
    gy = integers(rng, y.shape)
    got = backward(gy, x, w, b, *where, algorithm=algorithm)
    wanted = functions(reference, dims)[1](gy, x, w, b, *where)
    for name, g, wish in zip(NAMES[1:], got, wanted):
        equal(g, wish, np.float32, name)


def problem(draw, rng, dims, dtype):
    groups = draw.choice([1, 1, 1, 2, 3])
    channels, outs = (groups * draw.choice([1, 2, 3, 8, 20]) for _ in range(2))
    kernel = [draw.randint(1, 4 if dims < 3 else 3) for _ in range(dims)]
    sizes = [draw.choice([1, 2, 5, 9, 33] if dims < 3 else [1, 2, 5]) for _ in range(dims)]
    x = integers(rng, (draw.choice([1, 2]), channels, *sizes), dtype)
    if draw.random() < 0.3:
        x = np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)
    w = integers(rng, (channels, outs // groups, *kernel), dtype)
    b = integers(rng, outs, dtype)
    stride, dilation = ([draw.randint(1, 3) for _ in range(dims)] for _ in range(2))
    padding = draw.choice([0, 1, [(1, 2)] * dims, "valid", "same", "same_lower"])
    extra = [draw.randint(0, max(s, d) - 1) for s, d in zip(stride, dilation)]
    return x, w, b, stride, padding, extra, groups, dilation


@pytest.mark.parametrize("seed", range(3))
def test_random_problems(isa, dtype, dims, threads, seed, algorithm):
    """Any arguments, any number of threads; where the reference refuses, so do the kernels."""
    draw, rng = random.Random(seed), np.random.default_rng(seed)
    forward, backward = functions(fc, dims)
    slow_forward, slow_backward = functions(reference, dims)
    for _ in range(20):
        x, w, b, *args = problem(draw, rng, dims, dtype)
        fc.set_num_threads(draw.choice([1, 2, 3]))
        try:
            wanted = slow_forward(x.astype(float), w, b, *args)
        except ValueError:
            with pytest.raises(ValueError, match=f"conv_transpose{dims}d: the output would"):
                forward(x, w, b, *args)
            continue
        gy = integers(rng, wanted.shape, dtype)
        got = (
            forward(x, w, b, *args, algorithm=algorithm),
            *backward(gy, x, w, b, *args, algorithm=algorithm),
        )
        grads = slow_backward(*(a.astype(float) for a in (gy, x, w, b)), *args)
        for name, g, wish in zip(NAMES, got, (wanted, *grads)):
            equal(g, wish, dtype, f"{name} of {x.shape} {w.shape} {args}")


@pytest.mark.parametrize("module", [fc, reference], ids=["fastconv", "reference"])
def test_against_torch(dims, module):
    torch = pytest.importorskip("torch")
    forward, backward = functions(module, dims)
    theirs = getattr(torch.nn.functional, f"conv_transpose{dims}d")
    draw, rng = random.Random(5), np.random.default_rng(5)
    for _ in range(40):
        x, w, b, stride, _, extra, groups, dilation = problem(draw, rng, dims, np.float64)
        padding = [draw.randint(0, 2) for _ in range(dims)]
        where = stride, padding, extra, groups, dilation
        tensors = [torch.tensor(a, requires_grad=True) for a in (x, w, b)]
        try:
            wanted = theirs(*tensors, *where)
        except RuntimeError:
            with pytest.raises(ValueError):
                forward(x, w, b, *where)
            continue
        equal(forward(x, w, b, *where), wanted.detach().numpy(), np.float64)
        gy = integers(rng, wanted.shape, np.float64)
        wanted.backward(torch.tensor(gy))
        for got, tensor in zip(backward(gy, x, w, b, *where), tensors):
            equal(got, tensor.grad.numpy(), np.float64)


def test_adjoint_of_convolution(isa, dims):
    """<conv(x), y> = <x, conv_transpose(y)>, with the same weights."""
    rng = np.random.default_rng(6)
    x = integers(rng, (2, 4, 7, 6, 5)[: 2 + dims], np.float64)
    w = integers(rng, (6, 2, 3, 2, 2)[: 2 + dims], np.float64)
    how = {"stride": 2, "padding": 1, "groups": 2}
    y = getattr(fc, f"conv{dims}d")(x, w, **how)
    g = integers(rng, y.shape, np.float64)
    back = functions(fc, dims)[0](g, w, **how, output_size=x.shape[2:])
    assert back.shape == x.shape
    assert np.vdot(y, g) == np.vdot(x, back)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5])
def test_same_is_input_times_stride(isa, stride, kernel):
    x, w = np.arange(1.0, 5).reshape(1, 1, 4), np.arange(1.0, kernel + 1).reshape(1, 1, -1)
    whole = fc.conv_transpose1d(x, w, stride=stride)[0, 0]
    cut = max(kernel - stride, 0)
    for name, before in (("same", cut // 2), ("same_lower", cut - cut // 2)):
        y = fc.conv_transpose1d(x, w, stride=stride, padding=name)[0, 0]
        assert len(y) == 4 * stride
        wanted = np.zeros(4 * stride)
        part = whole[before : before + 4 * stride]
        wanted[: len(part)] = part
        assert np.array_equal(y, wanted)


def test_output_size(isa):
    x, w = np.ones((2, 3, 4, 5)), np.ones((3, 2, 3, 3))
    for size in [(7, 9), (8, 9), (8, 10)]:
        y = fc.conv_transpose2d(x, w, stride=2, padding=1, output_size=size)
        assert y.shape == (2, 2, *size)
        extra = (size[0] - 7, size[1] - 9)
        wanted = fc.conv_transpose2d(x, w, None, 2, 1, extra)
        assert np.array_equal(y, wanted)
        for whole in ((2, 2, *size), list(size), np.array(size)):
            again = fc.conv_transpose2d(x, w, stride=2, padding=1, output_size=whole)
            assert np.array_equal(again, y)
        grads = fc.conv_transpose2d_backward(y, x, w, stride=2, padding=1, output_size=size)
        wanted = fc.conv_transpose2d_backward(y, x, w, None, 2, 1, extra)
        assert all(np.array_equal(one, other) for one, other in zip(grads[:2], wanted))
    last = np.ones((2, 4, 5, 3))
    y = fc.conv_transpose2d(last, w, stride=2, output_size=(2, 9, 11, 2), layout="NHWC")
    assert y.shape == (2, 9, 11, 2)
    assert fc.conv_transpose2d(x[:1, :, :4, :4], w, stride=2, output_size=9).shape[2:] == (9, 9)


def test_forms_of_the_same_images(isa, dims):
    rng = np.random.default_rng(2)
    forward, backward = functions(fc, dims)
    x, w = integers(rng, (2, 3, 4, 5, 3)[: 2 + dims]), integers(rng, (3, 4, 2, 2, 2)[: 2 + dims])
    how = {"stride": 2, "padding": "same"}
    y = forward(x, w, **how)
    grads = backward(y, x, w, **how)

    def last(array):
        return np.ascontiguousarray(np.moveaxis(array, 1, -1))

    equal(forward(x[1], w, **how), y[1], np.float32, "no batch")
    equal(backward(y[1], x[1], w, **how)[0], grads[0][1], np.float32, "no batch")
    got = forward(np.moveaxis(last(x), -1, 1), w, **how)
    equal(got, y, np.float32, "memory")
    assert np.moveaxis(got, 1, -1).flags.c_contiguous
    got = forward(last(x), w, **how, layout=LAYOUTS[dims])
    equal(got, last(y), np.float32, "layout")
    assert got.flags.c_contiguous
    got = backward(last(y), last(x), w, **how, layout=LAYOUTS[dims])
    equal(got[0], last(grads[0]), np.float32, "layout")
    equal(got[1], grads[1], np.float32, "layout")
    out = np.empty_like(y)
    assert forward(x, w, **how, out=out) is out
    equal(out, y, np.float32, "out")
    equal(forward(x[:0], w, **how), y[:0], np.float32, "empty")
    empty = backward(y[:0], x[:0], w, np.ones(4, np.float32), **how)
    equal(empty[1], np.zeros_like(w), np.float32, "empty")
    equal(empty[2], np.zeros(4, np.float32), np.float32, "empty")


@pytest.mark.parametrize("activation", [None, "relu", ("leaky_relu", 0.25), "silu", "sigmoid"])
def test_activation_and_residual(isa, activation, algorithm):
    rng = np.random.default_rng(4)
    x, w = rng.standard_normal((2, 4, 3, 4)), rng.standard_normal((4, 3, 3, 2))
    b, r = rng.standard_normal(3), rng.standard_normal((2, 3, 7, 8))
    arrays = x, w, b, r

    def run(**more):
        return fc.conv_transpose2d(x, w, b, 2, residual=r, algorithm=algorithm, **more)

    y, plain = run(activation=activation), fc.conv_transpose2d(x, w, b, 2) + r
    if activation is None:
        wanted = plain
    elif isinstance(activation, tuple):
        wanted = fc.leaky_relu(plain, activation[1])
    else:
        wanted = getattr(fc, activation)(plain)
    np.testing.assert_allclose(y, wanted, rtol=1e-13, atol=1e-13)
    gy = rng.standard_normal(y.shape)
    how = {"residual": r, "activation": activation, "algorithm": algorithm}
    grads = fc.conv_transpose2d_backward(gy, x, w, b, 2, **how)
    for one, other in zip(grads, fc.conv_transpose2d_backward(gy, x, w, b, 2, output=y, **how)):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)
    for array, grad in zip(arrays, grads):
        direction, step = rng.standard_normal(array.shape), 1e-6
        array += step * direction
        above = run(activation=activation)
        array -= 2 * step * direction
        below = run(activation=activation)
        array += step * direction
        change = np.vdot(above - below, gy) / (2 * step)
        assert np.vdot(grad, direction) == pytest.approx(change, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("text", [
    "ConvTranspose1d(4, 6, 3, 2, 1, 1)",
    "ConvTranspose2d(4, 6, 3)",
    "ConvTranspose2d(4, 6, (3, 2), (2, 1), (1, 0), (1, 0), 2, False)",
    "ConvTranspose2d(4, 6, 2, dilation=2, groups=2)",
    "ConvTranspose3d(4, 2, (1, 3, 2), (1, 2, 1), 1, (0, 1, 0))",
])  # fmt: skip
def test_layer_matches_torch(text):
    torch = pytest.importorskip("torch")
    ours = eval(text, {}, vars(nn))
    theirs = eval(text, {}, vars(torch.nn))
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict({name: value.detach() for name, value in theirs.state_dict().items()})
    shape = (2, 4, 5, 6, 4)[: ours.dims + 2]
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    tx = torch.tensor(x, requires_grad=True)
    close = {"rtol": 1e-4, "atol": 1e-5}
    y, ty = ours(x), theirs(tx)
    np.testing.assert_allclose(y, ty.detach().numpy(), **close)
    gy = np.random.default_rng(1).standard_normal(y.shape).astype(np.float32)
    ty.backward(torch.tensor(gy))
    np.testing.assert_allclose(ours.backward(gy), tx.grad.numpy(), **close)
    for own, their in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(own.grad, their.grad.numpy(), **close)
    least = [(n - 1) * s - 2 * p + d * (k - 1) + 1 for n, s, p, d, k in
             zip(shape[2:], ours.stride, ours.padding, ours.dilation, ours.kernel_size)]  # fmt: skip
    size = [n + s - 1 for n, s in zip(least, ours.stride)]
    wanted = theirs(tx, output_size=size).detach().numpy()
    np.testing.assert_allclose(ours(x, output_size=size), wanted, **close)
    gx = ours.backward(np.ones_like(wanted))
    assert gx.shape == x.shape
    ours.freeze()
    np.testing.assert_array_equal(ours(x), y)
    np.testing.assert_allclose(ours(x, size), wanted, **close)


def test_frozen_with_activation():
    net = nn.Sequential(nn.ConvTranspose2d(4, 6, 3, 2, padding="same"), nn.ReLU())
    x = np.random.default_rng(0).standard_normal((2, 4, 5, 6)).astype(np.float32)
    wanted = net.eval()(x)
    net.freeze()
    net[1].forward = None
    np.testing.assert_array_equal(net(x), wanted)


def test_initial_values_have_torchs_distribution():
    layer = nn.ConvTranspose2d(8, 64, 5, groups=2, rng=0)
    bound = 1 / np.sqrt(32 * 25)  # torch counts the weight's second axis
    for parameter in (layer.weight, layer.bias):
        assert 0.9 * bound < np.abs(parameter).max() <= np.float32(bound)


X, W, B = np.ones((2, 4, 5, 6)), np.ones((4, 3, 3, 2)), np.ones(3)
Y = fc.conv_transpose2d(X, W)
T = fc.conv_transpose2d
BIG = 2**62
ERRORS = [
    (TypeError, "conv_transpose2d: input is float64, weight is float32 (wanted one dtype)", lambda: T(X, W.astype(np.float32))),
    (TypeError, "conv_transpose2d: input is a str", lambda: T("x", W)),
    (ValueError, "conv_transpose2d: weight has 3 input channels, input has 4 (wanted weight.shape[0] == 4)", lambda: T(X, W[:3])),
    (ValueError, "conv_transpose2d: weight has shape (4, 3, 3) (wanted 4 dimensions: in, out / groups, kernel)", lambda: T(X, W[..., 0])),
    (ValueError, "conv_transpose2d: groups is 3, input has 4 channels (wanted", lambda: T(X, W, groups=3)),
    (ValueError, "conv_transpose2d: groups is 0", lambda: T(X, W, groups=0)),
    (ValueError, "conv_transpose2d: bias has shape (4,) (wanted (3,))", lambda: T(X, W, np.ones(4))),
    (ValueError, "conv_transpose2d: bias has shape (3,) (wanted (6,))", lambda: T(X, W, B, groups=2)),
    (ValueError, "conv_transpose2d: input has 0 channels", lambda: T(X[:, :0], W[:0])),
    (ValueError, "conv_transpose2d: weight has 0 output channels", lambda: T(X, W[:, :0])),
    (ValueError, "conv_transpose2d: kernel_size is (0, 2) (wanted at least 1 in each dimension)", lambda: T(X, W[:, :, :0])),
    (ValueError, "conv_transpose2d: the input's spatial size is (0, 6)", lambda: T(X[:, :, :0], W)),
    (ValueError, "conv_transpose2d: stride is (0, 0)", lambda: T(X, W, stride=0)),
    (ValueError, "conv_transpose2d: dilation is (1, -1)", lambda: T(X, W, dilation=(1, -1))),
    (ValueError, "conv_transpose2d: padding is (-1, -1) (wanted at least 0", lambda: T(X, W, padding=-1)),
    (ValueError, "conv_transpose2d: padding is 'full' (wanted numbers, 'valid', 'same' or 'same_lower')", lambda: T(X, W, padding="full")),
    (ValueError, "conv_transpose2d: padding is 'some'", lambda: T(X, W, padding="some")),
    (ValueError, "conv_transpose2d: output_padding is (2, 2), stride is (2, 2), dilation is (1, 1) (wanted from 0 to less than stride or dilation)", lambda: T(X, W, None, 2, 0, 2)),
    (ValueError, "conv_transpose2d: output_padding is (-1, -1)", lambda: T(X, W, output_padding=-1)),
    (TypeError, "conv_transpose2d: output_padding is 0.5", lambda: T(X, W, output_padding=0.5)),
    (ValueError, "conv_transpose2d: output_size is (20, 13) (wanted from (11, 12) to (12, 13))", lambda: T(X, W, None, 2, output_size=(20, 13))),
    (ValueError, "conv_transpose2d: output_size is (11, 12) (wanted from (10, 12) to (10, 12))", lambda: T(X, W, None, 2, "same", output_size=(11, 12))),
    (ValueError, "conv_transpose2d: output_size is (7, 7, 7) with 3 numbers", lambda: T(X, W, output_size=(7, 7, 7))),
    (ValueError, "conv_transpose2d: the output would have size (-1, -1) (wanted at least 1", lambda: T(X[..., :1, :2], W, padding=2)),
    (ValueError, "conv_transpose2d: stride is (4611686018427387904, 4611686018427387904) (wanted at most 2**46)", lambda: T(X, W, stride=BIG)),
    (ValueError, "conv_transpose2d: output would have more than 2**46 elements", lambda: T(X, W, stride=2**46)),
    (ValueError, "conv_transpose2d: output would have more than 2**46 elements", lambda: T(X, W, dilation=2**40)),
    (ValueError, "wanted a number below 2**63", lambda: T(X, W, stride=2**63)),
    (ValueError, "conv_transpose2d: out has shape (2, 3, 7, 6) (wanted (2, 3, 7, 7))", lambda: T(X, W, out=Y[..., 1:])),
    (ValueError, "conv_transpose2d: out overlaps an input", lambda: T(Y, np.ones((3, 3, 1, 1)), out=Y)),
    (ValueError, "conv_transpose2d: residual has shape (2, 3, 7, 6) (wanted (2, 3, 7, 7), the output's)", lambda: T(X, W, residual=Y[..., 1:])),
    (ValueError, "conv_transpose2d_backward: grad_output has shape (2, 3, 7, 6) (wanted (2, 3, 7, 7), the output's)", lambda: fc.conv_transpose2d_backward(Y[..., 1:], X, W)),
    (ValueError, "ConvTranspose2d: output_padding is (2, 2), stride is (1, 1)", lambda: nn.ConvTranspose2d(4, 3, 2, output_padding=2)(X.astype(np.float32))),
    (ValueError, "ConvTranspose2d: padding_mode is 'reflect' (wanted 'zeros')", lambda: nn.ConvTranspose2d(4, 3, 2, padding_mode="reflect")),
    (ValueError, "ConvTranspose2d: padding is 'full'", lambda: nn.ConvTranspose2d(4, 3, 2, padding="full")),
]  # fmt: skip


@pytest.mark.parametrize(("error", "message", "call"), ERRORS, ids=[e[1][:60] for e in ERRORS])
def test_error_names_what_it_got_and_wanted(error, message, call):
    with pytest.raises(error, match=re.escape(message)):
        call()
