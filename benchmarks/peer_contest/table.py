"""The rows as a Markdown table that also reads in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from .contestant import OURS
from .results import Row

NAME = 44  # characters of the first column
ROUNDED = "*"  # after a peer whose result is right but not to the bit
DISTURBED, OTHERS_MAX = " ~", 0.2  # after a layer while others kept more cores busy than this


def opening(command: str, machine: dict[str, Any]) -> Iterator[str]:
    """What the figures were measured on, and how to measure them again."""
    peaks, threads = machine["peak_gflops"], machine["threads"]
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    yield (
        f"{machine['cpu']}, {threads} thread{'s' * (threads > 1)}, {machine['isa']}; "
        f"peak {peaks['float32']:.0f} GFLOP/s in float32, {peaks['float64']:.0f} in float64 "
        f"({machine['peak_by']}); {versions}."
    )
    yield ""
    yield f"`{command}`"
    yield ""
    yield (
        "Times are medians; a ratio is the best peer's time over ours: above 1, fastconv is "
        "faster. The share is prepared's where it takes part, of the logical work. "
        f"{ROUNDED}: equal but for rounding. {DISTURBED.strip()}: disturbed by other processes."
    )
    yield ""


class Table:
    """Columns for the contestants of ours that take part."""

    def __init__(self, names: Iterable[str], copies: bool) -> None:
        self.ours = [name for name in OURS if name in names]
        self.copies = copies

    def header(self) -> Iterator[str]:
        work, share = ("MB", "% of copy") if self.copies else ("MFLOP", "% of peak")
        titles = [work, *(f"{name} ms" for name in self.ours), *(["GB/s"] * self.copies), share]
        ratios = [f"{name} ratio" for name in self.ours]
        yield self._line("layer", [f"{title:>11}" for title in titles], "best peer, ms", ratios)
        dashes = ["----------:" for _ in titles]
        yield self._line("-" * NAME, dashes, "-" * 22, ["-" * 13 + ":" for _ in ratios])

    def row(self, row: Row) -> str:
        shown = next((n for n in reversed(self.ours) if row.seconds(n) is not None), None)
        cells = [f"{row.work / 1e6:>11.2f}"]
        cells += [_number(row.seconds(name), 11, 1e3, 4) for name in self.ours]
        if self.copies:
            seconds = row.seconds(shown) if shown else None
            cells.append(_number(row.traffic / seconds if seconds else None, 11, 1e-9, 1))
        cells.append(_number(row.share(shown) if shown else None, 11, 100, 1))
        ratios = [_number(row.ratio(name), 14, 1, 2) for name in self.ours]
        mark = DISTURBED if (row.others_cores or 0) > OTHERS_MAX else ""
        return self._line(row.name + mark, cells, self._best(row), ratios)

    def _best(self, row: Row) -> str:
        best = row.best()
        if best is None:
            return "-"
        mark = ROUNDED if row.entries[best].verdict == "rounded" else ""
        return f"{best}{mark} {1e3 * (row.seconds(best) or 0):.4f}"

    def _line(self, name: str, cells: list[str], best: str, ratios: list[str]) -> str:
        middle = " | ".join(cells)
        return f"| {name:<{NAME}} | {middle} | {best:<22} | " + (
            " | ".join(f"{ratio:>14}" for ratio in ratios) + " |"
        )


def _number(value: float | None, width: int, scale: float, digits: int) -> str:
    return f"{'-':>{width}}" if value is None else f"{value * scale:>{width}.{digits}f}"
