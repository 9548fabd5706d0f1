"""What a call would be computed with, and why: the choices of ``algorithm="auto"``."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _core
from . import functional as F
from .explanation import Explanation, ModelExplanation
from .functional import _convolution, _transposed
from .functional._coerce import Array, as_array, as_int, as_ints, as_pads, as_tuple
from .functional._layout import check_layout

if TYPE_CHECKING:
    from .nn import Module
    from .nn._compiled import Program

__all__ = ["explain"]

RUNS, SECONDS = 30, 1.0  # of a model at most, whichever comes first
PEAKS = 5  # measurements of the machine's peak, of which the largest counts


def explain(what: Any, *args: Any, **kwargs: Any) -> Explanation | ModelExplanation:
    """What a call ``what(*args, **kwargs)`` would be computed with, and why.

    Parameters
    ----------
    what : a convolution or pooling of `fastconv.functional`, or a module
    args, kwargs
        As in a call; a shape (a tuple of ints) may stand for an array. A model of several layers
        is frozen (a copy of it) and run for up to a second, on zeros where a shape is given.

    Returns
    -------
    Explanation, or ModelExplanation for a module made of modules
        Its attributes are the choices, and ``print`` shows them as a table.

    Raises
    ------
    TypeError
        For a function that has nothing to choose.
    ValueError, TypeError
        As the call itself.

    Examples
    --------
    >>> import fastconv as fc
    >>> chosen = fc.explain(fc.conv2d, (1, 64, 56, 56), (64, 64, 3, 3), padding=1)
    >>> chosen.output, chosen.flop
    ((1, 64, 56, 56), 231211008.0)
    >>> print(fc.explain(fc.nn.Conv2d(3, 8, 3), (1, 3, 32, 32)))    # doctest: +ELLIPSIS
    Conv2d: (1, 3, 32, 32) -> (1, 8, 30, 30)
      algorithm   ...
    """
    from .nn import Module

    if isinstance(what, Module):
        return _explain_module(what, *args, **kwargs)
    if what not in _FUNCTIONS:
        name = getattr(what, "__name__", type(what).__name__)
        names = ", ".join(function.__name__ for function in _FUNCTIONS)
        raise TypeError(f"explain: what is {name} (wanted a module or one of {names})")
    import inspect

    bound = inspect.signature(what).bind(*args, **kwargs)
    bound.apply_defaults()
    return _FUNCTIONS[what](what.__name__, **bound.arguments)


def _explain_conv(
    name: str, input: Any, weight: Any, stride: Any, padding: Any, dilation: Any, groups: Any,
    algorithm: str, layout: str, **_: Any,
) -> Explanation:  # fmt: skip
    dims = int(name[-2])
    image, weights = _arrays(name, input=input, weight=weight)
    info = _core.conv_describe(
        name, dims, check_layout(name, layout, dims), image, weights,
        as_ints(name, "stride", stride, dims), as_pads(name, padding, dims),
        as_ints(name, "dilation", dilation, dims), as_int(name, "groups", groups),
        _convolution.as_algorithm(name, algorithm),
    )  # fmt: skip
    return Explanation(name=name, input=image.shape, asked=algorithm, **info)


def _explain_transposed(
    name: str, input: Any, weight: Any, stride: Any, padding: Any, output_padding: Any,
    groups: Any, dilation: Any, output_size: Any, algorithm: str, layout: str, **_: Any,
) -> Explanation:  # fmt: skip
    dims = int(name[-2])
    image, weights = _arrays(name, input=input, weight=weight)
    window = _transposed.as_window(
        name, dims, image, stride, padding, output_padding, groups, dilation, output_size, layout
    )
    info = _core.conv_transpose_describe(
        name, dims, check_layout(name, layout, dims), image, weights, *window,
        _convolution.as_algorithm(name, algorithm),
    )  # fmt: skip
    return Explanation(name=name, input=image.shape, asked=algorithm, **info)


def _explain_pool(name: str, input: Any, kernel_size: Any, **settings: Any) -> Explanation:
    (image,) = _arrays(name, input=input)
    for other in ("out", "return_indices"):
        settings.pop(other, None)
    output = getattr(F, name)(np.zeros(image.shape, image.dtype), kernel_size, **settings)
    taps = int(np.prod(as_tuple(name, "kernel_size", kernel_size, int(name[-2]))))
    return Explanation(
        name, image.shape, output.shape, "direct", "windows over strips of one plane",
        _core.isa(), _core.get_num_threads(), 1, 0, 0, float(output.size * taps),
        float(image.nbytes + output.nbytes),
    )  # fmt: skip


_FUNCTIONS: dict[Callable[..., Any], Callable[..., Explanation]] = {
    **{getattr(F, f"conv{d}d"): _explain_conv for d in (1, 2, 3)},
    **{getattr(F, f"conv_transpose{d}d"): _explain_transposed for d in (1, 2, 3)},
    **{
        getattr(F, name): _explain_pool
        for name in F.__all__
        if name.startswith(("max_pool", "avg_pool")) and name.endswith("d")
        and not name.endswith("backward")
    },
}  # fmt: skip


def _explain_module(module: Module, *args: Any, **kwargs: Any) -> Explanation | ModelExplanation:
    """Explains a copy that shares the parameters."""
    from .nn._compiled import Program
    from .nn._graph import Layer

    parameters = list(module.parameters())
    dtype = parameters[0].dtype if parameters else np.dtype(np.float32)
    arrays = [np.zeros(arg, dtype) if _is_shape(arg) else arg for arg in args]
    twin = copy.deepcopy(module, {id(parameter): parameter for parameter in parameters})
    names = {id(part): path for path, part in twin.named_modules()}
    for part in twin.modules():
        vars(part).update(_frozen=0, _packed=None, _weights=None, training=False)
    if next(twin.children(), None) is not None and len(arrays) == 1 and not kwargs:
        program = Program(twin)
        if not (len(program.steps) == 1 and isinstance(program.steps[0], Layer)):
            return _explain_program(program, names, as_array("explain", "input", arrays[0]))
    layers: list[Explanation] = []
    for part in twin.modules():
        if next(part.children(), None) is None:
            vars(part)["forward"] = _noting(_named(part, names), part, layers)
    twin(*arrays, **kwargs)
    return layers[0] if vars(twin).get("forward") else ModelExplanation(tuple(layers))


def _explain_program(program: Program, names: dict[int, str], x: Array) -> ModelExplanation:
    """Runs the steps as a frozen model does, and some more times, of which the median counts."""
    from .nn._compiled import Frame, Plan

    values = program.values(x)
    plan = Plan(program, values)
    times = Frame(program, plan).times(x, RUNS, SECONDS)
    peak = max(_core.peak_flops(str(x.dtype)) for _ in range(PEAKS))
    layers = []
    for step, seconds in zip(program.steps, times):
        arrays, output = [values[value] for value in step.inputs], values[step.output]
        name = " + ".join(
            _named(part, names) if place == 0 else type(part).__name__
            for place, part in enumerate(step.modules)
        )
        chosen = _explain_layer(name, step.modules[0], arrays[0], output)
        more = sum(array.nbytes for array in arrays[1:])
        layers.append(
            replace(chosen, bytes=chosen.bytes + more, seconds=seconds, peak=peak,
                    threads=_core.get_num_threads(), isa=_core.isa())
        )  # fmt: skip
    inside = sum(value.bytes for value in plan.values.values() if value.buffer >= 0)
    joined = sum(value.bytes for value in plan.values.values() if value.parent is not None)
    return ModelExplanation(tuple(layers), tuple(plan.buffers), inside + joined)


def _named(module: Module, names: dict[int, str]) -> str:
    return f"{names.get(id(module), '')} {type(module).__name__}".strip()


def _noting(name: str, layer: Module, layers: list[Explanation]) -> Callable[..., Any]:
    forward = layer.forward

    def note(input: Any, *args: Any) -> Any:
        output = forward(input, *args)
        first = output[0] if isinstance(output, tuple) else output
        layers.append(_explain_layer(name, layer, as_array(name, "input", input), first, *args))
        return output

    return note


def _explain_layer(
    name: str, layer: Module, input: Array, output: Array, *args: Any
) -> Explanation:
    from .nn._conv import _ConvNd
    from .nn.conv_transpose import _ConvTransposeNd
    from .nn.linear import Linear
    from .nn.module import UnaryModule

    if isinstance(layer, _ConvTransposeNd):
        call = getattr(F, f"conv_transpose{layer.dims}d")
        chosen = explain(
            call, input, layer.weight, None, layer.stride, layer.padding, layer.output_padding,
            layer.groups, layer.dilation, output_size=args[0] if args else None,
        )  # fmt: skip
    elif isinstance(layer, _ConvNd) and getattr(layer, "connections", None) is None:
        padded, padding = layer._padded(input)
        call = getattr(F, f"conv{layer.dims}d")
        window = (layer.stride, padding, layer.dilation, layer.groups)
        chosen = explain(call, padded, layer.weight, None, *window)
    elif isinstance(layer, Linear):
        pixels = input.reshape(-1, input.shape[-1]).T[None]
        chosen = explain(F.conv1d, pixels, layer.weight.data[:, :, None], algorithm="tiled")
    elif isinstance(layer, UnaryModule) and getattr(F, layer.function) in _FUNCTIONS:
        chosen = explain(getattr(F, layer.function), input, **layer._settings())
    else:
        weights = sum(parameter.data.nbytes for parameter in layer.parameters())
        moved = 0 if np.may_share_memory(input, output) else input.nbytes + output.nbytes
        return Explanation(
            name, input.shape, output.shape, algorithm="", blocking="", isa=_core.isa(),
            threads=_core.get_num_threads(), tasks=1, workspace_bytes=0, weight_bytes=0, flop=0.0,
            bytes=float(moved and moved + weights),
        )  # fmt: skip
    assert isinstance(chosen, Explanation)
    return replace(chosen, name=name, input=input.shape, output=output.shape)


def _is_shape(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(n, (int, np.integer)) for n in value)


def _arrays(function: str, **named: Any) -> list[Array]:
    """Arrays as they are; for a shape an array of it, whose memory nothing touches."""
    given = {name: as_array(function, name, a) for name, a in named.items() if not _is_shape(a)}
    dtype = next(iter(given.values())).dtype if given else np.dtype(np.float32)
    return [given[n] if n in given else np.empty(shape, dtype) for n, shape in named.items()]
