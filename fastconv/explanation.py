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
    seconds, peak : float
        Of a model's layers: the median time of a call, and the most flop a second that the machine
        can do on these threads, measured too; 0 where nothing was measured.
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
    seconds: float = 0.0
    peak: float = 0.0

    @property
    def share(self) -> float:
        """Of the machine's peak; 0 where nothing was measured."""
        return self.flop / self.seconds / self.peak if self.seconds and self.peak else 0.0

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
    """The layers of a frozen model in the order of their calls; ``str()`` of it is a table.

    Attributes
    ----------
    layers : tuple of Explanation
        What is computed in one call is one of them: "conv Conv2d + BatchNorm2d + ReLU".
    buffer_bytes : tuple of ints
        The memory in which the values between the layers lie; none where the model is not made of
        `Sequential`, `Residual`, `Concat` or `Composite`.
    value_bytes : int
        What those values would take if each had memory of its own.
    """

    layers: tuple[Explanation, ...]
    buffer_bytes: tuple[int, ...] = ()
    value_bytes: int = 0

    @property
    def flop(self) -> float:
        """Of all layers."""
        return sum(layer.flop for layer in self.layers)

    @property
    def bytes(self) -> float:
        """Of all layers."""
        return sum(layer.bytes for layer in self.layers)

    @property
    def seconds(self) -> float:
        """Of all layers."""
        return sum(layer.seconds for layer in self.layers)

    @property
    def share(self) -> float:
        """Of the machine's peak."""
        peak = max((layer.peak for layer in self.layers), default=0)
        return self.flop / self.seconds / peak if self.seconds and peak else 0.0

    @property
    def weight_bytes(self) -> int:
        """Packed weights of all layers."""
        return sum(layer.weight_bytes for layer in self.layers)

    @property
    def workspace_bytes(self) -> int:
        """Of the layer that needs most."""
        return max((layer.workspace_bytes for layer in self.layers), default=0)

    @property
    def peak_bytes(self) -> int:
        """The most memory of a call beside the parameters, its input and its output."""
        return sum(self.buffer_bytes) + self.workspace_bytes + self.weight_bytes

    def __str__(self) -> str:
        head = ("layer", "output", "algorithm", "Mflop", "MiB", "ms", "Gflop/s", "peak")
        rows = [head, *(self._row(layer, layer) for layer in self.layers), self._row(self, None)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
        lines = [
            "  ".join(
                cell.ljust(width) if place < 3 else cell.rjust(width)
                for place, (cell, width) in enumerate(zip(row, widths))
            ).rstrip()
            for row in rows
        ]
        return "\n".join([*lines, *self._memory()])

    def _row(
        self, sums: Explanation | ModelExplanation, layer: Explanation | None
    ) -> tuple[str, ...]:
        names = (layer.name, _shape(layer.output), layer.algorithm) if layer else ("total", "", "")
        timed, counted = sums.seconds > 0, sums.seconds > 0 and sums.flop > 0
        return (
            *names,
            f"{sums.flop / 1e6:.1f}" if sums.flop else "",
            f"{sums.bytes / 2**20:.2f}",
            f"{sums.seconds * 1e3:.3f}" if timed else "",
            f"{sums.flop / sums.seconds / 1e9:.1f}" if counted else "",
            f"{sums.share:.0%}" if counted else "",
        )

    def _memory(self) -> list[str]:
        lines = []
        if self.layers:
            first = self.layers[0]
            lines.append(
                f"{first.isa}, {first.threads} threads, peak {first.peak / 1e9:.0f} Gflop/s"
            )
        parts = f"{_size(self.weight_bytes)} of packed weights"
        if self.buffer_bytes:
            each = " + ".join(map(_size, self.buffer_bytes))
            parts = f"{_size(sum(self.buffer_bytes))} of buffers ({each}), {parts}"
        parts += f", {_size(self.workspace_bytes)} of workspace"
        lines.append(f"memory of a call: {_size(self.peak_bytes)}: {parts}")
        if self.buffer_bytes:
            lines.append(f"each value in memory of its own: {_size(self.value_bytes)}")
        return lines


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
