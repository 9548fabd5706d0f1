"""Data sets: both file formats there and back, what malformed files say, splits and batches."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest

from fastconv import data

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}
RNG = np.random.default_rng(0)
PARTS = {
    "train-images-idx3-ubyte": RNG.integers(0, 256, (12, 9, 9), np.uint8),
    "train-labels-idx1-ubyte": np.arange(12, dtype=np.uint8) % 3,
    "t10k-images-idx3-ubyte": RNG.integers(0, 256, (5, 9, 9), np.uint8),
    "t10k-labels-idx1-ubyte": np.arange(5, dtype=np.uint8) % 3,
}


def idx(array):
    header = struct.pack(">HBB", 0, CODES[array.dtype.str[1:]], array.ndim)
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return header + sizes + array.astype(array.dtype.newbyteorder(">")).tobytes()


def check(loaded):
    train_images, train_labels, test_images, test_labels = PARTS.values()
    assert loaded.train_images.dtype == loaded.test_images.dtype == np.float32
    assert loaded.train_labels.dtype == loaded.test_labels.dtype == np.int64
    np.testing.assert_array_equal(np.rint(loaded.train_images * 255), train_images[:, None])
    np.testing.assert_array_equal(np.rint(loaded.test_images * 255), test_images[:, None])
    np.testing.assert_array_equal(loaded.train_labels, train_labels)
    np.testing.assert_array_equal(loaded.test_labels, test_labels)
    assert loaded.train_images.min() >= 0
    assert loaded.train_images.max() <= 1


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzipped"])
@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("shape", [(7,), (2, 3), (2, 3, 4), (0, 5), (1, 1, 1, 1)])
def test_idx_round_trip(tmp_path, shape, code, pack):
    array = RNG.integers(0, 100, shape).astype(code)
    path = tmp_path / "array"
    path.write_bytes(pack(idx(array)))
    read = data.read_idx(path)
    assert read.dtype == np.dtype(code)
    assert read.dtype.isnative
    assert read.flags.writeable
    np.testing.assert_array_equal(read, array, strict=True)


GOOD = idx(np.arange(6, dtype="u1").reshape(2, 3))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "truncated header: 0 bytes"),
        (GOOD[:3], "truncated header: 3 bytes"),
        (GOOD[:9], "dimensions end after 5 of 8 bytes"),
        (b"\x01" + GOOD[1:], "does not begin 0x0000"),
        (b"PNG.....", "not an IDX file"),
        (b"\0\0\x0a" + GOOD[3:], "type code 0x0a"),
        (b"\0\0\x08\0", "no dimensions"),
        (GOOD[:-1], r"truncated payload: 5 bytes \(wanted 6 for shape \(2, 3\)\)"),
        (GOOD + b"\0", "oversized payload: more than the 6 bytes"),
        (b"\0\0\x0e\x03" + b"\xff" * 12 + b"0" * 8, "truncated payload: 8 bytes"),
        (gzip.compress(GOOD)[:-5], "end-of-stream|ended before"),
        (gzip.compress(GOOD[:-1]), "truncated payload"),
        (gzip.compress(GOOD + bytes(3 << 20)), "oversized payload"),
        (b"\x1f\x8bgarbage and more", "compression method"),
        (gzip.compress(GOOD)[:-8] + bytes(8), "CRC"),
    ],
)
def test_malformed_idx(tmp_path, content, reason):
    path = tmp_path / "broken-file"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=reason) as caught:
        data.read_idx(path)
    assert "broken-file" in str(caught.value)


@pytest.mark.parametrize("end", ["", ".gz"])
@pytest.mark.parametrize("dot", ["-", "."])
def test_folder_of_idx_files(tmp_path, dot, end):
    for name, array in PARTS.items():
        content = gzip.compress(idx(array)) if end else idx(array)
        (tmp_path / (name.replace("-idx", f"{dot}idx") + end)).write_bytes(content)
    loaded = data.load_images(tmp_path)
    check(loaded)
    assert loaded.name == tmp_path.name


@pytest.mark.parametrize("inside", [False, True], ids=["the file", "its folder"])
def test_npz(tmp_path, inside):
    np.savez(tmp_path / "mnist.npz", **dict(zip(data.NPZ_KEYS, PARTS.values())))
    loaded = data.load_images(tmp_path if inside else tmp_path / "mnist.npz")
    check(loaded)
    assert loaded.name == "mnist"


def npz(**changed):
    return {**dict(zip(data.NPZ_KEYS, PARTS.values())), **changed}


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"x_train": np.zeros(3)}, "arrays missing: y_train, x_test, y_test"),
        (npz(x_train=np.array([None])), "allow_pickle"),
        (npz(x_train=np.zeros((12, 9, 9))), r"train images are float64 \(12, 9, 9\)"),
        (npz(x_test=np.zeros((5, 81), np.uint8)), r"test images are uint8 \(5, 81\)"),
        (npz(x_test=np.zeros((5, 8, 9), np.uint8)), r"train images are \(9, 9\), test .*\(8, 9\)"),
        (npz(y_train=np.zeros(11, np.uint8)), r"train labels are uint8 \(11,\)"),
        (npz(y_test=np.zeros(5)), "test labels are float64"),
        (npz(y_test=np.array([0, 1, -1, 0, 0])), "test labels span -1 to 1"),
        (npz(y_test=np.array([0, 1, 2**40, 0, 0])), "test labels span 0 to 1099511627776"),
        (npz(x_test=np.zeros((0, 9, 9), np.uint8), y_test=np.zeros(0, int)), "one for each of 0"),
    ],
)
def test_malformed_npz(tmp_path, arrays, reason):
    np.savez(tmp_path / "odd.npz", **arrays)
    with pytest.raises(ValueError, match=reason) as caught:
        data.load_images(tmp_path / "odd.npz")
    assert "odd.npz" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut off"])
def test_file_that_is_no_npz(tmp_path, content):
    (tmp_path / "odd.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"odd\.npz"):
        data.load_images(tmp_path / "odd.npz")


def test_npy_is_no_npz(tmp_path):
    np.save(tmp_path / "array.npy", np.zeros(3))
    with pytest.raises(ValueError, match=r"array\.npy: not an \.npz archive"):
        data.load_images(tmp_path / "array.npy")


def test_missing_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        data.load_images(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"neither mnist\.npz nor train-images-idx3-ubyte"):
        data.load_images(tmp_path)


def test_digits():
    pytest.importorskip("sklearn")
    digits = data.load_digits()
    assert digits.train_images.shape == (1437, 1, 8, 8)
    assert digits.test_images.shape == (360, 1, 8, 8)
    assert digits.train_images.dtype == np.float32
    assert digits.train_images.min() == 0
    assert digits.train_images.max() == 1
    everything = np.bincount(np.concatenate([digits.train_labels, digits.test_labels]))
    assert np.abs(np.bincount(digits.test_labels) - 0.2 * everything).max() < 1
    rows = {image.tobytes() for image in digits.train_images}
    assert not any(image.tobytes() in rows for image in digits.test_images)
    for one, two in zip(digits[:4], data.load_digits()[:4]):
        np.testing.assert_array_equal(one, two)
    assert (data.load_digits(seed=1).test_images != digits.test_images).any()


@pytest.mark.parametrize("fraction", [0.01, 0.2, 0.5, 0.99])
@pytest.mark.parametrize("count", [1, 10, 997])
def test_stratified_split(count, fraction):
    labels = RNG.integers(0, 4, count) ** 2
    first, second = data.stratified_split(labels, fraction, seed=3)
    np.testing.assert_array_equal(np.sort(np.concatenate([first, second])), np.arange(count))
    assert len(second) == np.ceil(count * fraction)
    for label in np.unique(labels):
        share = fraction * (labels == label).sum()
        assert abs((labels[second] == label).sum() - share) < 1
    np.testing.assert_array_equal(data.stratified_split(labels, fraction, seed=3)[1], second)


@pytest.mark.parametrize("fraction", [0, 1, -0.5, float("nan")])
def test_split_of_nothing(fraction):
    with pytest.raises(ValueError, match="between 0 and 1"):
        data.stratified_split([1, 2], fraction, seed=0)


@pytest.mark.parametrize("size", [1, 3, 10, 11])
def test_batches(size):
    images = np.arange(10.0)[:, None, None, None]

    def draw(seed):
        return list(data.batches(images, np.arange(10), size, np.random.default_rng(seed)))

    drawn = draw(0)
    order = np.concatenate([labels for _, labels in drawn])
    np.testing.assert_array_equal(np.sort(order), np.arange(10))
    assert [len(labels) for _, labels in drawn[:-1]] == [size] * (len(drawn) - 1)
    for chosen, labels in drawn:
        np.testing.assert_array_equal(chosen[:, 0, 0, 0], labels)
    np.testing.assert_array_equal(order, np.concatenate([labels for _, labels in draw(0)]))
    assert (order != np.concatenate([labels for _, labels in draw(1)])).any()


def test_batch_of_nothing():
    with pytest.raises(ValueError, match="batch_size"):
        next(data.batches(np.zeros((2, 1, 1, 1)), np.zeros(2), 0, np.random.default_rng(0)))


def test_jitter():
    images = RNG.random((6, 2, 8, 10)).astype(np.float32)
    np.testing.assert_array_equal(data.jitter(images, np.random.default_rng(0), 0), images)
    moved = data.jitter(images, np.random.default_rng(0))
    assert moved.shape == images.shape
    assert moved.dtype == np.float32
    assert moved.flags.c_contiguous
    assert 0 <= moved.min() < moved.max() <= images.max()
    assert (moved != images).any()
    np.testing.assert_array_equal(moved, data.jitter(images, np.random.default_rng(0)))
    far = data.jitter(images, np.random.default_rng(0), 1000)
    assert np.isfinite(far).all()


def test_enlarge():
    ramp = np.arange(4.0)[None, None, :, None] * 4 + np.arange(6.0)
    large = data.enlarge(ramp, 2)
    assert large.shape == (1, 1, 8, 12)
    np.testing.assert_array_equal(large[0, 0, 0], np.clip(np.arange(12) / 2 - 0.25, 0, 5))
    np.testing.assert_array_equal(large[0, 0, :, 0], np.clip(np.arange(8) / 2 - 0.25, 0, 3) * 4)
    np.testing.assert_array_equal(data.enlarge(ramp, 1), ramp)
