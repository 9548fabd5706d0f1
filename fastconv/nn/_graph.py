"""What a structure of modules computes in eval(), as steps in an order, fused where one call does.

Values are numbered; 0 is the input. Each module appends itself (`Module._steps`); `Graph.fused`
then hands to a convolution or linear layer what alone reads its output:

    sums -> affine map (batch norm) -> + another value -> activation        one step
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from .. import _core
from .. import functional as F
from ..functional._coerce import Array, as_array
from ..functional._convolution import as_activation
from .activation import activation_of

if TYPE_CHECKING:
    from .module import FunctionModule, Module

Values = list[Array]


class Step:
    """One call: reads the values `inputs`, makes the value `output`."""

    writes = False  # `run` can write to a given array
    trusted = True  # nobody keeps the arrays that it reads

    def __init__(self, inputs: Sequence[int], *modules: Module) -> None:
        self.inputs = list(inputs)
        self.output = 0
        self.modules = list(modules)

    def run(self, arrays: Values, out: Array | None = None) -> Array:
        """The output, in `out` where it is given (of a step that `writes`)."""
        raise NotImplementedError

    def bound(self, arrays: Values, out: Array) -> Callable[[], object]:
        """`run` on arrays that stay."""
        return lambda: self.run(arrays, out)

    def takes(self, step: Step, residual: int | None) -> bool:
        """Whether this step computes `step` too, which reads its output (and `residual`)."""
        return False


class Layer(Step):
    """A module as it is. One that is not of this package may keep its input, or hand it on."""

    def __init__(self, inputs: Sequence[int], *modules: Module) -> None:
        super().__init__(inputs, *modules)
        package = __name__.partition(".")[0]
        self.trusted = type(modules[0]).__module__.startswith(f"{package}.")

    def run(self, arrays: Values, out: Array | None = None) -> Any:
        """The module's output, which may be no array where another module reads it."""
        return self.modules[0](arrays[0])


class Affine(Layer):
    """A module that is a scale and a shift of each channel."""


class Activation(Layer):
    """A module that is one of the activations."""


class Function(Step):
    """A function without parameters, which may have `out=`."""

    def __init__(self, value: int, module: FunctionModule) -> None:
        super().__init__([value], module)
        self.function, self.settings = getattr(F, module.function), module._settings()
        self.writes = "out" in (self.function.__kwdefaults__ or {})

    def run(self, arrays: Values, out: Array | None = None) -> Array:
        """The function's value."""
        given = {} if out is None else {"out": out}
        output: Array = self.function(arrays[0], **self.settings, **given)
        return output

    def bound(self, arrays: Values, out: Array) -> Callable[[], object]:
        """Pooling without a look at the arrays in each call, where it copies nothing."""
        if "_pool" in self.function.__name__:
            call = self.function(arrays[0], **self.settings, out=_core.Binding(out))
            if call is not None:
                return cast("Callable[[], object]", call)
        return super().bound(arrays, out)


class View(Step):
    """A module that gives its input another shape, and copies it only where it must.

    The copy has a place in a plan, so that what reads it can be bound: a first linear layer behind
    channels-last maps.
    """

    writes = True

    def run(self, arrays: Values, out: Array | None = None) -> Array:
        """The same numbers."""
        if out is None:
            return as_array("view", "output", self.modules[0](arrays[0]))
        np.copyto(out.reshape(arrays[0].shape), arrays[0])
        return out


class Sums(Step):
    """A convolution or linear layer, with what follows it."""

    writes = True

    def __init__(self, inputs: Sequence[int], *modules: Module) -> None:
        super().__init__(inputs, *modules)
        self.affine: Any = None
        self.activation: Any = None
        self._packed: Any = None

    def takes(self, step: Step, residual: int | None) -> bool:
        """Takes an affine map, then a sum with `residual`, then an activation."""
        if self.activation is not None:
            return False
        if isinstance(step, Activation):
            self.activation = activation_of(step.modules[0])
        elif residual is not None:
            if len(self.inputs) > 1:
                return False
            self.inputs.append(residual)
        elif isinstance(step, Affine) and self.affine is None and len(self.inputs) == 1:
            layer: Any = self.modules[0]
            if not layer._folds:
                return False
            self.affine = step.modules[0]._affine()
        else:
            return False
        self.modules += step.modules
        return True

    @property
    def packed(self) -> Any:
        """The layer on its packed weights."""
        if self._packed is None:
            layer: Any = self.modules[0]
            self._packed = layer._pack_with(self.activation, self.affine)
        return self._packed

    def run(self, arrays: Values, out: Array | None = None) -> Array:
        """The finished sums."""
        output: Array = self.packed(arrays[0], residual=(*arrays, None)[1], out=out)
        return output

    def bound(self, arrays: Values, out: Array) -> Callable[[], object]:
        """Without a look at the arrays in each call, where strides allow."""
        bind = getattr(self.packed, "bind", None)
        residual = (*arrays, None)[1]
        if bind is None or (residual is not None and residual.strides != out.strides):
            return super().bound(arrays, out)
        call: Callable[[], object] = bind(arrays[0], residual, out)
        return call


