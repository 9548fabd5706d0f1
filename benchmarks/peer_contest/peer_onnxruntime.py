"""ONNX Runtime: weights are packed at load. A call is a run that makes its output, or one with
input and output bound to memory beforehand.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
from checks import Array

from .contestant import Call, Contestant, Options
from .onnx_model import onnx_model
from .problems import ConvProblem, PoolProblem, Problem


class OnnxRuntime(Contestant):
    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.version = onnxruntime.__version__

    def conv(self, problem: ConvProblem) -> dict[str, Call]:
        return self._calls(problem)

    def pool(self, problem: PoolProblem) -> dict[str, Call]:
        return self._calls(problem)

    def _calls(self, problem: Problem) -> dict[str, Call]:
        model, x = onnx_model(problem)
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = self.options.threads
        session = onnxruntime.InferenceSession(model, settings, providers=["CPUExecutionProvider"])
        names, feed = ["y"], {"x": x}

        out = np.empty(problem.output_shape, problem.dtype)
        binding = session.io_binding()
        binding.bind_cpu_input("x", x)
        binding.bind_output("y", "cpu", 0, out.dtype.type, out.shape, out.ctypes.data)

        def bound() -> Array:
            session.run_with_iobinding(binding)
            return out

        def run() -> Any:
            return session.run(names, feed)[0]

        return {"run": run, "bound": bound}
