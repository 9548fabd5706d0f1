"""Small image data sets as arrays: scikit-learn's digits, MNIST's IDX files, Keras's ``mnist.npz``.

Images are float32 in [0, 1], shape ``(N, 1, H, W)``; labels are int64, shape ``(N,)``.
The IDX format is described at the end of http://yann.lecun.com/exdb/mnist: two zero bytes, a byte
for the type, a byte for the number of dimensions, the dimensions and then the payload, big-endian.
"""

from __future__ import annotations

import gzip
import math
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Dataset",
    "batches",
    "enlarge",
    "jitter",
    "load_digits",
    "load_images",
    "read_idx",
    "stratified_split",
]

Array = NDArray[Any]

IDX_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MOST_CLASSES = 1000
NPZ_KEYS = ("x_train", "y_train", "x_test", "y_test")


class Dataset(NamedTuple):
    """Images to learn from, images held out, and a name to print."""

    train_images: Array
    train_labels: Array
    test_images: Array
    test_labels: Array
    name: str


def load_digits(seed: int = 0, test_fraction: float = 0.2) -> Dataset:
    """Load the 1797 handwritten 8x8 digits bundled with scikit-learn.

    Parameters
    ----------
    seed : int
        Seed of the split (and of nothing else).
    test_fraction : float
        Share of each digit's images that is held out.

    Returns
    -------
    Dataset
        1437 training and 360 test images for the default fraction.

    Raises
    ------
    ImportError
        Where scikit-learn is not installed.

    Examples
    --------
    >>> digits = load_digits()              # doctest: +SKIP
    >>> digits.train_images.shape           # doctest: +SKIP
    (1437, 1, 8, 8)
    """
    try:
        import sklearn.datasets
    except ImportError as error:
        raise ImportError("load_digits needs scikit-learn: pip install 'fastconv[demo]'") from error
    bunch = sklearn.datasets.load_digits()
    images = (bunch.images[:, None] / 16).astype(np.float32)
    labels = bunch.target.astype(np.int64)
    train, test = stratified_split(labels, test_fraction, seed)
    return Dataset(images[train], labels[train], images[test], labels[test], "digits")


def stratified_split(labels: Array, fraction: float, seed: int) -> tuple[Array, Array]:
    """Split indices in two so that every class has its share on both sides.

    Class ``k`` with ``n_k`` members gives ``fraction * n_k`` of them to the second part, rounded
    so that the total is ``ceil(fraction * n)``: largest remainders go up.

    Parameters
    ----------
    labels : array_like of int, shape (N,)
    fraction : float
        Share of the second part, between 0 and 1 exclusive.
    seed : int

    Returns
    -------
    first, second : ndarray of int64
        Sorted indices; together they are ``range(N)``.

    Raises
    ------
    ValueError
        If `fraction` is not between 0 and 1.

    Examples
    --------
    >>> first, second = stratified_split([7, 7, 7, 7, 2, 2], 0.5, seed=0)
    >>> len(first), len(second)
    (3, 3)
    """
    if not 0 < fraction < 1:
        raise ValueError(f"stratified_split: fraction must lie between 0 and 1, got {fraction}")
    labels = np.asarray(labels)
    _, member, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    wanted = sizes * fraction
    counts = np.floor(wanted).astype(np.int64)
    missing = math.ceil(len(labels) * fraction - 1e-9) - int(counts.sum())
    counts[np.argsort(counts - wanted, kind="stable")[:missing]] += 1

    rng = np.random.default_rng(seed)
    second = np.zeros(len(labels), bool)
    for k, count in enumerate(counts):
        second[rng.permutation(np.flatnonzero(member == k))[:count]] = True
    return np.flatnonzero(~second), np.flatnonzero(second)


def load_images(path: str | os.PathLike[str]) -> Dataset:
    """Load MNIST, Fashion-MNIST or any data set in one of their two file formats.

    Parameters
    ----------
    path : path
        A folder that holds the four IDX files (``train-images-idx3-ubyte`` and so on, gzipped or
        not, a ``.`` or a ``-`` before ``idx``) or ``mnist.npz``; or such an ``.npz`` file.

    Returns
    -------
    Dataset

    Raises
    ------
    FileNotFoundError
        If `path`, or a file expected in it, does not exist.
    ValueError
        If a file is not what its name promises; the message names file and reason.
    """
    path = Path(path)
    if path.is_dir():
        archive = path / "mnist.npz"
        if not archive.is_file():
            parts = [
                read_idx(_find_idx(path, part, kind))
                for part in ("train", "t10k")
                for kind in ("images-idx3", "labels-idx1")
            ]
            return _dataset(parts, path, path.resolve().name)
        path = archive
    if not path.exists():
        raise FileNotFoundError(f"no such file or folder: {path}")
    return _dataset(_read_npz(path), path, path.stem)


