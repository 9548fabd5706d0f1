"""The command line: the demo from data to picture, its reference, and what wrong arguments say."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys

import numpy as np
import pytest

import fastconv as fc
from fastconv import data, demo, training
from fastconv.demo import steps


def run(folder, *arguments, code=0, before=""):
    """Run ``python -m fastconv`` (after the statements `before`) and return stdout and stderr."""
    start = ["-m", "fastconv"]
    if before:
        start = [
            "-c",
            f"import sys; {before}; from fastconv.__main__ import main; sys.exit(main())",
        ]
    done = subprocess.run(
        [sys.executable, *start, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "100"},
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout, done.stderr


@pytest.fixture
def images(tmp_path):
    """A folder of few small images in Keras's format: three classes that differ in brightness."""
    rng = np.random.default_rng(0)
    arrays = []
    for count in (60, 30):
        labels = np.arange(count) % 3
        arrays += [rng.integers(0, 50, (count, 12, 12)) + 100 * labels[:, None, None], labels]
    arrays[::2] = [array.astype(np.uint8) for array in arrays[::2]]
    folder = tmp_path / "images"
    folder.mkdir()
    np.savez(folder / "mnist.npz", **dict(zip(data.NPZ_KEYS, arrays)))
    return folder


def test_demo_trains_and_draws(tmp_path):
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")
    output, errors = run(tmp_path, "demo", "--epochs", "2", "--output", "picture.png")
    assert errors == ""
    lines = output.splitlines()
    assert "1,437 images to learn from, 360 held out, 8x8" in lines[1]
    for number in (1, 2):
        epoch = (
            rf"epoch {number}/2  loss \d\.\d{{4}}  held-out accuracy +\d+\.\d\d%  [\d,]+ images/s"
        )
        assert re.fullmatch(epoch, lines[2 + number]), lines
    assert re.match(r"held-out accuracy \d+\.\d\d% \(\d+ of 360\) after 2 epochs", lines[5])
    step = r"one training step, batch 32: fastconv \S+ ms, NumPy reference \S+ ms, [\d.]+x"
    assert re.fullmatch(step, lines[6]), lines
    picture = tmp_path / "picture.png"
    assert lines[7:] == [f"drawn: {picture}"]
    content = picture.read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", content[16:24]) == (1700, 1100)


def test_own_data_without_extras(tmp_path, images):
    block = "sys.modules['sklearn'] = sys.modules['matplotlib'] = None"
    arguments = ("demo", "--data", str(images), "--no-plot", "--quiet", "--batch-size", "7")
    output, errors = run(tmp_path, *arguments, before=block)
    assert errors == ""
    assert len(output.splitlines()) == 2
    assert "of 30) after 3 epochs" in output
    assert sorted(tmp_path.iterdir()) == [images]


def test_a_seed_repeats_to_the_bit(images, threads):
    part = data.load_images(images)

    def trained(seed, count):
        fc.set_num_threads(count)
        fc.manual_seed(seed)
        model = demo.lenet(1, 12, 3)
        history = demo.train(model, part, epochs=2, batch_size=8, seed=seed)
        return [array.tobytes() for array in model.state_dict().values()], history.loss

    assert trained(5, 2) == trained(5, 2)
    assert trained(5, 1) == trained(5, 2)
    assert trained(5, 2) != trained(6, 2)


def test_demo_learns_digits():
    """A third of the demo's epochs; all forty gave 99.4, 99.4 and 99.7% for seeds 0 to 2."""
    pytest.importorskip("sklearn")
    digits = demo.prepared(data.load_digits())
    fc.manual_seed(0)
    model = demo.lenet(1, 16, 10)
    history = demo.train(model, digits, epochs=14)
    assert history.loss[-1] < history.loss[0]
    assert history.validation_accuracy[-1] >= 0.97
    right = training.predict(model, digits.test_images) == digits.test_labels
    assert right.mean() == history.validation_accuracy[-1]


@pytest.mark.parametrize("size", [8, 16, 19, 20, 28])
def test_reference_step_agrees(size, monkeypatch):
    monkeypatch.setattr(steps, "ROUNDS", 1)
    rng = np.random.default_rng(0)
    images = rng.random((4, 1, size, size)).astype(np.float32)
    model = demo.lenet(1, size, 10)
    before = [array.copy() for array in model.state_dict().values()]
    times = steps.time_steps(model, images, rng.integers(0, 10, 4))
    assert min(times) > 0
    for array, old in zip(model.state_dict().values(), before):
        np.testing.assert_array_equal(array, old)


def test_steps_that_differ_are_not_timed(monkeypatch):
    relu = fc.reference.relu_backward
    monkeypatch.setattr(fc.reference, "relu_backward", lambda gy, x: relu(gy, x) * 1.01)
    images = np.random.default_rng(0).random((4, 1, 8, 8)).astype(np.float32)
    with pytest.raises(RuntimeError, match="disagree"):
        steps.time_steps(demo.lenet(1, 8, 10), images, np.arange(4))


