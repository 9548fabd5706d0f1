"""Every test runs with the library's memory filled with NaN before use, on the ISA it asks for."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
import pytest

import fastconv as fc
from fastconv import _core

FORCED = os.environ.get("FASTCONV_ISA")
ISAS = [FORCED] if FORCED else _core.available_isas()


@pytest.fixture(autouse=True)
def poisoned_memory() -> Iterator[None]:
    """Outputs and workspaces start as NaN: whatever is read before it is written shows."""
    _core.set_poison(True)
    yield
    _core.set_poison(False)


@pytest.fixture(params=ISAS)
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each instruction set that this machine runs, or the one that FASTCONV_ISA names.

    The test must run kernels, and its last ones from this ISA's table.
    """
    before = _core.isa()
    _core.set_isa(request.param)
    yield request.param
    assert _core.executed_isa() == request.param
    _core.set_isa(before)


@pytest.fixture(params=[np.float32, np.float64], ids=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> type[np.floating]:
    return request.param


@pytest.fixture
def threads() -> Iterator[None]:
    """Puts the number of threads back."""
    before = fc.get_num_threads()
    yield
    fc.set_num_threads(before)
