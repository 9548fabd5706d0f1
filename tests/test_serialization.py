"""Files: both ways with the safetensors package and NumPy, atomic, and strict about damage."""

from __future__ import annotations

import json
import os
import struct

import numpy as np
import pytest

import fastconv as fc
import fastconv.nn as nn

ENDINGS = [".safetensors", ".npz"]
DTYPES = ["f8", "f4", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "?"]


def state():
    rng = np.random.default_rng(0)
    arrays = {f"layer.{code}": (rng.random((3, 5)) * 9).astype(code) for code in DTYPES}
    arrays |= {
        "scalar": np.array(7, np.int64),
        "empty": np.empty((0, 3), np.float32),
        "strided": rng.random((4, 6))[::-1, ::2].T,
        "big-endian": np.arange(4.0).astype(">f8"),
        "file": np.ones(1),
        "naïve.ключ": np.full(2, np.nan),
    }
    return arrays


def equal(actual, expected):
    assert set(actual) == set(expected)
    for name, value in expected.items():
        assert actual[name].dtype == value.dtype.newbyteorder("=")
        assert actual[name].shape == value.shape
        np.testing.assert_array_equal(actual[name], value)


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_is_saved_is_loaded(tmp_path, ending):
    path = tmp_path / f"state{ending}"
    fc.save(path, state())
    loaded = fc.load(str(path))
    equal(loaded, state())
    for array in loaded.values():
        assert array.flags.writeable
        assert array.flags.aligned
    before = path.read_bytes()
    fc.save(str(path), state())
    assert path.read_bytes() == before
    fc.save(path, {})
    assert fc.load(path) == {}
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_network_comes_back(tmp_path, ending):
    path = tmp_path / f"net{ending}"
    net, other = (nn.Sequential(nn.Conv2d(1, 2, 3), nn.Linear(3, 2)) for _ in range(2))
    fc.save(path, net.state_dict())
    other.load_state_dict(fc.load(path))
    equal(other.state_dict(), net.state_dict())
    fc.save(path, dict(net.named_parameters()))
    equal(fc.load(path), net.state_dict())


def test_the_safetensors_package_reads_ours(tmp_path):
    numpy_api = pytest.importorskip("safetensors.numpy")
    path = tmp_path / "state.safetensors"
    fc.save(path, state())
    equal(numpy_api.load_file(path), state())
    fc.save(path, {})
    assert numpy_api.load_file(path) == {}


def test_ours_reads_the_safetensors_package(tmp_path):
    numpy_api = pytest.importorskip("safetensors.numpy")
    path = tmp_path / "state.safetensors"
    arrays = {k: np.ascontiguousarray(v) for k, v in state().items() if k != "big-endian"}
    numpy_api.save_file(arrays, path, metadata={"format": "pt"})
    equal(fc.load(path), arrays)


def test_numpy_reads_and_writes_our_npz(tmp_path):
    path = tmp_path / "state.npz"
    arrays = {k: v for k, v in state().items() if k != "file"}
    fc.save(path, arrays)
    with np.load(path) as loaded:
        equal(dict(loaded), {k: v.astype(v.dtype.newbyteorder("=")) for k, v in arrays.items()})
    np.savez_compressed(path, **arrays)
    equal({k: v.astype(v.dtype.newbyteorder("=")) for k, v in fc.load(path).items()}, arrays)


def test_half_precision_loads_as_float32(tmp_path):
    values = np.array([0, 1, -2.5, 1e-7, 6e4, np.inf, np.nan], np.float16)
    for ending in ENDINGS:
        path = tmp_path / f"half{ending}"
        fc.save(path, {"h": values})
        loaded = fc.load(path)["h"]
        assert loaded.dtype == np.float32
        np.testing.assert_array_equal(loaded, values.astype(np.float32))


def test_bfloat16_loads_as_float32(tmp_path):
    torch = pytest.importorskip("torch")
    torch_api = pytest.importorskip("safetensors.torch")
    values = torch.tensor([[0.0, 1, -2.5], [1e-38, 3e38, float("nan")]]).to(torch.bfloat16)
    torch_api.save_file({"b": values}, tmp_path / "b.safetensors")
    loaded = fc.load(tmp_path / "b.safetensors")["b"]
    assert loaded.dtype == np.float32
    np.testing.assert_array_equal(loaded, values.float().numpy())


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_failed_save_leaves_the_old_file(tmp_path, ending, monkeypatch):
    path = tmp_path / f"state{ending}"
    fc.save(path, {"a": np.ones(3)})

    def fail(*paths):
        raise OSError("disk full")

    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, fail)
            with pytest.raises(OSError, match="disk full"):
                fc.save(path, {"a": np.zeros(3)})
        assert os.listdir(tmp_path) == [path.name]
        np.testing.assert_array_equal(fc.load(path)["a"], np.ones(3))