@pytest.mark.parametrize(
    ("blocked", "named"),
    [
        (["matplotlib"], "Matplotlib"),
        (["sklearn"], "scikit-learn"),
        (["matplotlib", "sklearn"], "Matplotlib and scikit-learn"),
    ],
)
def test_missing_extras(tmp_path, blocked, named):
    if "sklearn" not in blocked:
        pytest.importorskip("sklearn")
    if "matplotlib" not in blocked:
        pytest.importorskip("matplotlib")
    block = "; ".join(f"sys.modules[{name!r}] = None" for name in blocked)
    needs = f"the demo needs {named}: pip install "
    assert run(tmp_path, "demo", code=1, before=block) == ("", f"{needs}'fastconv[demo]'\n")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "fastconv"\n')
    assert run(tmp_path, "demo", code=1, before=block) == ("", f"{needs}'.[demo]'\n")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--epochs", "-1"], r"--epochs: got -1 \(wanted 1 to"),
        (["--epochs", "0"], "--epochs: got 0"),
        (["--epochs", "many"], "'many' is not a whole number"),
        (["--batch-size", "0"], "--batch-size: got 0"),
        (["--seed", "-3"], r"--seed: got -3 \(wanted 0 to"),
        (["--threads", "0"], "--threads: got 0"),
        (["--lr", "0"], "--lr: got 0.0"),
        (["--lr", "nan"], "--lr: got nan"),
        (["--lr", "inf"], "--lr: got inf"),
        (["--lr", "x"], "'x' is not a number"),
        (["--data", "nowhere"], "--data: no such file or folder: nowhere"),
        (["--data", "."], "--data: . has neither mnist.npz nor train-images-idx3-ubyte"),
        (["--data", "text"], "--data: text: "),
        (["--data", "flat.npz"], "--data: images are 8x9"),
        (["--data", "tiny.npz"], "--data: images are 7x7"),
        (["--output", "picture.txt"], "--output: picture.txt"),
        (["--output", "nowhere/picture.png"], "--output: nowhere"),
        (["--model", "lenet6"], "--model: invalid choice: 'lenet6'"),
        (["--save", "weights.txt"], "--save: weights.txt"),
        (["--checkpoint", "nowhere/run.safetensors"], "--checkpoint: nowhere"),
        (["--checkpoint", "net.safetensors"], "--checkpoint: fit: checkpoint .* holds no training"),
        (["--colour"], "unrecognized arguments: --colour"),
    ],
)
def test_wrong_arguments(tmp_path, arguments, reason):
    if "--output" in arguments:
        pytest.importorskip("matplotlib")
        pytest.importorskip("sklearn")
    else:
        arguments = [*arguments, "--no-plot"]
    (tmp_path / "text").write_text("no data")
    for name, shape in {"flat.npz": (2, 8, 9), "tiny.npz": (2, 7, 7)}.items():
        arrays = [np.zeros(shape, np.uint8), np.zeros(2, int)] * 2
        np.savez(tmp_path / name, **dict(zip(data.NPZ_KEYS, arrays)))
    fc.save(tmp_path / "net.safetensors", {"a": np.zeros(1)})
    if "net.safetensors" in arguments:
        pytest.importorskip("sklearn")
        arguments = [*arguments, "--quiet"]
    output, errors = run(tmp_path, "demo", *arguments, code=2)
    assert output == ""
    assert re.search(reason, errors), errors
    assert len(errors.splitlines()) == 1, errors


def test_unknown_command(tmp_path):
    _, errors = run(tmp_path, "dmeo", code=2)
    assert len(errors.splitlines()) == 1
    assert "demo" in errors


def test_version_and_help_are_light(tmp_path):
    block = "sys.modules['sklearn'] = sys.modules['matplotlib'] = None"
    assert run(tmp_path, "--version", before=block) == (f"fastconv {fc.__version__}\n", "")
    for arguments in ([], ["--help"]):
        output, errors = run(tmp_path, *arguments, before=block)
        assert errors == ""
        assert "--cmakedir" in output
        assert "train a network" in output
    output, _ = run(tmp_path, "demo", "--help", before=block)
    for option in (
        "data",
        "epochs",
        "batch-size",
        "lr",
        "seed",
        "threads",
        "output",
        "quiet",
        "model",
    ):
        assert f"--{option}" in output


def test_import_is_light(tmp_path):
    names = ("data", "demo", "models", "reference", "signal", "training", "viz", "_explain")
    heavy = ["argparse", "json", *(f"fastconv.{name}" for name in names)]
    code = f"import numpy, sys; b = set(sys.modules); import fastconv; print([m for m in {heavy} "
    done = subprocess.run(
        [sys.executable, "-c", code + "if m in sys.modules and m not in b])"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"


def test_paths_and_config(tmp_path):
    flags = ["--includedir", "--libdir", "--cmakedir", "--pkgconfigdir"]
    output, _ = run(tmp_path, *flags)
    include, *others = output.splitlines()
    assert os.path.isfile(os.path.join(include, "fastconv", "fastconv.h"))
    assert len(others) == 3
    assert all(os.path.isdir(path) for path in others)
    assert run(tmp_path, "--libdir")[0].strip() == fc.get_library_dir()
    output, _ = run(tmp_path, "--show-config")
    for word in (fc.__version__, "compiler", "ISA", "threads"):
        assert word in output


def test_path_that_is_not_installed(tmp_path, monkeypatch):
    monkeypatch.setattr(fc._core, "__file__", str(tmp_path / "_core.so"))
    for function in (fc.get_include, fc.get_library_dir, fc.get_cmake_dir, fc.get_pkgconfig_dir):
        with pytest.raises(RuntimeError, match="not installed"):
            function()
