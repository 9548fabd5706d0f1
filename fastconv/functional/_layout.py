"""Names of the order of axes: (N, C, spatial...) as torch has it, (N, spatial..., C) as Keras."""

from __future__ import annotations

# The default, which calls compare by identity: `!=` would go through an array element by element.
NCHW = "NCHW"
_LAYOUTS = {1: ("NCL", "NLC"), 2: ("NCHW", "NHWC"), 3: ("NCDHW", "NDHWC")}


def check_layout(function: str, layout: str, dims: int) -> bool:
    """Whether `layout` says that channels come last."""
    first, last = _LAYOUTS[dims]
    if not isinstance(layout, str):
        kind = type(layout).__name__
        raise TypeError(f"{function}: layout is a {kind} (wanted {first!r} or {last!r})")
    if layout in (first, NCHW):
        return False
    if layout in (last, "NHWC"):
        return True
    raise ValueError(f"{function}: layout is {layout!r} (wanted {first!r} or {last!r})")
