"""The one source of random numbers: seeded by `manual_seed`, drawn from by layers and dropout."""

from __future__ import annotations

from _thread import allocate_lock  # threading would take a tenth of fastconv's import
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["manual_seed"]

# A string: numpy.random is imported when it is first used.
Rng: TypeAlias = "np.random.Generator | int"

_lock = allocate_lock()
_default: np.random.Generator | None = None


def manual_seed(seed: int) -> None:
    """Make all random numbers drawn from here on (initial values, dropout) repeat.

    >>> import fastconv as fc
    >>> fc.manual_seed(0)
    >>> first = fc.nn.Linear(3, 2).weight.data
    >>> fc.manual_seed(0)
    >>> bool((fc.nn.Linear(3, 2).weight.data == first).all())
    True
    """
    global _default
    seeded = _seeded(seed)
    with _lock:
        _default = seeded


def as_generator(rng: Rng | None = None) -> np.random.Generator:
    """The generator `rng` stands for: itself, a new one of an int seed, or the default one.

    NumPy's generators lock themselves, so threads may share one.
    """
    global _default
    if isinstance(rng, np.random.Generator):
        return rng
    if rng is not None:
        return _seeded(rng)
    with _lock:
        if _default is None:
            _default = np.random.default_rng()
        return _default


def draw_seed(rng: Rng | None = None) -> int:
    """A seed for something that must be drawn again later."""
    return int(as_generator(rng).integers(2**63 - 1))


def uniform(
    bound: float, shape: tuple[int, ...], dtype: npt.DTypeLike, rng: Rng | None = None
) -> npt.NDArray[Any]:
    """Numbers of the uniform distribution from -`bound` to `bound`."""
    return as_generator(rng).uniform(-bound, bound, shape).astype(dtype)


def _seeded(seed: int) -> np.random.Generator:
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
        raise TypeError(f"seed is a {type(seed).__name__} (wanted an int or, as rng, a Generator)")
    if seed < 0:
        raise ValueError(f"seed is {seed} (wanted 0 or more)")
    return np.random.default_rng(int(seed))
