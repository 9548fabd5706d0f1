"""What the functions accept, turned into what they compute on: arrays, integers and tuples.

Shapes and values are checked once, by the compiled core; here only Python's types are.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any, SupportsIndex, TypeGuard, cast

import numpy as np

Array = np.ndarray[tuple[Any, ...], np.dtype[Any]]  # numpy.typing.NDArray[Any], not imported
Ints = int | Sequence[int]
Padding = int | str | Sequence[int | Sequence[int]]

_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
_INT64_MAX = 2**63 - 1
_COUNTS = {2: "two", 3: "three", 4: "four", 5: "five"}


def as_array(function: str, name: str, value: Any) -> Array:
    """The array behind `value`, without a copy where its memory serves.

    Takes whatever has ``__array__``, ``__array_interface__``, the buffer protocol or
    ``__dlpack__`` (on the CPU); anything else is a TypeError.
    """
    if type(value) is np.ndarray:
        return value
    if isinstance(value, np.ndarray):
        return value.view(np.ndarray)
    data = getattr(value, "data", None)
    if type(data) is np.ndarray:  # a Parameter
        return data
    if getattr(value, "requires_grad", False):
        raise TypeError(
            f"{function}: {name} is a {_type_name(value)} that requires a gradient "
            f"(wanted an array: pass {name}.detach())"
        )
    kind = type(value)
    cause = None
    try:
        if hasattr(kind, "__array__") or hasattr(value, "__array_interface__"):
            return np.asarray(value)
        if hasattr(kind, "__dlpack__"):
            return np.from_dlpack(value)
        if not isinstance(value, (str, bytes)):
            return np.asarray(memoryview(value))
    except (TypeError, ValueError, RuntimeError, BufferError) as error:
        cause = error
    raise TypeError(f"{function}: {name} is a {_type_name(value)} (wanted an array)") from cause


def float_arrays(function: str, **named: Any) -> list[Array]:
    """The arrays behind `named`, all float32 or all float64."""
    arrays = [as_array(function, name, value) for name, value in named.items()]
    first = arrays[0].dtype
    for name, array in zip(named, arrays):
        if array.dtype not in _FLOATS or not array.dtype.isnative:
            raise TypeError(
                f"{function}: {name} has dtype {_dtype_name(array.dtype)} "
                "(wanted float32 or float64 in native byte order)"
            )
        if array.dtype != first:
            raise TypeError(
                f"{function}: {next(iter(named))} is {first}, {name} is {array.dtype} "
                "(wanted one dtype)"
            )
    return arrays


def as_int(function: str, name: str, value: SupportsIndex) -> int:
    """`value` as an int that fits 64 bits."""
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{function}: {name} is {value!r} (wanted an int)")
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(
            f"{function}: {name} is {value!r} of type {_type_name(value)} (wanted an int)"
        ) from None
    if not -_INT64_MAX <= number <= _INT64_MAX:
        raise ValueError(f"{function}: {name} is {number} (wanted a number below 2**63)")
    return number


def as_float(function: str, name: str, value: Any) -> float:
    """`value` as a float."""
    if type(value) is float:
        return value
    try:
        if not isinstance(value, (bool, np.bool_, str, bytes)):
            return float(value)
    except (TypeError, ValueError, OverflowError):
        pass
    raise TypeError(
        f"{function}: {name} is {value!r} of type {_type_name(value)} (wanted a number)"
    )


def as_bool(function: str, name: str, value: Any) -> bool:
    """`value` as a bool: one of Python's or NumPy's, 0 or 1."""
    if value is True or value is False:
        return value
    if isinstance(value, np.bool_) or (isinstance(value, np.ndarray) and value.dtype == bool):
        if np.ndim(value) == 0:
            return bool(value)
    elif hasattr(type(value), "__index__") and np.ndim(value) == 0 and value in (0, 1):
        return bool(value)
    raise TypeError(
        f"{function}: {name} is {value!r} of type {_type_name(value)} (wanted True or False)"
    )


def as_flags(function: str, needs: Any, count: int) -> tuple[bool, ...]:
    """`needs` as so many bools."""
    if is_sequence(needs) and len(needs) == count:
        return tuple(bool(need) for need in needs)
    raise ValueError(f"{function}: needs is {needs!r} (wanted {_COUNTS[count]} bools)")


def is_tuple_of_ints(value: Any, dims: int) -> TypeGuard[tuple[int, ...]]:
    """Whether `value` is what `as_tuple` returns, for 1 to 3 dimensions."""
    if type(value) is not tuple or len(value) != dims:
        return False
    return type(value[0]) is type(value[dims // 2]) is type(value[-1]) is int


def as_tuple(function: str, name: str, value: Ints, dims: int) -> tuple[int, ...]:
    """One int a dimension, from one int or from a sequence of `dims` ints."""
    if is_tuple_of_ints(value, dims):
        return value
    if not is_sequence(value):
        return (as_int(function, name, cast(int, value)),) * dims
    numbers = tuple(as_int(function, name, item) for item in value)
    if len(numbers) == 1:
        return numbers * dims
    if len(numbers) != dims:
        raise ValueError(
            f"{function}: {name} is {value!r} with {len(numbers)} numbers "
            f"(wanted one int, or {dims})"
        )
    return numbers


def as_ints(function: str, name: str, value: Ints, dims: int) -> Ints:
    """What the compiled module reads as one int a dimension: an int, or a tuple of `dims`."""
    return value if type(value) is int else as_tuple(function, name, value, dims)


def as_pads(function: str, value: Padding, dims: int) -> Padding:
    """What the compiled module reads as a padding: as `as_ints`, or as `as_padding`."""
    if type(value) is int or is_tuple_of_ints(value, dims):
        return value
    return as_padding(function, value, dims)


def as_padding(function: str, value: Padding, dims: int) -> str | tuple[tuple[int, int], ...]:
    """A named padding as it is; otherwise one (before, after) pair a dimension."""
    if isinstance(value, str):
        return value
    if is_sequence(value):
        pairs: list[tuple[int, int]] = []
        for item in value:
            if is_sequence(item):
                before, after = as_tuple(function, "padding", item, 2)
            else:
                before = after = as_int(function, "padding", cast(int, item))
            pairs.append((before, after))
        if len(pairs) == 1:
            pairs *= dims
        if len(pairs) != dims:
            raise ValueError(
                f"{function}: padding is {value!r} with {len(pairs)} entries "
                f"(wanted one int, {dims} ints, {dims} (before, after) pairs, or a name)"
            )
        return tuple(pairs)
    both = as_int(function, "padding", cast(int, value))
    return ((both, both),) * dims


def is_sequence(value: Any) -> TypeGuard[Sequence[Any]]:
    """Whether `value` holds several numbers in an order, and is not one number as an array."""
    if isinstance(value, np.ndarray):
        return value.ndim > 0
    return isinstance(value, Iterable) and not isinstance(value, (str, bytes, Set, Mapping))


def _type_name(value: Any) -> str:
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def _dtype_name(dtype: np.dtype[Any]) -> str:
    if dtype.isnative:
        return str(dtype)
    foreign = "big" if sys.byteorder == "little" else "little"
    return f"{dtype.str} ({foreign}-endian {dtype.newbyteorder('=').name})"
