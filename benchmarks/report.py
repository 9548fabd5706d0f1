"""The table at the end of a run: a row a layer and function, then geometric means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from statistics import geometric_mean

from contest import Results, Row

KINDS = {
    "conv": "Convolution",
    "conv_dims": "Convolution in one and three dimensions, and transposed",
    "pool": "Pooling",
    "functions": "Dense layers, activations, losses",
}
OTHERS_MAX = 0.1  # cores; above, figures are not to be quoted
HEADER = (
    f"{'layer':<15}{'function':<24}{'kernel ms':>10}{'reference ms':>14}"
    f"{'GFLOP/s':>9}{'% of peak':>11}{'GB/s':>7}{'speed-up':>9}"
)


def table(results: Results) -> Iterator[tuple[str, bool]]:
    """Its lines, and of each whether the kernel lost there."""
    for line in _preamble(results):
        yield line, False
    rows = [row for row in results.rows.values() if row.medians]
    for kind, title in KINDS.items():
        mine = [row for row in rows if row.kind == kind]
        if mine:
            yield "", False
            yield title, False
            yield HEADER, False
            for row in _by_layer(mine):
                yield _line(row, results.peak_gflops), (row.speedup or 1) < 1
    yield "", False
    for line in _means(rows):
        yield line, False


def _preamble(results: Results) -> Iterator[str]:
    yield from str(results.machine).splitlines()
    others = results.others_cores
    if others is not None:
        advice = ": run again on an idle machine" if others > OTHERS_MAX else ""
        yield f"other processes kept {others:.1f} cores busy meanwhile{advice}"
    yield ""
    yield "Times are medians. GFLOP/s, GB/s and % are the kernel's, of the logical work: each"
    yield "operand read once, each result written once. Peak is matmul peak, NumPy's float32"
    yield f"product of 1024 x 1024 on as many threads: {results.peak_gflops:.0f} GFLOP/s here."
    yield "~ marks a median far above the fastest round: the turn was disturbed."


def _by_layer(rows: list[Row]) -> list[Row]:
    """Sorted so that a network's layers and a layer's functions stand together."""
    networks = list(dict.fromkeys(row.network for row in rows))
    layers = list(dict.fromkeys(row.layer for row in rows))
    return sorted(rows, key=lambda row: (networks.index(row.network), layers.index(row.layer)))


def _line(row: Row, peak: float) -> str:
    gflops = row.gflops()
    share = None if gflops is None else 100 * gflops / peak
    return (
        f"{row.layer:<15}{row.function:<24}"
        + _number(_milliseconds(row, "kernel"), 10, 3)
        + _number(_milliseconds(row, "reference"), 14, 3)
        + _number(gflops, 9, 1)
        + _number(share, 11, 1)
        + _number(row.gbytes(), 7, 1)
        + _number(row.speedup, 9, 2)
        + ("~" if row.disturbed else " ")
    )


def _milliseconds(row: Row, contestant: str) -> float | None:
    seconds = row.medians.get(contestant)
    return None if seconds is None else 1000 * seconds


def _number(value: float | None, width: int, digits: int) -> str:
    return f"{'-':>{width}}" if value is None else f"{value:>{width}.{digits}f}"


def _means(rows: list[Row]) -> Iterator[str]:
    columns = [kind for kind in KINDS if any(row.kind == kind for row in rows)]
    widths = [max(13, len(KINDS[kind]) + 2) for kind in columns]
    titles = "".join(f"{KINDS[kind]:>{width}}" for kind, width in zip(columns, widths))
    yield "Geometric mean of speed-ups"
    yield f"{'network':<15}{titles}{'all':>8}"
    for network in dict.fromkeys(row.network for row in rows):
        mine = [row for row in rows if row.network == network]
        means = (_mean(row for row in mine if row.kind == kind) for kind in columns)
        cells = "".join(_number(mean, width, 2) for mean, width in zip(means, widths))
        yield f"{network:<15}{cells}{_number(_mean(mine), 8, 2)}"


def _mean(rows: Iterable[Row]) -> float | None:
    speedups = [row.speedup for row in rows if row.speedup is not None]
    return geometric_mean(speedups) if speedups else None
