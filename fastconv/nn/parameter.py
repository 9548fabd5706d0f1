"""An array that is learned."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..functional._coerce import float_arrays

Array = npt.NDArray[Any]


class Parameter(np.lib.mixins.NDArrayOperatorsMixin):
    """An array with the sum of its gradients.

    Attributes
    ----------
    data : array
        The values; an optimizer changes them in place.
    grad : array or None
        What `backward` added up since the last `zero_grad`; None before the first.
    requires_grad : bool
        False keeps `backward` from computing `grad`.

    Wherever an array is taken, a Parameter serves as its `data`: in NumPy's functions and
    operators (which give plain arrays), in indexing, and in this library.

    >>> import fastconv.nn as nn
    >>> import numpy as np
    >>> nn.Parameter(np.zeros(2)) + 1
    array([1., 1.])
    """

    __slots__ = ("__weakref__", "_data", "_frozen", "grad", "requires_grad")

    _data: Array
    _frozen: bool
    grad: Array | None
    requires_grad: bool

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        (self._data,) = float_arrays("Parameter", data=data)
        self._frozen = False
        self.grad = None
        self.requires_grad = requires_grad

    @property
    def data(self) -> Array:
        """The values."""
        return self._data

    @data.setter
    def data(self, values: Array) -> None:
        if self._frozen:
            raise ValueError("Parameter: data is read-only in a frozen layer (train() thaws it)")
        self._data = values

    @property
    def shape(self) -> tuple[int, ...]:
        """Size of every dimension."""
        return self.data.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32 or float64."""
        return self.data.dtype

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return self.data.ndim

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.data.size

    def add_grad(self, grad: Array) -> None:
        """Add to `grad`, or let it be `grad`."""
        if self.grad is None:
            self.grad = grad
        else:
            self.grad += grad

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        if copy is None:
            return np.asarray(self.data, dtype=dtype)
        return np.array(self.data, dtype=dtype, copy=copy)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """Compute on `data`; ``parameter += array`` changes it in place and stays a Parameter."""
        out = kwargs.get("out", ())
        if out:
            kwargs["out"] = tuple(_data(value) for value in out)
        result = getattr(ufunc, method)(*map(_data, inputs), **kwargs)
        return out[0] if len(out) == 1 and isinstance(out[0], Parameter) else result

    def __getitem__(self, index: Any) -> Any:
        return self.data[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        self.data[index] = value

    def __len__(self) -> int:
        return len(self.data)

    __hash__ = object.__hash__

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.data, self.requires_grad)

    def __repr__(self) -> str:
        flag = "" if self.requires_grad else ", requires_grad=False"
        return f"Parameter containing:\n{self.data!r}{flag}"


def _data(value: Any) -> Any:
    return value.data if isinstance(value, Parameter) else value
