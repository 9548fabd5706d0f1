"""What the filters take: arrays, and lists of numbers as SciPy does."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..functional._coerce import as_array
from ._extension import Array


def as_operand(function: str, name: str, value: Any) -> Array:
    """The array behind `value`, in native byte order."""
    if isinstance(value, (list, tuple, int, float, complex)):
        try:
            value = np.array(value)
        except ValueError as error:
            raise ValueError(f"{function}: {name} is a ragged list (wanted an array)") from error
    array = as_array(function, name, value)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))
