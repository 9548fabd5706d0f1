"""What the functions written in NumPy share: IEEE arithmetic without warnings, and shape checks."""

from __future__ import annotations

import numpy as np

from ._coerce import Array, float_arrays


def ieee() -> np.errstate:
    """Context in which 0 * inf is NaN and a sum too large is inf, as results and not as warnings.

    For arithmetic whose operands may be infinite; no formula here overflows for finite ones
    where its true value is finite.
    """
    return np.errstate(over="ignore", invalid="ignore", divide="ignore")


def same_shape(function: str, **arrays: Array) -> None:
    """Raise a ValueError unless `arrays` have one shape."""
    shapes = {array.shape for array in arrays.values()}
    if len(shapes) > 1:
        got = ", ".join(f"{name} has shape {array.shape}" for name, array in arrays.items())
        raise ValueError(f"{function}: {got} (wanted one shape)")


def gradient_arrays(function: str, **named: object) -> list[Array]:
    """Float arrays of one dtype and one shape: what an elementwise gradient takes."""
    arrays = float_arrays(function, **named)
    same_shape(function, **dict(zip(named, arrays, strict=True)))
    return arrays
