"""How the learning rate goes: from the epoch (a fraction inside one) of so many to a factor."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

Schedule: TypeAlias = Callable[[float, int], float]


def constant() -> Schedule:
    """The learning rate as the optimizer has it."""
    return lambda epoch, epochs: 1.0


def step(every: int, factor: float = 0.1) -> Schedule:
    """The learning rate times `factor` after each `every` epochs.

    >>> [round(step(10)(epoch, 30), 4) for epoch in (0, 9.5, 10, 29.9)]
    [1.0, 1.0, 0.1, 0.01]
    """
    if every < 1:
        raise ValueError(f"step: every is {every} (wanted at least 1)")
    return lambda epoch, epochs: float(factor ** (epoch // every))


def cosine(last: float = 0.0) -> Schedule:
    """The learning rate along half a cosine, from 1 to `last` of it.

    >>> [round(cosine()(epoch, 10), 4) for epoch in (0, 5, 10)]
    [1.0, 0.5, 0.0]
    """

    def factor(epoch: float, epochs: int) -> float:
        return last + (1 - last) * (0.5 * (1 + math.cos(math.pi * epoch / epochs)))

    return factor
