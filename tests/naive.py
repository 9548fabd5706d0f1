"""Convolution and pooling as nested loops in float64: slow, obvious, for 1 to 3 dimensions.

Arrays are (N, C, *spatial); stride, dilation and kernel are tuples, padding one (before, after)
pair a dimension. On small integers every result is exact, so a kernel must give the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Ints = Sequence[int]
Pairs = Sequence[tuple[int, int]]
Index = tuple[int, ...]


def naive_conv(
    x: Array,
    w: Array,
    b: Array | None,
    stride: Ints,
    padding_pairs: Pairs,
    dilation: Ints,
    groups: int,
) -> Array:
    """``out[n, oc, o] = b[oc] + sum over ic, t of w[oc, ic, t] * x[n, group's ic, place]``,
    with ``place = o * stride + t * dilation - before``, and 0 in the padding.
    """
    out = np.zeros(conv_output_shape(x, w, stride, padding_pairs, dilation))
    for o, k, i in _conv_terms(x, w, stride, padding_pairs, dilation, groups):
        out[o] += float(w[k]) * float(x[i])
    for n, oc in np.ndindex(out.shape[:2]):
        out[n, oc] += 0 if b is None else float(b[oc])
    return out


def naive_conv_backward(
    grad_output: Array,
    x: Array,
    w: Array,
    stride: Ints,
    padding_pairs: Pairs,
    dilation: Ints,
    groups: int,
) -> tuple[Array, Array, Array]:
    """Gradients of input, weight and bias: each product of the sum, differentiated."""
    grad_input, grad_weight, grad_bias = np.zeros(x.shape), np.zeros(w.shape), np.zeros(len(w))
    for o, k, i in _conv_terms(x, w, stride, padding_pairs, dilation, groups):
        grad_input[i] += float(grad_output[o]) * float(w[k])
        grad_weight[k] += float(grad_output[o]) * float(x[i])
    for o in np.ndindex(grad_output.shape):
        grad_bias[o[1]] += float(grad_output[o])
    return grad_input, grad_weight, grad_bias


def naive_max_pool(
    x: Array,
    kernel: Ints,
    stride: Ints,
    padding_pairs: Pairs,
    dilation: Ints,
    ceil_mode: bool = False,
) -> tuple[Array, Array]:
    """Maxima and their flat index within the plane; -inf and -1 where a window reads nothing."""
    shape = pool_output_shape(x, kernel, stride, padding_pairs, dilation, ceil_mode)
    out, indices = np.full(shape, -np.inf), np.full(shape, -1, np.int64)
    size = x.shape[2:]
    for n, c, *o in np.ndindex(shape):
        here = (n, c, *o)
        for t in np.ndindex(*kernel):
            place = _place(o, t, stride, padding_pairs, dilation)
            if not _inside(place, size):
                continue
            value = float(x[(n, c, *place)])
            if indices[here] < 0 or value > out[here] or np.isnan(value):
                out[here] = value
                indices[here] = np.ravel_multi_index(place, size)
    return out, indices


def naive_max_pool_backward(grad_output: Array, indices: Array, x: Array) -> Array:
    """Each output's gradient, to the element of the plane its maximum came from."""
    grad_input = np.zeros((*x.shape[:2], int(np.prod(x.shape[2:]))))
    for o in np.ndindex(grad_output.shape):
        if indices[o] >= 0:
            grad_input[o[0], o[1], indices[o]] += float(grad_output[o])
    return grad_input.reshape(x.shape)


def naive_avg_pool(
    x: Array,
    kernel: Ints,
    stride: Ints,
    padding_pairs: Pairs,
    dilation: Ints,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    """Sum over the window, over the number of its taps that count (0 where none does)."""
    out = np.zeros(pool_output_shape(x, kernel, stride, padding_pairs, dilation, ceil_mode))
    for n, c, *o in np.ndindex(out.shape):
        places = _places(o, kernel, stride, padding_pairs, dilation)
        total = sum(float(x[(n, c, *p)]) for p in places if _inside(p, x.shape[2:]))
        divisor = _divisor(places, x, padding_pairs, count_include_pad, divisor_override)
        out[(n, c, *o)] = total / divisor if divisor else 0
    return out


def naive_avg_pool_backward(
    grad_output: Array,
    x: Array,
    kernel: Ints,
    stride: Ints,
    padding_pairs: Pairs,
    dilation: Ints,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    """Each output's gradient over its divisor, to every tap of its window."""
    grad_input = np.zeros(x.shape)
    for n, c, *o in np.ndindex(grad_output.shape):
        places = _places(o, kernel, stride, padding_pairs, dilation)
        divisor = _divisor(places, x, padding_pairs, count_include_pad, divisor_override)
        for p in places:
            if _inside(p, x.shape[2:]):
                grad_input[(n, c, *p)] += float(grad_output[(n, c, *o)]) / divisor
    return grad_input


def conv_output_shape(
    x: Array, w: Array, stride: Ints, padding_pairs: Pairs, dilation: Ints
) -> Index:
    """(N, O, *the number of windows that fit)."""
    fits = pool_output_shape(x, w.shape[2:], stride, padding_pairs, dilation, False)
    return (x.shape[0], w.shape[0], *fits[2:])


def pool_output_shape(
    x: Array, kernel: Ints, stride: Ints, padding_pairs: Pairs, dilation: Ints, ceil_mode: bool
) -> Index:
    """(N, C, *the number of windows), counted one by one."""
    shape = list(x.shape[:2])
    for n, k, s, (before, after), d in zip(x.shape[2:], kernel, stride, padding_pairs, dilation):
        padded, extent, count = before + n + after, d * (k - 1) + 1, 0
        while count * s + extent <= padded:
            count += 1
        # ceil mode: one more where something is left, if it starts before the padding after
        left = (count - 1) * s + extent < padded
        if ceil_mode and left and count * s < before + n:
            count += 1
        shape.append(count)
    return tuple(shape)


def _conv_terms(
    x: Array, w: Array, stride: Ints, padding_pairs: Pairs, dilation: Ints, groups: int
) -> Iterator[tuple[Index, Index, Index]]:
    """(output, weight, input) index of every product in the convolution's sums."""
    out_shape = conv_output_shape(x, w, stride, padding_pairs, dilation)
    for n, oc, *o in np.ndindex(out_shape):
        group = oc // (w.shape[0] // groups)
        for ic, *t in np.ndindex(w.shape[1:]):
            place = _place(o, t, stride, padding_pairs, dilation)
            if _inside(place, x.shape[2:]):
                yield (n, oc, *o), (oc, ic, *t), (n, group * w.shape[1] + ic, *place)


def _place(o: Ints, t: Ints, stride: Ints, padding_pairs: Pairs, dilation: Ints) -> Index:
    """Where tap `t` of window `o` reads: negative, or past the end, in the padding."""
    terms = zip(o, t, stride, padding_pairs, dilation)
    return tuple(oi * s + ti * d - before for oi, ti, s, (before, _), d in terms)


def _places(
    o: Ints, kernel: Ints, stride: Ints, padding_pairs: Pairs, dilation: Ints
) -> list[Index]:
    return [_place(o, t, stride, padding_pairs, dilation) for t in np.ndindex(*kernel)]


def _inside(place: Index, size: Ints) -> bool:
    return all(0 <= p < n for p, n in zip(place, size))


def _divisor(
    places: list[Index],
    x: Array,
    padding_pairs: Pairs,
    count_include_pad: bool,
    divisor_override: int | None,
) -> int:
    if divisor_override is not None:
        return divisor_override
    margins = padding_pairs if count_include_pad else [(0, 0)] * len(padding_pairs)
    count = 0
    for place in places:
        terms = zip(place, x.shape[2:], margins)
        count += all(-before <= p < n + after for p, n, (before, after) in terms)
    return count
