"""Initial values: torch's distributions, by mean, variance and bounds; seeds; wrong arguments."""

from __future__ import annotations

import math

import numpy as np
import pytest
from conftest import FORCED

import fastconv as fc
from fastconv.nn import init

pytestmark = pytest.mark.skipif(bool(FORCED), reason="no kernel runs here")

SHAPE = (64, 32, 5, 5)
FAN_IN, FAN_OUT = 800, 1600
SLOPED = 2 / (1 + 0.25)  # gain² of leaky_relu with slope 0.5

UNIFORM = [
    ("uniform_", {"a": -0.3, "b": 0.3}, 0.09 / 3),
    ("xavier_uniform_", {}, 2 / (FAN_IN + FAN_OUT)),
    ("xavier_uniform_", {"gain": 2.0}, 8 / (FAN_IN + FAN_OUT)),
    ("kaiming_uniform_", {}, 2 / FAN_IN),
    ("kaiming_uniform_", {"a": 0.5, "mode": "fan_out"}, SLOPED / FAN_OUT),
    ("kaiming_uniform_", {"nonlinearity": "tanh"}, 25 / 9 / FAN_IN),
    ("lecun_uniform_", {}, 1 / FAN_IN),
]
NORMAL = [
    ("normal_", {"std": 0.02}, 0.02**2),
    ("xavier_normal_", {}, 2 / (FAN_IN + FAN_OUT)),
    ("kaiming_normal_", {"a": 0.5}, SLOPED / FAN_IN),
    ("kaiming_normal_", {"mode": "fan_out", "nonlinearity": "relu"}, 2 / FAN_OUT),
    ("lecun_normal_", {}, 1 / FAN_IN),
    ("trunc_normal_", {"std": 0.1}, 0.01),  # bounds of ±20 deviations cut nothing
]


def filled(name, settings, dtype=np.float32):
    array = np.full(SHAPE, np.nan, dtype)
    assert getattr(init, name)(array, rng=0, **settings) is array
    return array.astype(np.float64)


@pytest.mark.parametrize(("name", "settings", "variance"), UNIFORM)
def test_uniform(name, settings, variance, dtype):
    values, bound = filled(name, settings, dtype), math.sqrt(3 * variance)
    assert 0.999 * bound < values.max() <= bound * (1 + 1e-6)
    assert -bound * (1 + 1e-6) <= values.min() < -0.999 * bound
    assert abs(values.mean()) < 5 * math.sqrt(variance / values.size)
    assert abs(values.var() / variance - 1) < 0.02


@pytest.mark.parametrize(("name", "settings", "variance"), NORMAL)
def test_normal(name, settings, variance, dtype):
    values = filled(name, settings, dtype)
    assert abs(values.mean()) < 5 * math.sqrt(variance / values.size)
    assert abs(values.var() / variance - 1) < 0.03
    assert abs((np.abs(values) < math.sqrt(variance)).mean() - 0.6827) < 0.01
    assert np.abs(values).max() > 3.5 * math.sqrt(variance)


def test_truncated():
    values = filled("trunc_normal_", {"mean": 1.0, "std": 2.0, "a": 0.0, "b": 2.0})
    assert values.min() >= 0
    assert values.max() <= 2
    assert abs(values.mean() - 1) < 0.02
    # The variance of a normal distribution cut at ±half a deviation is 0.0803 of the whole's.
    assert abs(values.var() / 4 - 0.0803) < 0.002
    with pytest.raises(ValueError, match=r"a is 8\.0, b is 9\.0"):
        init.trunc_normal_(np.empty(3), a=8.0, b=9.0)


@pytest.mark.parametrize(
    "settings",
    [
        *[("linear",), ("conv2d",), ("conv_transpose3d",), ("sigmoid",), ("tanh",), ("relu",)],
        *[("leaky_relu",), ("leaky_relu", 0.2), ("selu",)],
    ],
)
def test_gains_are_torchs(settings):
    torch = pytest.importorskip("torch")
    assert init.calculate_gain(*settings) == torch.nn.init.calculate_gain(*settings)


def test_parameters_and_seeds():
    layer = fc.nn.Linear(4, 3)
    data = layer.weight.data
    for seeded in ({"rng": 7}, {"rng": np.random.default_rng(7)}):
        init.zeros_(layer.weight)
        assert init.normal_(layer.weight, **seeded) is layer.weight
        assert layer.weight.data is data
        np.testing.assert_allclose(data, np.random.default_rng(7).normal(size=(3, 4)), rtol=1e-6)
    fc.manual_seed(7)
    np.testing.assert_array_equal(init.normal_(np.empty((3, 4), np.float32)), data)
    assert (init.ones_(layer.bias).data == 1).all()
    assert (init.constant_(layer.bias, 0.3).data == np.float32(0.3)).all()


def test_wrong_arguments_are_named():
    layer = fc.nn.Linear(4, 3)
    with pytest.raises(ValueError, match=r"shape \(3,\) \(wanted a weight"):
        init.xavier_normal_(layer.bias)
    with pytest.raises(ValueError, match="mode is 'fan'"):
        init.kaiming_normal_(layer.weight, mode="fan")
    with pytest.raises(ValueError, match="nonlinearity is 'rleu'"):
        init.calculate_gain("rleu")
    with pytest.raises(ValueError, match="read-only"):
        init.zeros_(fc.nn.Sequential(layer).freeze()[0].weight)
    with pytest.raises(TypeError, match="tensor is a list"):
        init.zeros_([1.0])
