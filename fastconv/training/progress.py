"""What a training gave, epoch by epoch, and how it is shown while it runs."""

from __future__ import annotations

import math
import sys
import time
from dataclasses import dataclass, field
from typing import NamedTuple


class Epoch(NamedTuple):
    """What an epoch gave; shares of right answers are NaN where targets are no classes."""

    loss: float
    accuracy: float
    validation_loss: float
    validation_accuracy: float
    speed: float  # training images a second


@dataclass
class History:
    """The epochs so far, and what they gave as columns."""

    epochs: list[Epoch] = field(default_factory=list)
    interrupted: bool = False  # by Ctrl-C

    def __len__(self) -> int:
        return len(self.epochs)

    @property
    def loss(self) -> list[float]:
        """Mean training losses."""
        return [epoch.loss for epoch in self.epochs]

    @property
    def accuracy(self) -> list[float]:
        """Shares of training images that were right when they were learned from."""
        return [epoch.accuracy for epoch in self.epochs]

    @property
    def validation_loss(self) -> list[float]:
        """Mean losses of the validation data."""
        return [epoch.validation_loss for epoch in self.epochs]

    @property
    def validation_accuracy(self) -> list[float]:
        """Shares of the validation data that were right."""
        return [epoch.validation_accuracy for epoch in self.epochs]


class Progress:
    """A bar for the running epoch where a terminal shows it, and a line for each that is done."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self.bar = sys.stdout.isatty()
        self.drawn = 0.0
        encoding = sys.stdout.encoding or ""
        self.mark = "\u2501" if encoding.lower().startswith("utf") else "="

    def __call__(
        self, history: History, part: float, loss: float, accuracy: float, speed: float
    ) -> None:
        """Print where training is; `fit` says what the arguments are."""
        now, number = time.perf_counter(), len(history) + (part < 1)
        if part < 1 and (not self.bar or now - self.drawn < 0.05):
            return
        self.drawn = now
        checked = history.epochs[-1].validation_accuracy if part == 1 else math.nan
        kind, share = ("held-out accuracy", checked) if checked == checked else (
            "accuracy", accuracy
        )  # fmt: skip
        bar = "" if part == 1 else f"  {(self.mark * round(30 * part)).ljust(30)} {part:4.0%}"
        answers = f"  {kind} {share:7.2%}" if share == share else ""
        line = (
            f"epoch {number:{len(str(self.epochs))}}/{self.epochs}{bar}  loss {loss:.4f}{answers}  "
            f"{speed:,.0f} images/s"
        )
        clear = "\r\033[K" if self.bar else ""
        print(f"{clear}{line}", end="\n" if part == 1 else "", flush=True)
