"""Shapes as Keras orders them, (N, spatial..., C), seen as (N, C, spatial...), without a copy."""

from __future__ import annotations

import numpy as np

from ._coerce import Array

_LAYOUTS = {1: ("NCL", "NLC"), 2: ("NCHW", "NHWC"), 3: ("NCDHW", "NDHWC")}


def check_layout(function: str, layout: str, dims: int) -> bool:
    """Whether `layout` says that channels come last."""
    first, last = _LAYOUTS[dims]
    if layout in (first, "NCHW"):
        return False
    if layout in (last, "NHWC"):
        return True
    raise ValueError(f"{function}: layout is {layout!r} (wanted {first!r} or {last!r})")


def from_nhwc(function: str, name: str, array: Array, dims: int) -> Array:
    """The view of `array` with its last axis moved before the `dims` spatial ones."""
    if array.ndim not in (dims + 1, dims + 2):
        raise ValueError(
            f"{function}: {name} has shape {array.shape} "
            f"(wanted {dims + 2} dimensions, or {dims + 1} without a batch)"
        )
    return np.moveaxis(array, -1, -1 - dims)


def to_nhwc(array: Array, dims: int) -> Array:
    """The view of `array` with its channels, before the `dims` spatial axes, moved last."""
    return np.moveaxis(array, -1 - dims, -1)
