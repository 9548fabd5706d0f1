"""The machine of a run: what it is, how fast it multiplies and how fast it copies."""

from __future__ import annotations

import math
import time
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from machine import describe, matmul_peak

import fastconv
from fastconv import _core

COPIES = 9  # of which the fastest counts
PEAKS = 20  # likewise, of a loop of 12 ms: one in ten found both threads on one core


@lru_cache
def peak(dtype: str) -> tuple[float, str]:
    """Flop a second on all threads, and how it was measured: our loop of multiply-adds where the
    library has it, otherwise NumPy's matrix product.
    """
    loop = getattr(_core, "peak_flops", None)
    if loop is None:
        return matmul_peak(dtype=dtype), "NumPy matrix product"
    return max(float(loop(dtype)) for _ in range(PEAKS)), "multiply-add loop"


def copy_rate(traffic: int) -> float:
    """Bytes a second that NumPy reads and writes where it copies, of so many in all."""
    source = np.ones(max(traffic // 8, 1), np.float32)
    target = np.zeros_like(source)
    repeats = max(1, math.ceil(1e6 / source.nbytes))
    seconds = []
    for _ in range(COPIES):
        start = time.perf_counter()
        for _ in range(repeats):
            np.copyto(target, source)
        seconds.append((time.perf_counter() - start) / repeats)
    return 2 * source.nbytes / min(seconds)


def machine(threads: int) -> dict[str, Any]:
    fastconv.set_num_threads(threads)
    about = describe()
    return {
        "cpu": about.cpu,
        "isa": about.isa,
        "threads": threads,
        "peak_gflops": {dtype: peak(dtype)[0] / 1e9 for dtype in ("float32", "float64")},
        "peak_by": peak("float32")[1],
        "versions": {
            name: found
            for name in ("fastconv", "numpy", "torch", "onnxruntime", "openvino")
            if (found := _version(name))
        },
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
