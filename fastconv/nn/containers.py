"""Modules made of modules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, overload

from .activation import ReLU
from .module import Module
from .pooling import MaxPool1d, MaxPool2d, MaxPool3d

if TYPE_CHECKING:
    from ._graph import Graph

Self = TypeVar("Self", bound="_Listed")


class _Listed(Module):
    """Modules in an order, under their numbers or names."""

    def __init__(self, *modules: Module | Mapping[str, Module]) -> None:
        named: Iterable[tuple[str, Any]]
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            named = modules[0].items()
        else:
            named = ((str(number), module) for number, module in enumerate(modules))
        for name, module in named:
            self._add(name, module)

    def append(self: Self, module: Module) -> Self:
        """Add `module` at the end, under the next number."""
        self._add(str(len(self)), module)
        return self

    def _add(self, name: str, module: Any) -> None:
        if not isinstance(module, Module):
            raise TypeError(
                f"{type(self).__name__}: {name} is a {type(module).__name__} (wanted a Module)"
            )
        self.add_module(name, module)

    def __len__(self) -> int:
        return sum(1 for _ in self.children())

    def __iter__(self) -> Iterator[Module]:
        return self.children()

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self: Self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> Module:
        if isinstance(index, slice):
            return self._of(dict(list(self.named_children())[index]))
        return self._entry(index)[1]

    def __setitem__(self, index: int, module: Module) -> None:
        self._add(self._entry(index)[0], module)

    def _of(self: Self, modules: Mapping[str, Module]) -> Self:
        """A container like this one of other modules."""
        return type(self)(modules)

    def _entry(self, index: int) -> tuple[str, Module]:
        entries = list(self.named_children())
        if not -len(entries) <= index < len(entries):
            raise IndexError(
                f"{type(self).__name__}: index is {index} (wanted below {len(entries)})"
            )
        return entries[index]


class Sequential(_Listed):
    """Modules one after the other.

    Takes the modules, or one dict of names and modules; without names they are "0", "1", ...

    A ReLU before a max pooling is computed after it, on fewer elements: the numbers and gradients
    are the same, as the largest of what is left of values is what is left of the largest.

    >>> import fastconv.nn as nn
    >>> nn.Sequential(nn.Linear(4, 3), nn.ReLU())
    Sequential(
      (0): Linear(in_features=4, out_features=3, bias=True)
      (1): ReLU()
    )
    """

    def forward(self, input: Any) -> Any:
        """The output of the last module."""
        program = self._program()
        if program is not None:
            return program(input)
        for module in _in_turn(self.children()):
            input = module(input)
        return input

    def _steps(self, graph: Graph, value: int) -> int:
        if type(self).forward is not Sequential.forward:
            return super()._steps(graph, value)
        for module in self.children():
            value = graph.visit(module, value)
        return value

    def backward(self, grad_output: Any, needs_input: bool = True) -> Any:
        """The gradient of the first module's input; None where `needs_input` is False.

        In training nobody reads it, and of a first convolution it costs as much as the forward.
        Nor then is anything computed below the first module that learns: the body of a network
        whose head alone does (``body.requires_grad_(False)``) has no backward.
        """
        modules = _in_turn(self.children())
        if not needs_input:
            while modules and not _learns(modules[0]):
                modules.pop(0)
        while modules[not needs_input :]:
            grad_output = modules.pop().backward(grad_output)
        if modules:
            modules[0]._learn(grad_output)
        return grad_output if needs_input else None

    def _learn(self, grad_output: Any) -> None:
        self.backward(grad_output, needs_input=False)


def _in_turn(modules: Iterable[Module]) -> list[Module]:
    """The modules as they are computed: a ReLU behind the max pooling that follows it."""
    order: list[Module] = []
    for module in modules:
        last = order[-1] if order else None
        behind = type(last) is ReLU and "forward" not in vars(last) and _is_plain_maximum(module)
        order.insert(len(order) - behind, module)
    return order


def _is_plain_maximum(module: Module) -> bool:
    """Whether nothing but the largest value of every window comes of it, and every one has some."""
    return (
        isinstance(module, MaxPool2d)
        and type(module) in (MaxPool1d, MaxPool2d, MaxPool3d)
        and "forward" not in vars(module)
        and not module.return_indices
        and module.dilation == 1
    )


def _learns(module: Module) -> bool:
    return any(parameter.requires_grad for parameter in module.parameters())
