"""Networks for inference beside ONNX Runtime and PyTorch: one image of 224 x 224, weights random.

``python benchmarks/inference.py [--threads 2] [--rounds 5] [--network resnet50]``: each contestant
lives in a process of its own, they take turns, and the scores, of the same weights, are compared
before anything is timed. Ours is frozen; ONNX Runtime has all its graph optimisations, its input
and output bound to memory; PyTorch runs eagerly, without gradients. A ratio is their median time
over ours: above 1, fastconv is faster.
"""

from __future__ import annotations

import argparse
import statistics
from collections import defaultdict

import numpy as np
from checks import Array
from peer_contest.inference import CONTESTANTS, NETWORKS, Network
from peer_contest.turns import Stage

TOLERANCE = 1e-4  # of the largest score: float32 sums in another order, batch norms folded
HEAD = (
    "| network | fastconv | onnxruntime | torch, better layout | times onnxruntime | times torch |"
)


def check(outputs: dict[str, Array]) -> None:
    """Raises where a contestant's scores differ from ours."""
    ours = outputs["fastconv"]
    for name, theirs in outputs.items():
        difference = np.abs(theirs - ours).max() / np.abs(ours).max()
        if not difference <= TOLERANCE:
            raise AssertionError(f"{name} differs by {difference:.2g} (wanted {TOLERANCE})")


def contest(network: Network, threads: int, rounds: int) -> str:
    """A row of the table."""
    with Stage(list(CONTESTANTS), network, threads, CONTESTANTS) as stage:
        check({name: stage.ask(name, "output") for name in stage.names})
        times: dict[str, list[float]] = defaultdict(list)
        for _ in range(rounds):
            for name in stage.names:
                times[name] += stage.ask(name, "turn")
    medians = {name: statistics.median(values) for name, values in times.items()}
    ours, runtime = medians["fastconv"], medians["onnxruntime"]
    torch = min(value for name, value in medians.items() if name.startswith("torch"))
    cells = [f"{value * 1e3:.1f} ms" for value in (ours, runtime, torch)]
    cells += [f"{value / ours:.2f}" for value in (runtime, torch)]
    return f"| {network.name} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--network", choices=list(NETWORKS), action="append")
    options = parser.parse_args()
    print(HEAD)
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name in options.network or NETWORKS:
        print(contest(NETWORKS[name], options.threads, options.rounds), flush=True)


if __name__ == "__main__":
    main()
