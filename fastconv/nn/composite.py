"""Modules whose children carry given names, and whose computation is a structure of containers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .module import Module
from .parameter import Parameter

if TYPE_CHECKING:
    from ._graph import Graph


class Composite(Module):
    """A module that computes what `compose` makes of its children.

    A subclass assigns its children to attributes, under the names its ``state_dict`` shall have,
    and writes ``compose``, which returns a structure of `Sequential`, `Residual` and `Concat` over
    them. Forward, backward and freezing are the structure's; it is no child, so names and
    parameters are those of the attributes alone. It is made again after an attribute has changed.

    What ``compose`` makes itself has no parameters, and each module stands in the structure once,
    since a module keeps what its backward needs of one forward.

    >>> import fastconv.nn as nn
    >>> class Block(nn.Composite):
    ...     def __init__(self, channels):
    ...         self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
    ...         self.bn1 = nn.BatchNorm2d(channels)
    ...     def compose(self):
    ...         return nn.Residual(nn.Sequential(self.conv1, self.bn1), activation="relu")
    >>> [name for name, _ in Block(8).named_parameters()]
    ['conv1.weight', 'bn1.weight', 'bn1.bias']
    """

    _composed: tuple[Module, ...] = ()  # the structure; in a tuple, so that it is no child

    def compose(self) -> Module:
        """A new structure of the children."""
        raise NotImplementedError(f"{type(self).__name__} has no compose (wanted one in the class)")

    @property
    def structure(self) -> Module:
        """What `compose` made of the present children, in the present mode."""
        composed: tuple[Module, ...] = self._packed or self._composed
        if not composed:
            composed = self._composed = (self._made()[0],)
        return composed[0]

    def forward(self, input: Any) -> Any:
        """The structure's output."""
        return self.structure(input)

    def _steps(self, graph: Graph, value: int) -> int:
        if type(self).forward is not Composite.forward:
            return super()._steps(graph, value)
        return graph.visit(self.structure, value)

    def backward(self, grad_output: Any, needs_input: bool = True) -> Any:
        """The structure's input gradient; None where `needs_input` is False."""
        if needs_input:
            return self.structure.backward(grad_output)
        self.structure._learn(grad_output)
        return None

    def _learn(self, grad_output: Any) -> None:
        self.backward(grad_output, needs_input=False)

    def _made(self) -> tuple[Module, list[Module]]:
        """A structure in this module's mode, and what in it is not one of the children."""
        structure = self.compose()
        own = {id(module) for module in self.modules()}
        between = list(_outside(structure, own))
        for module in between:
            if any(isinstance(value, Parameter) for value in vars(module).values()):
                raise ValueError(
                    f"{type(self).__name__}: compose made a {type(module).__name__} with parameters"
                    " (wanted it assigned to an attribute in __init__)"
                )
            module.training = self.training
        return structure, between

    def _pack(self) -> None:
        structure, between = self._made()
        for module in between:
            module._lock()
            module._pack()
        self._packed = (structure,)

    def __setattr__(self, name: str, value: Any) -> None:
        changed = getattr(self, name, self) is not value
        super().__setattr__(name, value)
        if changed and not name.startswith("_"):
            self._composed = ()

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        state.pop("_composed", None)
        return state


def _outside(module: Module, own: set[int]) -> Iterator[Module]:
    """`module` and all inside it, but for the modules in `own` and what they hold."""
    if id(module) not in own:
        yield module
        for child in module.children():
            yield from _outside(child, own)
