"""A problem as an ONNX model of one node, for the runtimes that read such files."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from checks import Array
from onnx import helper, numpy_helper

from .contestant import UnavailableError, conv_operands, pool_operands
from .problems import ConvProblem, PoolProblem, Problem

OPSET, IR = 17, 9


def onnx_model(problem: Problem) -> tuple[bytes, Array]:
    """The serialised model, its weights inside, and the input `x`; the output is `y`."""
    if problem.gradient:
        raise UnavailableError("runtimes for inference have no gradients")
    return _conv(problem) if isinstance(problem, ConvProblem) else _pool(problem)


def _conv(problem: ConvProblem) -> tuple[bytes, Array]:
    if problem.dtype != "float32":
        raise UnavailableError(f"runtimes for inference do not compute in {problem.dtype}")
    x, weight, bias, _ = conv_operands(problem)
    attributes: dict[str, Any] = {
        "kernel_shape": problem.kernel,
        "strides": problem.stride,
        "pads": problem.padding * 2,
        "dilations": problem.dilation,
        "group": problem.groups,
    }
    if problem.transposed:
        attributes["output_padding"] = problem.output_padding
    kind = "ConvTranspose" if problem.transposed else "Conv"
    node = helper.make_node(kind, ["x", "weight", "bias"], ["y"], **attributes)
    return _serialised(node, problem, {"weight": weight, "bias": bias}), x


def _pool(problem: PoolProblem) -> tuple[bytes, Array]:
    if problem.indices:
        raise UnavailableError("ONNX's indices count over the whole batch")
    x, _ = pool_operands(problem)
    attributes: dict[str, Any] = {
        "kernel_shape": (problem.kernel,) * problem.dims,
        "strides": (problem.stride,) * problem.dims,
        "pads": (problem.padding,) * (2 * problem.dims),
        "ceil_mode": int(problem.ceil_mode),
    }
    if problem.kind == "avg":
        attributes["count_include_pad"] = 1
    kind = "MaxPool" if problem.kind == "max" else "AveragePool"
    node = helper.make_node(kind, ["x"], ["y"], **attributes)
    return _serialised(node, problem, {}), x


def _serialised(node: onnx.NodeProto, problem: Problem, constants: dict[str, Array]) -> bytes:
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(problem.dtype))
    graph = helper.make_graph(
        [node],
        "problem",
        [helper.make_tensor_value_info("x", kind, problem.input_shape)],
        [helper.make_tensor_value_info("y", kind, problem.output_shape)],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
    return bytes(model.SerializeToString())
