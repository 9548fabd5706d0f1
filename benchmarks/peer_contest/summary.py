"""What the table says: by class, over all, and against PyTorch."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import geometric_mean

from .contestant import OURS
from .results import PYTORCH, Row, Run


def summary(run: Run) -> Iterator[str]:
    """Lines of Markdown; nothing where no ratio is known."""
    ours = [name for name in OURS if any(row.ratio(name) is not None for row in run.rows)]
    if ours:
        yield from _classes(run.rows, ours)
        yield ""
        for name in ours:
            yield from _overall(run.rows, name)
    yield from _against_pytorch(run.rows)
    for line in run.extras:
        yield f"- {line}"
    yield from _remarks(run)


def _classes(rows: list[Row], ours: list[str]) -> Iterator[str]:
    titles = [f"{name} {what}" for name in ours for what in ("mean", "least", "least in")]
    yield "| class | layers | " + " | ".join(titles) + " |"
    yield "| --- | ---: | " + " | ".join(["---:", "---:", "---"] * len(ours)) + " |"
    for category in (*dict.fromkeys(row.category for row in rows), "all"):
        mine = [row for row in rows if category in ("all", row.category)]
        cells = [cell for name in ours for cell in _class_cells(mine, name)]
        yield f"| {category} | {len(mine)} | " + " | ".join(cells) + " |"


def _class_cells(rows: list[Row], name: str) -> list[str]:
    """Geometric mean, minimum, and which row the minimum is."""
    ratios = _ratios(rows, name)
    if not ratios:
        return ["-", "-", "-"]
    least = min(ratios, key=lambda row: ratios[row])
    return [f"{geometric_mean(ratios.values()):.2f}", f"{ratios[least]:.2f}", least]


def _overall(rows: list[Row], name: str) -> Iterator[str]:
    ratios = _ratios(rows, name)
    ascending = sorted(ratios.items(), key=lambda item: item[1])
    losses = [f"{row} {ratio:.2f}" for row, ratio in ascending if ratio < 1]
    yield (
        f"- {name} against the best peer: geometric mean {geometric_mean(ratios.values()):.2f} "
        f"over {len(ratios)}; below 1.0: {len(losses)}{': ' * bool(losses)}{', '.join(losses)}."
    )


def _against_pytorch(rows: list[Row]) -> Iterator[str]:
    better = _ratios(rows, "plain", PYTORCH)
    contiguous = _ratios(rows, "plain", PYTORCH[:1])
    if better:
        least = min(better, key=lambda row: better[row])
        yield (
            f"- plain against the better of PyTorch's two layouts: geometric mean "
            f"{geometric_mean(better.values()):.2f}, least {better[least]:.2f} ({least})."
        )
    if contiguous:
        mean = geometric_mean(contiguous.values())
        yield f"- plain against PyTorch in NCHW: geometric mean {mean:.2f}."


def _remarks(run: Run) -> Iterator[str]:
    for reason, count in run.left_out.items():
        yield f"- left out: {reason}" + f" ({count} times)" * (count > 1)
    for note in run.notes:
        yield f"- {note}"
    others = run.machine.get("others_cores")
    if others is not None:
        advice = ": run again on an idle machine" if others > 0.1 else ""
        yield f"- other processes kept {others:.2f} cores busy during the turns{advice}"


def _ratios(rows: list[Row], name: str, among: tuple[str, ...] | None = None) -> dict[str, float]:
    pairs = ((row.name, row.ratio(name, among) if among else row.ratio(name)) for row in rows)
    return {row: ratio for row, ratio in pairs if ratio is not None}
