"""What a contestant is: something that turns a problem into a call to be timed."""

from __future__ import annotations

import gc
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
from checks import LARGEST, Array, integers, normal

from .problems import ConvProblem, PoolProblem, Problem

Call = Callable[[], Any]


class UnavailableError(Exception):
    """The contestant does not take part: its library, or this function of it, is not there."""


class Options(NamedTuple):
    threads: int
    layout: str  # "nchw" or "nhwc", of fastconv's arrays


class Contestant(ABC):
    """A library with one way to call it. It lives in a process of its own."""

    version: str

    def __init__(self, options: Options) -> None:
        self.options = options

    def prepare(self, problem: Problem) -> dict[str, Call]:
        """The calls to choose the fastest from, by name; raises `UnavailableError`."""
        if isinstance(problem, ConvProblem):
            return self.conv(problem)
        return self.pool(problem)

    @abstractmethod
    def conv(self, problem: ConvProblem) -> dict[str, Call]: ...

    @abstractmethod
    def pool(self, problem: PoolProblem) -> dict[str, Call]: ...

    def as_array(self, result: Any) -> Array:
        """Of what a call returned."""
        return np.asarray(result)

    def mode(self) -> AbstractContextManager[Any]:
        """Around every call."""
        return nullcontext()

    def release(self) -> None:
        """After a problem: give memory back."""
        gc.collect()


# Contestants by name: the module that has it, and the class. Ours come first.
CONTESTANTS = {
    "plain": ("ours", "Plain"),
    "prepared": ("ours", "Prepared"),
    "torch": ("peer_torch", "Torch"),
    "torch-nhwc": ("peer_torch", "TorchChannelsLast"),
    "onnxruntime": ("peer_onnxruntime", "OnnxRuntime"),
    "openvino": ("peer_openvino", "OpenVino"),
}
OURS = ("plain", "prepared")


def create(name: str, options: Options) -> Contestant:
    module, kind = CONTESTANTS[name]
    try:
        contestant: Contestant = getattr(import_module(f".{module}", __package__), kind)(options)
    except ImportError as error:
        raise UnavailableError(str(error)) from error
    return contestant


class ConvOperands(NamedTuple):
    """All small integers."""

    input: Array
    weight: Array
    bias: Array
    grad_output: Array


def conv_operands(problem: ConvProblem) -> ConvOperands:
    """The same for every contestant; the gradient of the output only where it is read."""
    assert problem.terms * LARGEST**2 < 2**24, f"{problem.name}: sums are not exact"
    grad_shape = problem.output_shape if problem.gradient else (0,)
    shapes = (problem.input_shape, problem.weight_shape, (problem.out_channels,), grad_shape)
    arrays = (integers(seed, shape) for seed, shape in enumerate(shapes))
    return ConvOperands(*(array.astype(problem.dtype, copy=False) for array in arrays))


def pool_operands(problem: PoolProblem) -> tuple[Array, Array]:
    """Input (for a maximum without equal values to speak of) and the gradient of the output."""
    fill = normal if problem.kind == "max" else integers
    grad_shape = problem.output_shape if problem.gradient else (0,)
    return fill(0, problem.input_shape), integers(1, grad_shape)
