"""Saving and loading named arrays: ``.safetensors`` and ``.npz`` files, never pickle.

A safetensors file is: 8 bytes, the length N of the header (little-endian); N bytes of JSON,
``{name: {"dtype", "shape", "data_offsets": [begin, end]}, "__metadata__": {...}}``; then the
arrays, little-endian and C-ordered, without holes. https://github.com/huggingface/safetensors
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Mapping
from typing import Any, BinaryIO, TypeVar, Union

import numpy as np
import numpy.typing as npt

from .functional._coerce import as_array

__all__ = ["load", "save"]

Array = npt.NDArray[Any]
Path = Union[str, "os.PathLike[str]"]
_Format = TypeVar("_Format")

DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4",
    "I16": "<i2", "I8": "i1", "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?",
}  # fmt: skip
NAMES = {np.dtype(code).newbyteorder("="): name for name, code in DTYPES.items() if name != "BF16"}
HEADER_LIMIT = 100_000_000  # the safetensors package's own


def save(path: Path, state: Mapping[str, Any]) -> None:
    """Write the arrays of `state` to `path`, which ends in ``.safetensors`` or ``.npz``.

    The file is complete or is not there: it is written beside `path` and then renamed.

    Parameters
    ----------
    path : str or path
    state : mapping of names to arrays or Parameters
        A module's ``state_dict()``, for one.

    Raises
    ------
    ValueError, TypeError
        For another ending, a name that is no string, or a dtype without a place in the file.

    Examples
    --------
    >>> import fastconv as fc
    >>> fc.save("net.safetensors", fc.nn.Linear(3, 2).state_dict())    # doctest: +SKIP
    """
    write = _format("save", path, _write_safetensors, _write_npz)
    arrays = {name: _savable(name, value) for name, value in state.items()}
    target = os.path.realpath(path)
    partial = f"{target}.{os.getpid()}-{os.urandom(4).hex()}.part"
    try:
        with open(partial, "xb") as file:
            write(file, arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, target)
    except BaseException:
        if os.path.exists(partial):
            os.remove(partial)
        raise


def load(path: Path) -> dict[str, Array]:
    """Read the arrays of a ``.safetensors`` or ``.npz`` file; half precision comes as float32.

    Raises
    ------
    ValueError
        For another ending and for a file that is damaged, cut short or of another format; the
        message names the file and the reason.

    Examples
    --------
    >>> import fastconv as fc
    >>> net = fc.nn.Linear(3, 2)
    >>> net.load_state_dict(fc.load("net.safetensors"))    # doctest: +SKIP
    """
    read = _format("load", path, _read_safetensors, _read_npz)
    with open(path, "rb") as file:
        try:
            return read(file)
        except (ValueError, OverflowError, RecursionError) as error:
            raise ValueError(f"load: {os.fspath(path)} {error}") from error


def _format(function: str, path: Path, safetensors: _Format, npz: _Format) -> _Format:
    ending = os.path.splitext(path)[1]
    if ending not in (".safetensors", ".npz"):
        raise ValueError(
            f"{function}: path is {os.fspath(path)!r} (wanted it to end in .safetensors or .npz)"
        )
    return safetensors if ending == ".safetensors" else npz


def _savable(name: Any, value: Any) -> Array:
    if not isinstance(name, str):
        raise TypeError(f"save: state has the key {name!r} (wanted a string)")
    if name == "__metadata__":
        raise ValueError("save: state has the key '__metadata__', which the format reserves")
    array = np.asarray(as_array("save", name, value), order="C")
    native = array.dtype.newbyteorder("=")
    if native not in NAMES:
        raise TypeError(f"save: {name} has dtype {array.dtype} (wanted numbers of up to 64 bits)")
    return array.astype(native, copy=False)


def _write_safetensors(file: BinaryIO, arrays: dict[str, Array]) -> None:
    import json

    ordered = sorted(arrays.items(), key=lambda item: (-item[1].itemsize, item[0]))
    header, end = {}, 0
    for name, array in ordered:
        begin, end = end, end + array.nbytes
        header[name] = {
            "dtype": NAMES[array.dtype],
            "shape": array.shape,
            "data_offsets": (begin, end),
        }
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    file.write(struct.pack("<Q", len(text)))
    file.write(text)
    for _, array in ordered:
        file.write(array.astype(array.dtype.newbyteorder("<"), copy=False).data)


def _read_safetensors(file: BinaryIO) -> dict[str, Array]:
    size = os.fstat(file.fileno()).st_size
    if size < 8:
        raise ValueError(f"has {size} bytes (wanted at least 8, the header's length)")
    (length,) = struct.unpack("<Q", file.read(8))
    if length > min(size - 8, HEADER_LIMIT):
        raise ValueError(
            f"has a header of {length} bytes in a file of {size} (cut short, or another format)"
        )
    entries = _parse(file.read(length))
    position, arrays = 0, {}
    for name, entry in sorted(entries.items(), key=lambda item: item[1][2:]):
        dtype, shape, begin, end = entry
        if begin != position:
            problem = "overlaps" if begin < position else "leaves a hole after"
            raise ValueError(f"has {name!r} at offset {begin}, which {problem} the one before")
        if end > size - 8 - length:
            raise ValueError(
                f"is cut short: {name!r} ends at offset {end} of {size - 8 - length} bytes of data"
            )
        count = math.prod(shape)
        array = np.fromfile(file, DTYPES[dtype], count)
        if array.size != count:
            raise ValueError(f"is cut short in {name!r}")
        arrays[name] = _widened(array, dtype).reshape(shape)
        position = end
    if position != size - 8 - length:
        raise ValueError(f"has {size - 8 - length - position} bytes after the last array")
    return {name: arrays[name] for name in entries}


def _parse(text: bytes) -> dict[str, tuple[str, tuple[int, ...], int, int]]:
    """The header's entries: dtype, shape, begin and end, which fit each other."""
    import json

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) != len(pairs):
            raise ValueError("has a name twice in its header")
        return dict(pairs)

    try:
        header = json.loads(text.decode(), object_pairs_hook=unique)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"has a header that is no JSON ({error})") from error
    if not isinstance(header, dict):
        raise ValueError("has a header that is no JSON object")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise ValueError("has a __metadata__ that is no object of strings")
    entries = {}
    for name, entry in header.items():
        if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
            raise ValueError(f"has {name!r} without exactly dtype, shape and data_offsets")
        dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
        if not isinstance(dtype, str) or dtype not in DTYPES:
            known = ", ".join(DTYPES)
            raise ValueError(f"has {name!r} with dtype {dtype!r} (wanted one of {known})")
        for what, numbers in (("shape", shape), ("data_offsets", offsets)):
            if not (
                isinstance(numbers, list) and len(numbers) <= 64 and all(map(_is_size, numbers))
            ):
                raise ValueError(f"has {name!r} with {what} {repr(numbers)[:60]} (wanted sizes)")
        needed = math.prod(shape) * np.dtype(DTYPES[dtype]).itemsize
        if len(offsets) != 2 or offsets[1] - offsets[0] != needed:
            raise ValueError(
                f"has {name!r} at offsets {offsets}, but {dtype} of shape {shape} is {needed} bytes"
            )
        entries[name] = (dtype, tuple(shape), offsets[0], offsets[1])
    return entries


def _is_size(number: Any) -> bool:
    return type(number) is int and 0 <= number < 2**63


def _widened(array: Array, dtype: str) -> Array:
    """Native byte order, and half precision as float32 (a bfloat16 is a float32's upper half)."""
    if dtype == "BF16":
        return (array.astype(np.uint32) << 16).view(np.float32)
    return array.astype(np.float32 if dtype == "F16" else array.dtype.newbyteorder("="), copy=False)


def _write_npz(file: BinaryIO, arrays: dict[str, Array]) -> None:
    import zipfile

    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy")  # without a date: same arrays, same file
            with archive.open(entry, "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def _read_npz(file: BinaryIO) -> dict[str, Array]:
    import zipfile
    import zlib

    try:
        with np.load(file, allow_pickle=False) as archive:
            arrays = {name: np.asarray(archive[name]) for name in archive.files}
    except (
        ValueError, TypeError, AttributeError, EOFError, OSError, NotImplementedError, RuntimeError,
        zipfile.BadZipFile, zlib.error, struct.error,
    ) as error:  # fmt: skip
        raise ValueError(f"is no readable .npz ({error})") from error
    half = np.dtype(np.float16)
    return {n: a.astype(np.float32) if a.dtype == half else a for n, a in arrays.items()}
