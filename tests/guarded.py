"""Run by test_guard.py: convolutions whose operands end, or begin, at an unmapped page.

``python guarded.py ISA ALGORITHM first|last``, with channels first or last in memory.
"""

from __future__ import annotations

import ctypes
import itertools
import mmap
import sys

import numpy as np

import fastconv as fc
from fastconv import _core

isa, algorithm, order = sys.argv[1:]
_core.set_isa(isa)
LAST = order == "last"
PAGE = mmap.PAGESIZE
PROT_NONE = 0
libc = ctypes.CDLL(None, use_errno=True)
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
rng = np.random.default_rng(0)


def guarded(array, at_end, last):
    """A copy with an unmapped page behind its end, or before its beginning."""
    pages = (array.nbytes + PAGE - 1) // PAGE
    memory = mmap.mmap(-1, (pages + 2) * PAGE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for page in (0, pages + 1):
        assert libc.mprotect(start + page * PAGE, PAGE, PROT_NONE) == 0
    offset = (pages + 1) * PAGE - array.nbytes if at_end else PAGE
    flat = np.frombuffer(memory, array.dtype, array.size, offset)
    if last and array.ndim > 2:
        copy = np.moveaxis(flat.reshape(array.shape[0], *array.shape[2:], array.shape[1]), -1, 1)
    else:
        copy = flat.reshape(array.shape)
    copy[...] = array
    return copy


def case(x, w, args, dtype):
    convolve = getattr(fc, f"conv{x.ndim - 2}d")
    backward = getattr(fc, f"conv{x.ndim - 2}d_backward")
    x, w = x.astype(dtype), w.astype(dtype)
    b = rng.integers(-4, 5, len(w)).astype(dtype)
    y = convolve(x, w, b, *args, algorithm="im2col")
    gx, gw, gb = backward(y, x, w, b, *args)
    for at_end in (False, True):
        arrays = [guarded(a, at_end, LAST and a is x) for a in (x, w, b)]
        out = guarded(np.full_like(y, np.nan), at_end, LAST)
        residual = guarded(y, at_end, LAST)
        convolve(*arrays, *args, algorithm=algorithm, out=out)
        assert np.array_equal(out, y), (x.shape, w.shape, args)
        more = {"residual": residual, "activation": "relu", "out": out}
        convolve(*arrays, *args, algorithm=algorithm, **more)
        assert np.array_equal(out, np.maximum(2 * y, 0)), (x.shape, w.shape, args)
        grads = backward(residual, *arrays, *args, algorithm=algorithm)
        assert all(map(np.array_equal, grads, (gx, gw, gb))), (x.shape, w.shape, args)


def integers(*shape):
    return rng.integers(-4, 5, shape)


def passes(shape, dtype):
    """Each pass over memory; the activation and the optimizers write to guarded memory too."""
    arrays = [integers(*shape).astype(dtype) for _ in range(4)]
    labels = rng.integers(0, shape[1], (shape[0], *shape[2:]))
    for at_end in (False, True):
        x, g, mean, square = (guarded(a, at_end, LAST) for a in arrays)
        square[...] = abs(square)
        t = guarded(labels, at_end, False)
        c = guarded(np.ones(shape[1], dtype), at_end, False)
        fc.silu(x)
        fc.tanh_backward(g, x)
        for dim in range(x.ndim):
            fc.log_softmax_backward(g, x, dim, output=fc.log_softmax(x, dim))
        fc.cross_entropy_backward(1.0, x, t, c)
        fc.batch_norm(x, c, c, c, c, x.size > shape[1])
        fc.batch_norm_backward(g, x, c, c, c, c, x.size > shape[1])
        if x.ndim > 2:
            fc.local_response_norm_backward(g, fc.local_response_norm(x, 3), 3)
        _core.activate_("relu", 1, 0.0, x)
        _core.sgd_step(x, g, mean, 0.1, 0.9, 0.0, 0.0, False, False)
        _core.adam_step(x, g, mean, square, None, 1, 0.1, 0.9, 0.99, 1e-8, 0.0)


def windows(shape, dtype):
    """What else takes windows; what it writes to new memory equals what it writes to guarded."""
    x, size = integers(*shape).astype(dtype), shape[2:]
    _, indices = fc.max_pool2d(x, 2, 2, "same", return_indices=True)
    calls = [
        *((f, (x,), (o,)) for f in (fc.adaptive_avg_pool2d, fc.adaptive_max_pool2d)
          for o in ((1, 1), (3, 2), (9, 11))),
        *((f, (x,), w) for f in (fc.max_pool2d, fc.avg_pool2d)
          for w in ((2, 2, 1), (3, 2, 1), (5, 3, 2), (5, 1, 2))),
        (fc.lp_pool2d, (x,), (2, 2, 1)),
        (fc.lp_pool2d, (x,), (1.5, (1, 2), (1, 2), True)),
        (fc.max_unpool2d, (fc.max_pool2d(x, 2, 2, "same"), indices), (2, 2, "same", size)),
        *((fc.unfold, (x,), where) for where in (((2, 2), 1, 0, 1), ((3, 2), 1, 1, (2, 3)))),
        (fc.fold, (fc.unfold(x, 3, 1, 1, 2),), (size, 3, 1, 1, 2)),
    ]  # fmt: skip
    for (function, arrays, args), at_end in itertools.product(calls, (False, True)):
        y = function(*arrays, *args)
        given = [guarded(a, at_end, LAST and a.ndim == 4) for a in arrays]
        out = guarded(np.full_like(y, np.nan), at_end, LAST and y.ndim == 4)
        function(*given, *args, out=out)
        np.testing.assert_allclose(out, y, rtol=1e-5, atol=1e-5)
        backward = getattr(fc, function.__name__ + "_backward")
        backward(guarded(y, at_end, LAST and y.ndim == 4), *given, *args)
    plane = guarded(x[:1, :1], True, False)
    rows = guarded(x, True, False)
    for view in (np.broadcast_to(plane, shape), rows[:, ::-1], rows[::-1, ::2]):
        for pool in (fc.max_pool2d, fc.avg_pool2d):
            assert np.array_equal(pool(view, 5, 3, 2), pool(view.copy(), 5, 3, 2)), shape


for dtype in (np.float32, np.float64):
    if algorithm == "auto":
        for channels, width in itertools.product((1, 3, 16, 17), (2, 3, 7, 17)):
            windows((2, channels, 5, width), dtype)
        for channels in (1, 3, 8, 15, 16, 17, 33, 65):
            for shape in ((5, channels), (2, channels, 1, 7), (3, channels, 4, 5)):
                passes(shape, dtype)
    for width in (1, 2, 3, 7, 8, 13, 14, 15, 16, 17, 28, 31, 33, 49, 65):
        for channels in (1, 3, 15, 16, 17, 33):
            case(integers(1, 3, 4, width + 2), integers(channels, 3, 1, 1), (1, 0), dtype)
            case(integers(2, 5, 4, width), integers(channels, 5, 3, 3), (1, 1), dtype)
            case(integers(1, 2, 5, 2 * width), integers(channels, 2, 3, 3), (2, 1), dtype)
    for width in (1, 2, 5, 14, 16, 17, 31, 33):
        for height, stride, dilation, k in itertools.product((1, 7, 9), (1, 2), (1, 2), (3, 5, 7)):
            args = (stride, dilation * (k // 2), dilation, 5)
            case(integers(2, 5, height, width), integers(5, 1, k, k), args, dtype)
        case(integers(1, 8, 6, width), integers(16, 4, 3, 3), (1, 1, 1, 2), dtype)
    case(integers(1, 3, 100), integers(20, 3, 5), (2, 3), dtype)
    case(integers(1, 3, 4, 5, 17), integers(18, 3, 3, 3, 3), (1, 1), dtype)
    case(integers(1, 4, 4, 5, 17), integers(4, 1, 3, 3, 3), (1, 1, 1, 4), dtype)
assert _core.executed_isa() == isa
print("done")
