"""OpenVINO on the CPU in float32: weights are packed at load. A call shares the array's memory and
the output's, or finds both bound beforehand.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino  # type: ignore[import-untyped]
from checks import Array

from .contestant import Call, Contestant, Options
from .onnx_model import onnx_model
from .problems import ConvProblem, PoolProblem, Problem


class OpenVino(Contestant):
    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.version = openvino.__version__.partition("-")[0]
        self.core = openvino.Core()
        self._alive: Any = None

    def conv(self, problem: ConvProblem) -> dict[str, Call]:
        return self._calls(problem)

    def pool(self, problem: PoolProblem) -> dict[str, Call]:
        return self._calls(problem)

    def _calls(self, problem: Problem) -> dict[str, Call]:
        model, x = onnx_model(problem)
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": self.options.threads,
        }
        compiled = self.core.compile_model(self.core.read_model(model), "CPU", settings)
        request, other = compiled.create_infer_request(), compiled.create_infer_request()
        out = np.empty(problem.output_shape, problem.dtype)
        tensors = [openvino.Tensor(array, shared_memory=True) for array in (x, out)]
        other.set_input_tensor(tensors[0])
        other.set_output_tensor(tensors[1])
        self._alive = (compiled, tensors)  # neither request nor tensor keeps what it uses

        def shared() -> Any:
            return request.infer(x, share_inputs=True, share_outputs=True)

        def bound() -> Array:
            other.infer()
            return out

        return {"shared": shared, "bound": bound}

    def as_array(self, result: Any) -> Array:
        return np.asarray(result if isinstance(result, np.ndarray) else result[0])

    def release(self) -> None:
        self._alive = None
        super().release()
