"""Training steps of small networks beside PyTorch's: forward, loss, backward and update.

``python benchmarks/training.py [--threads 2] [--rounds 5] [--profile]``: each contestant lives in a
process of its own, they take turns, and the losses of the first steps, from the same weights, are
compared before anything is timed: in float64, since in float32 a rounding may turn a ReLU and
Adam's quotients make another path of it, and in float32 before the first update. `--profile` tells
instead where our own step spends its time.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import defaultdict
from typing import Any

import numpy as np
from checks import Array
from peer_contest.training import CONTESTANTS, NETWORKS, Network, Ours
from peer_contest.turns import Stage

STEPS = 4  # of which the losses must agree
TOLERANCE = {"float64": 1e-8, "float32": 1e-5}  # of the first loss: sums in another order


def check(stage: Stage) -> None:
    for dtype, question, steps in (("float64", "exact_losses", STEPS), ("float32", "losses", 1)):
        losses = {name: stage.ask(name, question, steps) for name in stage.names}
        ours = losses["fastconv"]
        for name, theirs in losses.items():
            bound = TOLERANCE[dtype] * ours[0]
            np.testing.assert_allclose(theirs, ours, rtol=0, atol=bound, err_msg=f"{name} {dtype}")


def contest(network: Network, threads: int, rounds: int) -> None:
    with Stage(list(CONTESTANTS), network, threads) as stage:
        check(stage)
        times: dict[str, list[float]] = defaultdict(list)
        for _ in range(rounds):
            for name in stage.names:
                times[name] += stage.ask(name, "turn")
    medians = {name: statistics.median(values) for name, values in times.items()}
    best = min(value for name, value in medians.items() if name != "fastconv")
    print(f"{network.name}, batch {network.batch}, {threads} threads")
    for name, median in medians.items():
        print(f"  {name:24} {median * 1e3:8.2f} ms")
    print(f"  times the better layout: {best / medians['fastconv']:.2f}")


def profile(network: Network, threads: int) -> None:
    """Median time of each layer's forward and backward, of the loss and of the update."""
    ours = Ours(network, threads)
    times: dict[str, list[float]] = defaultdict(list)

    def timed(name: str, call: Any, *arguments: Any) -> Any:
        start = time.perf_counter()
        result = call(*arguments)
        times[name].append(time.perf_counter() - start)
        return result

    for _ in range(30):
        value: Array = ours.input
        layers = list(ours.net.named_children())
        for name, layer in layers:
            value = timed(f"{name} {layer!r} forward", layer, value)
        timed("loss forward", ours.loss, value, ours.labels)
        value = timed("loss backward", ours.loss.backward)
        for name, layer in reversed(layers[1:]):
            value = timed(f"{name} {layer!r} backward", layer.backward, value)
        timed(f"0 {layers[0][1]!r} weight gradient", layers[0][1]._learn, value)
        timed("update", ours.optimizer.step)
        timed("zero_grad", ours.optimizer.zero_grad)
    print(f"{network.name}, batch {network.batch}, {threads} threads")
    for name, values in times.items():
        print(f"  {statistics.median(values) * 1e6:9.0f} us  {name}")
    print(f"  {sum(map(statistics.median, times.values())) * 1e6:9.0f} us  in all")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--network", choices=list(NETWORKS), action="append")
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    for name in options.network or NETWORKS:
        if options.profile:
            profile(NETWORKS[name], options.threads)
        else:
            contest(NETWORKS[name], options.threads, options.rounds)


if __name__ == "__main__":
    main()
