"""``python -m fastconv demo``: train a LeNet on handwritten digits, time it, draw it.

The network is that of LeCun et al., "Gradient-based learning applied to document recognition"
(1998), section II, with rectifiers, maximum pooling and more channels. Channels, augmentation and
learning rate were chosen by cross-validation inside the training images; the held-out images are
looked at for the report alone, and the last epoch counts.
"""

from __future__ import annotations

import argparse
import copy
import importlib
import math
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from . import _core, nn, optim, reference
from . import data as datasets
from .random import manual_seed

__all__ = [
    "History",
    "lenet",
    "predict",
    "prepared",
    "reference_step",
    "run",
    "step",
    "time_steps",
    "train",
]

Array = NDArray[Any]
Backward = Callable[[Array], Array]

SMALLEST = 8  # pixels: below, too little is left after two poolings
# Images below are enlarged twofold. Five-fold cross-validation inside the 1437 training digits:
# 7 errors without (and twice the channels), 5 with.
ENLARGED_BELOW = 16
# Label smoothing, from the same cross-validation: 9 errors without, 4 with.
SMOOTHING = 0.1
# Amount of `datasets.jitter`; 1 and 1.5 did alike (5 and 4 errors).
JITTER = 1.5
# Timed training steps: so many turns of so many steps for each of the two.
ROUNDS, REPEATS = 5, 6


class History(NamedTuple):
    """What each epoch gave: mean training loss, held-out accuracy, training images a second."""

    loss: list[float]
    accuracy: list[float]
    speed: list[float]


