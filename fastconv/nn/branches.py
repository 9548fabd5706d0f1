"""Modules beside each other: their outputs joined on channels, or added."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..functional._coerce import Array, as_array, as_int, float_arrays
from ..functional._convolution import Activation, as_activation
from .activation import module_of
from .containers import _Listed
from .module import Module

if TYPE_CHECKING:
    from ._graph import Graph


class Concat(_Listed):
    """Modules that read the same input; their outputs are joined on channels.

    Parameters
    ----------
    *branches : Module, or one dict of names and modules
        Without names they are "0", "1", ...
    dim : int
        The axis of channels: 1, of images without a batch -3.

    Outputs that are channels-last in memory are joined so. An empty `Sequential` hands the input
    itself on. Szegedy et al. 2015, "Going deeper with convolutions", has such modules.

    >>> import fastconv.nn as nn
    >>> import numpy as np
    >>> net = nn.Concat(nn.Conv2d(8, 4, 1), nn.Conv2d(8, 6, 3, padding=1))
    >>> net(np.zeros((1, 8, 5, 5), np.float32)).shape
    (1, 10, 5, 5)
    """

    _settled = ("dim",)

    def __init__(self, *branches: Module | Mapping[str, Module], dim: int = 1) -> None:
        self.dim = as_int("Concat", "dim", dim)
        super().__init__(*branches)

    def forward(self, input: Any) -> Array:
        """The branches' outputs, one after the other along `dim`."""
        program = self._program()
        if program is not None:
            output: Array = program(input)
            return output
        return self._joined([branch(input) for branch in self.children()])

    def _joined(self, outputs: list[Any]) -> Array:
        names = [name for name, _ in self.named_children()]
        if not names:
            raise ValueError("Concat: there is no branch (wanted at least one)")
        named = {
            name: as_array("Concat", f"the output of {name}", output)
            for name, output in zip(names, outputs, strict=True)
        }
        self._check(named)
        arrays = float_arrays("Concat", **{f"output {name}": y for name, y in named.items()})
        self._keep([array.shape for array in arrays])
        return joined(arrays, self.dim)

    def _steps(self, graph: Graph, value: int) -> int:
        if type(self).forward is not Concat.forward or not len(self):
            return super()._steps(graph, value)
        return graph.join(self, [graph.visit(branch, value) for branch in self.children()])

    def backward(self, grad_output: Any, needs_input: bool = True) -> Any:
        """The sum of the branches' input gradients; None where `needs_input` is False."""
        parts = self._parts(grad_output)
        if not needs_input:
            for branch, part in parts:
                branch._learn(part)
            return None
        gradients = [branch.backward(part) for branch, part in parts]
        return _total(gradients)

    def _learn(self, grad_output: Any) -> None:
        self.backward(grad_output, needs_input=False)

    def _parts(self, grad_output: Any) -> list[tuple[Module, Array]]:
        (shapes,) = self._kept()
        grad = as_array("Concat", "grad_output", grad_output)
        axis, sizes = self.dim, [shape[self.dim] for shape in shapes]
        wanted = list(shapes[0])
        wanted[axis] = sum(sizes)
        if grad.shape != tuple(wanted):
            raise ValueError(
                f"Concat: grad_output has shape {grad.shape} (wanted {tuple(wanted)}, the output's)"
            )
        parts = np.split(grad, np.cumsum(sizes)[:-1], axis)
        return list(zip(self.children(), parts, strict=True))

    def _check(self, outputs: Mapping[str, Array]) -> None:
        def rest(array: Array) -> tuple[int, ...]:
            axis = self.dim % array.ndim
            return array.shape[:axis] + array.shape[axis + 1 :]

        fits = all(-array.ndim <= self.dim < array.ndim for array in outputs.values())
        if not fits or len({(array.ndim, rest(array)) for array in outputs.values()}) > 1:
            shapes = ", ".join(f"{name} {array.shape}" for name, array in outputs.items())
            raise ValueError(
                f"Concat: outputs have shapes {shapes} (wanted the same but along dim={self.dim})"
            )

    def _of(self, modules: Mapping[str, Module]) -> Concat:
        return type(self)(modules, dim=self.dim)

    def extra_repr(self) -> str:
        """The axis, where it is not 1."""
        return "" if self.dim == 1 else f"dim={self.dim}"


