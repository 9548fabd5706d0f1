"""`fit`: what it learns, its schedules, and checkpoints that survive a kill and resume exactly."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import FORCED

import fastconv as fc
from fastconv import nn, optim, training
from fastconv.data import jitter
from fastconv.training.checkpoint import read

pytestmark = pytest.mark.skipif(bool(FORCED), reason="loops, not instruction sets")

RNG = np.random.default_rng(0)
IMAGES = RNG.random((50, 1, 8, 8), np.float32)
LABELS = (IMAGES[:, 0, :4].mean((1, 2)) > IMAGES[:, 0, 4:].mean((1, 2))).astype(np.int64)


def network(seed):
    """Dropout from the default generator and from one of its own, and a batch norm's state."""
    fc.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.3),
        nn.Flatten(), nn.Dropout(0.2, rng=seed), nn.Linear(36, 2),
    )  # fmt: skip


OPTIMIZERS = {
    "momentum": lambda p: optim.SGD(p, 0.05, momentum=0.9, weight_decay=1e-3),
    "adam": lambda p: optim.Adam(p, 0.01, weight_decay=1e-3),
    "amsgrad": lambda p: optim.Adam(p, 0.01, betas=(0.8, 0.99), amsgrad=True),
}


def bits(model):
    return {name: array.tobytes() for name, array in model.state_dict().items()}


def train(path, seed, optimizer, stop=lambda history, part: False, epochs=4):
    def show(history, part, *_):
        if stop(history, part):
            raise KeyboardInterrupt

    model = network(seed)
    history = training.fit(
        model, (IMAGES, LABELS), epochs=epochs, batch_size=8, seed=3, checkpoint=path, show=show,
        optimizer=OPTIMIZERS[optimizer](model.parameters()), schedule=training.cosine(),
        augment=lambda images, rng: jitter(images, rng, 1.0), validation=(IMAGES, LABELS),
    )  # fmt: skip
    return model, history


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_resumes_to_the_bit(tmp_path, optimizer):
    straight, whole = train(None, 1, optimizer)
    path = tmp_path / "run.safetensors"
    _, first = train(path, 1, optimizer, lambda history, part: len(history) == 2 and part > 0.5)
    assert first.interrupted
    assert len(first) == 2
    fc.manual_seed(99)
    fc.nn.Linear(5, 5)
    resumed, second = train(path, 2, optimizer)  # other initial values, which are not used
    assert bits(resumed) == bits(straight)
    assert second.loss == whole.loss
    assert second.validation_loss == whole.validation_loss
    assert not second.interrupted
    # The last checkpoint holds the same: nothing is left to do, and nothing changes.
    again, third = train(path, 4, optimizer)
    assert bits(again) == bits(straight)
    assert third.epochs == second.epochs


def test_a_checkpoint_holds_the_network(tmp_path):
    path = tmp_path / "run.safetensors"
    model, _ = train(path, 1, "adam", epochs=1)
    other = network(7)
    report = other.load_state_dict(fc.load(path), strict=False)
    assert bits(other) == bits(model)
    assert report.missing_keys == []
    assert all(key.startswith("fit/") for key in report.unexpected_keys)
    assert os.listdir(tmp_path) == ["run.safetensors"]


def test_ctrl_c_while_writing_keeps_the_old_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "run.safetensors"
    train(path, 1, "adam", lambda history, part: len(history) == 1 and part < 1)
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    _, history = train(path, 1, "adam")
    assert history.interrupted
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["run.safetensors"]


KILLED = """
import sys
import numpy as np
import fastconv as fc

fc.manual_seed(0)
net = fc.nn.Sequential(fc.nn.Flatten(), fc.nn.Linear(64, 30000), fc.nn.Linear(30000, 2))
images = np.random.default_rng(0).random((4, 1, 8, 8), np.float32)
optimizer = fc.optim.SGD(net.parameters(), 1e-3, momentum=0.9)
fc.fit(net, (images, np.arange(4) % 2), epochs=int(sys.argv[2]), optimizer=optimizer,
       checkpoint=sys.argv[1], batch_size=4, show=lambda h, *_: print(len(h), flush=True))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="wants SIGKILL")
def test_a_kill_leaves_a_whole_checkpoint(tmp_path):
    """Killed at moments spread over an epoch, nearly all of which is writing 16 MB."""
    path = tmp_path / "run.safetensors"
    done, partial = 0, 0
    for turn in range(5):
        command = [sys.executable, "-c", KILLED, str(path), "100000"]
        with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
            for _ in range(2):
                assert int(process.stdout.readline()) > done
            time.sleep(0.01 * turn)
            process.send_signal(signal.SIGKILL)
        state = fc.load(path)  # whole: it checks every length
        run = read(path)[1]
        assert len(run["epochs"]) >= done + 2
        done = len(run["epochs"])
        assert np.isfinite(state["1.weight"]).all()
        partial += len(os.listdir(tmp_path)) > 1
        for left in tmp_path.glob("*.part"):
            left.unlink()
    assert partial  # some kill did come in the middle of a file


def test_other_settings_do_not_resume(tmp_path):
    path = tmp_path / "run.safetensors"
    train(path, 1, "adam", epochs=1)
    with pytest.raises(ValueError, match=r"\(50, 8, 3\) \(wanted \(50, 16, 3\)\)"):
        training.fit(network(1), (IMAGES, LABELS), epochs=2, batch_size=16, seed=3, checkpoint=path)
    with pytest.raises(ValueError, match="has 3 random generators"):
        training.fit(
            nn.Linear(1, 2), (IMAGES, LABELS), epochs=2, batch_size=8, seed=3, checkpoint=path
        )
    fc.save(path, network(1).state_dict())
    with pytest.raises(ValueError, match="holds no training"):
        training.fit(network(1), (IMAGES, LABELS), epochs=2, checkpoint=path)


def test_steps_are_the_plain_loop():
    """Order by seed, mean loss over images, the shorter last batch."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 2, rng=0))
    twin = nn.Sequential(nn.Flatten(), nn.Linear(64, 2, rng=0))
    history = training.fit(
        model, (IMAGES, LABELS), epochs=1, batch_size=16, seed=5,
        optimizer=optim.SGD(model.parameters(), 0.1),
    )  # fmt: skip
    loss, optimizer = nn.CrossEntropyLoss(), optim.SGD(twin.parameters(), 0.1)
    order, total = np.random.default_rng(5).permutation(50), 0.0
    for start in range(0, 50, 16):
        chosen = order[start : start + 16]
        optimizer.zero_grad()
        total += len(chosen) * float(loss(twin(IMAGES[chosen]), LABELS[chosen]))
        twin.backward(loss.backward())
        optimizer.step()
    assert bits(model) == bits(twin)
    assert history.loss == [total / 50]
    assert math.isnan(history.validation_accuracy[0])


