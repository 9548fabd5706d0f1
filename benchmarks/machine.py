"""What the figures were measured on, and how fast it multiplies."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits  # type: ignore[import-untyped]

import fastconv
from fastconv import _core


class Machine(NamedTuple):
    cpu: str
    isa: str
    threads: int
    blas: str

    def __str__(self) -> str:
        return (
            f"fastconv {fastconv.__version__}: {self.isa}, {self.threads} threads\n"
            f"NumPy {np.__version__}: {self.blas}\n"
            f"{self.cpu}, {platform.system()}, Python {platform.python_version()}"
        )


def describe() -> Machine:
    return Machine(_cpu(), _core.isa(), fastconv.get_num_threads(), _blas())


def matmul_peak(size: int = 1024, rounds: int = 50, dtype: str = "float32") -> float:
    """Flop a second of NumPy's matrix product, the best of some, on as many threads as
    fastconv uses: the stand-in for a measurement of the machine's own peak.
    """
    a = np.ones((size, size), dtype)
    b, out = a.copy(), a.copy()
    seconds = []
    with threadpool_limits(fastconv.get_num_threads(), user_api="blas"):
        for _ in range(rounds):
            start = time.perf_counter()
            np.matmul(a, b, out=out)
            seconds.append(time.perf_counter() - start)
    return float(2 * size**3 / min(seconds))


def others_seconds() -> float | None:
    """CPU time of every other process since boot, where Linux tells; a difference counts. Our
    threads spin while they wait for each other, so one that has lost its core to another
    process costs a call a whole time slice, 4 or 8 ms.
    """
    stat = Path("/proc/stat")
    if not stat.exists():
        return None
    user, nice, system, _idle, _wait, irq, softirq, steal = map(
        int, stat.read_text().split(maxsplit=9)[1:9]
    )
    busy = user + nice + system + irq + softirq + steal
    return busy / os.sysconf("SC_CLK_TCK") - time.process_time()


def _cpu() -> str:
    if platform.system() == "Darwin":
        query = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(query, capture_output=True, text=True, check=True).stdout.strip()
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _blas() -> str:
    build: Any = np.show_config(mode="dicts")
    library = build["Build Dependencies"]["blas"]
    name = f"{library.get('name', 'BLAS')} {library.get('version', '')}".strip()
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    return f"{name}, {pools[0]['num_threads']} threads" if pools else name
