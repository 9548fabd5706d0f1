"""One problem for all contestants: prepare, compare the results, then time in turns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from .contestant import OURS, Options, UnavailableError
from .problems import PoolProblem, Problem
from .results import Entry, Row, Run
from .setting import copy_rate, peak
from .stage import FailedError, Worker
from .verdict import judge


def start(
    names: list[str], options: Options, run: Run, tell: Callable[[str], None]
) -> Iterator[Worker]:
    """A worker for each contestant whose library is there."""
    for name in names:
        try:
            yield Worker(name, options)
        except (UnavailableError, FailedError) as error:
            run.left_out[f"{name}: {error}"] += 1
            tell(f"without {name}: {error}")


def compete(
    problem: Problem,
    workers: list[Worker],
    rounds: int,
    folder: Path,
    run: Run,
    timed: bool = True,
) -> Row | None:
    """The problem's row, or None if the library does not take part; what went wrong is noted in
    the run. The workers keep their calls until `release`.
    """
    row = Row(
        *(problem.name, problem.category, str(problem), problem.dtype),
        *(problem.flop, problem.traffic, 0.0),
    )
    present = _prepare(problem, workers, folder, row, run)
    if not any(worker.name in OURS for worker in present):
        return row if row.entries else None
    _check(problem, present, folder, row, run)
    if isinstance(problem, PoolProblem):
        row.limit = copy_rate(problem.traffic)
    else:
        row.limit = peak(problem.dtype)[0]
    before = busy(workers)
    for turn in range(rounds if timed else 0):
        shift = turn % len(present)
        for worker in present[shift:] + present[:shift]:
            entry = row.entries[worker.name]
            if entry.error:
                continue
            try:
                entry.turns.append(worker("turn"))
            except FailedError as error:
                _fail(row, worker.name, str(error), run)
    row.others_cores = cores(before, busy(workers))
    return row


def busy(workers: list[Worker]) -> tuple[float, float]:
    """Seconds of turns so far, and CPU seconds of other processes in them."""
    return sum(worker.seconds for worker in workers), sum(worker.others for worker in workers)


def cores(before: tuple[float, float], after: tuple[float, float]) -> float | None:
    """How many cores the others kept busy between."""
    seconds = after[0] - before[0]
    return max(0.0, after[1] - before[1]) / seconds if seconds else None


def release(workers: list[Worker]) -> None:
    for worker in workers:
        try:
            worker("release")
        except (UnavailableError, FailedError):
            worker.close()


def _prepare(
    problem: Problem, workers: list[Worker], folder: Path, row: Row, run: Run
) -> list[Worker]:
    """Those that have a result now. Ours come first: without them there is no contest."""
    present: list[Worker] = []
    for worker in sorted(workers, key=lambda worker: worker.name not in OURS):
        if worker.name not in OURS and not any(other.name in OURS for other in present):
            break
        try:
            form = worker("prepare", problem, str(folder / f"{worker.name}.npy"))
        except UnavailableError as error:
            run.left_out[f"{worker.name}: {error}"] += 1
        except FailedError as error:
            row.entries[worker.name] = Entry()
            _fail(row, worker.name, str(error), run)
        else:
            row.entries[worker.name] = Entry(form)
            present.append(worker)
    return present


def _check(problem: Problem, present: list[Worker], folder: Path, row: Row, run: Run) -> None:
    paths = {worker.name: folder / f"{worker.name}.npy" for worker in present}
    outputs = {name: np.load(path, mmap_mode="r") for name, path in paths.items()}
    for name, (verdict, difference) in judge(problem, outputs).items():
        entry = row.entries[name]
        entry.verdict, entry.difference = verdict, difference
        if verdict in ("wrong", "rounded"):
            note = f"{problem.name}: {name} is {verdict}, by {difference:.3g} at most"
            run.notes.append(note)
            if verdict == "wrong" and name in OURS:
                run.failures.append(note)
    for path in paths.values():
        path.unlink()


def _fail(row: Row, name: str, error: str, run: Run) -> None:
    row.entries[name].error = error
    note = f"{row.name}: {name} failed: {error}"
    run.notes.append(note)
    if name in OURS:
        run.failures.append(note)
