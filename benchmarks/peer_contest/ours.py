"""fastconv, twice: its functions on plain arrays, and layers whose weights are packed."""

from __future__ import annotations

import inspect
import time
from typing import Any

import numpy as np
from checks import Array

import fastconv
import fastconv.functional as F
import fastconv.nn as nn

from .contestant import Call, Contestant, Options, UnavailableError, conv_operands, pool_operands
from .problems import ConvProblem, PoolProblem

NEEDS = {"input": (True, False, False), "weight": (False, True, False)}


class Plain(Contestant):
    """``F.conv2d(x, w, b, ...)``: the weights are packed in every call."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.version = fastconv.__version__
        fastconv.set_num_threads(options.threads)

    def conv(self, problem: ConvProblem) -> dict[str, Call]:
        name = f"conv{'_transpose' * problem.transposed}{problem.dims}d"
        how = self._how(problem)
        x, w, b, gy = conv_operands(problem)
        x, gy = self._image(x), self._image(gy)
        if not problem.gradient:
            convolve = _function(name)
            return {"function": lambda: convolve(x, w, b, *how)}
        backward = _function(f"{name}_backward")
        part, needs = list(NEEDS).index(problem.gradient), NEEDS[problem.gradient]
        return {"function": lambda: backward(gy, x, w, b, *how, needs=needs)[part]}

    def pool(self, problem: PoolProblem) -> dict[str, Call]:
        name = f"{problem.kind}_pool{problem.dims}d"
        window = (problem.kernel, problem.stride, problem.padding)
        ceil = {"ceil_mode": problem.ceil_mode}
        x, gy = map(self._image, pool_operands(problem))
        forward = _function(name)
        if problem.indices:
            return {"function": lambda: forward(x, *window, **ceil, return_indices=True)[1]}
        if not problem.gradient:
            return {"function": lambda: forward(x, *window, **ceil)}
        backward = _function(f"{name}_backward")
        if problem.kind == "avg":
            return {"function": lambda: backward(gy, x, *window, **ceil)}
        _, indices = forward(x, *window, **ceil, return_indices=True)
        return {"function": lambda: backward(gy, x, *window, **ceil, indices=indices)}

    def release(self) -> None:
        super().release()
        fastconv.release_memory()

    def epilogue(self, problem: ConvProblem, seconds: float) -> dict[str, list[float]]:
        """Times of the convolution alone, with a fused ReLU and with a fused addition too, one
        after the other for so many seconds.
        """
        convolve = _function(f"conv{problem.dims}d")
        x, w, b, _ = conv_operands(problem)
        x = self._image(x)
        residual = np.ones_like(self._image(np.empty(problem.output_shape, problem.dtype)))
        how = self._how(problem)
        extras: dict[str, dict[str, Any]] = {
            "plain": {},
            "activation": {"activation": "relu"},
            "residual": {"activation": "relu", "residual": residual},
        }
        known = inspect.signature(convolve).parameters
        missing = [argument for argument in extras["residual"] if argument not in known]
        if missing:
            raise UnavailableError(f"{convolve.__name__} takes no {' and no '.join(missing)}")
        times: dict[str, list[float]] = {name: [] for name in extras}
        convolve(x, w, b, *how)
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            for name, keywords in extras.items():
                start = time.perf_counter()
                convolve(x, w, b, *how, **keywords)
                times[name].append(time.perf_counter() - start)
        return times

    def _how(self, problem: ConvProblem) -> tuple[Any, ...]:
        """The arguments after the arrays, in torch's order."""
        if problem.transposed:
            return (
                *(problem.stride, problem.padding, problem.output_padding),
                *(problem.groups, problem.dilation),
            )
        return (problem.stride, problem.padding, problem.dilation, problem.groups)

    def _image(self, array: Array) -> Array:
        """With the channels last in memory if the run asks for it."""
        if self.options.layout == "nchw" or array.ndim < 3:
            return array
        return np.moveaxis(np.ascontiguousarray(np.moveaxis(array, 1, -1)), -1, 1)


class Prepared(Plain):
    """A frozen layer: the weights were packed beforehand."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        if not hasattr(nn.Conv2d, "freeze"):
            raise UnavailableError("fastconv.nn.Conv2d has no freeze")

    def conv(self, problem: ConvProblem) -> dict[str, Call]:
        if problem.gradient:
            raise UnavailableError("gradients are not of a frozen layer")
        name = f"Conv{'Transpose' * problem.transposed}{problem.dims}d"
        kind: Any = getattr(nn, name, None)
        if not hasattr(kind, "freeze"):
            raise UnavailableError(f"fastconv.nn has no {name} with freeze")
        extra = {"output_padding": problem.output_padding} if problem.transposed else {}
        layer = kind(
            *(problem.in_channels, problem.out_channels, problem.kernel),
            stride=problem.stride,
            padding=problem.padding,
            dilation=problem.dilation,
            groups=problem.groups,
            dtype=problem.dtype,
            **extra,
        )
        x, w, b, _ = conv_operands(problem)
        layer.load_state_dict({"weight": w, "bias": b})
        layer.eval()
        layer.freeze()
        x = self._image(x)
        return {"layer": lambda: layer(x)}

    def pool(self, problem: PoolProblem) -> dict[str, Call]:
        raise UnavailableError("pooling has no weights to prepare")


def _function(name: str) -> Any:
    function = getattr(F, name, None)
    if function is None:
        raise UnavailableError(f"fastconv.functional has no {name}")
    return function
