"""Who infers: a network of `fastconv.models`, frozen, and its steps in ONNX Runtime and PyTorch."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import fastconv as fc
from fastconv.nn import Module
from fastconv.nn._graph import Activation, Affine, Function, Graph, Join, Step, Sum, Sums, View

WARM, TURN = 0.3, 1.0  # seconds


class Network(NamedTuple):
    """A function of `fastconv.models` and its arguments."""

    name: str
    settings: dict[str, Any]
    batch: int = 1
    size: int = 224

    @property
    def shape(self) -> tuple[int, ...]:
        return self.batch, 3, self.size, self.size


NETWORKS = {
    network.name: network
    for network in (
        Network("alexnet", {"variant": "torchvision"}),
        Network("vgg16", {}),
        Network("googlenet", {"variant": "torchvision"}),
        Network("resnet50", {}),
        Network("mobilenet_v2", {}),
    )
}


def made(network: Network) -> Module:
    """The network in eval(), with the same weights and batch-norm statistics every time."""
    rng = np.random.default_rng(1)
    net: Module = getattr(fc.models, network.name)(**network.settings, rng=0).eval()
    for module in net.modules():
        if isinstance(module, fc.BatchNorm2d):
            count = module.num_features
            module.running_mean[...] = rng.normal(0, 0.1, count)
            module.running_var[...] = rng.uniform(0.5, 1.5, count)
            module.weight.data[...] = rng.uniform(0.5, 1.5, count)
            module.bias.data[...] = rng.normal(0, 0.1, count)
    return net


def traced(net: Module) -> tuple[list[Step], int]:
    """Its layers one by one, nothing fused, and the number of the output."""
    graph = Graph()
    output = graph.visit(getattr(net, "structure", net), 0)
    return graph.steps, output


class Contestant:
    """A network and a batch of images; a subclass has `call`, which returns the scores."""

    call: Callable[[], Any]

    def __init__(self, network: Network, threads: int) -> None:
        self.net = made(network)
        rng = np.random.default_rng(0)
        self.input: Any = rng.standard_normal(network.shape).astype(np.float32)

    def output(self) -> Any:
        return np.array(self.call())

    def turn(self) -> list[float]:
        """Seconds of each call of a turn, after some to warm up."""
        clock, times = time.perf_counter, []
        start = clock()
        while clock() - start < WARM:
            self.call()
        start = clock()
        while clock() - start < TURN:
            before = clock()
            self.call()
            times.append(clock() - before)
        return times


class Ours(Contestant):
    def __init__(self, network: Network, threads: int) -> None:
        super().__init__(network, threads)
        fc.set_num_threads(threads)
        self.net.freeze()
        self.call = lambda: self.net(self.input)


class OnnxRuntime(Contestant):
    """All graph optimisations; input and output bound to memory beforehand."""

    def __init__(self, network: Network, threads: int, profile: bool = False) -> None:
        import onnxruntime  # type: ignore[import-untyped]

        from .onnx_network import onnx_network

        super().__init__(network, threads)
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = threads
        settings.enable_profiling = profile
        level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        settings.graph_optimization_level = level
        model = onnx_network(*traced(self.net), network.shape)
        providers = ["CPUExecutionProvider"]
        self.session = onnxruntime.InferenceSession(model, settings, providers=providers)
        scores = np.empty(self.session.get_outputs()[0].shape, np.float32)
        binding = self.session.io_binding()
        binding.bind_cpu_input("x", self.input)
        binding.bind_output("y", "cpu", 0, np.float32, scores.shape, scores.ctypes.data)

        def bound() -> Any:
            self.session.run_with_iobinding(binding)
            return scores

        self.call = bound


class Torch(Contestant):
    layout = "contiguous_format"

    def __init__(self, network: Network, threads: int) -> None:
        import torch

        super().__init__(network, threads)
        torch.set_num_threads(threads)
        layout = getattr(torch, self.layout)
        steps, output = traced(self.net)
        calls = [(step.inputs, step.output, _torch_call(step, layout)) for step in steps]
        input = torch.from_numpy(self.input).to(memory_format=layout)

        @torch.no_grad()
        def call() -> Any:
            values = {0: input}
            for sources, target, function in calls:
                values[target] = function(*(values[source] for source in sources))
            return values[output]

        self.call = call


class TorchChannelsLast(Torch):
    layout = "channels_last"


def _torch_call(step: Step, layout: Any) -> Callable[..., Any]:
    import torch
    import torch.nn.functional as F

    module: Any = step.modules[0]

    def tensor(name: str) -> Any:
        value = getattr(module, name)
        if value is None:
            return None
        held = torch.from_numpy(np.asarray(getattr(value, "data", value)))
        return held.to(memory_format=layout) if held.ndim == 4 else held

    if isinstance(step, Sums) and isinstance(module, fc.Linear):
        arrays = tensor("weight"), tensor("bias")
        return lambda x: F.linear(x, *arrays)
    if isinstance(step, Sums):
        arrays = tensor("weight"), tensor("bias")
        window = module.stride, module.padding, module.dilation, module.groups
        return lambda x: F.conv2d(x, *arrays, *window)
    if isinstance(step, Affine):
        names = ("running_mean", "running_var", "weight", "bias")
        statistics = [tensor(name) for name in names]
        return lambda x: F.batch_norm(x, *statistics, eps=module.eps)
    if isinstance(step, Activation):
        function = getattr(F, module.function)
        return lambda x: function(x, inplace=True)
    if isinstance(step, Function):
        function = getattr(F, module.function)
        return lambda x: function(x, **module._settings())
    if isinstance(step, Join):
        return lambda *parts: torch.cat(parts, module.dim)
    if isinstance(step, View):
        return lambda x: torch.flatten(x, module.start_dim, module.end_dim)
    assert isinstance(step, Sum), step
    return torch.add


CONTESTANTS = {
    "fastconv": Ours,
    "onnxruntime": OnnxRuntime,
    "torch NCHW": Torch,
    "torch channels-last": TorchChannelsLast,
}
