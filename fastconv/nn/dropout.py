"""Dropout layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from .. import functional as F
from ..functional._coerce import Array
from ..random import Rng, as_generator, draw_seed
from .module import Module

if TYPE_CHECKING:
    from ._graph import Graph


class Dropout(Module):
    """In training, zero each element with probability `p` and scale the rest by 1 / (1 - p).

    Parameters
    ----------
    p : float
    inplace : bool
        Taken for torch's sake; the result is a new array either way.
    rng : numpy Generator or int, optional
        Where the masks come from; by default what `fastconv.manual_seed` seeded.
    """

    function: ClassVar[str] = "dropout"

    def __init__(self, p: float = 0.5, inplace: bool = False, *, rng: Rng | None = None) -> None:
        if not 0 <= p <= 1:
            raise ValueError(f"{type(self).__name__}: p is {p} (wanted 0 to 1)")
        self.p = p
        self.inplace = inplace
        self._rng = None if rng is None else as_generator(rng)

    def forward(self, input: Any) -> Array:
        """`input` through a new mask; in eval(), as it is."""
        seed = draw_seed(self._rng) if self.training else None
        output: Array = getattr(F, self.function)(input, self.p, self.training, seed=seed)
        self._keep(input, seed)
        return output

    def _steps(self, graph: Graph, value: int) -> int:
        return value if type(self).forward is Dropout.forward else super()._steps(graph, value)

    def backward(self, grad_output: Any) -> Array:
        """`grad_output` through the same mask, drawn again from its seed."""
        input, seed = self._kept()
        backward = getattr(F, f"{self.function}_backward")
        gradient: Array = backward(grad_output, input, self.p, seed=seed)
        return gradient

    def extra_repr(self) -> str:
        """Torch's words for dropout."""
        return f"p={self.p}, inplace={self.inplace}"


class Dropout1d(Dropout):
    """`Dropout` of whole channels of (N, C, L) or (C, L)."""

    function = "dropout1d"


class Dropout2d(Dropout):
    """`Dropout` of whole channels of (N, C, H, W)."""

    function = "dropout2d"


class Dropout3d(Dropout):
    """`Dropout` of whole channels of (N, C, D, H, W) or (C, D, H, W)."""

    function = "dropout3d"
