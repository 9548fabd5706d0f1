"""What the oracles of pooling share: the window's keywords, and where it falls."""

from __future__ import annotations

from oracle.draws import settled, sizes_for

NAMED = ("valid", "same", "same_lower")
MORE = {1: 40, 2: 18, 3: 6}


def window(p, dims, ceil=True):
    """What is given as kernel_size, (kernel, stride, pairs, dilation, ceil_mode), the padding as
    the reference takes it, and the size of an image that the window fits on.
    """
    kernel = tuple(p.int(1, 7 if dims == 1 else 5 - dims // 2) for _ in range(dims))
    given = p.as_given(kernel)
    stride = p.ints("stride", dims, 1, 4, kernel)
    dilation = p.ints("dilation", dims, 1, 3)
    padding = p.padding(dims, [k // 2 for k in kernel], NAMED)
    size = sizes_for(p, kernel, dilation, padding, MORE[dims])
    ceil_mode = ceil and p.option("ceil_mode", False, lambda: True)
    pairs = settled(padding, size, kernel, stride, dilation)
    how = (kernel, stride, pairs, dilation, ceil_mode)
    return given, how, padding if isinstance(padding, str) else pairs, size


def image(p, form, size, whole=None, low=-4, high=4):
    return p.values((p.batch(form), p.choice((1, 2, 3, 5, 16, 37)), *size), whole, low, high)


def counts(size, kernel, stride, pairs, dilation, ceil_mode):
    """Windows a dimension: in ceil mode one more, unless it starts in the padding after."""
    found = []
    for n, k, s, d, (before, after) in zip(size, kernel, stride, dilation, pairs):
        room = before + n + after - d * (k - 1) - 1
        count = room // s + 1
        if ceil_mode and room % s and count * s < n + before:
            count += 1
        found.append(count)
    return tuple(found)


def overhang(size, kernel, stride, pairs, dilation, ceil_mode):
    """How far the last window of each dimension reaches past the padding."""
    outputs = counts(size, kernel, stride, pairs, dilation, ceil_mode)
    terms = zip(outputs, size, kernel, stride, dilation, pairs)
    return tuple(
        max(0, (o - 1) * s + d * (k - 1) + 1 - (before + n + after))
        for o, n, k, s, d, (before, after) in terms
    )


def flat(pairs):
    """As torch's pad takes them, the last dimension first."""
    return [n for pair in reversed(pairs) for n in pair]
