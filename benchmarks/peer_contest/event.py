"""A whole run: contestants, problems, table, summary, files."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .contestant import CONTESTANTS, Options
from .conv_cases import conv_cases, gradients
from .extras import extras
from .pool_cases import pool_cases
from .problems import Problem
from .results import Run
from .rounds import busy, compete, cores, release, start
from .setting import machine
from .stage import Worker
from .summary import summary
from .table import Table, opening

FIELD = {
    "conv": tuple(CONTESTANTS),
    "bwd": ("plain", "torch", "torch-nhwc"),
    "pool": ("plain", "torch", "torch-nhwc", "onnxruntime", "openvino"),
}
LARGEST_RESULTS = 4 << 30  # bytes, of all contestants for one problem
EXTRAS = ("tiny", "epilogue")  # what -k calls the lines after a table of convolutions


def problems(what: str, pattern: str) -> list[Problem]:
    """Those whose name or class contains the pattern."""
    everything: dict[str, Any] = {
        "conv": conv_cases,
        "bwd": lambda: gradients(conv_cases()),
        "pool": pool_cases,
    }
    return [p for p in everything[what]() if pattern in p.name or pattern in p.category]


def listing(what: str, pattern: str) -> Iterator[str]:
    for problem in problems(what, pattern):
        work = f"{problem.flop / 1e6:.1f} MFLOP" if problem.flop else ""
        yield f"{problem.category:<20}{problem.name:<44} {problem!s:<44} {work}".rstrip()


class Paper:
    """Lines that are printed as they come and kept for the file."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def write(self, line: str) -> None:
        self.lines.append(line)
        print(line, flush=True)


def hold(options: argparse.Namespace, command: str) -> int:
    """Run it; the exit status is 1 where the library was wrong, 130 where it was interrupted."""
    selected = problems(options.what, options.k)
    more = options.what == "conv" and options.k in ("", *EXTRAS)
    if not selected and not more:
        return _complain(f"-k {options.k!r} selects nothing (see --list)")
    field = FIELD[options.what]
    names = options.contestants.split(",") if options.contestants else list(field)
    if unknown := [name for name in names if name not in field]:
        return _complain(f"{options.what} has no contestant {', '.join(unknown)}: {field}")

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    run, paper, status = Run(command, machine(options.threads)), Paper(), 0
    workers: list[Worker] = []
    try:
        with tempfile.TemporaryDirectory(dir=_memory()) as folder:
            try:
                settings = Options(options.threads, options.layout)
                for worker in start(names, settings, run, _tell):
                    workers.append(worker)  # each at once: it is to be killed in any case
                _table(options, selected, workers, Path(folder), run, paper)
                if more:
                    extras(workers, options.rounds, Path(folder), run)
            finally:
                for worker in workers:
                    worker.close()
    except KeyboardInterrupt:
        status = 130
    finally:
        _finish(options, run, paper, workers)
    return status or (1 if run.failures else 0)


def _table(
    options: argparse.Namespace,
    selected: list[Problem],
    workers: list[Worker],
    folder: Path,
    run: Run,
    paper: Paper,
) -> None:
    table = Table([worker.name for worker in workers], copies=options.what == "pool")
    for line in opening(run.command, run.machine):
        paper.write(line)
    for line in table.header() if selected else ():
        paper.write(line)
    for problem in selected:
        noted = len(run.notes)
        row = compete(problem, workers, options.rounds, folder, run)
        release(workers)
        if row is None:
            _tell(f"{problem.name}: without fastconv, so left out")
            continue
        run.rows.append(row)
        paper.write(table.row(row))
        for note in run.notes[noted:]:
            _tell(note)
        if options.json:
            run.save(options.json)


def _finish(options: argparse.Namespace, run: Run, paper: Paper, workers: list[Worker]) -> None:
    run.machine["others_cores"] = cores((0.0, 0.0), busy(workers))
    paper.write("")
    for line in summary(run):
        paper.write(line)
    if options.markdown:
        options.markdown.write_text("\n".join(paper.lines) + "\n")
    if options.json:
        run.save(options.json)
    for failure in run.failures:
        _tell(f"FAILED {failure}")


def _memory() -> str | None:
    """Where results are handed over: in memory where there is such a folder, large enough."""
    folder = "/dev/shm"
    usable = os.access(folder, os.W_OK) and shutil.disk_usage(folder).free >= LARGEST_RESULTS
    return folder if usable else None


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _complain(text: str) -> int:
    _tell(f"peers.py: {text}")
    return 2