def read_idx(path: str | os.PathLike[str]) -> Array:
    """Read one IDX file, gzipped or not.

    Parameters
    ----------
    path : path

    Returns
    -------
    ndarray
        Of the shape and type the header gives, in native byte order.

    Raises
    ------
    ValueError
        If magic number, type code, dimensions or length are wrong; names file and reason.
    """
    with open(path, "rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        try:
            return _parse_idx(gzip.GzipFile(fileobj=raw) if zipped else raw)
        except (ValueError, EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"{os.fspath(path)}: {error}") from None


def batches(
    images: Array, labels: Array, batch_size: int, rng: np.random.Generator
) -> Iterator[tuple[Array, Array]]:
    """Yield every image once, in random order, in mini-batches (the last may be smaller).

    Parameters
    ----------
    images, labels : ndarray
        Of the same length.
    batch_size : int
    rng : numpy.random.Generator
        Gives the order.

    Yields
    ------
    images, labels : ndarray

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> [len(x) for x, y in batches(np.zeros((5, 1, 8, 8)), np.arange(5), 2, rng)]
    [2, 2, 1]
    """
    if batch_size < 1:
        raise ValueError(f"batches: batch_size must be at least 1, got {batch_size}")
    order = rng.permutation(len(images))
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        yield images[chosen], labels[chosen]


def enlarge(images: Array, factor: int) -> Array:
    """Enlarge images by a whole factor, bilinear between the centres of pixels.

    Parameters
    ----------
    images : ndarray, shape (N, C, H, W)
    factor : int

    Returns
    -------
    ndarray, shape (N, C, factor * H, factor * W)
        Of the same type.

    Examples
    --------
    >>> enlarge(np.array([[[[0.0, 4.0]]]]), 2)
    array([[[[0., 1., 3., 4.],
             [0., 1., 3., 4.]]]])
    """

    def weights(size: int) -> Array:
        centres = (np.arange(factor * size) + 0.5) / factor - 0.5
        distance = np.clip(centres, 0, size - 1)[:, None] - np.arange(size)
        return np.asarray(np.maximum(0, 1 - np.abs(distance)), images.dtype)

    height, width = images.shape[2:]
    return np.asarray(np.einsum("yh,nchw,xw->ncyx", weights(height), images, weights(width)))


def jitter(images: Array, rng: np.random.Generator, amount: float = 1.0) -> Array:
    """Shift, turn, shear and zoom each image a little: bilinear, zeros beyond the edge.

    Parameters
    ----------
    images : ndarray, shape (N, C, H, W)
    rng : numpy.random.Generator
    amount : float
        1 shifts by 1/32 of the size and turns by 0.06 radian (standard deviations); 0 does nothing.

    Returns
    -------
    ndarray
        Of the same shape and type.
    """
    count, _, height, width = images.shape
    turn, zoom = (rng.normal(0, amount * share, (count, 2)) for share in (0.06, 0.04))
    matrix = np.empty((count, 2, 2))
    matrix[:, 0, 0], matrix[:, 1, 1] = 1 + zoom.T
    matrix[:, 0, 1], matrix[:, 1, 0] = turn.T
    size = np.array([height, width]).reshape(1, 2, 1, 1)
    centre = (size - 1) / 2
    shift = amount * size / 32 * rng.normal(size=(count, 2, 1, 1))
    grid = np.indices((height, width))[None] - centre
    # Where each output pixel reads, in the image with a frame of one zero around it.
    source = np.einsum("nij,njhw->nihw", matrix, np.broadcast_to(grid, (count, *grid.shape[1:])))
    source = np.clip(source + shift + centre + 1, 0, size + 1)
    corner = np.minimum(source.astype(np.int64), size)
    fraction = (source - corner).astype(images.dtype)[:, :, None]

    framed = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1))).transpose(0, 2, 3, 1)
    n = np.arange(count).reshape(-1, 1, 1)
    (y, x), (fy, fx) = corner.swapaxes(0, 1), fraction.swapaxes(0, 1)

    def at(dy: int, dx: int) -> Array:
        return np.moveaxis(framed[n, y + dy, x + dx], 3, 1)

    upper = at(0, 0) * (1 - fx) + at(0, 1) * fx
    lower = at(1, 0) * (1 - fx) + at(1, 1) * fx
    return np.ascontiguousarray(upper * (1 - fy) + lower * fy)


