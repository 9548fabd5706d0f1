"""Arrays that must work whatever their memory looks like, and arguments that must be refused."""

from __future__ import annotations

import re
from inspect import isfunction, signature

import numpy as np
import pytest

import fastconv as fc
from fastconv import reference

RNG = np.random.default_rng(0)
X = RNG.integers(-4, 5, (2, 4, 7, 9)).astype(np.float32)
W = RNG.integers(-4, 5, (6, 4, 3, 3)).astype(np.float32)
B = RNG.integers(-4, 5, 6).astype(np.float32)
Y = fc.conv2d(X, W, B)


def unaligned(array):
    memory = np.empty(array.nbytes + 1, np.uint8)
    view = memory[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    return view


def odd_strides(array):
    """A field of packed records: strides that are no multiple of the element."""
    records = np.empty(array.shape, [("flag", np.uint8), ("value", array.dtype)])
    records["value"] = array
    return records["value"]


def read_only(array):
    view = array.copy()
    view.flags.writeable = False
    return view


def spread(array):
    """Every second element of a larger array, along each axis."""
    wide = np.full([2 * n for n in array.shape], 99, array.dtype)
    view = wide[tuple(slice(None, None, 2) for _ in array.shape)]
    view[...] = array
    return view


MEMORY = {
    "fortran": np.asfortranarray,
    "negative": lambda a: a[tuple([slice(None, None, -1)] * a.ndim)].copy()[
        tuple([slice(None, None, -1)] * a.ndim)
    ],
    "spread": spread,
    "read-only": read_only,
    "unaligned": unaligned,
    "odd strides": odd_strides,
    "subclass": lambda a: a.view(type("Mine", (np.ndarray,), {})),
    "memoryview": lambda a: memoryview(a.copy()),
    "array": lambda a: type("Holder", (), {"__array__": lambda self, *_, **__: a.copy()})(),
    "interface": lambda a: type(
        "Holder", (), {"keep": a, "__array_interface__": a.__array_interface__}
    )(),
    "dlpack": lambda a: type(
        "Holder",
        (),
        {
            "__dlpack__": lambda self, **k: a.__dlpack__(**k),
            "__dlpack_device__": lambda self: a.__dlpack_device__(),
        },
    )(),
    "parameter": fc.Parameter,
}


VIEWS = {  # the memory's shape, and what is seen of it
    "every second column": ((2, 32, 9, 22), lambda x: x[..., ::2]),
    "every third column": ((2, 32, 9, 33), lambda x: x[..., ::3]),
    "columns backwards": ((2, 32, 9, 11), lambda x: x[..., ::-1]),
    "one column": ((2, 32, 9, 1), lambda x: x),
    "one channel": ((2, 1, 9, 11), lambda x: x),
    "channels of more": ((2, 9, 11, 64), lambda x: np.moveaxis(x[..., 5:37], -1, 1)),
    "every second channel": ((2, 9, 11, 64), lambda x: np.moveaxis(x[..., ::2], -1, 1)),
    "one pixel of channels": ((2, 9, 1, 32), lambda x: np.moveaxis(x, -1, 1)),
}


@pytest.mark.parametrize("view", VIEWS)
def test_weight_gradients_of_views(isa, view):
    """Read in place or not: steps of one, two, none and more, from pixel to pixel."""
    memory, see = VIEWS[view]
    x = np.broadcast_to(see(RNG.integers(-4, 5, memory).astype(np.float32)), (2, 32, 9, 11))
    for kernel, stride, padding in ((1, 1, 0), (1, 2, 0), (3, 1, 1), (3, 2, 1), (3, 1, 0)):
        weight = np.zeros((40, 32, kernel, kernel), np.float32)
        shape = reference.conv2d(x, weight, None, stride, padding).shape
        gy = RNG.integers(-4, 5, shape).astype(np.float32)
        args = gy, x, weight, None, stride, padding
        wanted = reference.conv2d_backward(*args)[1]
        assert np.array_equal(fc.conv2d_backward(*args)[1], wanted), (kernel, stride, padding)


@pytest.mark.parametrize("memory", MEMORY)
def test_any_memory_is_read_correctly(memory):
    make = MEMORY[memory]
    before = X.copy(), W.copy(), B.copy()
    assert np.array_equal(fc.conv2d(make(X), make(W), make(B)), Y)
    for got, wanted in zip(
        fc.conv2d_backward(make(Y), make(X), make(W), make(B)), fc.conv2d_backward(Y, X, W, B)
    ):
        assert np.array_equal(got, wanted)
    for name in ("max_pool2d", "avg_pool2d"):
        forward, backward = getattr(fc, name), getattr(fc, name + "_backward")
        pooled = forward(X, 2)
        assert np.array_equal(forward(make(X), 2), pooled)
        assert np.array_equal(backward(make(pooled), make(X), 2), backward(pooled, X, 2))
    for name, args in (("adaptive_avg_pool2d", (3,)), ("lp_pool2d", (2, 2)), ("unfold", (2,))):
        forward, backward = getattr(fc, name), getattr(fc, name + "_backward")
        result = forward(X, *args)
        assert np.array_equal(forward(make(X), *args), result)
        gradient = backward(result, X, *args)
        assert np.array_equal(backward(make(result), make(X), *args), gradient)
    columns = fc.unfold(X, 2)
    assert np.array_equal(fc.fold(make(columns), (7, 9), 2), fc.fold(columns, (7, 9), 2))
    _, indices = fc.max_pool2d(X, 2, return_indices=True)
    if memory != "parameter":
        got = fc.max_pool2d_backward(pooled, X, 2, indices=make(indices))
        assert np.array_equal(got, fc.max_pool2d_backward(pooled, X, 2))
        where = {"kernel_size": 2, "output_size": (7, 9)}
        wanted = fc.max_unpool2d(pooled, indices, **where)
        assert np.array_equal(fc.max_unpool2d(make(pooled), make(indices), **where), wanted)
    for array, kept in zip((X, W, B), before):
        assert np.array_equal(array, kept)


def test_repeated_elements_are_read():
    x = np.broadcast_to(np.float32(3), X.shape)
    assert np.array_equal(fc.conv2d(x, W, B), fc.conv2d(x.copy(), W, B))


def test_integers_of_any_kind():
    wanted = fc.conv2d(X, W, B, 2, (1, 0), 1)
    for two in (np.int64(2), np.array(2), [2], (2, 2), np.array([2, 2])):
        assert np.array_equal(fc.conv2d(X, W, B, two, np.array([1, 0]), np.uint8(1)), wanted)
    for padding in ([1, 0], ((1, 1), (0, 0)), [[1, 1], np.array([0, 0])], (np.int32(1), (0, 0))):
        assert np.array_equal(fc.conv2d(X, W, B, 2, padding), wanted)


def test_without_a_batch():
    assert np.array_equal(fc.conv2d(X[0], W, B), Y[0])
    gx, gw, gb = fc.conv2d_backward(Y[0], X[0], W, B)
    one = fc.conv2d_backward(Y[:1], X[:1], W, B)
    for got, wanted in zip((gx, gw, gb), (one[0][0], *one[1:])):
        assert np.array_equal(got, wanted)
    pooled, places = fc.max_pool2d(X[1], 2, return_indices=True)
    whole, all_places = fc.max_pool2d(X, 2, return_indices=True)
    assert np.array_equal(pooled, whole[1])
    assert np.array_equal(places, all_places[1])
    grad = fc.max_pool2d_backward(pooled, X[1], 2, indices=places)
    assert np.array_equal(grad, fc.max_pool2d_backward(whole, X, 2)[1])
    assert np.array_equal(fc.avg_pool2d(X[1], 2), fc.avg_pool2d(X, 2)[1])


def channels_last(array):
    return np.ascontiguousarray(array.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


def test_channels_last_in_gives_channels_last_out():
    x, gy = channels_last(X), channels_last(Y)
    y = fc.conv2d(x, W, B)
    assert np.array_equal(y, Y)
    gx = fc.conv2d_backward(gy, x, W, B)[0]
    assert np.array_equal(gx, fc.conv2d_backward(Y, X, W, B)[0])
    pooled, places = fc.max_pool2d(x, 2, return_indices=True)
    for array in (y, gx, pooled, places, fc.avg_pool2d(x, 2)):
        assert array.transpose(0, 2, 3, 1).flags.c_contiguous
    assert fc.conv2d(x[0], W).transpose(1, 2, 0).flags.c_contiguous
    assert fc.conv2d(X, W).flags.c_contiguous
    assert fc.conv2d(channels_last(X[:, :1]), W[:, :1]).flags.c_contiguous  # both at once


def test_nhwc_shapes():
    def last(array):
        return np.ascontiguousarray(np.moveaxis(array, 1, -1))

    y = fc.conv2d(last(X), W, B, layout="NHWC")
    assert np.array_equal(y, last(Y))
    assert y.flags.c_contiguous
    grads = fc.conv2d_backward(last(Y), last(X), W, B, layout="NHWC")
    wanted = fc.conv2d_backward(Y, X, W, B)
    assert np.array_equal(grads[0], last(wanted[0]))
    assert np.array_equal(grads[1], wanted[1])
    pooled, places = fc.max_pool2d(last(X), 2, return_indices=True, layout="NHWC")
    whole, all_places = fc.max_pool2d(X, 2, return_indices=True)
    assert np.array_equal(pooled, last(whole))
    assert np.array_equal(places, last(all_places))
    grad = fc.max_pool2d_backward(pooled, last(X), 2, indices=places, layout="NHWC")
    assert np.array_equal(grad, last(fc.max_pool2d_backward(whole, X, 2)))
    assert np.array_equal(fc.avg_pool2d(last(X), 2, layout="NHWC"), last(fc.avg_pool2d(X, 2)))
    assert np.array_equal(fc.conv2d(last(X)[0], W, B, layout="NHWC"), last(Y)[0])
    out = np.empty_like(y)
    assert fc.conv2d(last(X), W, B, layout="NHWC", out=out) is out
    assert np.array_equal(out, y)


def takes_layout():
    functions = (getattr(fc, name) for name in dir(fc) if not name.startswith("_"))
    return [f for f in functions if isfunction(f) and "layout" in signature(f).parameters]


@pytest.mark.parametrize("function", takes_layout(), ids=lambda function: function.__name__)
def test_layout_of_a_wrong_type_is_named(function):
    """An array among them, whose `!=` has no single answer."""
    name = function.__name__
    dims = int(name.removesuffix("_backward")[-2])
    x = np.ones((2, 2, 5, 5, 5)[: 2 + dims])
    arrays = [x] * (1 + name.endswith("_backward"))
    window = [np.ones((2, 2, 1, 1, 1)[: 2 + dims]) if "conv" in name else 1]
    if "adaptive" in name:
        window = [5]
    elif "lp_pool" in name:
        window = [2, 1]
    elif "unpool" in name:
        window = [x.astype(int), 1]
    for layout, kind in ((np.ones(3), "ndarray"), (3, "int"), (None, "NoneType")):
        with pytest.raises(TypeError, match=f"^{name}: layout is a {kind} .wanted 'NC"):
            function(*arrays, *window, layout=layout)
    function(*arrays, *window, layout="".join(["NC", "HW"]))  # equal, and another object


def test_out_of_any_strides():
    for out in (np.empty(Y.shape, np.float32), spread(np.empty(Y.shape, np.float32)),
                channels_last(np.empty(Y.shape, np.float32)), spread(Y)[:, ::-1]):  # fmt: skip
        assert fc.conv2d(X, W, B, out=out) is out
        assert np.array_equal(out, Y)
    one = np.empty(Y.shape[1:], np.float32)
    assert fc.conv2d(X[0], W, B, out=one) is one
    assert np.array_equal(one, Y[0])
    pooled = np.empty((2, 4, 3, 4), np.float32)
    assert fc.max_pool2d(X, 2, out=pooled) is pooled
    assert np.array_equal(pooled, fc.max_pool2d(X, 2))


def big_endian(array):
    return array.astype(array.dtype.newbyteorder(">"))


BIG = 2**62
ERRORS = [
    # arrays of the wrong type
    (TypeError, "conv2d: input has dtype int64 (wanted float32 or float64", lambda: fc.conv2d(X.astype(np.int64), W)),
    (TypeError, "conv2d: input has dtype float16", lambda: fc.conv2d(X.astype(np.float16), W)),
    (TypeError, "conv2d: input has dtype object", lambda: fc.conv2d(X.astype(object), W)),
    (TypeError, "conv2d: input has dtype complex64", lambda: fc.conv2d(X.astype(np.complex64), W)),
    (TypeError, "conv2d: input has dtype >f4 (not in native byte order)", lambda: fc.conv2d(big_endian(X), W)),
    (TypeError, "conv2d: input is float32, weight is float64 (wanted one dtype)", lambda: fc.conv2d(X, W.astype(float))),
    (TypeError, "conv2d: input is float32, bias is float64", lambda: fc.conv2d(X, W, B.astype(float))),
    (TypeError, "conv2d_backward: input is float32, grad_output is float64", lambda: fc.conv2d_backward(Y.astype(float), X, W)),
    (TypeError, "conv2d: weight is a NoneType (wanted an array)", lambda: fc.conv2d(X, None)),
    (TypeError, "conv2d: input is a str (wanted an array)", lambda: fc.conv2d("image.png", W)),
    (TypeError, "max_pool2d: input has dtype int32", lambda: fc.max_pool2d(X.astype(np.int32), 2)),
    (TypeError, "avg_pool2d: input has dtype bool", lambda: fc.avg_pool2d(X > 0, 2)),
    # shapes
    (ValueError, "conv2d: weight has 3 input channels a group, input has 4 channels in 2 groups (wanted weight.shape[1] == 2)", lambda: fc.conv2d(X, W[:, :3], groups=2)),
    (ValueError, "conv2d: weight has 4 input channels a group, input has 4 channels in 3 groups (wanted groups to divide", lambda: fc.conv2d(X, W, groups=3)),
    (ValueError, "conv2d: groups is 4, input has 4 channels, output has 6 (wanted groups to divide both)", lambda: fc.conv2d(X, W[:, :1], groups=4)),
    (ValueError, "conv2d: groups is 0", lambda: fc.conv2d(X, W, groups=0)),
    (ValueError, "conv2d: groups is -1", lambda: fc.conv2d(X, W, groups=-1)),
    (ValueError, "conv2d: input has shape (7, 9) (wanted 4 dimensions, or 3 without a batch)", lambda: fc.conv2d(X[0, 0], W)),
    (ValueError, "conv2d: input has shape (1, 2, 4, 7, 9)", lambda: fc.conv2d(X[None], W)),
    (ValueError, "conv2d: weight has shape (4, 3, 3) (wanted 4 dimensions", lambda: fc.conv2d(X, W[0])),
    (ValueError, "conv2d: bias has shape (5,) (wanted (6,))", lambda: fc.conv2d(X, W, B[:5])),
    (ValueError, "conv2d: bias has shape (6, 1)", lambda: fc.conv2d(X, W, B[:, None])),
    (ValueError, "conv2d: input has 0 channels", lambda: fc.conv2d(X[:, :0], W[:, :0])),
    (ValueError, "conv2d: weight has 0 output channels", lambda: fc.conv2d(X, W[:0])),
    (ValueError, "conv2d: kernel_size is (0, 3) (wanted at least 1 in each dimension)", lambda: fc.conv2d(X, W[:, :, :0])),
    (ValueError, "conv2d: the input's spatial size is (0, 9)", lambda: fc.conv2d(X[:, :, :0], W, padding=3)),
    (ValueError, "conv2d: the kernel has size (3, 3), the padded input (2, 9) (wanted the kernel to fit)", lambda: fc.conv2d(X[:, :, :2], W)),
    (ValueError, "conv2d: the dilated kernel has size (9, 9), the padded input (7, 9)", lambda: fc.conv2d(X, W, dilation=4)),
    (ValueError, "conv2d_backward: grad_output has shape (2, 6, 5, 6) (wanted (2, 6, 5, 7), the output's)", lambda: fc.conv2d_backward(Y[..., :6], X, W)),
    (ValueError, "conv2d_backward: grad_output has shape (2, 5, 5, 7)", lambda: fc.conv2d_backward(Y[:, :5], X, W)),
    (ValueError, "max_pool2d: the number of channels is 0", lambda: fc.max_pool2d(X[:, :0], 2)),
    (ValueError, "max_pool2d: the kernel has size (8, 8), the padded input (7, 9)", lambda: fc.max_pool2d(X, 8)),
    (ValueError, "max_pool2d_backward: grad_output has shape (2, 4, 3, 3)", lambda: fc.max_pool2d_backward(X[:, :, :3, :3], X, 2)),
    # values
    (ValueError, "conv2d: stride is (0, 0) (wanted at least 1 in each dimension)", lambda: fc.conv2d(X, W, stride=0)),
    (ValueError, "conv2d: stride is (1, -2)", lambda: fc.conv2d(X, W, stride=(1, -2))),
    (ValueError, "conv2d: stride is (1, 2, 3) with 3 numbers (wanted one int, or 2)", lambda: fc.conv2d(X, W, stride=(1, 2, 3))),
    (ValueError, "conv2d: dilation is (0, 0)", lambda: fc.conv2d(X, W, dilation=0)),
    (ValueError, "conv2d: padding is ((-1, -1), (-1, -1)) (wanted from 0", lambda: fc.conv2d(X, W, padding=-1)),
    (ValueError, "conv2d: padding is 'equal' (wanted numbers, 'valid', 'same'", lambda: fc.conv2d(X, W, padding="equal")),
    (ValueError, "conv2d: padding is (1, 2, 3) with 3 entries", lambda: fc.conv2d(X, W, padding=(1, 2, 3))),
    (ValueError, "conv2d: algorithm is 'winograd' (wanted one of 'auto', 'direct', 'im2col', 'tiled')", lambda: fc.conv2d(X, W, algorithm="winograd")),
    (ValueError, "conv2d: layout is 'CHWN' (wanted 'NCHW' or 'NHWC')", lambda: fc.conv2d(X, W, layout="CHWN")),
    (ValueError, "max_pool2d: padding is ((2, 2), (2, 2)), kernel_size is (3, 3) (wanted at most half the kernel", lambda: fc.max_pool2d(X, 3, padding=2)),
    (ValueError, "avg_pool2d: padding is ((0, 1), (2, 0))", lambda: fc.avg_pool2d(X, 2, padding=((0, 1), (2, 0)))),
    (ValueError, "max_pool2d: padding is 'full'", lambda: fc.max_pool2d(X, 2, padding="full")),
    (ValueError, "max_pool2d: stride is (0, 0)", lambda: fc.max_pool2d(X, 2, 0)),
    (ValueError, "max_pool2d: kernel_size is (0, 0)", lambda: fc.max_pool2d(X, 0)),
    (ValueError, "avg_pool2d: divisor_override is 0", lambda: fc.avg_pool2d(X, 2, divisor_override=0)),
    (ValueError, "conv2d_backward: needs is (True, False) (wanted three bools)", lambda: fc.conv2d_backward(Y, X, W, needs=(True, False))),
    # types of values
    (TypeError, "conv2d: stride is 1.5 of type float (wanted an int)", lambda: fc.conv2d(X, W, stride=1.5)),
    (TypeError, "conv2d: stride is '2'", lambda: fc.conv2d(X, W, stride="2")),
    (TypeError, "conv2d: stride is True (wanted an int)", lambda: fc.conv2d(X, W, stride=True)),
    (TypeError, "conv2d: padding is None", lambda: fc.conv2d(X, W, padding=None)),
    (TypeError, "conv2d: groups is 1.0", lambda: fc.conv2d(X, W, groups=1.0)),
    (TypeError, "conv2d: stride is array(1.5)", lambda: fc.conv2d(X, W, stride=np.array(1.5))),
    (ValueError, "conv2d: algorithm is ['direct'] (wanted one of", lambda: fc.conv2d(X, W, algorithm=["direct"])),
    (ValueError, "conv2d_backward: needs is True (wanted three bools)", lambda: fc.conv2d_backward(Y, X, W, needs=True)),
    # numbers that overflow somewhere
    (ValueError, "wanted a number below 2**63", lambda: fc.conv2d(X, W, stride=2**63)),
    (ValueError, "conv2d: stride is (4611686018427387904, 4611686018427387904) (wanted at most 2**46)", lambda: fc.conv2d(X, W, stride=BIG)),
    (ValueError, "conv2d: dilation is", lambda: fc.conv2d(X, W, dilation=BIG)),
    (ValueError, "conv2d: dilation is", lambda: fc.conv2d(X, W, dilation=2**45)),
    (ValueError, "conv2d: padding is", lambda: fc.conv2d(X, W, padding=BIG)),
    (ValueError, "conv2d: output would have more than 2**46 elements", lambda: fc.conv2d(X, W, padding=2**30)),
    (ValueError, "max_pool2d: kernel_size is", lambda: fc.max_pool2d(X, BIG)),
    (ValueError, "max_pool2d: the kernel would have more than 2**46 elements", lambda: fc.max_pool2d(X, 2**40, padding=2**39)),
    (MemoryError, "memory for a result of shape (2, 6, 2097157, 2097159) in float32 was refused (wanted", lambda: fc.conv2d(X, W, padding=2**20)),
    # out
    (TypeError, "conv2d: out is a list (wanted a NumPy array)", lambda: fc.conv2d(X, W, out=[1])),
    (TypeError, "conv2d: out has dtype float64 (wanted float32)", lambda: fc.conv2d(X, W, out=Y.astype(float))),
    (ValueError, "conv2d: out has shape (2, 6, 5, 6) (wanted (2, 6, 5, 7))", lambda: fc.conv2d(X, W, out=Y[..., :6])),
    (ValueError, "conv2d: out is read-only", lambda: fc.conv2d(X, W, out=read_only(Y))),
    (ValueError, "conv2d: out has strides", lambda: fc.conv2d(X, W, out=np.lib.stride_tricks.as_strided(Y.copy(), Y.shape, (0, 4, 4, 4)))),
    (ValueError, "conv2d: out overlaps an input", lambda: fc.conv2d(X, W[:4], padding=1, out=X)),
    (ValueError, "max_pool2d: out overlaps an input", lambda: fc.max_pool2d(X, 1, out=X)),
    # threads
    (ValueError, "set_num_threads: the number of threads is 0 (wanted at least 1)", lambda: fc.set_num_threads(0)),
]  # fmt: skip


@pytest.mark.parametrize(("error", "message", "call"), ERRORS, ids=[e[1][:60] for e in ERRORS])
def test_error_names_what_it_got_and_wanted(error, message, call):
    with pytest.raises(error, match=re.escape(message)):
        call()
    assert np.array_equal(fc.conv2d(X, W, B), Y)  # nothing is lost


def test_torch_tensors_are_read_and_gradients_refused():
    torch = pytest.importorskip("torch")
    assert np.array_equal(fc.conv2d(torch.from_numpy(X), torch.from_numpy(W)), fc.conv2d(X, W))
    with pytest.raises(TypeError, match=r"requires a gradient .*input\.detach\(\)"):
        fc.conv2d(torch.from_numpy(X).requires_grad_(), W)


@pytest.mark.parametrize("yes", [True, 1, np.True_, np.int64(1), np.array(True), np.array(1)])
def test_flags_are_bools_of_any_kind(yes):
    found, places = fc.max_pool2d(X, 2, ceil_mode=yes, return_indices=yes)
    wanted, wanted_places = fc.max_pool2d(X, 2, ceil_mode=True, return_indices=True)
    np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(places, wanted_places)


SEQUENCE = np.arange(5)


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (TypeError, "local_response_norm: alpha is 'a' of type str", lambda: fc.local_response_norm(X, 3, "a")),
        (TypeError, "batch_norm: momentum is None", lambda: fc.batch_norm(X, None, None, training=True, momentum=None)),
        (ValueError, "batch_norm_backward: needs is (True,) (wanted five bools)", lambda: fc.batch_norm_backward(X, X, None, None, training=True, needs=(True,))),
        (ValueError, "linear_backward: needs is 3 (wanted three bools)", lambda: fc.linear_backward(X, X, np.eye(9, dtype="f"), needs=3)),
        (TypeError, "leaky_relu: negative_slope is '1'", lambda: fc.leaky_relu(X, "1")),
        (ValueError, "cross_entropy: reduction is array", lambda: fc.cross_entropy(X, X, reduction=SEQUENCE)),
        (TypeError, "cross_entropy: label_smoothing is (1,)", lambda: fc.cross_entropy(X, X, label_smoothing=(1,))),
        (TypeError, "dropout: p is 'a'", lambda: fc.dropout(X, "a")),
        (TypeError, "max_unpool2d: output_size is 1.5", lambda: fc.max_unpool2d(X, X.astype(int), 2, output_size=1.5)),
        (TypeError, "lp_pool2d: norm_type is True", lambda: fc.lp_pool2d(X, True, 2)),
        (TypeError, "pad: pad is 1 (wanted a sequence of ints)", lambda: fc.pad(X, 1)),
        (TypeError, "pad: value is 'a'", lambda: fc.pad(X, (1, 1), value="a")),
        (ValueError, "pad: pad is (4611686018427387904, 4611686018427387904)", lambda: fc.pad(X, (BIG, BIG))),
        (TypeError, "max_pool2d: ceil_mode is 'yes' of type str (wanted True or False)", lambda: fc.max_pool2d(X, 2, ceil_mode="yes")),
        (TypeError, "max_pool2d: return_indices is (1, 0)", lambda: fc.max_pool2d(X, 2, return_indices=(1, 0))),
        (TypeError, "avg_pool2d: count_include_pad is array([ True,  True])", lambda: fc.avg_pool2d(X, 2, count_include_pad=np.array([True, True]))),
        (TypeError, "avg_pool2d_backward: ceil_mode is 2", lambda: fc.avg_pool2d_backward(X, X, 2, ceil_mode=2)),
        (TypeError, "lp_pool2d: ceil_mode is None", lambda: fc.lp_pool2d(X, 2, 2, ceil_mode=None)),
        (TypeError, "adaptive_max_pool2d: return_indices is 0.0", lambda: fc.adaptive_max_pool2d(X, 2, 0.0)),
        (TypeError, "batch_norm: training is 'no'", lambda: fc.batch_norm(X, None, None, training="no")),
        (TypeError, "dropout: training is 'no'", lambda: fc.dropout(X, training="no")),
        (TypeError, "conv2d: stride is {1, 2} of type set (wanted an int)", lambda: fc.conv2d(X, W, stride={1, 2})),
        (TypeError, "conv2d: padding is {} of type dict", lambda: fc.conv2d(X, W, padding={})),
        (TypeError, "adaptive_avg_pool2d: output_size is b'ab' of type bytes", lambda: fc.adaptive_avg_pool2d(X, b"ab")),
        (TypeError, "conv_transpose2d: output_size is b'ab' of type bytes", lambda: fc.conv_transpose2d(X, W[:4], output_size=b"ab")),
        (TypeError, "max_unpool2d: output_size is b'abcd' of type bytes", lambda: fc.max_unpool2d(X, X.astype(int), 2, output_size=b"abcd")),
        (ValueError, "batch_norm: input has 0 channels (wanted at least 1)", lambda: fc.batch_norm(X[:, :0], None, None, training=True)),
        (ValueError, "local_response_norm_backward: input has 0 channels", lambda: fc.local_response_norm_backward(X[:, :0], X[:, :0], 3)),
        (TypeError, "set_num_threads: n is True of type bool (wanted an int)", lambda: fc.set_num_threads(True)),
        (TypeError, "set_num_threads: n is 1.5 of type float (wanted an int)", lambda: fc.set_num_threads(1.5)),
        (ValueError, "set_num_threads: n is 4294967297 (wanted at least 1, below 2**31)", lambda: fc.set_num_threads(2**32 + 1)),
        (TypeError, "conv2d: activation's slope is 'a'", lambda: fc.conv2d(X, W, activation=("leaky_relu", "a"))),
    ],
)  # fmt: skip
def test_settings_of_other_kinds_are_refused(error, message, call):
    with pytest.raises(error, match=re.escape(message)):
        call()
