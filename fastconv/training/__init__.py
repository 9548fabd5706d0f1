"""Training: `fit`, one readable loop, with schedules, a progress bar and exact checkpoints."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np

from .. import nn
from ..functional._coerce import Array, as_array
from ..optim import Adam, Optimizer
from . import checkpoint as checkpoints
from .progress import Epoch, History, Progress
from .schedules import Schedule, constant, cosine, step

__all__ = [
    "Epoch",
    "History",
    "Progress",
    "constant",
    "cosine",
    "evaluate",
    "fit",
    "predict",
    "step",
    "train_step",
]

Augment: TypeAlias = Callable[[Array, np.random.Generator], Array]
Pair: TypeAlias = "tuple[Any, Any]"
Loss: TypeAlias = Any  # a Module from outputs and targets whose backward takes nothing


def fit(
    model: nn.Module,
    data: Pair,
    *,
    epochs: int,
    batch_size: int = 32,
    optimizer: Optimizer | None = None,
    schedule: Schedule | None = None,
    loss: Loss | None = None,
    validation: Pair | None = None,
    augment: Augment | None = None,
    seed: int = 0,
    checkpoint: str | os.PathLike[str] | None = None,
    show: Callable[[History, float, float, float, float], None] | None = None,
) -> History:
    """Train `model` in mini-batches; Ctrl-C stops early and returns what there is.

    Parameters
    ----------
    model : fastconv.nn.Module
        A part of it that is in ``eval()`` stays so (a frozen body's batch norms, for one), unless
        the whole model is.
    data : (inputs, targets)
        For the default loss images (N, C, H, W) and classes (N,).
    epochs, batch_size : int
    optimizer : fastconv.optim.Optimizer, optional
        Which has the learning rate and the weight decay. By default Adam on all that requires a
        gradient.
    schedule : callable, optional
        `constant()`, the default, `step` or `cosine`.
    loss : Module, optional
        From outputs and targets to a mean; ``CrossEntropyLoss()`` by default.
    validation : (inputs, targets), optional
        Looked at after each epoch, for the report alone.
    augment : callable, optional
        From a batch of inputs and a random generator to the inputs that are learned from.
    seed : int
        Of order and augmentation. Initial values and dropout have `fastconv.manual_seed`.
    checkpoint : path, optional
        A ``.safetensors`` file, written after each epoch, whole or not at all. Where it is there,
        training goes on from it: the weights become, to the bit, those of a training that was never
        stopped.
    show : callable, optional
        ``Progress(epochs)`` prints. Called after each step with the history, the part of the epoch
        that is done (1: it has just entered the history), and its loss, accuracy and speed so far.

    Returns
    -------
    History

    Examples
    --------
    >>> import fastconv as fc
    >>> fc.manual_seed(0)
    >>> net = fc.nn.Sequential(fc.nn.Flatten(), fc.nn.Linear(16, 2))
    >>> images = np.random.default_rng(0).random((40, 1, 4, 4)).astype(np.float32)
    >>> labels = (images.mean((1, 2, 3)) > 0.5).astype(int)
    >>> history = fc.fit(net, (images, labels), epochs=20, optimizer=fc.optim.SGD(net.parameters()))
    >>> history.loss[-1] < history.loss[0]
    True
    """
    inputs, targets = _checked("data", data)
    criterion = nn.CrossEntropyLoss() if loss is None else loss
    if optimizer is None:
        optimizer = Adam([p for p in model.parameters() if p.requires_grad])
    for name, number in (("epochs", epochs), ("batch_size", batch_size)):
        if number < 1:
            raise ValueError(f"fit: {name} is {number} (wanted at least 1)")
    if schedule is not None and not callable(schedule):
        raise TypeError(f"fit: schedule is {schedule!r} (wanted a function, cosine() for one)")
    if not model.training:
        model.train()
    count, history = len(inputs), History()
    rng = np.random.default_rng(seed)
    for group in optimizer.param_groups:
        group.setdefault("initial_lr", group["lr"])
    run = checkpoints.Run(model, optimizer, rng, history, (count, batch_size, seed))
    if checkpoint is not None and os.path.exists(checkpoint):
        run.resume(checkpoint)

    try:
        for epoch in range(len(history), epochs):
            start, done = time.perf_counter(), 0
            total = right = 0.0
            order = rng.permutation(count)
            while done < count:
                if schedule is not None:
                    factor = schedule(epoch + done / count, epochs)
                    for group in optimizer.param_groups:
                        group["lr"] = group["initial_lr"] * factor
                chosen = order[done : done + batch_size]
                batch = inputs[chosen] if augment is None else augment(inputs[chosen], rng)
                value, hits = train_step(model, optimizer, criterion, batch, targets[chosen])
                total += len(chosen) * value
                right += hits
                done += len(chosen)
                speed = done / (time.perf_counter() - start)
                if show is not None and done < count:
                    show(history, done / count, total / done, right / done, speed)
            checked = (math.nan, math.nan)
            if validation is not None:
                checked = evaluate(model, validation, criterion)
            history.epochs.append(Epoch(total / count, right / count, *checked, speed))
            if checkpoint is not None:
                run.save(checkpoint)
            if show is not None:
                show(history, 1.0, total / count, right / count, speed)
    except KeyboardInterrupt:
        history.interrupted = True
    return history


def train_step(
    model: nn.Module, optimizer: Optimizer, loss: Loss, inputs: Any, targets: Any
) -> tuple[float, float]:
    """Forward, backward, update; returns the loss and how many answers were right."""
    optimizer.zero_grad()
    outputs = model(inputs)
    value = float(loss(outputs, targets))
    model._learn(loss.backward())
    optimizer.step()
    return value, _right(outputs, targets)


def evaluate(
    model: nn.Module, data: Pair, loss: Loss | None = None, batch_size: int = 500
) -> tuple[float, float]:
    """Mean loss and share of right answers on (inputs, targets), in ``eval()``."""
    inputs, targets = _checked("data", data)
    criterion = nn.CrossEntropyLoss() if loss is None else loss
    total = right = 0.0
    parts = _outputs(model, inputs, batch_size)
    for start, outputs in zip(range(0, len(inputs), batch_size), parts, strict=True):
        wanted = targets[start : start + batch_size]
        total += len(wanted) * float(criterion(outputs, wanted))
        right += _right(outputs, wanted)
    return total / len(inputs), right / len(inputs)


def predict(model: nn.Module, images: Any, batch_size: int = 500) -> Array:
    """The class of the largest output for each image, in ``eval()``."""
    outputs = _outputs(model, as_array("predict", "images", images), batch_size)
    classes: Array = np.concatenate([part.argmax(axis=1) for part in outputs])
    return classes


def _outputs(model: nn.Module, inputs: Array, batch_size: int) -> Iterator[Array]:
    """The outputs batch by batch in eval(); then each module is in its mode again."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        for start in range(0, len(inputs), batch_size):
            yield model(inputs[start : start + batch_size])
    finally:
        for module, mode in modes:
            module.training = mode


def _right(outputs: Any, targets: Array) -> float:
    """How many answers are right; NaN where targets are no classes."""
    if not isinstance(outputs, np.ndarray) or outputs.ndim != 2 or targets.dtype.kind not in "iu":
        return math.nan
    return float((outputs.argmax(axis=1) == targets).sum())


def _checked(name: str, data: Pair) -> tuple[Array, Array]:
    inputs, targets = (
        as_array("fit", f"{name}[{number}]", part) for number, part in enumerate(data)
    )
    if not len(inputs) or len(inputs) != len(targets):
        raise ValueError(
            f"fit: {name} has {len(inputs)} inputs and {len(targets)} targets (wanted as many of "
            "one as of the other, and some)"
        )
    return inputs, targets
