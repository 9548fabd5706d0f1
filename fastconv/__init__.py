"""Convolution on the CPU for NumPy arrays: torch's layers and functions on compiled kernels.

``import fastconv as fc`` has every layer (``fc.Conv2d``) and function (``fc.conv2d``);
``fastconv.nn``, ``fastconv.functional``, ``fastconv.optim`` and ``fastconv.reference`` hold them
by kind; ``fastconv.signal`` has SciPy's filters of images.
"""

from types import ModuleType
from typing import TYPE_CHECKING

from ._find_core import find_core

find_core(__path__)

from . import functional, nn, optim, signal  # noqa: E402
from ._core import (  # noqa: E402
    __version__,
    get_num_threads,
    release_memory,
    set_num_threads,
)
from ._explain import explain  # noqa: E402
from .config import (  # noqa: E402
    get_cmake_dir,
    get_include,
    get_library_dir,
    get_pkgconfig_dir,
    show_config,
)
from .functional import *  # noqa: E402, F403
from .nn import *  # noqa: E402, F403
from .random import manual_seed  # noqa: E402
from .serialization import load, save  # noqa: E402

if TYPE_CHECKING:
    from . import reference

__all__ = [
    "__version__",
    "explain",
    "functional",
    "get_cmake_dir",
    "get_include",
    "get_library_dir",
    "get_num_threads",
    "get_pkgconfig_dir",
    "load",
    "manual_seed",
    "nn",
    "optim",
    "reference",
    "release_memory",
    "save",
    "set_num_threads",
    "show_config",
    "signal",
    *functional.__all__,
    *nn.__all__,
]


def __getattr__(name: str) -> ModuleType:
    """The reference is imported when it is asked for: who deploys does not need it."""
    if name == "reference":
        import importlib

        return importlib.import_module(".reference", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