def lenet(in_channels: int, size: int, classes: int) -> nn.Sequential:
    """Two convolutions with pooling, three linear layers.

    Parameters
    ----------
    in_channels : int
    size : int
        Height and width of the images, at least 8. Below 20 the second convolution is padded.
    classes : int

    Returns
    -------
    fastconv.nn.Sequential

    Examples
    --------
    >>> lenet(1, 28, 10)(np.zeros((2, 1, 28, 28), np.float32)).shape
    (2, 10)
    """
    if size < SMALLEST:
        raise ValueError(f"lenet: images are {size} pixels wide (wanted at least {SMALLEST})")
    padding = 2 if size < 20 else 0
    left = (size // 2 + 2 * padding - 4) // 2
    return nn.Sequential(
        nn.Conv2d(in_channels, 16, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 5, padding=padding),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * left * left, 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
        nn.Linear(84, classes),
    )


def step(model: nn.Sequential, optimizer: Any, images: Array, labels: Array) -> float:
    """Make one training step and return its loss."""
    optimizer.zero_grad()
    criterion = nn.CrossEntropyLoss(label_smoothing=SMOOTHING)
    loss = float(criterion(model(images), labels))
    model.backward(criterion.backward())
    optimizer.step()
    return loss


def reference_step(model: nn.Sequential, optimizer: Any, images: Array, labels: Array) -> float:
    """`step` with the functions of `fastconv.reference`: the same sums in plain NumPy."""
    tape: list[Backward] = []
    output = images
    for layer in model:
        output, backward = _reference_layer(layer, output)
        tape.append(backward)
    loss = float(reference.cross_entropy(output, labels, label_smoothing=SMOOTHING))
    one = np.ones((), output.dtype)
    gradients = reference.cross_entropy_backward(one, output, labels, label_smoothing=SMOOTHING)
    grad = np.asarray(gradients[0])
    for backward in reversed(tape):
        grad = backward(grad)
    optimizer.step()
    return loss


def _reference_layer(layer: Any, input: Array) -> tuple[Array, Backward]:
    """The layer's output, and the function from its gradient to the input's."""
    if isinstance(layer, nn.MaxPool2d):
        window = (layer.kernel_size, layer.stride, layer.padding)
        output, indices = reference.max_pool2d(input, *window, return_indices=True)
        return output, lambda gy: reference.max_pool2d_backward(gy, input, *window, indices=indices)
    if isinstance(layer, nn.Flatten):
        return input.reshape(len(input), -1), lambda gy: gy.reshape(input.shape)
    if isinstance(layer, nn.ReLU):
        return reference.relu(input), lambda gy: reference.relu_backward(gy, input)

    forward: Callable[..., Array]
    backward: Callable[..., Any]
    if isinstance(layer, nn.Conv2d):
        forward, backward = reference.conv2d, reference.conv2d_backward
        how: tuple[Any, ...] = (layer.stride, layer.padding, layer.dilation, layer.groups)
    elif isinstance(layer, nn.Linear):
        forward, backward, how = reference.linear, reference.linear_backward, ()
    else:
        raise TypeError(f"reference_step knows no {type(layer).__name__}")
    weight, bias = layer.weight, layer.bias
    assert bias is not None
    arguments = (input, weight.data, bias.data, *how)

    def both(gy: Array) -> Array:
        grad_input, weight.grad, bias.grad = backward(gy, *arguments)
        return np.asarray(grad_input)

    return forward(*arguments), both


def predict(model: nn.Sequential, images: Array, batch_size: int = 500) -> Array:
    """Return the class of the largest output for each image."""
    model.eval()
    parts = [images[i : i + batch_size] for i in range(0, len(images), batch_size)]
    classes = np.concatenate([model(part).argmax(axis=1) for part in parts])
    model.train()
    return classes


def train(
    model: nn.Sequential,
    data: datasets.Dataset,
    *,
    epochs: int,
    batch_size: int = 32,
    lr: float = 0.003,
    seed: int = 0,
    show: Callable[[History, float, float], None] = lambda history, part, loss: None,
) -> History:
    """Train by Adam on jittered images, the learning rate falling to 0 along half a cosine.

    Parameters
    ----------
    model : fastconv.nn.Sequential
        From images to one output a class.
    data : fastconv.data.Dataset
        Its test images are predicted after each epoch, for the report alone.
    epochs, batch_size, lr, seed
        `seed` gives the order and the jitter.
    show : callable
        Called after each step with the epochs so far, the part of the next one that is done
        (1: the epoch has just entered the history) and the loss.

    Returns
    -------
    History
    """
    rng = np.random.default_rng(seed)
    optimizer = optim.Adam(model.parameters(), lr)
    count = len(data.train_images)
    history = History([], [], [])
    for epoch in range(epochs):
        start, done, total = time.perf_counter(), 0, 0.0
        batches = datasets.batches(data.train_images, data.train_labels, batch_size, rng)
        for images, labels in batches:
            passed = (epoch + done / count) / epochs
            optimizer.param_groups[0]["lr"] = lr * 0.5 * (1 + math.cos(math.pi * passed))
            images = datasets.jitter(images, rng, JITTER)
            total += len(images) * step(model, optimizer, images, labels)
            done += len(images)
            if done < count:
                show(history, done / count, total / done)
        history.speed.append(count / (time.perf_counter() - start))
        history.loss.append(total / count)
        right = predict(model, data.test_images) == data.test_labels
        history.accuracy.append(float(right.mean()))
        show(history, 1, history.loss[-1])
    return history


def time_steps(model: nn.Sequential, images: Array, labels: Array) -> tuple[float, float]:
    """Median seconds of `step` and of `reference_step` on copies of the model, taken in turns.

    Raises
    ------
    RuntimeError
        If the two do not agree on loss and gradients, which is checked first.
    """
    pairs = []
    for run_step in (step, reference_step):
        twin = copy.deepcopy(model)
        pairs.append((run_step, twin, optim.Adam(twin.parameters(), 1e-4)))
    ours, wanted = (run_step(twin, adam, images, labels) for run_step, twin, adam in pairs)
    gradients = ([p.grad for p in twin.parameters()] for _, twin, _ in pairs)
    # Float32 sums of up to some thousand terms, through five layers.
    close = abs(ours - wanted) <= 1e-5 * abs(wanted) and all(
        np.abs(a - b).max() <= 1e-4 * np.abs(b).max() for a, b in zip(*gradients, strict=True)
    )
    if not close:
        raise RuntimeError("fastconv and its NumPy reference disagree on loss or gradients")
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for taken, (run_step, twin, adam) in zip(times, pairs, strict=True):
            # The first of a turn finds the other's data in the caches and its threads awake.
            for repeat in range(1 + REPEATS):
                start = time.perf_counter()
                run_step(twin, adam, images, labels)
                if repeat:
                    taken.append(time.perf_counter() - start)
    return statistics.median(times[0]), statistics.median(times[1])


def run(options: argparse.Namespace, fail: Callable[[str], NoReturn]) -> int:
    """Run the demo for parsed command-line options; `fail` ends it for a wrong one."""
    own_data = "data" in options
    draw = "no_plot" not in options
    missing = _missing([*(["matplotlib.figure"] * draw), *(["sklearn.datasets"] * (not own_data))])
    if missing:
        print(missing, file=sys.stderr)
        return 1
    path = Path(options.output)
    if draw and (path.suffix.lower() != ".png" or not path.parent.is_dir() or path.is_dir()):
        fail(f"argument --output: {path} (wanted a .png in a folder that exists)")
    if "threads" in options:
        _core.set_num_threads(options.threads)
    try:
        given = datasets.load_images(options.data) if own_data else datasets.load_digits()
        data = prepared(given)
    except (OSError, ValueError) as error:
        fail(f"argument --data: {error}")
    channels, size, _ = data.train_images.shape[1:]
    classes = 1 + int(max(data.train_labels.max(), data.test_labels.max()))
    epochs = options.epochs if "epochs" in options else (3 if own_data else 40)

    manual_seed(options.seed)
    model = lenet(channels, size, classes)
    fresh = copy.deepcopy(model)
    if "quiet" not in options:
        enlarged = f" (enlarged to {size}x{size})" if data is not given else ""
        print(
            f"LeNet, {sum(p.data.size for p in model.parameters()):,} parameters, {classes} classes"
            f"\n{data.name}: {len(data.train_images):,} images to learn from, "
            f"{len(data.test_images):,} held out, "
            f"{'x'.join(str(n) for n in given.train_images.shape[2:])}{enlarged}"
            f"\nfastconv {_core.__version__}, {_core.isa()}, threads: {_core.get_num_threads()}"
        )
    start = time.perf_counter()
    history = train(
        model, data, epochs=epochs, batch_size=options.batch_size, lr=options.lr,
        seed=options.seed, show=Progress(epochs, "quiet" in options),
    )  # fmt: skip
    seconds = time.perf_counter() - start
    predicted = predict(model, data.test_images)
    right = int((predicted == data.test_labels).sum())
    print(
        f"held-out accuracy {history.accuracy[-1]:.2%} ({right} of {len(predicted)}) after "
        f"{_epochs(epochs)} in {seconds:.1f} s, seed {options.seed}"
    )
    batch = slice(min(options.batch_size, len(data.train_images)))
    ours, numpys = time_steps(fresh, data.train_images[batch], data.train_labels[batch])
    print(
        f"one training step, batch {batch.stop}: fastconv {1e3 * ours:.3g} ms, "
        f"NumPy reference {1e3 * numpys:.3g} ms, {numpys / ours:.1f}x"
    )
    if draw:
        from . import viz

        figure = viz.training_figure(
            history.loss, history.accuracy, next(model.parameters()).data, given.test_images,
            given.test_labels, predicted,
            title=f"LeNet on {data.name}: {history.accuracy[-1]:.2%} of {len(predicted)} "
            f"held-out images right after {_epochs(epochs)}",
        )  # fmt: skip
        try:
            figure.savefig(path)
        except OSError as error:
            print(f"cannot write {path}: {error.strerror}", file=sys.stderr)
            return 1
        print(f"drawn: {path.resolve()}")
    return 0


def prepared(data: datasets.Dataset) -> datasets.Dataset:
    """The data as the network sees it: small images enlarged."""
    height, width = data.train_images.shape[2:]
    if height != width or height < SMALLEST:
        raise ValueError(f"images are {height}x{width} (wanted square, {SMALLEST} or more)")
    if height >= ENLARGED_BELOW:
        return data
    train_images = datasets.enlarge(data.train_images, 2)
    return data._replace(
        train_images=train_images, test_images=datasets.enlarge(data.test_images, 2)
    )


def _epochs(count: int) -> str:
    return f"{count} epoch{'s' * (count != 1)}"


class Progress:
    """A bar for the running epoch where a terminal shows it, and a line for each that is done."""

    def __init__(self, epochs: int, quiet: bool) -> None:
        self.epochs = epochs
        self.quiet = quiet
        self.bar = not quiet and sys.stdout.isatty()
        self.drawn = 0.0
        encoding = sys.stdout.encoding or ""
        self.mark = "\u2501" if encoding.lower().startswith("utf") else "="

    def __call__(self, history: History, part: float, loss: float) -> None:
        done = len(history.loss)
        if self.quiet:
            return
        if part == 1:
            clear = "\r\033[K" if self.bar else ""
            print(
                f"{clear}epoch {done:{len(str(self.epochs))}}/{self.epochs}  loss {loss:.4f}  "
                f"held-out accuracy {history.accuracy[-1]:7.2%}  "
                f"{history.speed[-1]:,.0f} images/s",
                flush=True,
            )
        elif self.bar and time.perf_counter() - self.drawn > 0.05:
            self.drawn = time.perf_counter()
            bar = (self.mark * round(30 * part)).ljust(30)
            count = f"{done + 1:{len(str(self.epochs))}}/{self.epochs}"
            print(f"\r\033[Kepoch {count}  {bar} {part:4.0%}  loss {loss:.4f}", end="", flush=True)


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
