"""A model's layers as a tree, with output shapes, parameters and multiply-adds."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .nn import Module

__all__ = ["ModelSummary", "summary"]

HEAD = ("Layer (type:depth-idx)", "Output Shape", "Param #", "Mult-Adds")


@dataclass
class Row:
    """One module: where it stands in the tree, and what it computed."""

    name: str
    depth: int
    branch: str  # what is drawn before the name
    output: tuple[int, ...] | None
    parameters: int  # its own
    mult_adds: int
    leaf: bool


@dataclass(frozen=True)
class ModelSummary:
    """What `summary` returns; ``str()`` of it is the table.

    Attributes
    ----------
    total_params, trainable_params : int
        Numbers in parameters, each counted once.
    mult_adds : int
        Multiplications of convolutions and linear layers, with the additions that belong to them.
    input_bytes, output_bytes, param_bytes : int
        Of the input, of the outputs of all layers, of the parameters.
    """

    rows: tuple[Row, ...]
    total_params: int
    trainable_params: int
    mult_adds: int
    input_bytes: int
    output_bytes: int
    param_bytes: int

    def __str__(self) -> str:
        cells = [HEAD, *(_cells(row) for row in self.rows)]
        widths = [max(len(line[i]) for line in cells) + 4 for i in range(len(HEAD))]
        lines = [
            "".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip()
            for line in cells
        ]
        rule = "=" * max(map(len, lines))
        total = self.input_bytes + self.output_bytes + self.param_bytes
        return "\n".join([
            rule, lines[0], rule, *lines[1:], rule,
            f"Total params: {self.total_params:,}",
            f"Trainable params: {self.trainable_params:,}",
            f"Non-trainable params: {self.total_params - self.trainable_params:,}",
            f"Total mult-adds ({_unit(self.mult_adds)[1]}): {_unit(self.mult_adds)[0]:.2f}",
            rule,
            f"Input size (MB): {self.input_bytes / 1e6:.2f}",
            f"Forward/backward pass size (MB): {self.output_bytes / 1e6:.2f}",
            f"Params size (MB): {self.param_bytes / 1e6:.2f}",
            f"Estimated Total Size (MB): {total / 1e6:.2f}",
            rule,
        ])  # fmt: skip


def summary(model: Module, input: Any) -> ModelSummary:
    """The layers of `model` as a tree, as torchinfo prints it.

    Parameters
    ----------
    model : fastconv.nn.Module
    input : a shape (tuple of ints), or an array
        What the model is called on once, in eval().

    Returns
    -------
    ModelSummary
        Prints as a table of output shapes, parameters and multiply-adds; "--" where a module has
        none of its own. "1-2" is the second module of depth 1.

    Examples
    --------
    >>> import fastconv as fc
    >>> net = fc.nn.Sequential(fc.nn.Conv2d(1, 6, 5, padding=2), fc.nn.ReLU())
    >>> print(fc.summary(net, (1, 1, 28, 28)))    # doctest: +ELLIPSIS
    =====...
    Layer (type:depth-idx)    Output Shape      Param #    Mult-Adds
    =====...
    Sequential: 0-1           (1, 6, 28, 28)    --         --
    ├─Conv2d: 1-1 (0)         (1, 6, 28, 28)    156        117,600
    └─ReLU: 1-2 (1)           (1, 6, 28, 28)    --         --
    =====...
    Total params: 156
    ...
    """
    parameters = list(model.parameters())
    if isinstance(input, tuple):
        dtype = parameters[0].dtype if parameters else np.dtype(np.float32)
        input = np.zeros(input, dtype)
    twin = copy.deepcopy(model, {id(parameter): parameter for parameter in parameters})
    rows: list[Row] = []
    _list(twin, rows, 0, "", "", "", {})
    for part in twin.modules():
        vars(part).update(_frozen=0, _packed=None, _weights=None, training=False)
    twin(input)
    return ModelSummary(
        tuple(rows),
        sum(parameter.size for parameter in parameters),
        sum(parameter.size for parameter in parameters if parameter.requires_grad),
        sum(row.mult_adds for row in rows),
        np.asarray(input).nbytes,
        sum(math.prod(row.output) for row in rows if row.leaf and row.output is not None)
        * np.asarray(input).itemsize,
        sum(parameter.data.nbytes for parameter in parameters),
    )


def _list(
    module: Module, rows: list[Row], depth: int, name: str, branch: str, below: str,
    counts: dict[int, int],
) -> None:  # fmt: skip
    """Append rows for `module` and all inside, which note what they compute when called."""
    counts[depth] = counts.get(depth, 0) + 1
    text = f"{type(module).__name__}: {depth}-{counts[depth]}" + (f" ({name})" if name else "")
    children = list(module.named_children())
    own = sum(parameter.size for parameter in _own(module))
    row = Row(text, depth, branch, None, own, 0, not children)
    rows.append(row)
    vars(module)["forward"] = _noting(module, row)
    for place, (inner, child) in enumerate(children):
        last = place == len(children) - 1
        _list(
            child, rows, depth + 1, inner, below + ("└─" if last else "├─"),
            below + ("  " if last else "│ "), counts,
        )  # fmt: skip


def _noting(module: Module, row: Row) -> Callable[..., Any]:
    forward = module.forward

    def note(*args: Any, **kwargs: Any) -> Any:
        output = forward(*args, **kwargs)
        first = output[0] if isinstance(output, tuple) else output
        row.output = tuple(first.shape)
        row.mult_adds += _mult_adds(module, args[0], first)
        return output

    return note


def _mult_adds(module: Module, input: Any, output: Any) -> int:
    """Products of a convolution or linear layer; each weight serves every pixel of every image."""
    from .nn._conv import _ConvNd
    from .nn.conv_transpose import _ConvTransposeNd
    from .nn.linear import Linear

    weight = getattr(module, "weight", None)
    if isinstance(module, Linear) and weight is not None:
        return int(output.size * module.in_features)
    if not isinstance(module, _ConvNd) or weight is None:
        return 0
    image = input if isinstance(module, _ConvTransposeNd) else output
    channels = module.in_channels if image is input else module.out_channels
    return int(image.size // channels * weight.size)


def _own(module: Module) -> list[Any]:
    from .nn import Parameter

    return [value for value in vars(module).values() if isinstance(value, Parameter)]


def _cells(row: Row) -> tuple[str, str, str, str]:
    shape = "--" if row.output is None else str(row.output)
    numbers = [f"{number:,}" if number else "--" for number in (row.parameters, row.mult_adds)]
    return row.branch + row.name, shape, numbers[0], numbers[1]


def _unit(number: int) -> tuple[float, str]:
    return (number / 1e9, "G") if number >= 1e9 else (number / 1e6, "M")
