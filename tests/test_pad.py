"""Padding: values and gradients against torch, and the adjoint identity."""

from __future__ import annotations

import numpy as np
import pytest
from ulps import close

import fastconv.functional as F


@pytest.fixture
def rng():
    return np.random.default_rng(5)


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


PADS = [(1, 2), (-1, 2), (-2, -1), (0, 0), (2, 1, 1, 3), (-1, 1, 2, -2), (0, 0, 1, 1), (-4, 3)]


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("pad", PADS)
def test_pad_matches_torch(torch, rng, mode, pad):
    if mode == "circular" and pad == (-4, 3):
        pytest.skip("more than what cropping leaves")
    x = rng.standard_normal((2, 3, 4, 5))
    tx = torch.tensor(x, requires_grad=True)
    if len(pad) == 2:  # torch pads one dimension of three in these modes
        tx = torch.tensor(x[0], requires_grad=True)
        x = x[0]
    ty = torch.nn.functional.pad(tx, pad, mode)
    gy = rng.standard_normal(ty.shape)
    ty.backward(torch.tensor(gy))
    np.testing.assert_array_equal(F.pad(x, pad, mode), ty.detach().numpy())
    close("pad", F.pad_backward(gy, x, pad, mode), tx.grad.numpy())


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("pad", [*PADS, (-3, -2), (-5, 0), (3, -4)])
def test_pad_and_its_gradient_are_adjoint(rng, mode, pad):
    if mode == "circular" and pad in [(-4, 3), (3, -4)]:
        pytest.skip("more than what cropping leaves")
    x = rng.integers(-9, 10, (2, 4, 5)).astype(np.float32)
    y = F.pad(x, pad, mode)
    gy = rng.integers(-9, 10, y.shape).astype(np.float32)
    gx = F.pad_backward(gy, x, pad, mode)
    assert gx.shape == x.shape
    assert np.vdot(y, gy) == np.vdot(x, gx)
    assert not np.shares_memory(x, y)
    assert not np.shares_memory(gy, gx)


def test_pad_with_a_value(rng):
    y = F.pad(np.ones((2, 2), np.float32), (1, 0), value=np.nan)
    np.testing.assert_array_equal(y, [[np.nan, 1, 1], [np.nan, 1, 1]])
    assert y.dtype == np.float32
