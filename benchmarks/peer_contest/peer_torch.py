"""PyTorch in inference mode, on tensors made beforehand: contiguous, or channels-last."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import torch
from checks import Array
from torch.nn import functional as F

from .contestant import Call, Contestant, Options, UnavailableError, conv_operands, pool_operands
from .problems import ConvProblem, PoolProblem

aten = torch.ops.aten


class Torch(Contestant):
    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.version = torch.__version__
        torch.set_num_threads(options.threads)

    def conv(self, problem: ConvProblem) -> dict[str, Call]:
        x, w, b, gy = map(self._tensor, conv_operands(problem))
        how = (problem.stride, problem.padding, problem.dilation)
        after = problem.output_padding
        if problem.gradient:
            mask = [problem.gradient == part for part in ("input", "weight", "bias")]
            arguments = (*how, problem.transposed, after, problem.groups, mask)
            part = mask.index(True)
            backward = aten.convolution_backward.default
            return {"aten": lambda: backward(gy, x, w, [problem.out_channels], *arguments)[part]}
        if problem.transposed:
            transpose = getattr(F, f"conv_transpose{problem.dims}d")
            order = (problem.stride, problem.padding, after, problem.groups, problem.dilation)
            return {"functional": lambda: transpose(x, w, b, *order)}
        convolve = getattr(F, f"conv{problem.dims}d")
        return {"functional": lambda: convolve(x, w, b, *how, problem.groups)}

    def pool(self, problem: PoolProblem) -> dict[str, Call]:
        x, gy = map(self._tensor, pool_operands(problem))
        dims, ceil = problem.dims, problem.ceil_mode
        kernel, stride, padding = (
            (n,) * dims for n in (problem.kernel, problem.stride, problem.padding)
        )
        forward = getattr(F, f"{problem.kind}_pool{dims}d")
        if problem.kind == "avg":
            if not problem.gradient:
                return {"functional": lambda: forward(x, kernel, stride, padding, ceil)}
            if dims == 1:
                raise UnavailableError("PyTorch differentiates a 1-D pooling as a 2-D one")
            average = getattr(aten, f"avg_pool{dims}d_backward").default
            rest = (kernel, stride, padding, ceil, True, None)
            return {"aten": lambda: average(gy, x, *rest)}
        window = (kernel, stride, padding, (1,) * dims, ceil)
        if problem.indices:
            return {"functional": lambda: forward(x, *window, return_indices=True)[1]}
        if not problem.gradient:
            return {"functional": lambda: forward(x, *window)}
        if dims == 1:
            raise UnavailableError("PyTorch differentiates a 1-D pooling as a 2-D one")
        maximum = getattr(aten, f"max_pool{dims}d_with_indices_backward").default
        _, indices = forward(x, *window, return_indices=True)
        return {"aten": lambda: maximum(gy, x, *window, indices)}

    def as_array(self, result: Any) -> Array:
        return result.numpy()  # type: ignore[no-any-return]

    def mode(self) -> AbstractContextManager[Any]:
        return torch.inference_mode()

    def _tensor(self, array: Array) -> torch.Tensor:
        return torch.from_numpy(array)


class TorchChannelsLast(Torch):
    """Images and weights with the channels last in memory."""

    def conv(self, problem: ConvProblem) -> dict[str, Call]:
        if problem.dims == 1:
            raise UnavailableError("PyTorch has no channels-last memory in 1-D")
        return super().conv(problem)

    def _tensor(self, array: Array) -> torch.Tensor:
        tensor = torch.from_numpy(array)
        formats = {4: torch.channels_last, 5: torch.channels_last_3d}
        if array.ndim in formats:
            return tensor.to(memory_format=formats[array.ndim])
        return tensor
