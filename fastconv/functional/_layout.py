"""Names of the order of axes: (N, C, spatial...) as torch has it, (N, spatial..., C) as Keras."""

from __future__ import annotations

_LAYOUTS = {1: ("NCL", "NLC"), 2: ("NCHW", "NHWC"), 3: ("NCDHW", "NDHWC")}


def check_layout(function: str, layout: str, dims: int) -> bool:
    """Whether `layout` says that channels come last."""
    first, last = _LAYOUTS[dims]
    if layout in (first, "NCHW"):
        return False
    if layout in (last, "NHWC"):
        return True
    raise ValueError(f"{function}: layout is {layout!r} (wanted {first!r} or {last!r})")
