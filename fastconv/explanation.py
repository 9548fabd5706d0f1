"""What `fastconv.explain` returns: the choices behind a call, and their tables."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Explanation", "ModelExplanation"]


@dataclass(frozen=True)
class Explanation:
    """What one call computes with; ``str()`` of it is a table.

    Attributes
    ----------
    name : str
        The function or layer.
    input, output : tuple of ints
        Shapes.
    algorithm, blocking, isa : str
        The algorithm, how it cuts the work to pieces, and the instruction set.
    threads, tasks : int
        Threads of a call now, and pieces of work for them.
    workspace_bytes, weight_bytes : int
        Scratch memory; packed weights.
    flop, bytes : float
        Multiplications and additions; bytes of the operands and the result, each counted once.
    cycles : dict
        By algorithm, the cycles that the model of the machine estimates for one image.
    asked : str
        What `algorithm` was asked for.
    """

    name: str
    input: tuple[int, ...]
    output: tuple[int, ...]
    algorithm: str
    blocking: str
    isa: str
    threads: int
    tasks: int
    workspace_bytes: int
    weight_bytes: int
    flop: float
    bytes: float
    cycles: dict[str, float] = field(default_factory=dict)
    asked: str = "auto"

    @property
    def candidates(self) -> tuple[str, ...]:
        """The algorithms that have an estimate, the cheapest first."""
        return tuple(sorted(self.cycles, key=self.cycles.__getitem__))

    @property
    def reason(self) -> str:
        """Why this algorithm."""
        if not self.cycles:
            return "it is the only one"
        if self.asked != "auto":
            return "it was asked for"
        return "the fewest cycles of direct and tiled (im2col is direct after copying more)"

    def __str__(self) -> str:
        intensity = self.flop / self.bytes if self.bytes else 0
        rows = [
            ("algorithm", f"{self.algorithm}: {self.reason}"),
            ("blocking", self.blocking),
            *((f"  {name}", _cycles(self, name)) for name in self.candidates),
            ("ISA", f"{self.isa}, {self.threads} threads, {self.tasks} tasks"),
            ("memory", f"{_size(self.workspace_bytes)} of workspace, "
                       f"{_size(self.weight_bytes)} of packed weights"),
            ("work", f"{_count(self.flop)}flop, {_size(self.bytes)} in and out, "
                     f"{intensity:.1f} flop a byte"),
        ]  # fmt: skip
        head = f"{self.name}: {self.input} -> {self.output}"
        return "\n".join([head, *(f"  {name:<12}{text}" for name, text in rows)])


@dataclass(frozen=True)
class ModelExplanation:
    """The layers of a model in the order of their calls; ``str()`` of it is a table."""

    layers: tuple[Explanation, ...]

    @property
    def flop(self) -> float:
        """Of all layers."""
        return sum(layer.flop for layer in self.layers)

    @property
    def bytes(self) -> float:
        """Of all layers."""
        return sum(layer.bytes for layer in self.layers)

    @property
    def weight_bytes(self) -> int:
        """Packed weights of all layers."""
        return sum(layer.weight_bytes for layer in self.layers)

    @property
    def workspace_bytes(self) -> int:
        """Of the layer that needs most."""
        return max((layer.workspace_bytes for layer in self.layers), default=0)

    def __str__(self) -> str:
        head = ("layer", "input", "output", "algorithm", "Mflop", "workspace", "weights",
                "blocking")  # fmt: skip
        rows = [head]
        for layer in self.layers:
            rows.append((
                layer.name, _shape(layer.input), _shape(layer.output), layer.algorithm,
                f"{layer.flop / 1e6:.1f}", _size(layer.workspace_bytes), _size(layer.weight_bytes),
                layer.blocking,
            ))  # fmt: skip
        total = f"{self.flop / 1e6:.1f}"
        rows.append(("total", "", "", "", total, _size(self.workspace_bytes),
                     _size(self.weight_bytes), ""))  # fmt: skip
        widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
        lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths)) for row in rows)
        return "\n".join(line.rstrip() for line in lines)


def _cycles(chosen: Explanation, name: str) -> str:
    cycles = chosen.cycles[name]
    if not cycles:
        return "no estimate"
    own = chosen.cycles[chosen.algorithm]
    ratio = "" if name == chosen.algorithm or not own else f", {cycles / own:.2f} times as many"
    return f"{_count(cycles)}cycles{ratio}"


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def _count(number: float) -> str:
    """With three digits and a unit's prefix."""
    for factor, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= factor:
            return f"{number / factor:.3g} {prefix}"
    return f"{number:.3g} "


def _size(number: float) -> str:
    for factor, unit in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if number >= factor:
            return f"{number / factor:.3g} {unit}"
    return f"{number:.0f} B"
