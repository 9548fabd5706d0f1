"""What a convolution's table does not show: a tiny call's overhead, and what a fused activation
and addition cost.
"""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

from .contestant import UnavailableError
from .problems import PoolProblem, Problem, conv
from .results import Run
from .rounds import compete, release
from .stage import FailedError, Worker

TINY: tuple[Problem, ...] = (
    conv("conv2d 1x1x8x8, 1x1x3x3", "tiny", (1, 1, 8, 8), 1, 3),
    PoolProblem("max_pool2d(2) 1x1x8x8", "tiny", "max", 1, 1, (8, 8), 2, 2),
)
EPILOGUE = conv("resnet50.2_3x3", "epilogue", (1, 64, 56, 56), 64, 3, padding=1)
EPILOGUE_SECONDS = 1.5


def extras(workers: list[Worker], rounds: int, folder: Path, run: Run) -> None:
    """Add to the run's lines and figures."""
    for problem in TINY:
        seconds = _burst(problem, workers, rounds, folder, run)
        run.extra_figures[problem.name] = seconds
        cells = ", ".join(f"{name} {1e6 * best:.2f}" for name, best in seconds.items())
        run.extras.append(f"tiny call, {problem.name}, microseconds: {cells or 'none'}")
    for worker in workers:
        if worker.name == "plain":
            run.extras.append(_epilogue(worker, run))


def _burst(
    problem: Problem, workers: list[Worker], rounds: int, folder: Path, run: Run
) -> dict[str, float]:
    """Seconds of a call among many, the best of all turns."""
    row = compete(problem, workers, rounds, folder, run, timed=False)
    best: dict[str, float] = {}
    for _ in range(rounds if row else 0):
        for worker in workers:
            if row and worker.name in row.entries and not row.entries[worker.name].error:
                try:
                    seconds = worker("burst")
                except FailedError as error:
                    row.entries[worker.name].error = str(error)
                else:
                    best[worker.name] = min(seconds, best.get(worker.name, seconds))
    release(workers)
    return best


def _epilogue(worker: Worker, run: Run) -> str:
    try:
        times: dict[str, list[float]] = worker("epilogue", EPILOGUE, EPILOGUE_SECONDS)
    except (UnavailableError, FailedError) as error:
        return f"fused epilogue: {error}"
    medians: dict[str, Any] = {name: median(values) for name, values in times.items()}
    run.extra_figures["epilogue"] = medians
    relu, residual = (medians[name] / medians["plain"] for name in ("activation", "residual"))
    return (
        f"fused epilogue, {EPILOGUE}: plain {1e3 * medians['plain']:.3f} ms; "
        f"with activation='relu' {relu:.3f} times that, with residual= too {residual:.3f}"
    )
