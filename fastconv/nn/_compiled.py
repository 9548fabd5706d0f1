"""A frozen structure of modules, run step by step in a few buffers that are used again.

The first call on arrays of one shape and memory order makes each value in memory of its own, and
notes their shapes. From these a plan is made: which values are views of others (a flattened one; a
branch's in its channels of the joined ones), from when to when each is needed, and in which buffer
it lies. Later calls run in a frame: the buffers, and the steps bound to them. Calls at the same
time take a frame each.

Values keep the memory order of the input, but where the kernels' tiles have 16 registers those
inside are channels-last (two threads of a Zen 3: MobileNetV2 9.1 in place of 11.2 ms, ResNet-50
73.8 of 79.6, GoogLeNet 29.6 of 31.5, AlexNet and VGG-16 2% more). With 32 registers they are where
branches are added or joined (a Zen 4: ResNet-50 43.2 in place of 45.2 ms, GoogLeNet 17.0 of 17.7
beside busy neighbours and 14.8 of 14.8 without, but VGG-16 1% more).

Arrays that leave are not in buffers: the output, and what a module reads that is not of this
package, since it may keep it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import _core
from ..functional._coerce import Array, as_array
from ._graph import Graph, Join, Step, Sums
from .module import Module

PLANS = 16  # shapes of which a program keeps the plan
ALIGNMENT = 64  # bytes, of a vector
CHANNELS_LAST = ("avx2",)  # kernel sets that compute so inside, ...
CHANNELS_LAST_BRANCHES = ("avx512",)  # ... or where branches are added or joined, ...
FEW_CHANNELS = 16  # ... what has no fewer channels behind the first layer


class Program:
    """The steps of a frozen module, and a plan for each shape that it was called on."""

    def __init__(self, module: Module) -> None:
        graph = Graph()
        graph.output = graph.visit(module, 0)
        self.name = type(module).__name__
        self.steps, self.output = graph.fused(), graph.output
        self.plans: dict[tuple[Any, ...], Plan] = {}
        self._stamps = [(part, part._frozen) for part in graph.modules]
        self._thaws = Module._thaws[0]

    def holds(self) -> bool:
        """Whether all modules are frozen as they were."""
        if self._thaws != Module._thaws[0]:
            thaws = Module._thaws[0]
            if any(part._frozen != stamp for part, stamp in self._stamps):
                return False
            self._thaws = thaws
        return True

    def __call__(self, input: Any) -> Any:
        if isinstance(input, (tuple, list, dict)):
            return self.values(input)[self.output]
        x = input if type(input) is np.ndarray else as_array(self.name, "input", input)
        key = (x.shape, x.strides, x.dtype, _core.isa())
        plan = self.plans.get(key)
        if plan is None:
            return self._first(key, x)
        try:
            frame = plan.idle.pop()
        except IndexError:
            frame = Frame(self, plan)
        output = frame.run(x)
        plan.idle.append(frame)
        return output

    def _first(self, key: tuple[Any, ...], x: Array) -> Any:
        values = self.values(x)
        if all(isinstance(array, np.ndarray) and array.size for array in values.values()):
            while len(self.plans) >= PLANS:
                self.plans.pop(next(iter(self.plans)), None)
            self.plans[key] = Plan(self, values)
        return _in_order_of(x, values[self.output])

    def values(self, x: Any) -> dict[int, Any]:
        """Each value in memory of its own."""
        values, turns = {0: x}, self.turns(x)
        for step in self.steps:
            inputs = [values[value] for value in step.inputs]
            output = step.run(inputs)
            if turns and 0 in step.inputs:
                pixels = np.empty_like(np.moveaxis(output, 1, -1), order="C")
                output = np.moveaxis(pixels, -1, 1)
                _turn(step, x, output)
            values[step.output] = output
        return values

    def turns(self, x: Any) -> bool:
        """Whether what convolutions make of the input is to be channels-last."""
        if not isinstance(x, np.ndarray) or not x.size:
            return False
        branches = any(len(step.inputs) > 1 for step in self.steps)
        isas = CHANNELS_LAST + CHANNELS_LAST_BRANCHES if branches else CHANNELS_LAST
        if _core.isa() not in isas:
            return False
        readers = [step for step in self.steps if 0 in step.inputs]
        return x.flags.c_contiguous and all(_turns_well(step, x.ndim) for step in readers)


class Value:
    """What a plan knows of a value."""

    def __init__(self, array: Array) -> None:
        self.shape, self.strides, self.dtype = array.shape, array.strides, array.dtype
        self.bytes = array.nbytes
        self.parent: int | None = None  # the value that it is a view of, ...
        self.view: Callable[[Array], Array] = np.asarray  # ... and which view
        self.leaves = False  # memory of its own, that nobody writes to again
        self.first = self.last = -1  # the steps that write to it first and read it last
        self.buffer = -1


class Plan:
    """Where the values of one shape lie."""

    def __init__(self, program: Program, arrays: dict[int, Array]) -> None:
        self.values = {number: Value(array) for number, array in arrays.items()}
        self.idle: list[Frame] = []
        self.buffers: list[int] = []  # their bytes
        self.plain = arrays[0].flags.c_contiguous  # the input
        self._settle(program, arrays)
        self._join(program)
        self._allot(program)

    def root(self, number: int) -> int:
        """The value whose memory this one is in."""
        parent = self.values[number].parent
        return number if parent is None else self.root(parent)

    @property
    def bytes(self) -> int:
        """Of all buffers."""
        return sum(self.buffers)

    def _settle(self, program: Program, arrays: dict[int, Array]) -> None:
        """Views, and what leaves."""
        for step in program.steps:
            value, output = self.values[step.output], arrays[step.output]
            source = step.inputs[0]
            if np.may_share_memory(output, arrays[source]):
                value.parent, shape = source, output.shape
                value.view = lambda array, shape=shape: array.reshape(shape)  # type: ignore[misc]
            value.leaves = not step.writes and value.parent is None
        leaving = [0, program.output]
        leaving += [value for step in program.steps if not step.trusted for value in step.inputs]
        for number in leaving:
            self.values[self.root(number)].leaves = True

    def _join(self, program: Program) -> None:
        """Let branches write to their channels of what joins them, from the last join on.

        What has a residual does not, for the residual's strides must be those of what is written.
        """
        writers = {
            step.output
            for step in program.steps
            if step.writes and (len(step.inputs) == 1 or isinstance(step, Join))
        }
        for step in reversed(program.steps):
            if not isinstance(step, Join) or self.values[self.root(step.output)].leaves:
                continue
            shapes = [self.values[number].shape for number in step.inputs]
            for place, number in enumerate(step.inputs):
                value = self.values[number]
                if number in writers and value.parent is None and not value.leaves:
                    value.parent = step.output
                    value.view = lambda array, step=step, shapes=shapes, place=place: (  # type: ignore[misc]
                        step.parts(array, shapes)[place]
                    )

    def _allot(self, program: Program) -> None:
        """A buffer for each value that stays inside, free again after its last reader."""
        for moment, step in enumerate(program.steps):
            for number in (step.output, *step.inputs):
                root = self.values[self.root(number)]
                root.first = moment if root.first < 0 else root.first
                root.last = moment
        free: list[int] = []
        for moment, step in enumerate(program.steps):
            root = self.values[self.root(step.output)]
            ending = {self.root(number) for number in (step.output, *step.inputs)}
            if root.first == moment and not root.leaves:
                around = self._added_in_place(step, moment)
                root.buffer = self._take(free, root.bytes) if around is None else around.buffer
                ending -= {step.inputs[-1]} if around else set()
            free += [
                self.values[number].buffer
                for number in ending
                if self.values[number].last == moment and self.values[number].buffer >= 0
            ]

    def _added_in_place(self, step: Step, moment: int) -> Value | None:
        """A residual that nobody reads again, where the step may write over it as it adds it.

        Memory then is read and written where else it is read, fetched and written: ResNet-50's 16
        sums take 3 ms less of 57.
        """
        if not isinstance(step, Sums) or len(step.inputs) != 2:
            return None
        first, number = step.inputs
        output, residual = self.values[step.output], self.values[number]
        same = all(
            getattr(output, name) == getattr(residual, name)
            for name in ("shape", "strides", "dtype", "parent")
        )
        ends = residual.last == moment and residual.buffer >= 0 and self.root(first) != number
        bound = self.values[self.root(first)].buffer >= 0  # else the step is called as users do
        adds = isinstance(step.packed, _core.FrozenConv)
        return residual if same and ends and bound and adds and residual.parent is None else None

    def _take(self, free: list[int], size: int) -> int:
        """The free buffer that fits best, the largest made larger, or a new one."""
        if not free:
            self.buffers.append(size)
            return len(self.buffers) - 1
        fitting = [buffer for buffer in free if self.buffers[buffer] >= size]
        best = (
            min(fitting, key=self.buffers.__getitem__)
            if fitting
            else max(free, key=self.buffers.__getitem__)
        )
        free.remove(best)
        self.buffers[best] = max(self.buffers[best], size)
        return best


class Frame:
    """Buffers, and the steps as calls on them. One call at a time runs in it."""

    def __init__(self, program: Program, plan: Plan) -> None:
        self.buffers = [_aligned(size) for size in plan.buffers]
        self._output = program.output
        self._arrays: dict[int, Array] = {}  # of the values in buffers, and in a call of the others
        for number, value in plan.values.items():
            if plan.values[plan.root(number)].buffer >= 0:
                self._arrays[number] = self._array(plan, value)
        self._passing = [number for number in plan.values if number not in self._arrays]
        self._calls = [self._call(step, plan) for step in program.steps]

    def run(self, x: Array) -> Array:
        """The output, in memory of its own."""
        arrays = self._arrays
        arrays[0] = x
        for call in self._calls:
            call()
        output = arrays[self._output]
        for number in self._passing:
            del arrays[number]
        ordered: Array = _in_order_of(x, output)
        return ordered

    def times(self, x: Array, runs: int, seconds: float) -> list[float]:
        """The median seconds of each step, of so many runs or as take so many seconds."""
        clock = time.perf_counter
        times: list[Array] = []
        start = clock()
        while len(times) < runs and (len(times) < 3 or clock() - start < seconds):
            self._arrays[0] = x
            moments = [clock()]
            for call in self._calls:
                call()
                moments.append(clock())
            times.append(np.diff(moments))
        medians: list[float] = np.median(times, axis=0).tolist()
        return medians

    def _array(self, plan: Plan, value: Value) -> Array:
        if value.parent is not None:
            return value.view(self._array(plan, plan.values[value.parent]))
        memory = self.buffers[value.buffer]
        array: Array = np.ndarray(value.shape, value.dtype, memory, 0, value.strides)
        return array

    def _call(self, step: Step, plan: Plan) -> Callable[[], object]:
        arrays, inputs, output = self._arrays, step.inputs, step.output
        out = arrays.get(output)
        if plan.values[output].parent in inputs and out is not None:
            return _nothing  # a view
        if out is not None and all(value in arrays for value in inputs):
            return step.bound([arrays[value] for value in inputs], out)

        def run() -> None:
            arrays[output] = step.run([arrays[value] for value in inputs], out)

        if inputs == [0] and out is not None and plan.plain and _is_convolution(step):
            return self._on_input(step, out)
        return run

    def _on_input(self, step: Step, out: Array) -> Callable[[], object]:
        """A convolution of the caller's array, another one in each call (bound anew: 40 us)."""
        bound: Any = None

        def run() -> None:
            nonlocal bound
            x = np.require(self._arrays[0], requirements="A")
            if bound is None:
                bound = step.bound([x], out)
            bound.on(x)

        return run


def _aligned(size: int) -> Array:
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size]


def _turns_well(step: Any, dims: int) -> bool:
    """Whether it is a convolution with so many dimensions and channels enough."""
    if not _is_convolution(step):
        return False
    layer: Any = step.modules[0]
    return bool(layer.weight.ndim == dims > 2 and layer.weight.shape[0] >= FEW_CHANNELS)


def _is_convolution(step: Any) -> bool:
    """Whether it is one of a single value."""
    return (
        isinstance(step, Sums)
        and len(step.inputs) == 1
        and isinstance(step.packed, _core.FrozenConv)
    )


def _turn(step: Step, x: Array, out: Array) -> None:
    """A convolution of planes of channels, written channels-last."""
    step.bound([np.require(x, requirements="A")], out)()


def _in_order_of(x: Array, output: Any) -> Any:
    """The output, which may have become channels-last, in C order if the input is."""
    turned = isinstance(output, np.ndarray) and output.ndim > 2 and x.flags.c_contiguous
    return np.ascontiguousarray(output) if turned else output


def _nothing() -> None:
    pass
