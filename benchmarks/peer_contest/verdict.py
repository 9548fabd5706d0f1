"""Whose result is right, before anything is timed.

The library is right where a peer has the same; no peer is trusted alone against another that
agrees with the library. A peer that sums in another way (Winograd's) stays in, marked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from checks import Array

from .contestant import OURS
from .problems import Problem


class Verdict(NamedTuple):
    name: str  # "same", "rounded", "wrong" or "unchecked"
    difference: float


def judge(problem: Problem, outputs: Mapping[str, Array]) -> dict[str, Verdict]:
    """Of each contestant's output, against the one that a peer confirms."""
    peers = [name for name in outputs if name not in OURS]
    truth = next((name for name in outputs if _confirmed(problem, outputs, name)), None)
    if truth is not None:
        return {name: _compare(problem, outputs, name, truth) for name in outputs}
    verdicts = {name: Verdict("unchecked", 0.0) for name in outputs}
    witness = next(iter(peers or outputs), None)
    for name in outputs:
        if witness is not None and name in OURS and name != witness:
            verdicts[name] = _compare(problem, outputs, name, witness)
    return verdicts


def _confirmed(problem: Problem, outputs: Mapping[str, Array], name: str) -> bool:
    others = [other for other in outputs if other != name and other not in OURS]
    return any(_compare(problem, outputs, name, other).name != "wrong" for other in others)


def _compare(problem: Problem, outputs: Mapping[str, Array], name: str, truth: str) -> Verdict:
    got, wanted = outputs[name], outputs[truth]
    if got.shape != wanted.shape or got.dtype != wanted.dtype:
        return Verdict("wrong", float("inf"))
    if np.array_equal(got, wanted):
        return Verdict("same", 0.0)
    difference = float(np.max(np.abs(got.astype(np.float64) - wanted)))
    close = difference <= problem.tolerance  # not so for NaN
    if close and not problem.exact:
        return Verdict("same", difference)
    return Verdict("rounded" if close and name not in OURS else "wrong", difference)
