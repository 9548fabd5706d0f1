"""Finds the compiled module where a checkout's own folder hides the installed package."""

from __future__ import annotations

import os
import sys
from importlib.machinery import EXTENSION_SUFFIXES


def find_core(package_path: list[str]) -> None:
    """Let ``_core`` be imported, from the installed package if it does not stand in this one.

    Standing in a checkout, ``import fastconv`` finds the checkout's sources, in which nothing is
    compiled; the folder of the package that was installed from it is added to `package_path`.

    Raises
    ------
    ImportError
        If nothing was built; the message says what to run.
    """
    candidates = [*package_path, *(os.path.join(entry, "fastconv") for entry in sys.path)]
    for folder in candidates:
        if any(os.path.isfile(os.path.join(folder, "_core" + end)) for end in EXTENSION_SUFFIXES):
            if folder not in package_path:
                package_path.append(folder)
            return
    if "fastconv._core" in sys.modules or _editable():
        return
    root = os.path.dirname(package_path[0])
    checkout = os.path.isfile(os.path.join(root, "pyproject.toml"))
    raise ImportError(
        "fastconv's compiled module is not built for this Python; run: "
        f"{sys.executable} -m pip install {root if checkout else '--force-reinstall fastconv'}"
    )


def _editable() -> bool:
    """Whether an editable install's finder knows where the compiled module is."""
    return any("fastconv._core" in getattr(f, "known_wheel_files", {}) for f in sys.meta_path)
