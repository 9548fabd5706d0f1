from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

_Array = npt.NDArray[Any]
_Ints = int | Sequence[int]  # in fact an int or a tuple
_Padding = int | str | Sequence[int | Sequence[int]]  # in fact an int, a name or a tuple of pairs

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

class FrozenConv:
    def __init__(
        self,
        function: str,
        weights: Weights,
        bias: _Array | None,
        stride: _Ints,
        padding: _Padding,
        dilation: _Ints,
        activation: int,
        slope: float,
        algorithm: int = 0,
        /,
    ) -> None: ...
    @property
    def weights(self) -> Weights: ...
    def bind(self, input: _Array, residual: _Array | None, out: _Array, /) -> Bound: ...
    def __call__(
        self, input: _Array, /, residual: _Array | None = None, out: _Array | None = None
    ) -> _Array: ...

class Bound:
    def __call__(self) -> None: ...
    def on(self, input: _Array, /) -> None: ...

class Binding:
    def __init__(self, out: _Array, /) -> None: ...

def conv_forward(
    function: str,
    dims: int,
    nhwc: bool,
    input: _Array,
    weight: _Array,
    bias: _Array | None,
    stride: _Ints,
    padding: _Padding,
    dilation: _Ints,
    groups: int,
    algorithm: int,
    activation: int,
    slope: float,
    residual: _Array | None,
    out: _Array | None,
    /,
) -> _Array: ...
def conv_backward(
    function: str,
    dims: int,
    nhwc: bool,
    grad_output: _Array,
    input: _Array,
    weight: _Array,
    bias: _Array | None,
    stride: _Ints,
    padding: _Padding,
    dilation: _Ints,
    groups: int,
    algorithm: int,
    needs_input: bool,
    needs_weight: bool,
    needs_bias: bool,
    /,
) -> tuple[_Array | None, _Array | None, _Array | None]: ...
def conv_describe(
    function: str,
    dims: int,
    nhwc: bool,
    input: _Array,
    weight: _Array,
    stride: _Ints,
    padding: _Padding,
    dilation: _Ints,
    groups: int,
    algorithm: int,
    /,
) -> dict[str, Any]: ...
def conv_transpose_forward(
    function: str,
    dims: int,
    nhwc: bool,
    input: _Array,
    weight: _Array,
    bias: _Array | None,
    stride: _Ints,
    padding: _Padding,
    output_padding: _Ints,
    groups: int,
    dilation: _Ints,
    output_size: _Ints | None,
    algorithm: int,
    activation: int,
    slope: float,
    residual: _Array | None,
    prepared: Weights | None,
    out: _Array | None,
    /,
) -> _Array: ...
def conv_transpose_backward(
    function: str,
    dims: int,
    nhwc: bool,
    grad_output: _Array,
    input: _Array,
    weight: _Array,
    bias: _Array | None,
    stride: _Ints,
    padding: _Padding,
    output_padding: _Ints,
    groups: int,
    dilation: _Ints,
    output_size: _Ints | None,
    algorithm: int,
    needs_input: bool,
    needs_weight: bool,
    needs_bias: bool,
    /,
) -> tuple[_Array | None, _Array | None, _Array | None]: ...
def conv_transpose_describe(
    function: str,
    dims: int,
    nhwc: bool,
    input: _Array,
    weight: _Array,
    stride: _Ints,
    padding: _Padding,
    output_padding: _Ints,
    groups: int,
    dilation: _Ints,
    output_size: _Ints | None,
    algorithm: int,
    /,
) -> dict[str, Any]: ...
def max_pool_forward(
    function: str,
    dims: int,
    nhwc: bool,
    input: _Array,
    kernel: _Ints,
    stride: _Ints,
    padding: _Padding,
    dilation: _Ints,
    ceil_mode: bool,
    return_indices: bool,
    out: _Array | None,
    /,
) -> Any: ...
def max_pool_backward(
    function: str,
    dims: int,
    nhwc: bool,
    grad_output: _Array,
    input: _Array,
    kernel: _Ints,
    stride: _Ints,
    padding: _Padding,
    dilation: _Ints,
    ceil_mode: bool,
    indices: _Array | None,
    /,
) -> _Array: ...
def avg_pool_forward(
    function: str,
    dims: int,
    nhwc: bool,
    input: _Array,
    kernel: _Ints,
    stride: _Ints,
    padding: _Padding,
    dilation: _Ints,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
    out: _Array | None,
    /,
) -> _Array: ...
def avg_pool_backward(
    function: str,
    dims: int,
    nhwc: bool,
    grad_output: _Array,
    input: _Array,
    kernel: _Ints,
    stride: _Ints,
    padding: _Padding,
    dilation: _Ints,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
    /,
) -> _Array: ...
def adaptive_avg_pool_forward(
    function: str,
    dims: int,
    nhwc: bool,
    input: _Array,
    output_size: int | tuple[int | None, ...] | None,
    out: _Array | None,
    /,
) -> _Array: ...
def adaptive_avg_pool_backward(
    function: str,
    dims: int,
    nhwc: bool,
    grad_output: _Array,
    input: _Array,
    output_size: int | tuple[int | None, ...] | None,
    /,
) -> _Array: ...
def adaptive_max_pool_forward(
    function: str,
    dims: int,
    nhwc: bool,
    input: _Array,
    output_size: int | tuple[int | None, ...] | None,
    return_indices: bool,
    out: _Array | None,
    /,
) -> Any: ...
def adaptive_max_pool_backward(
    function: str,
    dims: int,
    nhwc: bool,
    grad_output: _Array,
    input: _Array,
    output_size: int | tuple[int | None, ...] | None,
    indices: _Array | None,
    /,
) -> _Array: ...
def lp_pool_forward(
    function: str,
    dims: int,
    nhwc: bool,
    input: _Array,
    norm_type: float,
    kernel: _Ints,
    stride: _Ints,
    padding: _Padding,
    dilation: _Ints,
    ceil_mode: bool,
    out: _Array | None,
    /,
) -> _Array: ...
def lp_pool_backward(
    function: str,
    dims: int,
    nhwc: bool,
    grad_output: _Array,
    input: _Array,
    norm_type: float,
    kernel: _Ints,
    stride: _Ints,
    padding: _Padding,
    dilation: _Ints,
    ceil_mode: bool,
    /,
) -> _Array: ...
def max_unpool(
    function: str,
    dims: int,
    nhwc: bool,
    input: _Array,
    indices: _Array,
    kernel: _Ints,
    stride: _Ints,
    padding: _Padding,
    output_size: _Ints | None,
    out: _Array | None,
    /,
) -> _Array: ...
def max_unpool_backward(
    function: str,
    dims: int,
    nhwc: bool,
    grad_output: _Array,
    input: _Array,
    indices: _Array,
    kernel: _Ints,
    stride: _Ints,
    padding: _Padding,
    output_size: _Ints | None,
    /,
) -> _Array: ...
def unfold(
    function: str,
    input: _Array,
    kernel: _Ints,
    dilation: _Ints,
    padding: _Padding,
    stride: _Ints,
    out: _Array | None,
    /,
) -> _Array: ...
def unfold_backward(
    function: str,
    grad_output: _Array,
    input: _Array,
    kernel: _Ints,
    dilation: _Ints,
    padding: _Padding,
    stride: _Ints,
    /,
) -> _Array: ...
def fold(
    function: str,
    input: _Array,
    output_size: _Ints,
    kernel: _Ints,
    dilation: _Ints,
    padding: _Padding,
    stride: _Ints,
    out: _Array | None,
    /,
) -> _Array: ...
def fold_backward(
    function: str,
    grad_output: _Array,
    input: _Array,
    output_size: _Ints,
    kernel: _Ints,
    dilation: _Ints,
    padding: _Padding,
    stride: _Ints,
    /,
) -> _Array: ...
def activate(function: str, activation: int, slope: float, input: _Array, /) -> _Array: ...
def activate_(function: str, activation: int, slope: float, input: _Array, /) -> _Array: ...
def activate_backward(
    function: str,
    activation: int,
    slope: float,
    grad_output: _Array,
    input: _Array,
    output: _Array | None,
    /,
) -> _Array: ...
def sgd_step(
    param: _Array,
    grad: _Array,
    momentum_buffer: _Array | None,
    lr: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
    first: bool,
    /,
) -> None: ...
def adam_step(
    param: _Array,
    grad: _Array,
    exp_avg: _Array,
    exp_avg_sq: _Array,
    max_exp_avg_sq: _Array | None,
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    /,
) -> None: ...
def product(function: str, a: _Array, b: _Array, bias: _Array | None, /) -> _Array: ...
def softmax(function: str, log: bool, axis: int, input: _Array, /) -> _Array: ...
def softmax_backward(
    function: str,
    log: bool,
    axis: int,
    grad_output: _Array,
    input: _Array,
    output: _Array | None,
    /,
) -> _Array: ...
def local_response_norm(
    function: str, input: _Array, size: int, alpha: float, beta: float, k: float, /
) -> _Array: ...
def local_response_norm_backward(
    function: str,
    grad_output: _Array,
    input: _Array,
    size: int,
    alpha: float,
    beta: float,
    k: float,
    /,
) -> _Array: ...
def batch_norm(
    function: str,
    input: _Array,
    running_mean: _Array | None,
    running_var: _Array | None,
    weight: _Array | None,
    bias: _Array | None,
    training: bool,
    momentum: float,
    eps: float,
    /,
) -> tuple[_Array, _Array, _Array]: ...
def batch_norm_backward(
    function: str,
    grad_output: _Array,
    input: _Array,
    running_mean: _Array | None,
    running_var: _Array | None,
    weight: _Array | None,
    training: bool,
    eps: float,
    mean: _Array | None,
    variance: _Array | None,
    needs_input: bool,
    needs_weight: bool,
    needs_bias: bool,
    /,
) -> tuple[_Array | None, _Array | None, _Array | None]: ...
def cross_entropy(
    function: str,
    input: _Array,
    target: _Array,
    weight: _Array | None,
    ignore_index: int,
    reduction: int,
    label_smoothing: float,
    /,
) -> _Array: ...
def cross_entropy_backward(
    function: str,
    grad_output: _Array,
    input: _Array,
    target: _Array,
    weight: _Array | None,
    ignore_index: int,
    reduction: int,
    label_smoothing: float,
    needs_input: bool,
    needs_target: bool,
    /,
) -> tuple[_Array | None, _Array | None, None]: ...
