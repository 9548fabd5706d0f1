"""Training steps of a network whose head alone learns, beside steps of the whole network.

``python benchmarks/transfer.py [--threads 2] [--rounds 9]``: forward, cross entropy, backward and
Adam; the body in ``eval()`` and without gradients. Both take turns.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np

import fastconv as fc
from fastconv import models, nn, optim, training

NETWORKS = {
    "keras_cnn": (models.keras_cnn, "dense2", (50, 1, 28, 28)),
    "resnet18": (models.resnet18, "fc", (8, 3, 64, 64)),
}


class Learner:
    """A network, its optimizer and one batch."""

    def __init__(self, name: str, frozen: bool) -> None:
        make, head, shape = NETWORKS[name]
        self.net = make(10, rng=0)
        if frozen:
            self.net.eval().requires_grad_(False)
            getattr(self.net, head).train().requires_grad_()
            self.net.training = True
        rng = np.random.default_rng(0)
        self.batch = (rng.random(shape, np.float32), rng.integers(0, 10, shape[0]))
        self.optimizer = optim.Adam([p for p in self.net.parameters() if p.requires_grad])
        self.loss = nn.CrossEntropyLoss()

    def step(self) -> float:
        start = time.perf_counter()
        training.train_step(self.net, self.optimizer, self.loss, *self.batch)
        return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    fc.set_num_threads(options.threads)
    print("| network | batch | whole | head alone | times as fast |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, (_, _, shape) in NETWORKS.items():
        learners = [Learner(name, frozen) for frozen in (False, True)]
        times: list[list[float]] = [[], []]
        for turn in range(1 + options.rounds):
            for learner, taken in zip(learners, times):
                steps = [learner.step() for _ in range(4)]
                taken += steps[1:] if turn else []
        whole, alone = (1e3 * statistics.median(taken) for taken in times)
        print(f"| {name} | {shape[0]} | {whole:.3g} ms | {alone:.3g} ms | {whole / alone:.1f} |")


if __name__ == "__main__":
    main()