class Residual(Module):
    """The sum of a branch and a shortcut around it, and an activation of the sum.

    Parameters
    ----------
    branch : Module
    shortcut : Module, optional
        By default the input itself; a strided 1 x 1 convolution where the branch changes its shape.
    activation : str, ("leaky_relu", slope) or Module, optional
        By its name as the convolutions take it.

    The modules' names are "branch", "shortcut" and "activation". He et al. 2016, "Deep residual
    learning for image recognition".

    >>> import fastconv.nn as nn
    >>> nn.Residual(nn.Conv2d(8, 8, 3, padding=1), activation="relu")
    Residual(
      (branch): Conv2d(8, 8, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
      (activation): ReLU()
    )
    """

    shortcut: Module | None
    activation: Module | None

    def __init__(
        self,
        branch: Module,
        shortcut: Module | None = None,
        activation: Activation | Module = None,
    ) -> None:
        for name, module in (("branch", branch), ("shortcut", shortcut)):
            if not isinstance(module, Module) and not (module is None and name == "shortcut"):
                raise TypeError(f"Residual: {name} is a {type(module).__name__} (wanted a Module)")
        self.branch = branch
        self.shortcut = shortcut
        if activation is not None and not isinstance(activation, Module):
            activation = module_of(*as_activation("Residual", activation))
        self.activation = activation

    def forward(self, input: Any) -> Any:
        """activation(branch(input) + shortcut(input))."""
        program = self._program()
        if program is not None:
            return program(input)
        x = as_array("Residual", "input", input)
        y = as_array("Residual", "the branch's output", self.branch(x))
        z = x if self.shortcut is None else self.shortcut(x)
        self._check(y, z)
        self._keep(y.shape)
        total = y + z
        return total if self.activation is None else self.activation(total)

    def _check(self, y: Array, z: Array) -> None:
        if y.shape != z.shape:
            around = "input" if self.shortcut is None else "the shortcut's output"
            raise ValueError(
                f"Residual: the branch's output has shape {y.shape}, {around} has shape {z.shape} "
                "(wanted one shape)"
            )
        float_arrays("Residual", branch=y, shortcut=z)

    def _steps(self, graph: Graph, value: int) -> int:
        if type(self).forward is not Residual.forward:
            return super()._steps(graph, value)
        branch = graph.visit(self.branch, value)
        shortcut = value if self.shortcut is None else graph.visit(self.shortcut, value)
        total = graph.sum(self, [branch, shortcut])
        return total if self.activation is None else graph.visit(self.activation, total)

    def backward(self, grad_output: Any, needs_input: bool = True) -> Any:
        """The sum of both input gradients; None where `needs_input` is False."""
        (shape,) = self._kept()
        if self.activation is not None:
            grad_output = self.activation.backward(grad_output)
        grad = as_array("Residual", "grad_output", grad_output)
        if grad.shape != shape:
            raise ValueError(
                f"Residual: grad_output has shape {grad.shape} (wanted {shape}, the output's)"
            )
        if needs_input:
            around = grad if self.shortcut is None else self.shortcut.backward(grad)
            return _total([self.branch.backward(grad), around])
        self.branch._learn(grad)
        if self.shortcut is not None:
            self.shortcut._learn(grad)
        return None

    def _learn(self, grad_output: Any) -> None:
        self.backward(grad_output, needs_input=False)


def joined(arrays: list[Array], axis: int) -> Array:
    """`arrays` one after the other; channels stay last in memory where they are."""
    first = arrays[0]
    last = np.moveaxis(first, axis, -1)
    if last.flags.c_contiguous and not first.flags.c_contiguous:
        rows = np.concatenate([np.moveaxis(array, axis, -1) for array in arrays], -1)
        return np.moveaxis(rows, -1, axis)
    return np.concatenate(arrays, axis)


def _total(gradients: list[Any]) -> Any:
    """Their sum, in an array of its own: a branch may hand its `grad_output` on."""
    if len(gradients) == 1:
        return gradients[0]
    total = gradients[0] + gradients[1]
    for gradient in gradients[2:]:
        total += gradient
    return total