def _parse_idx(stream: BinaryIO | gzip.GzipFile) -> Array:
    header = stream.read(4)
    if len(header) < 4:
        raise ValueError(f"truncated header: {len(header)} bytes (wanted 4)")
    zeros, code, ndim = struct.unpack(">HBB", header)
    if zeros:
        raise ValueError(f"not an IDX file: magic number 0x{header.hex()} does not begin 0x0000")
    if code not in IDX_TYPES:
        raise ValueError(f"unknown IDX type code 0x{code:02x}")
    if ndim == 0:
        raise ValueError("IDX header has no dimensions")
    sizes = stream.read(4 * ndim)
    if len(sizes) < 4 * ndim:
        raise ValueError(f"truncated header: dimensions end after {len(sizes)} of {4 * ndim} bytes")
    shape = struct.unpack(f">{ndim}I", sizes)
    dtype = np.dtype(IDX_TYPES[code])
    wanted = math.prod(shape) * dtype.itemsize
    payload = bytearray()
    # In pieces: a false header must not make us allocate what the file does not hold.
    while piece := stream.read(min(1 << 20, wanted + 1 - len(payload))):
        payload += piece
        if len(payload) > wanted:
            raise ValueError(f"oversized payload: more than the {wanted} bytes of shape {shape}")
    if len(payload) < wanted:
        raise ValueError(
            f"truncated payload: {len(payload)} bytes (wanted {wanted} for shape {shape})"
        )
    return np.frombuffer(payload, dtype).reshape(shape).astype(dtype.newbyteorder("="))


def _find_idx(folder: Path, part: str, kind: str) -> Path:
    for name in (f"{part}-{kind}-ubyte", f"{part}-{kind.replace('-', '.')}-ubyte"):
        for candidate in (folder / name, folder / f"{name}.gz"):
            if candidate.is_file():
                return candidate
    raise FileNotFoundError(f"{folder} has neither mnist.npz nor {part}-{kind}-ubyte[.gz]")


def _read_npz(path: Path) -> list[Array]:
    try:
        # np.load leaves a file that it opened itself open when it finds no archive in it.
        with open(path, "rb") as stream:
            archive = np.load(stream, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise ValueError("not an .npz archive")
            absent = [key for key in NPZ_KEYS if key not in archive]
            if absent:
                raise ValueError(f"arrays missing: {', '.join(absent)}")
            x_train, y_train, x_test, y_test = (archive[key] for key in NPZ_KEYS)
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path}: {error}") from None
    return [x_train, y_train, x_test, y_test]


def _dataset(parts: list[Array], path: Path, name: str) -> Dataset:
    """Check and scale ``[train images, train labels, test images, test labels]``."""
    checked: list[Array] = []
    for which, images, labels in zip(("train", "test"), parts[::2], parts[1::2]):
        if images.dtype != np.uint8 or images.ndim != 3:
            raise ValueError(
                f"{path}: {which} images are {images.dtype} {images.shape} (wanted uint8 (N, H, W))"
            )
        if labels.dtype.kind not in "iu" or labels.shape != (len(images),) or not len(images):
            raise ValueError(
                f"{path}: {which} labels are {labels.dtype} {labels.shape} "
                f"(wanted integers, one for each of {len(images)} > 0 images)"
            )
        if labels.min() < 0 or labels.max() >= MOST_CLASSES:
            raise ValueError(
                f"{path}: {which} labels span {labels.min()} to {labels.max()} "
                f"(wanted 0 to {MOST_CLASSES - 1})"
            )
        checked += [images[:, None].astype(np.float32) / 255, labels.astype(np.int64)]
    if checked[0].shape[1:] != checked[2].shape[1:]:
        raise ValueError(
            f"{path}: train images are {checked[0].shape[2:]}, test images {checked[2].shape[2:]}"
        )
    return Dataset(checked[0], checked[1], checked[2], checked[3], name)