def test_learns_and_reports(capsys):
    model = network(1)
    seen = []

    def show(*arguments):
        seen.append(arguments[1])
        progress(*arguments)

    progress = training.Progress(12)
    history = training.fit(
        model, (IMAGES, LABELS), epochs=12, batch_size=20, validation=(IMAGES, LABELS), show=show,
        optimizer=optim.Adam(model.parameters(), 0.02),
    )  # fmt: skip
    assert history.loss[-1] < 0.75 * history.loss[0]
    assert history.validation_accuracy[-1] > 0.8
    assert training.evaluate(model, (IMAGES, LABELS))[1] == history.validation_accuracy[-1]
    assert (training.predict(model, IMAGES) == LABELS).mean() == history.validation_accuracy[-1]
    assert seen == [0.4, 0.8, 1.0] * 12
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 12
    assert lines[-1].startswith(f"epoch 12/12  loss {history.loss[-1]:.4f}  held-out accuracy ")
    assert lines[-1].endswith("images/s")


def test_a_bar_where_a_terminal_shows_it(capsys):
    progress = training.Progress(3)
    progress.bar = True
    progress(training.History(), 0.5, 0.25, 0.75, 1234.5)
    printed = capsys.readouterr().out
    assert "epoch 1/3" in printed
    assert " 50%  loss 0.2500  accuracy  75.00%  1,234 images/s" in printed
    assert not printed.endswith("\n")


def test_regression_has_no_accuracy():
    x = RNG.random((30, 3), np.float32)
    model = nn.Sequential(nn.Linear(3, 1, rng=0))
    history = training.fit(model, (x, x.sum(1, keepdims=True)), epochs=40, loss=nn.MSELoss(),
                           optimizer=optim.Adam(model.parameters(), 0.1))  # fmt: skip
    assert history.loss[-1] < 0.1
    assert math.isnan(history.accuracy[-1])


def test_a_part_in_eval_stays_so():
    model = network(1)
    model[:4].requires_grad_(False).eval()
    before = {name: array.copy() for name, array in model[:4].state_dict().items()}
    training.fit(model, (IMAGES, LABELS), epochs=2, validation=(IMAGES, LABELS))
    assert not model[1].training
    assert model.training
    assert model[7].training
    for name, array in model[:4].state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    assert model[0].weight.grad is None


def test_schedules():
    assert [training.constant()(epoch, 9) for epoch in (0, 8.5)] == [1, 1]
    steps = training.step(2, 0.5)
    assert [steps(epoch, 9) for epoch in (0, 1.9, 2, 4, 5.9)] == [1, 1, 0.5, 0.25, 0.25]
    half = training.cosine(0.1)
    np.testing.assert_allclose([half(epoch, 8) for epoch in (0, 4, 8)], [1, 0.55, 0.1])
    rates = []
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    optimizer = optim.SGD(model.parameters(), 0.4)
    for _ in range(2):  # again from the first rate on
        training.fit(model, (IMAGES, LABELS), epochs=4, batch_size=50, optimizer=optimizer,
                     schedule=steps,
                     show=lambda *_: rates.append(optimizer.param_groups[0]["lr"]))  # fmt: skip
    np.testing.assert_allclose(rates, [0.4, 0.4, 0.2, 0.2] * 2)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"epochs": 0}, "epochs is 0"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"data": (IMAGES, LABELS[:3])}, "data has 50 inputs and 3 targets"),
        ({"data": (IMAGES[:0], LABELS[:0])}, "data has 0 inputs"),
        ({"schedule": "cosine"}, "schedule is 'cosine'"),
    ],
)
def test_wrong_arguments_are_named(settings, words):
    arguments = {"data": (IMAGES, LABELS), "epochs": 1, **settings}
    with pytest.raises((ValueError, TypeError), match=words):
        training.fit(network(0), **arguments)
