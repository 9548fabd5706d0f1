"""The base of all layers: names, modes, state, and what a forward keeps for its backward."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeVar

import numpy as np

from .. import functional as F
from ..functional._coerce import Array, as_array
from .parameter import Parameter

if TYPE_CHECKING:
    from ._compiled import Program
    from ._graph import Graph

Self = TypeVar("Self", bound="Module")
_stamps = count(1)


class IncompatibleKeys(NamedTuple):
    """What `Module.load_state_dict` did not find, and what it did not know."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module:
    """Base of layers and of models.

    A subclass assigns Parameters and other modules to attributes, writes ``forward`` and, to be
    trained, ``backward(grad_output)``, which returns the input's gradient and adds to the ``grad``
    of each Parameter. Attributes are found by their type, in the order of assignment.

    >>> import fastconv.nn as nn
    >>> class Net(nn.Module):
    ...     def __init__(self):
    ...         self.first = nn.Linear(4, 2)
    >>> list(Net().state_dict())
    ['first.weight', 'first.bias']
    """

    training: bool = True
    _buffers: tuple[str, ...] = ()
    _saved: tuple[Any, ...] | None = None
    _frozen: int = 0  # which freezing this is; 0: none
    _thaws: ClassVar[list[int]] = [0]  # how often any module was thawed
    _locked: tuple[Array, ...] = ()  # arrays that thawing makes writeable again
    _packed: Any = None  # what a frozen module computes with, once it was called
    _weights: Any = None  # its packed weights
    _settled: ClassVar[tuple[str, ...]] = ()  # names of what `_packed` depends on

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.forward(*args, **kwargs)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The output; what calling the module returns."""
        raise NotImplementedError(f"{type(self).__name__} has no forward (wanted one in the class)")

    def backward(self, grad_output: Any) -> Any:
        """The input's gradient of the last forward; adds to the parameters' ``grad``."""
        raise NotImplementedError(
            f"{type(self).__name__} has no backward (wanted one in the class)"
        )

    def _learn(self, grad_output: Any) -> None:
        """`backward` where nobody wants the input's gradient: a layer may leave it out."""
        self.backward(grad_output)

    def _keep(self, *values: Any) -> None:
        """Keep `values` for backward; nothing in eval(), where threads may share the module."""
        if self.training:
            self._saved = values

    def _kept(self) -> tuple[Any, ...]:
        if self._saved is not None:
            return self._saved
        name = type(self).__name__
        if self.training:
            raise RuntimeError(
                f"{name}: backward without a forward (call the layer on an input before it)"
            )
        raise RuntimeError(
            f"{name}: backward in eval(), which keeps nothing for it "
            "(call train() and then the layer on an input before it)"
        )

    def __setattr__(self, name: str, value: Any) -> None:
        old = self.__dict__.get(name)
        if self._frozen and (
            isinstance(value, (Parameter, Module))
            or isinstance(old, (Parameter, Module))
            or name in (*self._buffers, *self._settled)
        ):
            raise ValueError(f"{type(self).__name__}: {name} is frozen (train() thaws it)")
        if isinstance(old, Parameter) and not isinstance(value, (Parameter, type(None))):
            raise TypeError(
                f"{type(self).__name__}: {name} is a Parameter, got a {type(value).__name__} "
                f"(wanted a Parameter or None; {name}.data[...] = values changes the values)"
            )
        object.__setattr__(self, name, value)

    def __getstate__(self) -> dict[str, Any]:
        left_out = ("_saved", "_locked", "_packed", "_weights")
        return {name: value for name, value in vars(self).items() if name not in left_out}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        if self._frozen:
            self._lock()
            self._pack()

    # Names

    def add_module(self, name: str, module: Module | None) -> None:
        """Assign `module` to the attribute `name`, which may be a number."""
        if not name or "." in name:
            raise ValueError(f"add_module: name is {name!r} (wanted one without dots)")
        if hasattr(self, name) and not isinstance(getattr(self, name), Module):
            raise ValueError(f"add_module: name is {name!r}, which is taken (wanted another)")
        setattr(self, name, module)

    def register_buffer(self, name: str, value: Any) -> None:
        """Assign an array that belongs to the state but is not learned."""
        setattr(self, name, as_array("register_buffer", name, value))
        self._buffers = tuple(dict.fromkeys((*self._buffers, name)))

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules directly inside, with their names."""
        for name, value in list(vars(self).items()):
            if isinstance(value, Module):
                yield name, value

    def children(self) -> Iterator[Module]:
        """The modules directly inside."""
        return (module for _, module in self.named_children())

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This module (named `prefix`) and all inside it, each once."""
        seen = set()
        for name, module in _walk(self, prefix):
            if id(module) not in seen:
                seen.add(id(module))
                yield name, module

    def modules(self) -> Iterator[Module]:
        """This module and all inside it, each once."""
        return (module for _, module in self.named_modules())

    def named_parameters(self, prefix: str = "") -> Iterator[tuple[str, Parameter]]:
        """The parameters of this module and all inside it, each once."""
        seen = set()
        for path, module in self.named_modules(prefix):
            for name, value in vars(module).items():
                if isinstance(value, Parameter) and id(value) not in seen:
                    seen.add(id(value))
                    yield _join(path, name), value

    def parameters(self) -> Iterator[Parameter]:
        """The parameters of this module and all inside it, each once."""
        return (parameter for _, parameter in self.named_parameters())

    # State

    def state_dict(self) -> dict[str, Array]:
        """The arrays of parameters and buffers under torch's names; they share memory with them."""
        state: dict[str, Array] = {}
        for path, module in _walk(self, ""):
            for name, value in vars(module).items():
                if isinstance(value, Parameter):
                    state[_join(path, name)] = value.data
            for name in module._buffers:
                state[_join(path, name)] = vars(module)[name]
        return state

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> IncompatibleKeys:
        """Copy `state` into the arrays of this module; all of it, or nothing if a part misfits.

        Raises
        ------
        ValueError, TypeError
            For a shape or dtype that misfits and, if `strict`, for a key missing or unknown.
        """
        own, name = self.state_dict(), type(self).__name__
        if any(module._frozen for module in self.modules()):
            raise ValueError(f"{name}: load_state_dict into a frozen module (train() thaws it)")
        counted = (
            ".num_batches_tracked"  # files older than it do not have it; it stays, as in torch
        )
        missing = [key for key in own if key not in state and not f".{key}".endswith(counted)]
        unknown = [key for key in state if key not in own]
        if strict and (missing or unknown):
            parts = [
                f"{what}: {', '.join(keys)}"
                for what, keys in (("missing", missing), ("unexpected", unknown))
                if keys
            ]
            raise ValueError(f"{name}: load_state_dict has keys {'; '.join(parts)}")
        arrays = {key: as_array("load_state_dict", key, state[key]) for key in own if key in state}
        for key, array in arrays.items():
            if array.shape != own[key].shape:
                raise ValueError(f"{name}: {key} has shape {array.shape} (wanted {own[key].shape})")
            if array.dtype != own[key].dtype:
                raise TypeError(f"{name}: {key} has dtype {array.dtype} (wanted {own[key].dtype})")
        for key, array in arrays.items():
            np.copyto(own[key], array)
        return IncompatibleKeys(missing, unknown)

    def zero_grad(self) -> None:
        """Set every parameter's ``grad`` to None."""
        for parameter in self.parameters():
            parameter.grad = None

    def requires_grad_(self: Self, requires_grad: bool = True) -> Self:
        """Set ``requires_grad`` of every parameter."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def train(self: Self, mode: bool = True) -> Self:
        """Learn from here on: keep for backward what it needs, drop out at random; thaw."""
        for module in self.modules():
            if mode:
                module._thaw()
            module.training = mode
            if not mode:
                module._saved = None
        return self

    def eval(self: Self) -> Self:
        """Infer from here on: keep nothing; any number of threads may call."""
        return self.train(False)

    def freeze(self: Self) -> Self:
        """Infer from here on as `eval` does, faster: weights are packed once, in a private copy.

        Parameters and buffers are read-only until `train` thaws, so that a write raises and is not
        ignored. A structure of `Sequential`, `Residual` and `Concat` becomes a list of steps: a
        convolution or linear layer with the batch norm, the addition and the activation after it
        is one call, and what is computed inside lies in a few buffers that are used again. The
        first call on arrays of a shape prepares it. Any number of threads may call.

        >>> import fastconv.nn as nn
        >>> import numpy as np
        >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU()).freeze()
        >>> net(np.ones((1, 1, 5, 5), np.float32)).shape
        (1, 4, 3, 3)
        >>> net[0].weight[...] = 0
        Traceback (most recent call last):
        ValueError: assignment destination is read-only
        """
        self.eval()
        for module in self.modules():
            module._lock()
            module._pack()
        return self

    def _lock(self) -> None:
        own = [value for value in vars(self).values() if isinstance(value, Parameter)]
        for parameter in own:
            parameter._frozen = True
        arrays = [parameter.data for parameter in own] + [getattr(self, n) for n in self._buffers]
        self._locked += tuple(array for array in arrays if array.flags.writeable)
        for array in arrays:
            array.flags.writeable = False
        self._frozen = self._frozen or next(_stamps)

    def _pack(self) -> None:
        """Make `_packed` where it must be there before the first call."""

    def _program(self) -> Program | None:
        """Of a frozen structure its steps; None while it is not, or some module inside."""
        if not self._frozen:
            return None
        program: Program | None = self._packed
        if program is None or not program.holds():
            if not all(module._frozen for module in self.modules()):
                return None
            from ._compiled import Program

            self._packed = program = Program(self)
        return program

    def _steps(self, graph: Graph, value: int) -> int:
        """Append to `graph` what this module makes of `value` in eval(); its output's number."""
        return graph.layer(self, value)

    def _affine(self) -> tuple[Array, Array] | None:
        """Scale and shift of each channel, of a layer that in `eval` is nothing else.

        A frozen structure folds such a layer into the convolution before it.
        """
        return None

    def _thaw(self) -> None:
        self._thaws[0] += 1
        self._frozen, self._packed, self._weights = 0, None, None
        for value in vars(self).values():
            if isinstance(value, Parameter):
                value._frozen = False
        for array in self._locked:
            array.flags.writeable = True
        self._locked = ()

    def extra_repr(self) -> str:
        """What stands between the parentheses of the module's repr."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.splitlines()
        children = [f"({name}): {module!r}" for name, module in self.named_children()]
        if not children and len(lines) <= 1:
            return f"{type(self).__name__}({extra})"
        body = "\n".join(lines + children).replace("\n", "\n  ")
        return f"{type(self).__name__}(\n  {body}\n)"


class FunctionModule(Module):
    """A layer without parameters: a function, whose settings are the layer's attributes."""

    function: ClassVar[str]
    settings: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        cls._settled = cls.settings

    def _settings(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.settings}


class UnaryModule(FunctionModule):
    """A function of one array."""

    keeps_output: ClassVar[bool] = False  # backward starts from the output

    def forward(self, input: Any) -> Array:
        """The function of `input`."""
        output: Array = getattr(F, self.function)(input, **self._settings())
        self._keep(input, output if self.keeps_output else None)
        return output

    def _steps(self, graph: Graph, value: int) -> int:
        if type(self).forward is not UnaryModule.forward:
            return super()._steps(graph, value)
        return graph.function(self, value)

    def backward(self, grad_output: Any) -> Array:
        """The input's gradient."""
        input, output = self._kept()
        kept = {"output": output} if self.keeps_output else {}
        backward = getattr(F, f"{self.function}_backward")
        gradient: Array = backward(grad_output, input, **self._settings(), **kept)
        return gradient


def _walk(module: Module, path: str) -> Iterator[tuple[str, Module]]:
    yield path, module
    for name, child in module.named_children():
        yield from _walk(child, _join(path, name))


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
