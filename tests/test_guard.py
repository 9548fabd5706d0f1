"""Kernels read and write their operands and nothing beside them: each operand in turn ends, or
begins, at a page that is not mapped, where one element too many ends the process.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ISAS

SCRIPT = Path(__file__).with_name("guarded.py")


@pytest.mark.skipif(sys.platform != "linux", reason="wants Linux's mprotect")
@pytest.mark.parametrize("order", ["first", "last"])
@pytest.mark.parametrize("algorithm", ["auto", "direct", "im2col", "tiled"])
@pytest.mark.parametrize("isa", ISAS)
def test_nothing_beside_an_operand_is_touched(isa, algorithm, order):
    done = subprocess.run(
        [sys.executable, SCRIPT, isa, algorithm, order], cwd="/",
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"ended with {done.returncode}: {done.stderr[-2000:]}"
    assert done.stdout == "done\n"
