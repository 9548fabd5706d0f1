"""`fastconv.signal` beside SciPy on a 1024 x 1024 image, kernels of 3 x 3 to 31 x 31.

``python benchmarks/filters.py [--threads 1] [--rounds 5] [--dtype float32 ...] [--kernel 3 ...]``:
SciPy's filters run on one thread whatever `--threads` says. Both results, of whole numbers, must
be equal before anything is timed; the contestants take turns, and the medians are printed.
``--border`` compares instead the two ways to continue an image beyond its edges: the border
computed apart from the image, or a padded copy.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from checks import Array
from scipy import ndimage
from scipy import signal as scipy_signal

import fastconv as fc
from fastconv import signal
from fastconv.signal import _sums

SIZE = 1024
KERNELS = (3, 5, 7, 9, 11, 15, 21, 31)
Call = Callable[[], Array]


def cases(x: Array, w: Array) -> dict[str, tuple[Call, Call]]:
    """Ours and SciPy's, by name."""
    return {
        "convolve2d same": (
            lambda: signal.convolve2d(x, w, "same"),
            lambda: scipy_signal.convolve2d(x, w, "same"),
        ),
        "convolve2d full symm": (
            lambda: signal.convolve2d(x, w, "full", "symm"),
            lambda: scipy_signal.convolve2d(x, w, "full", "symm"),
        ),
        "ndimage.convolve reflect": (
            lambda: signal.convolve(x, w),
            lambda: ndimage.convolve(x, w),
        ),
        "ndimage.convolve constant": (
            lambda: signal.convolve(x, w, mode="constant"),
            lambda: ndimage.convolve(x, w, mode="constant"),
        ),
    }


def integers(shape: tuple[int, ...], dtype: str, seed: int) -> Array:
    generator = np.random.default_rng(seed)
    values: Array = generator.integers(1, 4, shape).astype(dtype)
    return values


def timed(calls: dict[str, Call], rounds: int) -> dict[str, float]:
    """Median seconds of each, in turns; slow ones take a round fewer."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            repeats = 1 if sum(times[name]) / (len(times[name]) or 1) > 0.05 else 5
            if len(times[name]) * statistics.fmean(times[name] or [0]) > 2:
                continue
            for _ in range(repeats):
                start = time.perf_counter()
                call()
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def contest(options: Any) -> None:
    print(f"{SIZE} x {SIZE}, {options.threads} threads for fastconv, 1 for SciPy; ms and ratio")
    for dtype in options.dtype:
        x = integers((SIZE, SIZE), dtype, 0)
        for kernel in options.kernel:
            w = integers((kernel, kernel), dtype, 1)
            for name, (ours, theirs) in cases(x, w).items():
                np.testing.assert_array_equal(ours(), theirs())
                medians = timed({"ours": ours, "theirs": theirs}, options.rounds)
                ratio = medians["theirs"] / medians["ours"]
                print(
                    f"{dtype:8} {kernel:2} x {kernel:<2}  {name:26} {medians['ours'] * 1e3:9.3f} "
                    f"{medians['theirs'] * 1e3:9.2f} {ratio:7.1f}",
                    flush=True,
                )


def border(options: Any) -> None:
    """Milliseconds of ``convolve(x, w)`` either way; the smaller tells which should be taken."""
    for dtype in options.dtype:
        x = integers((SIZE, SIZE), dtype, 0)
        for kernel in options.kernel:
            w = integers((kernel, kernel), dtype, 1)

            def way(small: int, w: Array = w, x: Array = x) -> Array:
                _sums._SMALL_KERNEL = small
                return signal.convolve(x, w)

            medians = timed({"apart": lambda: way(10**6), "padded": lambda: way(0)}, options.rounds)
            print(
                f"{dtype:8} {kernel:2} x {kernel:<2} apart {medians['apart'] * 1e3:8.3f} "
                f"padded {medians['padded'] * 1e3:8.3f}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dtype", nargs="+", default=["float32", "float64", "uint8"])
    parser.add_argument("--kernel", nargs="+", type=int, default=KERNELS)
    parser.add_argument("--border", action="store_true")
    options = parser.parse_args()
    fc.set_num_threads(options.threads)
    (border if options.border else contest)(options)


if __name__ == "__main__":
    main()
