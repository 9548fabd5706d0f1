"""One case for two contestants: check that their results agree, then time the one whose turn it is.

Each test is one contestant, and a case's two tests follow each other. Both sides keep their own
thread pool in this one process (ours OpenMP's, the reference's NumPy's BLAS) at its default
size, and both pools spin for some milliseconds after their last work; a pause of PAUSE before
each turn lets the other side's fall asleep. What is timed is the call as a user makes it,
arguments coerced and the result allocated.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from math import ceil
from types import SimpleNamespace
from typing import Any

import formulas
from checks import Check, arrays_of
from machine import Machine, describe, matmul_peak, others_seconds

import fastconv.functional as functional
import fastconv.reference as reference

CONTESTANTS = {
    "reference": SimpleNamespace(**{**vars(formulas), **vars(reference)}),
    "kernel": functional,
}
PAUSE = 0.05  # seconds; OpenBLAS spins for 2^26 cycles, 20 to 30 ms, libgomp for less
BUDGET = 0.25  # seconds of rounds a contestant
ROUND = 0.0002  # seconds a round at least: short calls are repeated within it
FEWEST, MOST = 5, 200  # rounds
DISTURBED = 1.5  # a median this much above the fastest round was not the contestant's own


@dataclass
class Row:
    """A layer and function: its work, and each contestant's median time in seconds."""

    kind: str
    layer: str
    function: str
    flop: int | None
    traffic: int
    medians: dict[str, float] = field(default_factory=dict)
    disturbed: bool = False

    @property
    def network(self) -> str:
        return self.layer.partition(".")[0]

    @property
    def speedup(self) -> float | None:
        if len(self.medians) < len(CONTESTANTS):
            return None
        return self.medians["reference"] / self.medians["kernel"]

    def gflops(self, contestant: str = "kernel") -> float | None:
        """Of the logical work, however the contestant does it."""
        seconds = self.medians.get(contestant)
        return self.flop / seconds / 1e9 if self.flop and seconds else None

    def gbytes(self, contestant: str = "kernel") -> float | None:
        """A second, each operand read once and each result written once."""
        seconds = self.medians.get(contestant)
        return self.traffic / seconds / 1e9 if seconds else None


@dataclass
class Results:
    """Of one run: its rows by benchmark group (a row is there once its check has passed), and
    how busy the machine was when it began (above 0.2 or so, others spoil the figures).
    """

    rows: dict[str, Row] = field(default_factory=dict)
    start: float = field(default_factory=time.perf_counter)
    others_at_start: float | None = field(default_factory=others_seconds)

    @cached_property
    def machine(self) -> Machine:
        return describe()

    @cached_property
    def peak_gflops(self) -> float:
        return matmul_peak() / 1e9

    @property
    def others_cores(self) -> float | None:
        """How many cores other processes have kept busy since the run began."""
        others = others_seconds()
        if others is None or self.others_at_start is None:
            return None
        return max(0.0, others - self.others_at_start) / (time.perf_counter() - self.start)


@dataclass
class Contest:
    """The turn of one contestant, given to a test as the fixture `contest`."""

    benchmark: Any
    contestant: str
    kind: str
    results: Results

    def __call__(
        self,
        layer: str,
        function: str,
        call: Callable[[Any], Any],
        operands: tuple[Any, ...],
        check: Check,
        flop: int | None = None,
    ) -> None:
        """Check and time `call`, which takes the library to call; `operands` are the arrays it
        reads, `flop` its logical work.
        """
        group = f"{layer} {function}"
        self.benchmark.group = group
        row = self.results.rows.get(group)
        if row is None:
            results = self._checked_results(call, check)
            traffic = sum(array.nbytes for array in (*arrays_of(operands), *results))
            del results
            row = Row(self.kind, layer, function, flop, traffic)
            self.results.rows[group] = row
        self._time(row, call)

    def _checked_results(self, call: Callable[[Any], Any], check: Check) -> list[Any]:
        try:
            ours, theirs = call(CONTESTANTS["kernel"]), call(CONTESTANTS["reference"])
            check(ours, theirs)
        except BaseException:
            self.benchmark.disabled = True
            self.benchmark.pedantic(lambda: None)  # an unused fixture is an error of its own
            raise
        return arrays_of(ours)

    def _time(self, row: Row, call: Callable[[Any], Any]) -> None:
        library = CONTESTANTS[self.contestant]
        if self.benchmark.disabled:
            self.benchmark.pedantic(call, (library,))
            return
        time.sleep(PAUSE)
        peak = self.results.peak_gflops  # measured at the first turn, and this is its pause
        time.sleep(PAUSE)
        call(library)
        start = time.perf_counter()
        call(library)
        seconds = time.perf_counter() - start
        iterations = ceil(ROUND / seconds)
        rounds = int(min(max(BUDGET / (iterations * seconds), FEWEST), MOST))
        self.benchmark.pedantic(call, (library,), iterations=iterations, rounds=rounds)

        times = self.benchmark.stats.stats
        row.medians[self.contestant] = times.median
        row.disturbed |= times.median > DISTURBED * times.min
        gflops = row.gflops(self.contestant)
        machine = self.results.machine
        self.benchmark.extra_info.update(
            contestant=self.contestant,
            disturbed=row.disturbed,
            gflops=gflops,
            gbytes_per_second=row.gbytes(self.contestant),
            share_of_matmul_peak=gflops and gflops / peak,
            speedup_over_reference=row.speedup if self.contestant == "kernel" else None,
            matmul_peak_gflops=peak,
            threads=machine.threads,
            isa=machine.isa,
            cpu=machine.cpu,
            blas=machine.blas,
        )