class Sum(Step):
    """Two values added, and an activation."""

    writes = True

    def __init__(self, inputs: Sequence[int], module: Any) -> None:
        super().__init__(inputs, module)
        self.activation: Any = None

    def takes(self, step: Step, residual: int | None) -> bool:
        """Takes an activation."""
        if self.activation is not None or not isinstance(step, Activation):
            return False
        self.activation = activation_of(step.modules[0])
        self.modules += step.modules
        return True

    def run(self, arrays: Values, out: Array | None = None) -> Array:
        """The sum of arrays of one shape."""
        module: Any = self.modules[0]
        module._check(*arrays)
        first, second = arrays
        total: Array = np.add(first, second) if out is None else np.add(first, second, out=out)
        if self.activation is not None:
            _core.activate_("Residual", *as_activation("Residual", self.activation), total)
        return total


class Join(Step):
    """Values one after the other along an axis."""

    writes = True

    def run(self, arrays: Values, out: Array | None = None) -> Array:
        """The joined arrays; copies what does not stand in its part of `out` already."""
        module: Any = self.modules[0]
        if out is None:
            joined: Array = module._joined(arrays)
            return joined
        for part, array in zip(self.parts(out, arrays), arrays, strict=True):
            if part.ctypes.data != array.ctypes.data:
                np.copyto(part, array)
        return out

    def parts(self, out: Array, shapes: Sequence[Any]) -> Values:
        """The places of values of these shapes (or arrays) in `out`."""
        module: Any = self.modules[0]
        axis = module.dim
        ends = np.cumsum([getattr(like, "shape", like)[axis] for like in shapes])
        return np.split(out, ends[:-1].tolist(), axis)

    def bound(self, arrays: Values, out: Array) -> Callable[[], object]:
        """The copies alone."""
        pairs = [
            (part, array)
            for part, array in zip(self.parts(out, arrays), arrays, strict=True)
            if part.ctypes.data != array.ctypes.data
        ]

        def copy() -> None:
            for part, array in pairs:
                np.copyto(part, array)

        return copy


class Graph:
    """The steps of a structure. Modules append to it in the order of their calls."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.modules: list[Module] = []
        self.output = 0

    def visit(self, module: Module, value: int) -> int:
        """What `module` makes of `value`."""
        self.modules.append(module)
        return module._steps(self, value)

    def add(self, step: Step) -> int:
        """Append a step; returns the number of its output."""
        self.steps.append(step)
        step.output = len(self.steps)
        return step.output

    def layer(self, module: Module, value: int) -> int:
        """Append a module of which nothing is known but what it tells itself."""
        return self.add((Layer if module._affine() is None else Affine)([value], module))

    def function(self, module: FunctionModule, value: int) -> int:
        """Append a function with the module's settings."""
        if activation_of(module) is not None:
            return self.add(Activation([value], module))
        return self.add(Function(value, module))

    def sums(self, layer: Module, value: int) -> int:
        """Append a convolution or linear layer."""
        return self.add(Sums([value], layer))

    def sum(self, module: Module, values: Sequence[int]) -> int:
        """Append the addition of two values."""
        return self.add(Sum(values, module))

    def join(self, module: Module, values: Sequence[int]) -> int:
        """Append the joining of values."""
        return self.add(Join(values, module))

    def view(self, module: Module, value: int) -> int:
        """Append a module that only gives another shape."""
        return self.add(View([value], module))

    def fused(self) -> list[Step]:
        """The steps, those left out that one before computes too."""
        readers = Counter(value for step in self.steps for value in step.inputs)
        readers[self.output] += 1
        steps: list[Step] = []
        makers: dict[int, int] = {}  # of each value the step that makes it, by its number
        for step in self.steps:
            order = sorted(step.inputs, key=lambda value: makers.get(value, -1))
            last = order[-1]
            maker = steps[makers[last]] if last in makers and readers[last] == 1 else None
            residual = order[0] if isinstance(step, Sum) else None
            if maker is not None and len(order) < 3 and maker.takes(step, residual):
                makers[step.output] = makers[last]
                maker.output = step.output
            else:
                makers[step.output] = len(steps)
                steps.append(step)
        return steps
