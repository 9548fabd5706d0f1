"""Kernel beside NumPy reference: ``python -m pytest benchmarks`` times every function on layers of
known networks, ``--benchmark-disable`` checks the results and times nothing.

pytest-benchmark's options select and save (``-k "alexnet and conv2d"``, ``--benchmark-json=FILE``);
its own tables, one for each pair, appear with ``--benchmark-verbose`` alone.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from contest import CONTESTANTS, Contest, Results
from report import table

RESULTS = pytest.StashKey[Results]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[RESULTS] = Results()
    if not (config.option.benchmark_compare or config.option.benchmark_histogram):
        config.option.benchmark_quiet = True


@pytest.hookimpl(trylast=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The last parameter varies fastest: a case's contestants follow each other."""
    if "contestant" in metafunc.fixturenames:
        metafunc.parametrize("contestant", CONTESTANTS)


@pytest.fixture
def contest(request: pytest.FixtureRequest, benchmark: Any, contestant: str) -> Contest:
    kind = request.path.stem.removeprefix("test_")
    return Contest(benchmark, contestant, kind, request.config.stash[RESULTS])


def pytest_benchmark_update_machine_info(
    config: pytest.Config, machine_info: dict[str, Any]
) -> None:
    results = config.stash[RESULTS]
    machine_info["fastconv"] = results.machine._asdict()
    machine_info["fastconv"]["matmul_peak_gflops"] = results.peak_gflops


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    results = config.stash[RESULTS]
    if not any(row.medians for row in results.rows.values()):
        checked = len(results.rows)
        if checked:
            terminalreporter.write_line(f"{checked} results equal the reference's; nothing timed")
        return
    terminalreporter.section("fastconv beside its NumPy reference")
    for line, lost in table(results):
        terminalreporter.write_line(line, yellow=lost)
