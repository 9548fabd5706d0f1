"""The demo's other networks, its table, what its weights say of pictures, and summaries."""

from __future__ import annotations

import re

import numpy as np
import pytest
from conftest import FORCED
from test_demo import run

import fastconv as fc
from fastconv import data, demo, models, viz
from fastconv.demo import weights
from fastconv.demo.__main__ import rows

pytestmark = pytest.mark.skipif(bool(FORCED), reason="commands, not instruction sets")


@pytest.mark.parametrize("name", demo.NETWORKS)
def test_each_network_is_trained_drawn_and_saved(tmp_path, name):
    """By its own settings on few images; what is saved is what was trained."""
    pytest.importorskip("matplotlib")
    rng = np.random.default_rng(0)
    labels = np.arange(45) % 3
    images = (rng.random((45, 1, 12, 12)) * 0.2 + 0.4 * labels[:, None, None, None]).astype("f4")
    source = data.Dataset(images[:30], labels[:30], images[30:], labels[30:], "shades")
    network = demo.NETWORKS[name]
    part = demo.prepared(source, network)
    size = part.train_images.shape[2]
    assert size == 12 * network.factor(12)
    fc.manual_seed(0)
    model = network.make(1, size, 3)
    history = demo.train(model, part, network, epochs=2)
    assert np.isfinite(history.loss).all()
    predicted = fc.training.predict(model, part.test_images)
    before = model(part.test_images[:1])
    viz.training_figure(history, model, part, predicted, title=name).savefig(tmp_path / "a.png")
    assert model.training
    path = tmp_path / "net.safetensors"
    weights.save_weights(path, model, name, source, size, 3)
    trained = weights.load_weights(path)
    assert (trained.pixels, trained.size, trained.extent) == (12, size, 1)
    np.testing.assert_array_equal(fc.training.predict(trained.network, part.test_images), predicted)
    assert before.shape == (1, 3)


def test_command_line_knows_the_networks():
    from fastconv.__main__ import MODELS

    assert tuple(demo.NETWORKS) == MODELS


def test_predicts_pictures(tmp_path):
    pytest.importorskip("sklearn")
    image = pytest.importorskip("PIL.Image")
    path = tmp_path / "weights.safetensors"
    arguments = ("--model", "softmax", "--epochs", "12", "--quiet", "--no-plot", "--save", path)
    output, _ = run(tmp_path, "demo", *map(str, arguments))
    assert output.splitlines()[2] == f"saved: {path}"
    digits, trained = data.load_digits(), weights.load_weights(path)
    seen = fc.training.predict(trained.network, data.enlarge(digits.test_images, 2))
    chosen = np.flatnonzero(seen == digits.test_labels)[:12]
    names = []
    for place in chosen:
        grey = np.uint8(255 * digits.test_images[place, 0])
        plain = image.fromarray(grey)
        large = image.fromarray(255 - grey).resize((80, 80), image.Resampling.BICUBIC)
        paper = image.new("RGB", (200, 150), (250, 245, 230))
        paper.paste(large, (70, 40))
        paper.paste((255, 255, 255), (0, 0, 20, 20))  # a light corner is no figure
        for picture, ending in ((plain, "png"), (paper, "jpg")):
            names.append(f"{digits.test_labels[place]}-{place}.{ending}")
            picture.save(tmp_path / names[-1])
    output, errors = run(tmp_path, "predict", *names)
    assert errors == ""
    lines = output.splitlines()
    assert [line.split(":")[0] for line in lines] == names
    assert all(re.search(r": \d  \d+\.\d%  \(then \d, \d+\.\d%\)$", line) for line in lines)
    right = [line[0] == line.split(": ")[1][0] for line in lines]
    assert all(right[::2])  # the very images
    assert sum(right[1::2]) >= 10  # photographs of them, so to say
    (tmp_path / "text.png").write_text("no picture")
    image.new("L", (9, 9), 7).save(tmp_path / "blank.png")
    wrong = ["text.png", "blank.png", "nowhere.png"]
    output, errors = run(tmp_path, "predict", *wrong, names[0], code=1)
    assert output.splitlines() == lines[:1]
    for name, line in zip(wrong, errors.splitlines(), strict=True):
        assert line.startswith(f"{name}: ")


@pytest.mark.parametrize(
    ("file", "reason"),
    [("nowhere.safetensors", "no such file"), ("net.safetensors", "holds no weights of the demo")],
)
def test_wrong_weights(tmp_path, file, reason):
    pytest.importorskip("PIL")
    fc.save(tmp_path / "net.safetensors", {"a": np.zeros(1)})
    _, errors = run(tmp_path, "predict", "a.png", "--weights", file, code=2)
    assert reason in errors
    assert len(errors.splitlines()) == 1


def test_predict_without_pillow(tmp_path):
    block = "sys.modules['PIL'] = None"
    _, errors = run(tmp_path, "predict", "a.png", code=1, before=block)
    assert errors == "predict needs Pillow: pip install Pillow\n"


def test_table_of_networks():
    pytest.importorskip("sklearn")
    head, line, row = rows(["softmax"], [0])
    assert head.count("|") == line.count("|") == row.count("|")
    assert row.startswith("| `softmax` | softmax regression | 2,570 | ")
    share = float(re.search(r"([\d.]+)% ", row)[1])
    assert 90 < share < 98  # the baseline


def test_summary(tmp_path):
    output, errors = run(tmp_path, "summary", "lenet5")
    assert errors == ""
    assert "60,000" in output
    output, _ = run(tmp_path, "summary", "squeezenet1_1", "--shape", "2,3,64,64")
    assert "(2, 1000)" in output
    for arguments in (["lenet6"], ["lenet5", "--shape", "1,x"], ["lenet5", "--shape", "1,3,9,9"]):
        _, errors = run(tmp_path, "summary", *arguments, code=2)
        assert len(errors.splitlines()) == 1
    assert "resnet50" in run(tmp_path, "summary", "lenet6", code=2)[1]
    assert "softmax_regression" in models.__all__


def test_feature_maps_are_the_layers():
    model = models.lenet5(False)
    image = np.random.default_rng(0).random((1, 32, 32), np.float32)
    found = viz.feature_maps(model, image)
    assert [name for name, _ in found] == ["input", "s2", "s4"]
    np.testing.assert_array_equal(found[1][1], model[:3](image[None])[0])
    assert model.training
    names = [name for name, _ in viz.feature_maps(models.nin(in_channels=1), image, stages=3)]
    assert names[0] == "input"
    assert len(names) == 4
