"""What pooling shares, for any number of dimensions: what is plain already stays as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from .. import _core
from ._coerce import (
    Array,
    Ints,
    Padding,
    as_array,
    as_bool,
    as_float,
    as_int,
    as_ints,
    as_pads,
    as_tuple,
    is_sequence,
)
from ._layout import NCHW, check_layout

OutputSize = int | Sequence[int | None] | None
Window = tuple[Any, Any, Any, Any]


def max_forward(
    function: str, dims: int, input: Any, kernel_size: Ints, stride: Ints | None,
    padding: Padding, dilation: Ints, ceil_mode: bool, return_indices: bool, layout: str,
    out: Array | None,
) -> Any:  # fmt: skip
    last, window = _window(function, dims, kernel_size, stride, padding, dilation, layout)
    return _core.max_pool_forward(
        function, dims, last, as_array(function, "input", input), *window,
        as_bool(function, "ceil_mode", ceil_mode),
        as_bool(function, "return_indices", return_indices), out,
    )  # fmt: skip


def max_backward(
    function: str, dims: int, grad_output: Any, input: Any, kernel_size: Ints,
    stride: Ints | None, padding: Padding, dilation: Ints, ceil_mode: bool, layout: str,
    indices: Any,
) -> Array:  # fmt: skip
    last, window = _window(function, dims, kernel_size, stride, padding, dilation, layout)
    return _core.max_pool_backward(
        function, dims, last, *_pair(function, grad_output, input), *window,
        as_bool(function, "ceil_mode", ceil_mode), _indices(function, indices),
    )  # fmt: skip


def avg_forward(
    function: str, dims: int, input: Any, kernel_size: Ints, stride: Ints | None,
    padding: Padding, dilation: Ints, ceil_mode: bool, count_include_pad: bool,
    divisor: int | None, layout: str, out: Array | None,
) -> Array:  # fmt: skip
    last, window = _window(function, dims, kernel_size, stride, padding, dilation, layout)
    return _core.avg_pool_forward(
        function, dims, last, as_array(function, "input", input), *window,
        as_bool(function, "ceil_mode", ceil_mode),
        as_bool(function, "count_include_pad", count_include_pad), _divisor(function, divisor), out,
    )  # fmt: skip


def avg_backward(
    function: str, dims: int, grad_output: Any, input: Any, kernel_size: Ints,
    stride: Ints | None, padding: Padding, dilation: Ints, ceil_mode: bool,
    count_include_pad: bool, divisor: int | None, layout: str,
) -> Array:  # fmt: skip
    last, window = _window(function, dims, kernel_size, stride, padding, dilation, layout)
    return _core.avg_pool_backward(
        function, dims, last, *_pair(function, grad_output, input), *window,
        as_bool(function, "ceil_mode", ceil_mode),
        as_bool(function, "count_include_pad", count_include_pad), _divisor(function, divisor),
    )  # fmt: skip


def lp_forward(
    function: str, dims: int, input: Any, norm_type: float, kernel_size: Ints,
    stride: Ints | None, padding: Padding, dilation: Ints, ceil_mode: bool, layout: str,
    out: Array | None,
) -> Array:  # fmt: skip
    last, window = _window(function, dims, kernel_size, stride, padding, dilation, layout)
    return _core.lp_pool_forward(
        function, dims, last, as_array(function, "input", input),
        as_float(function, "norm_type", norm_type), *window,
        as_bool(function, "ceil_mode", ceil_mode), out,
    )  # fmt: skip


def lp_backward(
    function: str, dims: int, grad_output: Any, input: Any, norm_type: float,
    kernel_size: Ints, stride: Ints | None, padding: Padding, dilation: Ints, ceil_mode: bool,
    layout: str,
) -> Array:  # fmt: skip
    last, window = _window(function, dims, kernel_size, stride, padding, dilation, layout)
    return _core.lp_pool_backward(
        function, dims, last, *_pair(function, grad_output, input),
        as_float(function, "norm_type", norm_type), *window,
        as_bool(function, "ceil_mode", ceil_mode),
    )  # fmt: skip


def adaptive_avg_forward(
    function: str, dims: int, input: Any, output_size: OutputSize, layout: str, out: Array | None
) -> Array:
    return _core.adaptive_avg_pool_forward(
        function, dims, _last(function, layout, dims), as_array(function, "input", input),
        _sizes(function, output_size, dims), out,
    )  # fmt: skip


def adaptive_avg_backward(
    function: str, dims: int, grad_output: Any, input: Any, output_size: OutputSize, layout: str
) -> Array:
    return _core.adaptive_avg_pool_backward(
        function, dims, _last(function, layout, dims), *_pair(function, grad_output, input),
        _sizes(function, output_size, dims),
    )  # fmt: skip


def adaptive_max_forward(
    function: str, dims: int, input: Any, output_size: OutputSize, return_indices: bool,
    layout: str, out: Array | None,
) -> Any:  # fmt: skip
    return _core.adaptive_max_pool_forward(
        function, dims, _last(function, layout, dims), as_array(function, "input", input),
        _sizes(function, output_size, dims), as_bool(function, "return_indices", return_indices),
        out,
    )  # fmt: skip


def adaptive_max_backward(
    function: str, dims: int, grad_output: Any, input: Any, output_size: OutputSize,
    layout: str, indices: Any,
) -> Array:  # fmt: skip
    return _core.adaptive_max_pool_backward(
        function, dims, _last(function, layout, dims), *_pair(function, grad_output, input),
        _sizes(function, output_size, dims), _indices(function, indices),
    )  # fmt: skip


def unpool_forward(
    function: str, dims: int, input: Any, indices: Any, kernel_size: Ints, stride: Ints | None,
    padding: Padding, output_size: Ints | None, layout: str, out: Array | None,
) -> Array:  # fmt: skip
    last, window = _window(function, dims, kernel_size, stride, padding, 1, layout)
    return _core.max_unpool(
        function, dims, last, as_array(function, "input", input),
        as_array(function, "indices", indices), *window[:3],
        _unpooled_size(function, output_size, dims, last), out,
    )  # fmt: skip


def unpool_backward(
    function: str, dims: int, grad_output: Any, input: Any, indices: Any, kernel_size: Ints,
    stride: Ints | None, padding: Padding, output_size: Ints | None, layout: str,
) -> tuple[Array, None]:  # fmt: skip
    last, window = _window(function, dims, kernel_size, stride, padding, 1, layout)
    gradient = _core.max_unpool_backward(
        function, dims, last, *_pair(function, grad_output, input),
        as_array(function, "indices", indices), *window[:3],
        _unpooled_size(function, output_size, dims, last),
    )  # fmt: skip
    return gradient, None


def _window(
    function: str,
    dims: int,
    kernel_size: Ints,
    stride: Ints | None,
    padding: Padding,
    dilation: Ints,
    layout: str,
) -> tuple[bool, Window]:
    """Whether channels come last, and the window."""
    kernel_size = as_ints(function, "kernel_size", kernel_size, dims)
    stride = kernel_size if stride is None else as_ints(function, "stride", stride, dims)
    if type(padding) is not int:
        padding = as_pads(function, padding, dims)
    if type(dilation) is not int:
        dilation = as_ints(function, "dilation", dilation, dims)
    return _last(function, layout, dims), (kernel_size, stride, padding, dilation)


def _last(function: str, layout: str, dims: int) -> bool:
    return layout is not NCHW and check_layout(function, layout, dims)


def _pair(function: str, grad_output: Any, input: Any) -> tuple[Array, Array]:
    return as_array(function, "grad_output", grad_output), as_array(function, "input", input)


def _indices(function: str, indices: Any) -> Array | None:
    return None if indices is None else as_array(function, "indices", indices)


def _divisor(function: str, divisor: int | None) -> int | None:
    return None if divisor is None else as_int(function, "divisor_override", divisor)


def _sizes(function: str, value: OutputSize, dims: int) -> int | tuple[int | None, ...] | None:
    """What the compiled module reads as an output size: one for all, or one a dimension."""
    if value is None or type(value) is int:
        return value
    if not is_sequence(value):
        return as_int(function, "output_size", cast(int, value))
    sizes = [None if size is None else as_int(function, "output_size", size) for size in value]
    if len(sizes) == 1:
        return sizes[0]
    if len(sizes) != dims:
        raise ValueError(
            f"{function}: output_size is {value!r} with {len(sizes)} numbers "
            f"(wanted one int or None, or {dims})"
        )
    return tuple(sizes)


def _unpooled_size(function: str, size: Ints | None, dims: int, last: bool) -> Ints | None:
    """What the compiled module reads as an output's size; of a whole shape its spatial part."""
    if size is None or type(size) is int:
        return size
    if is_sequence(size) and len(size) == dims + 2:
        size = size[1:-1] if last else size[2:]
    return as_tuple(function, "output_size", size, dims)
