"""What else takes windows: adaptive and Lp pooling, unpooling, unfolding and folding, both ways."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from checks import Array, Check, equal, exact_sum, integers, normal, within_sum, within_ulps
from contest import Contest

import fastconv.reference as reference

backwards = pytest.mark.parametrize("backward", [False, True], ids=["forward", "backward"])


class Adaptive(NamedTuple):
    layer: str
    dims: int
    input_shape: tuple[int, ...]
    output: int


ADAPTIVE = (
    Adaptive("resnet50.avgpool", 2, (1, 2048, 7, 7), 1),
    Adaptive("alexnet.avgpool", 2, (1, 256, 13, 13), 6),
    Adaptive("speech.1d", 1, (1, 64, 1000), 37),
    Adaptive("c3d.pool5", 3, (1, 512, 2, 7, 7), 3),
)


class Window(NamedTuple):
    layer: str
    dims: int
    input_shape: tuple[int, ...]
    kernel: int
    stride: int


WINDOWS = (
    Window("alexnet.pool1", 2, (1, 96, 55, 55), 3, 2),
    Window("wavenet.1d", 1, (1, 64, 4096), 4, 4),
    Window("c3d.pool2", 3, (1, 64, 16, 28, 28), 2, 2),
)
COLUMNS = (
    Window("vgg16.conv3_2", 2, (1, 256, 56, 56), 3, 1),
    Window("alexnet.conv1", 2, (1, 3, 227, 227), 11, 4),
)


@backwards
@pytest.mark.parametrize("kind", ["avg", "max"])
@pytest.mark.parametrize("case", ADAPTIVE, ids=[case.layer for case in ADAPTIVE])
def test_adaptive(contest: Contest, case: Adaptive, kind: str, backward: bool) -> None:
    name = f"adaptive_{kind}_pool{case.dims}d"
    x = normal(0, case.input_shape)
    shape = (*case.input_shape[:2], *(case.output,) * case.dims)
    gy = normal(1, shape) if kind == "avg" else integers(1, shape)
    check: Check = equal
    if kind == "avg":
        forward = getattr(reference, name)
        gradient = getattr(reference, f"{name}_backward")
        magnitude = (
            gradient(np.abs(gy), x, case.output) if backward else forward(np.abs(x), case.output)
        )
        check = within_sum(int(np.prod(case.input_shape[2:])), magnitude)
    _both_ways(contest, case.layer, name, backward, gy, (x,), (case.output,), check)


@backwards
@pytest.mark.parametrize("case", WINDOWS, ids=[case.layer for case in WINDOWS])
def test_lp_pool(contest: Contest, case: Window, backward: bool) -> None:
    """The L2 norm."""
    name = f"lp_pool{case.dims}d"
    x, args = normal(0, case.input_shape), (2, case.kernel, case.stride)
    gy = normal(1, getattr(reference, name)(x, *args).shape)
    check = within_ulps(f"{name}_backward" if backward else name)
    _both_ways(contest, case.layer, name, backward, gy, (x,), args, check)


@backwards
@pytest.mark.parametrize("case", WINDOWS, ids=[case.layer for case in WINDOWS])
def test_max_unpool(contest: Contest, case: Window, backward: bool) -> None:
    """Of windows side by side: where they overlap an index may be there twice."""
    name, pool = f"max_unpool{case.dims}d", getattr(reference, f"max_pool{case.dims}d")
    image = normal(0, case.input_shape)
    x, indices = pool(image, case.kernel, return_indices=True)
    gy = image[(..., *(slice(n * case.kernel) for n in x.shape[2:]))]
    gy = np.ascontiguousarray(gy)
    indices = _renumbered(indices, image.shape[2:], gy.shape[2:])
    _both_ways(contest, case.layer, name, backward, gy, (x, indices), (case.kernel,), equal)


@backwards
@pytest.mark.parametrize("name", ["unfold", "fold"])
@pytest.mark.parametrize("case", COLUMNS, ids=[case.layer for case in COLUMNS])
def test_columns(contest: Contest, case: Window, name: str, backward: bool) -> None:
    image = integers(0, case.input_shape)
    where: tuple[Any, ...] = (case.kernel, 1, 0, case.stride)
    columns = integers(1, reference.unfold(image, *where).shape)
    x, gy = (image, columns) if name == "unfold" else (columns, image)
    if name == "fold":
        where = (case.input_shape[2:], *where)
    _both_ways(contest, case.layer, name, backward, gy, (x,), where, exact_sum(case.kernel**2))


def _renumbered(indices: Array, old: tuple[int, ...], new: tuple[int, ...]) -> Array:
    """Flat indices into a plane of another size."""
    return np.asarray(np.ravel_multi_index(np.unravel_index(indices, old), new))


def _both_ways(
    contest: Contest,
    layer: str,
    name: str,
    backward: bool,
    gy: Array,
    arrays: tuple[Array, ...],
    args: tuple[Any, ...],
    check: Check,
) -> None:
    function = f"{name}_backward" if backward else name
    operands = (gy, *arrays) if backward else arrays

    def call(library: Any) -> Any:
        result = getattr(library, function)(*operands, *args)
        return result[0] if isinstance(result, tuple) else result

    contest(layer, function, call, operands=operands, check=check)
