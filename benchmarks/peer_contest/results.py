"""What a run found: a row a problem, in it an entry a contestant."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from .contestant import CONTESTANTS, OURS

PEERS = tuple(name for name in CONTESTANTS if name not in OURS)
PYTORCH = ("torch", "torch-nhwc")


@dataclass
class Entry:
    """One contestant's times, and how its result compares.

    `verdict` is "same" (equal to the bit, a mean within its bound), "rounded" (should be equal,
    and is within the bound of another way to sum), "wrong", or "unchecked" (there was nothing to
    compare with).
    """

    form: str = ""
    verdict: str = "unchecked"
    difference: float = 0.0
    turns: list[list[float]] = field(default_factory=list)
    error: str = ""

    @property
    def median(self) -> float | None:
        """Seconds, of the calls of all turns."""
        times = [seconds for turn in self.turns for seconds in turn]
        return median(times) if times and self.verdict != "wrong" else None

    @property
    def minimum(self) -> float | None:
        times = [seconds for turn in self.turns for seconds in turn]
        return min(times) if times and self.verdict != "wrong" else None

    def as_json(self) -> dict[str, Any]:
        return {
            "form": self.form,
            "verdict": self.verdict,
            "difference": self.difference,
            "error": self.error,
            "median_s": self.median,
            "minimum_s": self.minimum,
            "calls": sum(map(len, self.turns)),
            "turn_medians_s": [median(turn) for turn in self.turns],
        }


@dataclass
class Row:
    """A problem's entries; `limit` is the machine's: flop a second, or bytes a second copied."""

    name: str
    category: str
    problem: str
    dtype: str
    flop: int
    traffic: int
    limit: float
    others_cores: float | None = None  # that other processes kept busy during the turns
    entries: dict[str, Entry] = field(default_factory=dict)

    @property
    def work(self) -> int:
        """Flop, or bytes where nothing is multiplied."""
        return self.flop or self.traffic

    def seconds(self, name: str, figure: str = "median") -> float | None:
        entry = self.entries.get(name)
        return getattr(entry, figure) if entry else None

    def best(self, among: tuple[str, ...] = PEERS, figure: str = "median") -> str | None:
        """The fastest of these contestants."""
        timed = [name for name in among if self.seconds(name, figure) is not None]
        return min(timed, key=lambda name: self.seconds(name, figure) or 0.0, default=None)

    def ratio(
        self, name: str, among: tuple[str, ...] = PEERS, figure: str = "median"
    ) -> float | None:
        """How many times as fast as the best of these: above 1 the library wins."""
        best, own = self.best(among, figure), self.seconds(name, figure)
        if best is None or own is None:
            return None
        return (self.seconds(best, figure) or 0.0) / own

    def share(self, name: str) -> float | None:
        """Of what the machine can do."""
        own = self.seconds(name)
        return self.work / own / self.limit if own else None

    def as_json(self) -> dict[str, Any]:
        figures = ("median", "minimum")
        return {
            "name": self.name,
            "class": self.category,
            "problem": self.problem,
            "dtype": self.dtype,
            "flop": self.flop,
            "traffic_bytes": self.traffic,
            "machine_limit_per_s": self.limit,
            "others_cores": self.others_cores,
            "share_of_limit": {name: self.share(name) for name in OURS},
            "best_peer": self.best(),
            "ratios": {
                figure: {name: self.ratio(name, figure=figure) for name in OURS}
                for figure in figures
            },
            "contestants": {name: entry.as_json() for name, entry in self.entries.items()},
        }


@dataclass
class Run:
    """Everything of one run; `failures` of the library make it fail."""

    command: str
    machine: dict[str, Any]
    rows: list[Row] = field(default_factory=list)
    extras: list[str] = field(default_factory=list)
    extra_figures: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def save(self, path: Path) -> None:
        """As JSON, whole or not at all."""
        content = {
            "command": self.command,
            "machine": self.machine,
            "rows": [row.as_json() for row in self.rows],
            "extras": self.extra_figures,
            "notes": self.notes,
            "left_out": dict(self.left_out),
            "failures": self.failures,
        }
        partial = path.with_name(path.name + ".part")
        partial.write_text(json.dumps(content, indent=1) + "\n")
        partial.replace(path)
