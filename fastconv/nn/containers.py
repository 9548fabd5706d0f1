"""Modules made of modules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, overload

from ..functional._coerce import as_array
from .activation import activation_of
from .conv import _ConvNd
from .module import Module


class Sequential(Module):
    """Modules one after the other.

    Takes the modules, or one dict of names and modules; without names they are "0", "1", ...

    >>> import fastconv.nn as nn
    >>> nn.Sequential(nn.Linear(4, 3), nn.ReLU())
    Sequential(
      (0): Linear(in_features=4, out_features=3, bias=True)
      (1): ReLU()
    )
    """

    def __init__(self, *modules: Module | Mapping[str, Module]) -> None:
        named: Iterable[tuple[str, Any]]
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            named = modules[0].items()
        else:
            named = ((str(number), module) for number, module in enumerate(modules))
        for name, module in named:
            self._add(name, module)

    def forward(self, input: Any) -> Any:
        """The output of the last module."""
        if self._packed is None:
            for module in self.children():
                input = module(input)
            return input
        for both, first, second in self._packed:
            if second is None:
                input = first(input)
            elif first._frozen:
                input = both(as_array(type(first).__name__, "input", input))
            else:  # thawed apart from this container
                input = second(first(input))
        return input

    def _pack(self) -> None:
        """Steps of one module, or of a convolution and the activation after it in one."""
        steps: list[tuple[Any, Module, Module | None]] = []
        for module in self.children():
            before = steps[-1][1] if steps and steps[-1][2] is None else None
            activation = activation_of(module)
            if isinstance(before, _ConvNd) and before._packed_forward and activation is not None:
                steps[-1] = (before._pack_with(activation), before, module)
            else:
                steps.append((None, module, None))
        self._packed = steps

    def backward(self, grad_output: Any) -> Any:
        """The gradient of the first module's input."""
        for module in reversed(list(self.children())):
            grad_output = module.backward(grad_output)
        return grad_output

    def append(self, module: Module) -> Sequential:
        """Add `module` at the end, under the next number."""
        self._add(str(len(self)), module)
        return self

    def _add(self, name: str, module: Any) -> None:
        if not isinstance(module, Module):
            raise TypeError(f"Sequential: {name} is a {type(module).__name__} (wanted a Module)")
        self.add_module(name, module)

    def __len__(self) -> int:
        return sum(1 for _ in self.children())

    def __iter__(self) -> Iterator[Module]:
        return self.children()

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> Sequential: ...
    def __getitem__(self, index: int | slice) -> Module:
        if isinstance(index, slice):
            return type(self)(dict(list(self.named_children())[index]))
        return self._entry(index)[1]

    def __setitem__(self, index: int, module: Module) -> None:
        self._add(self._entry(index)[0], module)

    def _entry(self, index: int) -> tuple[str, Module]:
        entries = list(self.named_children())
        if not -len(entries) <= index < len(entries):
            raise IndexError(f"Sequential: index is {index} (wanted below {len(entries)})")
        return entries[index]
