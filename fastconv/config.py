"""Where the installed C library, headers and package files lie, and how the library was built.

The compiled module ``_core`` stands in the installed package, and beside it ``include/``,
``lib/libfastconv``, ``lib/cmake/fastconv/`` and ``lib/pkgconfig/``.
"""

from __future__ import annotations

import os

from . import _core

__all__ = [
    "get_cmake_dir",
    "get_include",
    "get_library_dir",
    "get_pkgconfig_dir",
    "show_config",
]


def get_include() -> str:
    """Folder to compile with: ``-I`` this, then ``#include <fastconv/fastconv.h>``.

    Returns
    -------
    str

    Raises
    ------
    RuntimeError
        If the headers were not installed.

    Examples
    --------
    >>> import os
    >>> os.path.isfile(os.path.join(get_include(), "fastconv", "fastconv.h"))
    True
    """
    return _installed("C headers", "include")


def get_library_dir() -> str:
    """Folder to link with: ``-L`` this ``-lfastconv``.

    Returns
    -------
    str

    Raises
    ------
    RuntimeError
        If the library was not installed.
    """
    return _installed("C library", "lib")


def get_cmake_dir() -> str:
    """Folder for CMake: ``-Dfastconv_DIR=`` this, then ``find_package(fastconv)``.

    Returns
    -------
    str

    Raises
    ------
    RuntimeError
        If the package files were not installed.
    """
    return _installed("CMake package", "lib", "cmake", "fastconv")


def get_pkgconfig_dir() -> str:
    """Folder for pkg-config: put it into ``PKG_CONFIG_PATH``, then ``pkg-config fastconv``.

    Returns
    -------
    str

    Raises
    ------
    RuntimeError
        If the file was not installed.
    """
    return _installed("pkg-config file", "lib", "pkgconfig")


def show_config() -> None:
    """Print version, compiler, instruction set in use and available, and threads."""
    print(f"fastconv {_core.__version__}")
    print(f"compiler  {_core.compiler()}")
    print(f"ISA       {_core.isa()} (available: {', '.join(_core.available_isas())})")
    print(f"threads   {_core.get_num_threads()}")


def _installed(what: str, *parts: str) -> str:
    folder = os.path.join(os.path.dirname(os.path.abspath(_core.__file__)), *parts)
    if not os.path.isdir(folder):
        raise RuntimeError(
            f"fastconv's {what} is not installed: there is no folder {folder} (wanted beside "
            f"{os.path.basename(_core.__file__)}; reinstall with pip)"
        )
    return folder
