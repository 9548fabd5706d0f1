from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

_Array = npt.NDArray[Any]
_Padding = str | Sequence[tuple[int, int]]

__version__: str

def compiler() -> str: ...
def isa() -> str: ...
def executed_isa() -> str | None: ...
def set_isa(name: str, /) -> None: ...
def available_isas() -> list[str]: ...
def get_num_threads() -> int: ...
def set_num_threads(n: int, /) -> None: ...
def release_memory() -> None: ...
def peak_flops(dtype: str, /) -> float: ...
def set_poison(on: bool, /) -> None: ...

class Weights:
    def __init__(self, function: str, weight: _Array, groups: int, /) -> None: ...

def conv_forward(
    function: str,
    input: _Array,
    weight: _Array,
    bias: _Array | None,
    stride: Sequence[int],
    padding: _Padding,
    dilation: Sequence[int],
    groups: int,
    out: _Array | None,
    algorithm: int,
    activation: int,
    slope: float,
    residual: _Array | None,
    prepared: Weights | None,
    /,
) -> _Array: ...
def conv_backward(
    function: str,
    grad_output: _Array,
    input: _Array,
    weight: _Array,
    stride: Sequence[int],
    padding: _Padding,
    dilation: Sequence[int],
    groups: int,
    needs_input: bool,
    needs_weight: bool,
    needs_bias: bool,
    algorithm: int,
    /,
) -> tuple[_Array | None, _Array | None, _Array | None]: ...
def max_pool_forward(
    function: str,
    input: _Array,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: _Padding,
    dilation: Sequence[int],
    ceil_mode: bool,
    return_indices: bool,
    out: _Array | None,
    /,
) -> Any: ...
def max_pool_backward(
    function: str,
    grad_output: _Array,
    input: _Array,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: _Padding,
    dilation: Sequence[int],
    ceil_mode: bool,
    indices: _Array | None,
    /,
) -> _Array: ...
def avg_pool_forward(
    function: str,
    input: _Array,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: _Padding,
    dilation: Sequence[int],
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
    out: _Array | None,
    /,
) -> _Array: ...
def avg_pool_backward(
    function: str,
    grad_output: _Array,
    input: _Array,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: _Padding,
    dilation: Sequence[int],
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
    /,
) -> _Array: ...
