"""Convolution on the CPU for NumPy arrays: torch's layers and functions on compiled kernels.

``import fastconv as fc`` has every layer (``fc.Conv2d``) and function (``fc.conv2d``);
``fastconv.nn``, ``fastconv.functional``, ``fastconv.optim`` and ``fastconv.reference`` hold them
by kind; ``fastconv.models`` has the networks of the literature, ``fastconv.signal`` SciPy's filters
of images.
"""

from typing import TYPE_CHECKING, Any

from ._find_core import find_core

find_core(__path__)

from . import functional  # noqa: E402
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
from .random import manual_seed  # noqa: E402

if TYPE_CHECKING:
    from . import models, nn, optim, reference, signal, training, viz
    from ._explain import explain
    from ._summary import summary
    from .nn import *  # noqa: F403
    from .serialization import load, save
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
]
_without_layers = __all__
if not TYPE_CHECKING:  # `__getattr__` adds the layers when somebody asks for the list
    del __all__


# Imported when they are asked for, so that functions alone start quickly: the module of each name.
# What stands neither here nor above is looked for among the layers.
_ON_DEMAND = {
    "explain": "._explain",
    "fit": ".training",
    "load": ".serialization",
    "models": ".models",
    "nn": ".nn",
    "optim": ".optim",
    "reference": ".reference",
    "save": ".serialization",
    "signal": ".signal",
    "summary": "._summary",
    "training": ".training",
    "viz": ".viz",
}


def __getattr__(name: str) -> Any:
    """What `_ON_DEMAND` names (a module, or what the module has under that name), or a layer."""
    import importlib

    if name in _ON_DEMAND:
        module = importlib.import_module(_ON_DEMAND[name], __name__)
        value = getattr(module, name, module)
    else:
        layers = importlib.import_module(".nn", __name__)
        if name == "__all__":
            value = [*_without_layers, *layers.__all__]
        elif name in layers.__all__:
            value = getattr(layers, name)
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__getattr__("__all__")})