@pytest.mark.parametrize(
    ("path", "arrays", "error", "words"),
    [
        ("a.pt", {}, ValueError, "save: path is 'a.pt' .wanted it to end in .safetensors or .npz"),
        ("a.npz", {1: np.ones(1)}, TypeError, "save: state has the key 1"),
        ("a.npz", {"x": np.array([None])}, TypeError, "save: x has dtype object"),
        ("a.safetensors", {"x": np.ones(1, complex)}, TypeError, "save: x has dtype complex128"),
        ("a.safetensors", {"__metadata__": np.ones(1)}, ValueError, "__metadata__"),
        ("a.safetensors", {"x": {"y": np.ones(1)}}, TypeError, "save: x is a dict"),
    ],
)
def test_what_cannot_be_saved_is_named(path, arrays, error, words):
    with pytest.raises(error, match=words):
        fc.save(path, arrays)
    assert not os.path.exists(path)


def header(**entries):
    return json.dumps(entries).encode()


def entry(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def with_length(text, data=b"", length=None):
    return struct.pack("<Q", len(text) if length is None else length) + text + data


DATA = b"\0" * 8
DAMAGED = [
    (b"", "has 0 bytes"),
    (b"1234567", "has 7 bytes"),
    (with_length(b"{}", length=3), "header of 3 bytes in a file of 10"),
    (with_length(b"{}", length=2**64 - 1), "header of 18446744073709551615 bytes"),
    (with_length(b"{"), "no JSON"),
    (with_length(b"\xff\xfe"), "no JSON"),
    (with_length(b"[]"), "no JSON object"),
    (with_length(b"[" * 100_000), "load"),
    (with_length(b'{"a": ' + b"9" * 5000 + b"}"), "load"),
    (with_length(b'{"a":{}, "a":{}}'), "twice"),
    (with_length(header(__metadata__={"a": 1})), "__metadata__"),
    (with_length(header(a=[1])), "'a' without exactly dtype"),
    (with_length(header(a={"dtype": "F32"})), "'a' without exactly dtype"),
    (with_length(header(a=entry() | {"more": 1}), DATA), "'a' without exactly dtype"),
    (with_length(header(a=entry("F8_E4M3", (8,))), DATA), "'a' with dtype 'F8_E4M3'"),
    (with_length(header(a=entry(dtype=["F32"])), DATA), "'a' with dtype"),
    (with_length(header(a=entry(shape=(-2,))), DATA), r"'a' with shape \[-2\]"),
    (with_length(header(a=entry(shape=(2.0,))), DATA), r"'a' with shape \[2.0\]"),
    (with_length(header(a=entry(shape=(True,), offsets=(0, 4))), DATA), "'a' with shape"),
    (with_length(header(a=entry(shape=[1] * 65)), DATA), "'a' with shape"),
    (with_length(header(a=entry(shape=(2**62, 0, 2**62), offsets=(0, 0)))), "load"),
    (with_length(header(a=entry(offsets=(-8, 0))), DATA), "'a' with data_offsets"),
    (with_length(header(a=entry(offsets=(0, 4))), DATA), "F32 of shape .2. is 8 bytes"),
    (with_length(header(a=entry(offsets=(8, 0))), DATA), "is 8 bytes"),
    (with_length(header(a=entry(offsets=(0,))), DATA), "is 8 bytes"),
    (with_length(header(a=entry(offsets=(8, 16))), DATA * 2), "'a' at offset 8, which leaves a"),
    (with_length(header(a=entry(), b=entry()), DATA), "'b' at offset 0, which overlaps"),
    (with_length(header(a=entry(), b=entry(offsets=(4, 12))), DATA * 2), "'b' .* overlaps"),
    (with_length(header(a=entry()), DATA[:7]), "cut short: 'a' ends at offset 8 of 7 bytes"),
    (with_length(header(a=entry()), DATA + b"\0"), "has 1 bytes after the last array"),
    (with_length(b"{}", DATA), "has 8 bytes after the last array"),
]


@pytest.mark.parametrize(("content", "words"), DAMAGED)
def test_a_damaged_safetensors_file_is_refused(tmp_path, content, words):
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=words) as error:
        fc.load(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("ending", ENDINGS)
def test_no_cut_or_flipped_byte_gives_other_than_a_value_error(tmp_path, ending):
    path = tmp_path / f"state{ending}"
    fc.save(path, {"a": np.arange(6.0).reshape(2, 3), "b": np.ones(3, np.float32)})
    content = path.read_bytes()
    for size in range(0, len(content), 3):
        path.write_bytes(content[:size])
        with pytest.raises(ValueError, match=path.name):
            fc.load(path)
    for position in range(len(content)):
        flipped = bytearray(content)
        flipped[position] ^= 0x15
        path.write_bytes(flipped)
        try:
            fc.load(path)
        except ValueError as error:
            assert path.name in str(error)  # noqa: PT017


def test_pickles_are_refused(tmp_path):
    path = tmp_path / "state.npz"
    np.savez(path, a=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match=r"is no readable .npz .*allow_pickle"):
        fc.load(path)
    with open(path, "wb") as file:
        np.save(file, np.ones(3))
    with pytest.raises(ValueError, match=r"is no readable .npz"):
        fc.load(path)


def test_a_missing_file_is_not_found(tmp_path):
    with pytest.raises(FileNotFoundError):
        fc.load(tmp_path / "none.npz")
    with pytest.raises(ValueError, match="load: path is"):
        fc.load("weights.bin")
