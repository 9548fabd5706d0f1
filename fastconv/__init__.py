"""Convolution on the CPU for NumPy arrays: torch's layers and functions on compiled kernels.

``import fastconv as fc`` has every layer (``fc.Conv2d``) and function (``fc.conv2d``);
``fastconv.nn``, ``fastconv.functional``, ``fastconv.optim`` and ``fastconv.reference`` hold them
by kind; ``fastconv.models`` has the networks of the literature, ``fastconv.signal`` SciPy's filters
of images.
"""

from typing import TYPE_CHECKING, Any

from ._find_core import find_core

find_core(__path__)

from . import functional, nn, optim  # noqa: E402
from ._core import (  # noqa: E402
    __version__,
    get_num_threads,
    release_memory,
    set_num_threads,
)
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
    from . import models, reference, signal, training, viz
    from ._explain import explain
    from ._summary import summary
    from .training import fit

__all__ = [
    "__version__",
    "explain",
    "fit",
    "functional",
    "get_cmake_dir",
    "get_include",
    "get_library_dir",
    "get_num_threads",
    "get_pkgconfig_dir",
    "load",
    "manual_seed",
    "models",
    "nn",
    "optim",
    "reference",
    "release_memory",
    "save",
    "set_num_threads",
    "show_config",
    "signal",
    "summary",
    "training",
    "viz",
    *functional.__all__,
    *nn.__all__,
]


# Imported when they are asked for, since who deploys does not need them: the module of each name.
_ON_DEMAND = {
    "explain": "._explain",
    "fit": ".training",
    "models": ".models",
    "reference": ".reference",
    "signal": ".signal",
    "summary": "._summary",
    "training": ".training",
    "viz": ".viz",
}


def __getattr__(name: str) -> Any:
    """What `_ON_DEMAND` names: a module, or what the module has under that name."""
    if name not in _ON_DEMAND:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    module = importlib.import_module(_ON_DEMAND[name], __name__)
    globals()[name] = getattr(module, name, module)
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
