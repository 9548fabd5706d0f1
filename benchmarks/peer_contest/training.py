"""Who trains: our `Sequential`, and the same network in PyTorch in either layout."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

WARM, TURN = 0.3, 1.0  # seconds
CLASSES = 10
Layers = list[tuple[str, dict[str, Any]]]


class Network(NamedTuple):
    """Layers by torch's names with their arguments; "Residual" has the layers of its two ways."""

    name: str
    batch: int
    channels: int
    size: int
    layers: Layers


def _conv(inputs: int, outputs: int, padding: int) -> list[tuple[str, dict[str, Any]]]:
    conv = {"in_channels": inputs, "out_channels": outputs, "kernel_size": 5, "padding": padding}
    return [("Conv2d", conv), ("ReLU", {}), ("MaxPool2d", {"kernel_size": 2})]


def _dense(*features: int) -> Layers:
    layers: Layers = [("Flatten", {})]
    for inputs, outputs in pairwise(features):
        layers += [("Linear", {"in_features": inputs, "out_features": outputs}), ("ReLU", {})]
    return layers[:-1]


def _norm_conv(inputs: int, outputs: int, kernel: int, stride: int) -> Layers:
    conv = {"in_channels": inputs, "out_channels": outputs, "kernel_size": kernel,
            "stride": stride, "padding": kernel // 2, "bias": False}  # fmt: skip
    return [("Conv2d", conv), ("BatchNorm2d", {"num_features": outputs})]


def _residual(inputs: int, outputs: int) -> Layers:
    stride = 1 if inputs == outputs else 2
    branch = [*_norm_conv(inputs, outputs, 3, stride), ("ReLU", {}),
              *_norm_conv(outputs, outputs, 3, 1)]  # fmt: skip
    shortcut = _norm_conv(inputs, outputs, 1, 2) if stride == 2 else None
    return [("Residual", {"branch": branch, "shortcut": shortcut})]


def _resnet18() -> Layers:
    layers = [*_norm_conv(3, 64, 7, 2), ("ReLU", {}),
              ("MaxPool2d", {"kernel_size": 3, "stride": 2, "padding": 1})]  # fmt: skip
    for inputs, outputs in pairwise((64, 64, 128, 256, 512)):
        layers += [*_residual(inputs, outputs), *_residual(outputs, outputs)]
    return [*layers, ("AdaptiveAvgPool2d", {"output_size": 1}), *_dense(512, CLASSES)]


# LeNet-5 (LeCun et al. 1998) with today's activations and pooling, and the network of Keras' first
# tutorials on MNIST; ResNet-18 (He et al. 2016) on small images.
NETWORKS = {
    "lenet": Network(
        "LeNet", 64, 1, 28, [*_conv(1, 6, 2), *_conv(6, 16, 0), *_dense(400, 120, 84, CLASSES)]
    ),
    "keras": Network(
        "Keras' CNN", 50, 1, 28, [*_conv(1, 32, 2), *_conv(32, 64, 2), *_dense(3136, 1024, CLASSES)]
    ),
    "resnet18": Network("ResNet-18", 8, 3, 64, _resnet18()),
}


class Trainer:
    """One network and one batch that it is trained on again and again."""

    def __init__(self, network: Network, threads: int, dtype: str = "float32") -> None:
        rng = np.random.default_rng(0)
        self.arguments = network, threads
        shape = (network.batch, network.channels, network.size, network.size)
        self.input: Any = rng.standard_normal(shape).astype(dtype)
        self.labels: Any = rng.integers(CLASSES, size=network.batch)

    def step(self) -> Any:
        """Forward, loss, backward, update; returns the loss."""
        raise NotImplementedError

    def losses(self, steps: int) -> list[float]:
        return [float(self.step()) for _ in range(steps)]

    def exact_losses(self, steps: int) -> list[float]:
        """The losses of the same steps in float64."""
        return type(self)(*self.arguments, "float64").losses(steps)

    def turn(self) -> list[float]:
        """Seconds of each step of a turn, after some to warm up."""
        clock, times = time.perf_counter, []
        start = clock()
        while clock() - start < WARM:
            self.step()
        start = clock()
        while clock() - start < TURN:
            before = clock()
            self.step()
            times.append(clock() - before)
        return times


class Ours(Trainer):
    def __init__(self, network: Network, threads: int, dtype: str = "float32") -> None:
        import fastconv as fc

        super().__init__(network, threads, dtype)
        fc.set_num_threads(threads)

        def made(layers: Layers) -> Any:
            return fc.nn.Sequential(*(layer(kind, **settings) for kind, settings in layers))

        def layer(kind: str, **settings: Any) -> Any:
            if kind in ("Conv2d", "Linear", "BatchNorm2d"):
                settings["dtype"] = np.dtype(dtype)
            if kind != "Residual":
                return getattr(fc.nn, kind)(**settings)
            branch, shortcut = (layers and made(layers) for layers in settings.values())
            return fc.nn.Residual(branch, shortcut, "relu")

        self.net = made(network.layers)
        rng = np.random.default_rng(1)
        for parameter in self.net.parameters():
            parameter.data[...] = _initial(rng, parameter.data)
        self.loss = fc.nn.CrossEntropyLoss()
        self.optimizer = fc.optim.Adam(self.net.parameters())

    def step(self) -> Any:
        loss = self.loss(self.net(self.input), self.labels)
        self.optimizer.zero_grad()
        self.net.backward(self.loss.backward(), needs_input=False)
        self.optimizer.step()
        return loss


class Torch(Trainer):
    layout = "contiguous_format"

    def __init__(self, network: Network, threads: int, dtype: str = "float32") -> None:
        import torch

        super().__init__(network, threads, dtype)
        torch.set_num_threads(threads)

        class Residual(torch.nn.Module):  # type: ignore[misc]
            def __init__(self, branch: Layers, shortcut: Layers | None) -> None:
                super().__init__()
                self.branch = made(branch)
                self.shortcut = made(shortcut or [])

            def forward(self, input: Any) -> Any:
                return torch.relu_(self.branch(input) + self.shortcut(input))

        def made(layers: Layers) -> Any:
            kinds = {**vars(torch.nn), "Residual": Residual}
            return torch.nn.Sequential(*(kinds[kind](**settings) for kind, settings in layers))

        self.net = made(network.layers)
        rng = np.random.default_rng(1)
        with torch.no_grad():
            for parameter in self.net.parameters():
                parameter.copy_(torch.from_numpy(_initial(rng, parameter.numpy())))
        layout = getattr(torch, self.layout)
        self.net.to(dtype=getattr(torch, dtype), memory_format=layout)
        self.input = torch.from_numpy(self.input).to(memory_format=layout)
        self.labels = torch.from_numpy(self.labels)
        self.loss = torch.nn.CrossEntropyLoss()
        self.optimizer = torch.optim.Adam(self.net.parameters())

    def step(self) -> Any:
        loss = self.loss(self.net(self.input), self.labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.detach()


class TorchChannelsLast(Torch):
    layout = "channels_last"


CONTESTANTS = {"fastconv": Ours, "torch NCHW": Torch, "torch channels-last": TorchChannelsLast}


def _initial(rng: np.random.Generator, values: Any) -> Any:
    """The same for every contestant; what is constant at first, as in batch norm, stays so."""
    if (values == values.flat[0]).all():
        return values
    bound = values[0].size ** -0.5 if values.ndim > 1 else 0.05
    return rng.uniform(-bound, bound, values.shape).astype(np.float32)
