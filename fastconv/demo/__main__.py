"""``python -m fastconv.demo``: the demo's networks as a table in Markdown, for the README."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from .. import _core, data
from ..random import manual_seed
from . import NETWORKS, prepared, train


def rows(names: Sequence[str] = tuple(NETWORKS), seeds: Sequence[int] = (0, 1, 2)) -> Iterator[str]:
    """The table's lines: held-out accuracy of each seed, their mean, seconds of a training."""
    yield "| `--model` | network | parameters | epochs | held-out accuracy | seeds 0, 1, 2 | time |"
    yield "| --- | --- | ---: | ---: | ---: | --- | ---: |"
    source = data.load_digits()
    for name in names:
        network = NETWORKS[name]
        images = prepared(source, network)
        size = images.train_images.shape[2]
        accuracy, start = [], time.perf_counter()
        for seed in seeds:
            manual_seed(seed)
            model = network.make(1, size, 10)
            history = train(model, images, network, epochs=network.epochs, seed=seed)
            accuracy.append(history.validation_accuracy[-1])
        seconds = (time.perf_counter() - start) / len(seeds)
        learned = sum(p.size for p in model.parameters() if p.requires_grad)
        each = ", ".join(f"{100 * share:.2f}" for share in accuracy)
        yield (
            f"| `{name}` | {network.title} | {learned:,} | {network.epochs} | "
            f"{sum(accuracy) / len(seeds):.2%} | {each} | {seconds:.1f} s |"
        )


if __name__ == "__main__":
    for row in rows():
        print(row, flush=True)
    print(f"\nfastconv {_core.__version__}, {_core.isa()}, threads: {_core.get_num_threads()}")
