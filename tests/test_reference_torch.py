"""`fastconv.reference` against torch: the same arguments, the same numbers, over random choices."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from fastconv import reference as ref

torch = pytest.importorskip("torch")
F = torch.nn.functional

DTYPES = [np.float32, np.float64]


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Small problems: waiting for a second thread on a busy machine costs more than it brings."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


# Largest error in units of eps * max(1, |expected|), where the sums are in another order or exp and
# log are another library's. Whatever is not here must be equal.
ULPS = {
    "sigmoid": 4,
    "tanh": 4,
    "softmax": 8,
    "log_softmax": 8,
    "cross_entropy": 32,
    "mse_loss": 32,
    "linear": 0,
    "relu": 0,
}


def tensor(array, requires_grad=False):
    return torch.tensor(array, requires_grad=requires_grad)


def torch_gradients(output, gy, tensors):
    grads = torch.autograd.grad(output, tensors, tensor(gy), allow_unused=True)
    return [None if g is None else g.numpy() for g in grads]


def close(name, actual, expected):
    expected = np.asarray(expected)
    assert type(actual) is np.ndarray
    assert (actual.shape, actual.dtype) == (expected.shape, expected.dtype)
    if not ULPS.get(name):
        np.testing.assert_array_equal(actual, expected)
        return
    rare = ~np.isfinite(expected)
    np.testing.assert_array_equal(actual[rare], expected[rare])
    scale = np.finfo(expected.dtype).eps * np.maximum(1, np.abs(expected[~rare]))
    assert np.abs((actual[~rare] - expected[~rare]) / scale).max(initial=0) <= ULPS[name]


def integers(rng, shape, dtype, low=-4, high=5):
    return rng.integers(low, high, shape).astype(dtype)


def choose(rng, dims, low, high):
    """An int, or one a dimension."""
    numbers = [int(n) for n in rng.integers(low, high + 1, dims)]
    return numbers[0] if rng.random() < 0.3 else tuple(numbers)


def each(value, dims):
    return (value,) * dims if isinstance(value, int) else value


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_convolution(dims):
    rng, count = np.random.default_rng(dims), 0
    while count < 80:
        dtype, groups = DTYPES[count % 2], int(rng.integers(1, 4))
        stride, dilation = choose(rng, dims, 1, 3), choose(rng, dims, 1, 2)
        padding = choose(rng, dims, 0, 3)
        kernel, size = rng.integers(1, 5, dims), rng.integers(1, 8, dims)
        extent = np.multiply(each(dilation, dims), kernel - 1) + 1
        if rng.random() < 0.2:
            stride, padding = 1, str(rng.choice(["same", "valid"]))
        reach = 0 if padding == "valid" else extent if padding == "same" else each(padding, dims)
        if np.any(size + 2 * np.asarray(reach) < extent):
            continue
        count += 1
        lead = () if rng.random() < 0.2 else (int(rng.integers(1, 4)),)
        channels, out = groups * rng.integers(1, 4, 2)
        x = integers(rng, (*lead, channels, *size), dtype)
        w = integers(rng, (out, channels // groups, *kernel), dtype)
        b = integers(rng, out, dtype) if rng.random() < 0.7 else None
        where = (stride, padding, dilation, groups)

        tensors = [tensor(a, True) for a in (x, w, b) if a is not None]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch copies the input for an even "same" kernel
            bias = tensors[2] if b is not None else None
            expected = getattr(F, f"conv{dims}d")(*tensors[:2], bias, *where)
        close("conv", getattr(ref, f"conv{dims}d")(x, w, b, *where), expected.detach())
        gy = integers(rng, expected.shape, dtype)
        grads = getattr(ref, f"conv{dims}d_backward")(gy, x, w, b, *where)
        for grad, wanted in zip(grads, torch_gradients(expected, gy, tensors)):
            close("conv", grad, wanted)


def random_pooling(rng, dims, dilated):
    """Input and arguments that torch takes: (kernel, stride, padding, dilation, ceil_mode)."""
    while True:
        kernel, size = choose(rng, dims, 1, 4), rng.integers(1, 9, dims)
        stride = None if rng.random() < 0.3 else choose(rng, dims, 1, 4)
        padding = tuple(int(rng.integers(0, k // 2 + 1)) for k in each(kernel, dims))
        dilation = choose(rng, dims, 1, 3) if dilated else 1
        ceil_mode = bool(rng.random() < 0.5)
        extent = np.multiply(each(dilation, dims), np.subtract(each(kernel, dims), 1)) + 1
        slack = np.subtract(each(kernel if stride is None else stride, dims), 1) if ceil_mode else 0
        # every window must read something: torch's index is outside the input where none does
        reads = np.all(size + 2 * np.array(padding) + slack >= extent) and (
            np.all(size > np.array(padding) * (np.array(each(dilation, dims)) > 1) * 2)
        )
        if reads:
            lead = (2,) if rng.random() < 0.2 else (2, 3)
            return (*lead, *size), (kernel, stride, padding, dilation, ceil_mode)


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_max_pool(dims):
    rng = np.random.default_rng(10 + dims)
    forward, backward = (getattr(ref, f"max_pool{dims}d{end}") for end in ("", "_backward"))
    for count in range(120):
        shape, args = random_pooling(rng, dims, dilated=True)
        x = integers(rng, shape, DTYPES[count % 2])  # with many ties
        rare = rng.random(shape)
        x[rare < 0.1], x[(rare > 0.1) & (rare < 0.2)], x[rare > 0.6] = np.nan, np.inf, -np.inf
        tx = tensor(x, True)
        expected, places = getattr(F, f"max_pool{dims}d")(tx, *args, return_indices=True)
        y, indices = forward(x, *args, return_indices=True)
        close("max_pool", indices, places)
        close("max_pool", y, expected.detach())
        close("max_pool", forward(x, *args), expected.detach())
        gy = integers(rng, y.shape, x.dtype)
        (wanted,) = torch_gradients(expected, gy, [tx])
        close("max_pool", backward(gy, x, *args), wanted)
        close("max_pool", backward(gy, x, *args, True, indices=indices), wanted)


def test_max_pool_of_rare_values():
    nan, inf = np.nan, np.inf
    rows = [
        [-inf, -inf, -inf, -inf],
        [nan, 1, nan, inf],
        [-inf, nan, -inf, 2],
        [0.0, -0.0, 0.0, -0.0],
        [inf, inf, 3, 3],
        [-1, -1, -1, -2],
    ]
    x = np.array(rows)[:, np.newaxis]
    for args in [(2, 1), (2, 2, 1), (3, 1, 1), (4, 4), (3, 2, 1, 1, True), (2, 1, 1, 2)]:
        y, indices = ref.max_pool1d(x, *args, return_indices=True)
        expected, places = F.max_pool1d(tensor(x), *args, return_indices=True)
        close("max_pool", y, expected)
        close("max_pool", indices, places)
    _, last = ref.max_pool1d(x, 4, return_indices=True)
    assert last.ravel().tolist() == [0, 2, 1, 0, 0, 0]


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_avg_pool(dims):
    rng = np.random.default_rng(20 + dims)
    forward, backward = (getattr(ref, f"avg_pool{dims}d{end}") for end in ("", "_backward"))
    for count in range(120):
        shape, (kernel, stride, padding, _, ceil_mode) = random_pooling(rng, dims, dilated=False)
        if dims == 3 and np.any(shape[-3:] < np.array(kernel)):
            continue  # which torch refuses in 3-D alone, whatever the padding
        args = [kernel, stride, padding, ceil_mode, bool(rng.random() < 0.5)]
        if dims > 1:
            args.append([None, 7][rng.integers(2)])
        x = integers(rng, shape, DTYPES[count % 2])
        tx = tensor(x, True)
        expected = getattr(F, f"avg_pool{dims}d")(tx, *args)
        close("avg_pool", forward(x, *args), expected.detach())
        # divisors are at most 64: multiples of the numbers they can be give exact gradients
        gy = 7 * 144 * integers(rng, expected.shape, x.dtype)
        (wanted,) = torch_gradients(expected, gy, [tx])
        close("avg_pool", backward(gy, x, *args), wanted)


@pytest.mark.parametrize("dtype", DTYPES)
def test_linear(dtype):
    rng = np.random.default_rng(30)
    for lead, out in [((), (4,)), ((3,), (4,)), ((2, 3), (4,)), ((0,), (4,)), ((3,), ())]:
        for bias in (True, False) if out else (False,):
            arrays = [integers(rng, (*lead, 5), dtype), integers(rng, (*out, 5), dtype)]
            arrays += [integers(rng, out, dtype)] if bias else []
            tensors = [tensor(a, True) for a in arrays]
            expected = F.linear(*tensors)
            close("linear", ref.linear(*arrays), expected.detach())
            gy = integers(rng, expected.shape, dtype)
            grads = ref.linear_backward(gy, *arrays)
            for grad, wanted in zip(grads, torch_gradients(expected, gy, tensors)):
                close("linear", grad, wanted)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["relu", "sigmoid", "tanh", "softmax", "log_softmax"])
def test_activation(name, dtype):
    rng = np.random.default_rng(40)
    function, backward = getattr(ref, name), getattr(ref, name + "_backward")
    x = np.concatenate([rng.standard_normal((4, 3, 5)) * scale for scale in (1, 10, 200)])
    x[0, 0], x[1, 1] = [0, -0.0, np.nan, np.inf, -np.inf], [-np.inf, 1, -np.inf, 0, 2]
    x = x.astype(dtype)
    x[2, 2] = [np.finfo(dtype).max, np.finfo(dtype).min, 0, 1, 2]
    gy = rng.standard_normal(x.shape).astype(dtype)
    for dim in (0, 1, -1) if "softmax" in name else (None,):
        args = () if dim is None else (dim,)
        tx = tensor(x, True)
        expected = getattr(torch if name in ("sigmoid", "tanh") else F, name)(tx, *args)
        close(name, function(x, *args), expected.detach())
        (wanted,) = torch_gradients(expected, gy, [tx])
        close(name, backward(gy, x, *args), wanted)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(6, 5), (5,), (2, 5, 3, 2), (0, 5)], ids=str)
def test_cross_entropy(shape, dtype):
    rng = np.random.default_rng(50)
    for count in range(60):
        x = (3 * rng.standard_normal(shape)).astype(dtype)
        indices = count % 3 > 0
        if indices:
            target = rng.integers(0, 5, shape[:-1] if len(shape) < 3 else (2, 3, 2))
            target = target if count % 2 else target.astype(np.int64)
        else:
            target = rng.random(shape).astype(dtype)
        options = {
            "weight": rng.random(5).astype(dtype) if rng.random() < 0.5 else None,
            "ignore_index": int(rng.choice([-100, -1, 1])) if indices else -100,
            "reduction": str(rng.choice(["mean", "sum", "none"])),
            "label_smoothing": float(rng.choice([0, 0.1, 1])),
        }
        if indices:
            target[rng.random(target.shape) < 0.2] = options["ignore_index"]
            if count == 1:
                target[...] = options["ignore_index"]
        tensors = [tensor(x, True)] + ([] if indices else [tensor(target, True)])
        theirs = options | {
            "weight": None if options["weight"] is None else tensor(options["weight"])
        }
        expected = F.cross_entropy(
            tensors[0], tensors[1] if tensors[1:] else tensor(target), **theirs
        )
        close("cross_entropy", ref.cross_entropy(x, target, **options), expected.detach())
        if expected.isnan().any():
            continue
        gy = rng.standard_normal(expected.shape).astype(dtype)
        grads = ref.cross_entropy_backward(gy, x, target, needs=(True, True, True), **options)
        for grad, wanted in zip(grads, torch_gradients(expected, gy, tensors)):
            close("cross_entropy", grad, wanted)
        assert grads[2] is None
        assert not (indices and grads[1] is not None)


@pytest.mark.parametrize("dtype", DTYPES)
def test_cross_entropy_of_rare_logits(dtype):
    x = np.array([[0, -np.inf, 1], [1e4, -1e4, 0], [3, -np.inf, -np.inf]], dtype)
    for target in (np.array([0, 0, 0]), np.array([1, 1, 0]), np.array([-100, 2, 0])):
        tx = tensor(x, True)
        expected = F.cross_entropy(tx, tensor(target), reduction="none")
        close("cross_entropy", ref.cross_entropy(x, target, reduction="none"), expected.detach())
        gy = np.ones(3, dtype)
        grad = ref.cross_entropy_backward(gy, x, target, reduction="none")[0]
        close("cross_entropy", grad, torch_gradients(expected, gy, [tx])[0])
    q = np.eye(3, dtype=dtype)
    expected = F.cross_entropy(tensor(x), tensor(q), reduction="none")
    close("cross_entropy", ref.cross_entropy(x, q, reduction="none"), expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_mse_loss(reduction, dtype):
    rng = np.random.default_rng(60)
    for shape in [(3, 4), (), (2, 3, 4), (0, 2)]:
        arrays = [np.asarray(rng.standard_normal(shape), dtype) for _ in range(2)]
        tensors = [tensor(a, True) for a in arrays]
        expected = F.mse_loss(*tensors, reduction=reduction)
        close("mse_loss", ref.mse_loss(*arrays, reduction), expected.detach())
        gy = np.asarray(rng.standard_normal(expected.shape), dtype)
        grads = ref.mse_loss_backward(gy, *arrays, reduction)
        for grad, wanted in zip(grads, torch_gradients(expected, gy, tensors)):
            close("mse_loss", grad, wanted)
