"""What the transposed convolutions share, for any number of dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import _core
from ._coerce import (
    Array,
    Ints,
    Padding,
    as_array,
    as_int,
    as_ints,
    as_pads,
    as_tuple,
    is_sequence,
)
from ._convolution import (
    Activation,
    Gradients,
    as_activation,
    as_algorithm,
    as_needs,
    gradient_of_sum,
    residual_gradient,
)
from ._layout import check_layout


def forward(
    function: str,
    dims: int,
    input: Any,
    weight: Any,
    bias: Any,
    stride: Ints,
    padding: Padding,
    output_padding: Ints,
    groups: int,
    dilation: Ints,
    output_size: Ints | None,
    activation: Activation,
    residual: Any,
    algorithm: str,
    layout: str,
    out: Array | None,
    weights: _core.Weights | None = None,
) -> Array:
    """A transposed convolution, with packed `weights` where there are any."""
    image = as_array(function, "input", input)
    return _core.conv_transpose_forward(
        function, dims, check_layout(function, layout, dims), image,
        as_array(function, "weight", weight),
        None if bias is None else as_array(function, "bias", bias),
        *as_window(function, dims, image, stride, padding, output_padding, groups, dilation,
                 output_size, layout),
        as_algorithm(function, algorithm), *as_activation(function, activation),
        None if residual is None else as_array(function, "residual", residual), weights, out,
    )  # fmt: skip


def backward(
    function: str,
    dims: int,
    grad_output: Any,
    input: Any,
    weight: Any,
    bias: Any,
    stride: Ints,
    padding: Padding,
    output_padding: Ints,
    groups: int,
    dilation: Ints,
    output_size: Ints | None,
    activation: Activation,
    residual: Any,
    output: Any,
    algorithm: str,
    layout: str,
    needs: Sequence[bool],
) -> Gradients:
    """The gradients of `forward`: of input, weight, bias and, where there is one, residual."""
    wanted = as_needs(function, needs, residual)
    grad = as_array(function, "grad_output", grad_output)
    image = as_array(function, "input", input)
    weights = as_array(function, "weight", weight)
    biases = None if bias is None else as_array(function, "bias", bias)

    def again(activation: Activation) -> Array:
        return forward(
            function, dims, image, weights, biases, stride, padding, output_padding, groups,
            dilation, output_size, activation, residual, algorithm, layout, None,
        )  # fmt: skip

    grad_sum = gradient_of_sum(function, grad, activation, output, again)
    gradients = _core.conv_transpose_backward(
        function, dims, check_layout(function, layout, dims), grad_sum, image, weights, biases,
        *as_window(function, dims, image, stride, padding, output_padding, groups, dilation,
                 output_size, layout),
        as_algorithm(function, algorithm), *wanted[:3],
    )  # fmt: skip
    if residual is None:
        return gradients
    return *gradients, residual_gradient(function, grad, grad_sum, residual, wanted[3])


def as_window(
    function: str,
    dims: int,
    image: Array,
    stride: Ints,
    padding: Padding,
    output_padding: Ints,
    groups: int,
    dilation: Ints,
    output_size: Ints | None,
    layout: str,
) -> tuple[Ints, Padding, Ints, int, Ints, tuple[int, ...] | None]:
    """Stride, padding, output_padding, groups, dilation and output_size as the core takes them."""
    return (
        as_ints(function, "stride", stride, dims),
        as_pads(function, padding, dims),
        as_ints(function, "output_padding", output_padding, dims),
        as_int(function, "groups", groups),
        as_ints(function, "dilation", dilation, dims),
        as_output_size(function, output_size, dims, image.ndim, layout),
    )


def as_output_size(
    function: str, output_size: Ints | None, dims: int, ndim: int, layout: str = "NCHW"
) -> tuple[int, ...] | None:
    """The spatial sizes. As in torch, they may stand after those of batch and channels."""
    if output_size is None or not is_sequence(output_size):
        return None if output_size is None else as_tuple(function, "output_size", output_size, dims)
    sizes = tuple(output_size)
    if len(sizes) == ndim > dims:
        last = check_layout(function, layout, dims)
        sizes = sizes[-1 - dims : -1] if last else sizes[-dims:]
    return as_tuple(function, "output_size", sizes, dims)
