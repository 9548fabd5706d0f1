"""The steps of a network as an ONNX model, its weights inside."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

import fastconv as fc
from fastconv.nn._graph import Activation, Affine, Function, Join, Step, Sum, Sums, View

from .onnx_model import IR, OPSET

Shape = tuple[int, ...]


def onnx_network(steps: list[Step], output: int, shape: Shape) -> bytes:
    """The serialised model from `x`, of this shape, to `y`."""
    shapes = _shapes(steps, shape)
    model = _Model(shapes)
    for step in steps:
        model.add(step)
    names = {0: "x", output: "y"}
    for node in model.nodes:
        for field in (node.input, node.output):
            for place, name in enumerate(field):
                if name.isdigit():
                    field[place] = names.get(int(name), f"v{name}")
    kind = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        model.nodes,
        "network",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", kind, shapes[output])],
        model.constants,
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
    return bytes(made.SerializeToString())


def _shapes(steps: list[Step], shape: Shape) -> dict[int, Shape]:
    """Of each value, by running the steps once."""
    values = {0: np.zeros(shape, np.float32)}
    for step in steps:
        values[step.output] = step.run([values[value] for value in step.inputs])
    return {number: array.shape for number, array in values.items()}


class _Model:
    def __init__(self, shapes: dict[int, Shape]) -> None:
        self.shapes = shapes
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, step: Step) -> None:
        module: Any = step.modules[0]
        if isinstance(step, Sums) and isinstance(module, fc.Linear):
            self._node("Gemm", step, self._parameters(step, "weight", "bias"), transB=1)
        elif isinstance(step, Sums):
            self._node(
                "Conv", step, self._parameters(step, "weight", "bias"),
                kernel_shape=module.kernel_size, strides=module.stride, pads=module.padding * 2,
                dilations=module.dilation, group=module.groups,
            )  # fmt: skip
        elif isinstance(step, Affine):
            names = ("weight", "bias", "running_mean", "running_var")
            values = self._parameters(step, *names)
            self._node("BatchNormalization", step, values, epsilon=module.eps)
        elif isinstance(step, Activation) and module.function == "relu6":
            limits = [
                self._constant(step, name, value) for name, value in (("low", 0), ("high", 6))
            ]
            self._node("Clip", step, limits)
        elif isinstance(step, Activation):
            self._node({"relu": "Relu"}[module.function], step, [])
        elif isinstance(step, Function):
            self._pool(step, module)
        elif isinstance(step, Join):
            self._node("Concat", step, [], axis=module.dim)
        elif isinstance(step, View):
            self._node("Flatten", step, [])
        else:
            assert isinstance(step, Sum), step
            self._node("Add", step, [])

    def _pool(self, step: Step, module: Any) -> None:
        before, after = self.shapes[step.inputs[0]], self.shapes[step.output]
        if module.function == "max_pool2d":
            self._node(
                "MaxPool", step, [], kernel_shape=_pair(module.kernel_size),
                strides=_pair(module.stride), pads=_pair(module.padding) * 2,
                ceil_mode=int(module.ceil_mode),
            )  # fmt: skip
        else:
            assert module.function == "adaptive_avg_pool2d", module.function
            if after[2:] == (1, 1):
                self._node("GlobalAveragePool", step, [])
            else:
                assert before == after, "ONNX has no adaptive pooling"
                self._node("Identity", step, [])

    def _node(self, kind: str, step: Step, more: list[str], **attributes: Any) -> None:
        inputs = [str(value) for value in step.inputs] + more
        self.nodes.append(helper.make_node(kind, inputs, [str(step.output)], **attributes))

    def _parameters(self, step: Step, *names: str) -> list[str]:
        module = step.modules[0]
        values = [(name, getattr(module, name)) for name in names]
        return [
            self._constant(step, name, getattr(value, "data", value))
            for name, value in values
            if value is not None
        ]

    def _constant(self, step: Step, name: str, value: Any) -> str:
        named = f"{name}{step.output}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, np.float32), named))
        return named


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)
