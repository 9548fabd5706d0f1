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
    """Layers by torch's names with their arguments, for images of one channel."""

    name: str
    batch: int
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


# LeNet-5 (LeCun et al. 1998) with today's activations and pooling, and the network of Keras' first
# tutorials on MNIST.
NETWORKS = {
    "lenet": Network(
        "LeNet", 64, 28, [*_conv(1, 6, 2), *_conv(6, 16, 0), *_dense(400, 120, 84, CLASSES)]
    ),
    "keras": Network(
        "Keras' CNN", 50, 28, [*_conv(1, 32, 2), *_conv(32, 64, 2), *_dense(3136, 1024, CLASSES)]
    ),
}


class Trainer:
    """One network and one batch that it is trained on again and again."""

    def __init__(self, network: Network, threads: int) -> None:
        rng = np.random.default_rng(0)
        shape = (network.batch, 1, network.size, network.size)
        self.input: Any = rng.standard_normal(shape).astype(np.float32)
        self.labels: Any = rng.integers(CLASSES, size=network.batch)

    def step(self) -> Any:
        """Forward, loss, backward, update; returns the loss."""
        raise NotImplementedError

    def losses(self, steps: int) -> list[float]:
        return [float(self.step()) for _ in range(steps)]

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
    def __init__(self, network: Network, threads: int) -> None:
        import fastconv as fc

        super().__init__(network, threads)
        fc.set_num_threads(threads)
        self.net = fc.nn.Sequential(
            *(getattr(fc.nn, kind)(**settings) for kind, settings in network.layers)
        )
        rng = np.random.default_rng(1)
        for parameter in self.net.parameters():
            parameter.data[...] = _initial(rng, parameter.shape)
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

    def __init__(self, network: Network, threads: int) -> None:
        import torch

        super().__init__(network, threads)
        torch.set_num_threads(threads)
        self.net = torch.nn.Sequential(
            *(getattr(torch.nn, kind)(**settings) for kind, settings in network.layers)
        )
        rng = np.random.default_rng(1)
        with torch.no_grad():
            for parameter in self.net.parameters():
                parameter.copy_(torch.from_numpy(_initial(rng, tuple(parameter.shape))))
        layout = getattr(torch, self.layout)
        self.net.to(memory_format=layout)
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


def _initial(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    bound = 1 / max(np.prod(shape[1:]), 1) ** 0.5 if len(shape) > 1 else 0.05
    return rng.uniform(-bound, bound, shape).astype(np.float32)
