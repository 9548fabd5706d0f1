"""``python -m fastconv demo``: train a network on handwritten digits, time it, draw it."""

from __future__ import annotations

import argparse
import copy
import importlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from .. import _core, data, nn, optim
from ..random import manual_seed
from ..training import History, Progress, cosine, fit, predict
from .networks import NETWORKS, SMALLEST, Network, lenet
from .steps import has_reference, kernel_seconds, time_steps
from .weights import save_weights

__all__ = ["NETWORKS", "lenet", "prepared", "run", "train"]


def train(
    model: nn.Sequential,
    images: data.Dataset,
    network: Network = NETWORKS["lenet"],
    *,
    epochs: int,
    batch_size: int | None = None,
    lr: float | None = None,
    seed: int = 0,
    checkpoint: str | None = None,
    show: Progress | None = None,
) -> History:
    """Train by Adam on jittered images, the learning rate falling to 0 along half a cosine.

    Parameters
    ----------
    model : fastconv.nn.Sequential
        What `network` made.
    images : fastconv.data.Dataset
        As `prepared` gives it. Its test images are predicted after each epoch, for the report
        alone.
    network : Network
        Whose settings are taken where there is no other.
    epochs, batch_size, lr, seed, checkpoint, show
        As `fastconv.fit` has them.

    Returns
    -------
    History
    """
    learned = [p for p in model.parameters() if p.requires_grad]
    return fit(
        model,
        (images.train_images, images.train_labels),
        epochs=epochs,
        batch_size=batch_size or network.batch_size,
        optimizer=optim.Adam(learned, lr or network.lr),
        schedule=cosine(),
        loss=nn.CrossEntropyLoss(label_smoothing=network.smoothing),
        validation=(images.test_images, images.test_labels),
        augment=lambda batch, rng: data.jitter(batch, rng, network.jitter),
        seed=seed,
        checkpoint=checkpoint,
        show=show,
    )


def run(options: argparse.Namespace, fail: Callable[[str], NoReturn]) -> int:
    """Run the demo for parsed command-line options; `fail` ends it for a wrong one."""
    given = vars(options)
    quiet = "quiet" in given
    missing = _missing([
        *(["matplotlib.figure"] if "no_plot" not in given else []),
        *(["sklearn.datasets"] if "data" not in given else []),
    ])  # fmt: skip
    if missing:
        print(missing, file=sys.stderr)
        return 1
    path = Path(options.output)
    if "no_plot" not in given:
        _check_file(path, ".png", "--output", fail)
    for argument in ("save", "checkpoint"):
        if argument in given:
            _check_file(Path(given[argument]), ".safetensors", f"--{argument}", fail)
    if "threads" in given:
        _core.set_num_threads(options.threads)
    network = NETWORKS[options.model]
    try:
        source = data.load_images(options.data) if "data" in given else data.load_digits()
        images = prepared(source, network)
    except (OSError, ValueError) as error:
        fail(f"argument --data: {error}")
    channels, size, _ = images.train_images.shape[1:]
    classes = 1 + int(max(images.train_labels.max(), images.test_labels.max()))
    epochs = given.get("epochs", 3 if "data" in given else network.epochs)
    batch_size = given.get("batch_size", network.batch_size)

    manual_seed(options.seed)
    try:
        model = network.make(channels, size, classes)
    except ValueError as error:
        fail(f"argument --data: {error}")
    fresh = copy.deepcopy(model)
    if not quiet:
        enlarged = f" (enlarged to {size}x{size})" if images is not source else ""
        learned = sum(p.data.size for p in model.parameters() if p.requires_grad)
        print(
            f"{network.title}, {learned:,} parameters, {classes} classes"
            f"\n{images.name}: {len(images.train_images):,} images to learn from, "
            f"{len(images.test_images):,} held out, "
            f"{'x'.join(str(n) for n in source.train_images.shape[2:])}{enlarged}"
            f"\nfastconv {_core.__version__}, {_core.isa()}, threads: {_core.get_num_threads()}"
        )
    start = time.perf_counter()
    try:
        history = train(
            model, images, network, epochs=epochs, batch_size=batch_size, lr=given.get("lr"),
            seed=options.seed, checkpoint=given.get("checkpoint"),
            show=None if quiet else Progress(epochs),
        )  # fmt: skip
    except ValueError as error:
        fail(f"argument --checkpoint: {error}")
    seconds = time.perf_counter() - start
    if history.interrupted:
        print(f"\nstopped after {_epochs(len(history))}")
        if not len(history):
            return 130
    predicted = predict(model, images.test_images)
    right = int((predicted == images.test_labels).sum())
    print(
        f"held-out accuracy {right / len(predicted):.2%} ({right} of {len(predicted)}) after "
        f"{_epochs(len(history))} in {seconds:.1f} s, seed {options.seed}"
    )
    batch = slice(min(batch_size, len(images.train_images)))
    first = (images.train_images[batch], images.train_labels[batch])
    if has_reference(fresh):
        ours, numpys = time_steps(fresh, *first)
        numpy = f", NumPy reference {1e3 * numpys:.3g} ms, {numpys / ours:.1f}x"
    else:
        ours, numpy = kernel_seconds(fresh, *first), ""
    print(f"one training step, batch {batch.stop}: fastconv {1e3 * ours:.3g} ms{numpy}")
    if "save" in given:
        save_weights(options.save, model, options.model, source, size, classes)
        print(f"saved: {Path(options.save).resolve()}")
    if "no_plot" in given:
        return 0
    from .. import viz

    figure = viz.training_figure(
        history, model, images, predicted,
        title=f"{network.title} on {images.name}: {right / len(predicted):.2%} of "
        f"{len(predicted)} held-out images right after {_epochs(len(history))}",
    )  # fmt: skip
    try:
        figure.savefig(path)
    except OSError as error:
        print(f"cannot write {path}: {error.strerror}", file=sys.stderr)
        return 1
    print(f"drawn: {path.resolve()}")
    return 0


def prepared(images: data.Dataset, network: Network = NETWORKS["lenet"]) -> data.Dataset:
    """The data as the network sees it: small images enlarged."""
    height, width = images.train_images.shape[2:]
    if height != width or height < SMALLEST:
        raise ValueError(f"images are {height}x{width} (wanted square, {SMALLEST} or more)")
    factor = network.factor(height)
    if factor == 1:
        return images
    return images._replace(
        train_images=data.enlarge(images.train_images, factor),
        test_images=data.enlarge(images.test_images, factor),
    )


def _check_file(path: Path, ending: str, argument: str, fail: Callable[[str], NoReturn]) -> None:
    if path.suffix.lower() != ending or not path.parent.is_dir() or path.is_dir():
        fail(f"argument {argument}: {path} (wanted a {ending} in a folder that exists)")


def _epochs(count: int) -> str:
    return f"{count} epoch{'s' * (count != 1)}"


def _missing(modules: list[str]) -> str:
    """One line that says how to install what cannot be imported, or nothing."""
    names = {"matplotlib.figure": "Matplotlib", "sklearn.datasets": "scikit-learn"}
    absent = []
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError:
            absent.append(names[module])
    if not absent:
        return ""
    try:
        checkout = 'name = "fastconv"' in Path("pyproject.toml").read_text(encoding="utf-8")
    except (OSError, ValueError):
        checkout = False
    target = ".[demo]" if checkout else "fastconv[demo]"
    return f"the demo needs {' and '.join(absent)}: pip install '{target}'"
