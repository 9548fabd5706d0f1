"""Types, lint, examples in docstrings, and the shape of the repository."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastconv as fc

ROOT = Path(__file__).parent.parent
OPTIONAL = {"fastconv.__main__"}


@pytest.mark.parametrize(
    "command",
    [
        ["mypy", "--no-error-summary", "fastconv"],
        ["ruff", "check", "--quiet", "."],
        ["ruff", "format", "--check", "--quiet", "."],
    ],
    ids=["mypy", "ruff check", "ruff format"],
)
def test_tool_is_content(command):
    pytest.importorskip(command[0])
    if command[0] == "mypy" and np.lib.NumpyVersion(np.__version__) < "2.2.0":
        pytest.skip("NumPy's own types were wrong before")
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def modules():
    found = [fc]
    for info in pkgutil.walk_packages(fc.__path__, "fastconv."):
        if info.name not in OPTIONAL and not info.name.endswith("_core"):
            found.append(importlib.import_module(info.name))
    return found


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.__name__)
def test_examples_in_docstrings(module):
    finder = doctest.DocTestFinder(exclude_empty=True)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    for test in finder.find(module, globs={**vars(module), "fc": fc, "np": np}):
        runner.run(test)
    assert runner.failures == 0


def test_first_example_of_the_readme_runs():
    example = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert example
    names: dict[str, object] = {}
    exec(example[1], names)
    assert np.isfinite(names["loss"])


def test_every_public_name_is_documented():
    for name in fc.__all__:
        value = getattr(fc, name)
        if callable(value) and not name.startswith("__"):
            assert value.__doc__, name


def test_top_level_holds_what_it_should():
    tracked = subprocess.run(
        ["git", "ls-tree", "--name-only", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if tracked.returncode != 0:
        pytest.skip("not a git checkout")
    visible = {name for name in tracked.stdout.split() if not name.startswith(".")}
    files = {"pyproject.toml", "CMakeLists.txt", "README.md", "LICENSE"}
    assert visible == files | {"src", "fastconv", "benchmarks", "tests"}


def test_folders_include_only_levels_below():
    """api > conv, elementwise, norm, pool > gemm > plan > dispatch > kernels; runtime and the
    public header lowest.
    """
    level = {"python": 7, "api": 6, "conv": 5, "elementwise": 5, "norm": 5, "pool": 5, "gemm": 4,
             "plan": 3, "dispatch": 2, "kernels": 1, "runtime": 0, "fastconv": 0}  # fmt: skip
    for path in (ROOT / "src").rglob("*.[ch]pp"):
        own = path.parent.name
        for folder in re.findall(r'#include "(\w+)/', path.read_text()):
            assert folder == own or level[folder] < level[own], f"{path} includes {folder}/"


def test_the_core_knows_no_python():
    for path in (ROOT / "src").rglob("*.[ch]*"):
        if path.parent.name != "python" and path.is_file():
            assert "pybind11" not in path.read_text(), path
