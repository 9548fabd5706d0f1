"""A training in one ``.safetensors`` file, from which it goes on as if it had never stopped.

The network's arrays stand under their own names, so that
``net.load_state_dict(fc.load(path), strict=False)`` reads them; the optimizer's under
``fit/optimizer/<parameter>/<name>``; and ``fit/state`` is the bytes of a JSON object with the rest:
settings, what each epoch gave, and the states of the random generators.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import nn
from ..functional._coerce import Array
from ..optim import Optimizer
from ..random import as_generator
from ..serialization import Path, load, save
from .progress import Epoch, History

OWN = "fit/"  # what names begin with that are not the network's


@dataclass
class Run:
    """All that a training's next steps depend on; in a checkpoint and out of it."""

    model: nn.Module
    optimizer: Optimizer
    rng: np.random.Generator
    history: History
    settings: tuple[int, int, int]  # inputs, batch size, seed: others would not go on the same

    def generators(self) -> Iterator[np.random.Generator]:
        """Where numbers come from: order and augmentation, the default one, dropouts' own."""
        found = [self.rng, as_generator()]
        for module in self.model.modules():
            found += [v for v in vars(module).values() if isinstance(v, np.random.Generator)]
        return iter({id(generator): generator for generator in found}.values())

    def save(self, path: Path) -> None:
        """Write the checkpoint: `fastconv.save` replaces the file when the new one is whole."""
        saved = self.optimizer.state_dict()
        arrays = dict(self.model.state_dict())
        for number, values in saved["state"].items():
            for name, value in values.items():
                arrays[f"{OWN}optimizer/{number}/{name}"] = np.asarray(value)
        state = {
            "settings": self.settings,
            "epochs": self.history.epochs,
            "generators": [generator.bit_generator.state for generator in self.generators()],
            "param_groups": saved["param_groups"],
        }
        text = json.dumps(state, default=_plain).encode()
        arrays[f"{OWN}state"] = np.frombuffer(text, np.uint8)
        save(path, arrays)

    def resume(self, path: Path) -> None:
        """Take everything from the checkpoint."""
        arrays, state, own = read(path)
        where = f"fit: checkpoint {os.fspath(path)}"
        if tuple(state["settings"]) != self.settings:
            raise ValueError(
                f"{where} has inputs, batch_size and seed {tuple(state['settings'])} "
                f"(wanted {self.settings})"
            )
        generators = list(self.generators())
        if len(generators) != len(state["generators"]):
            raise ValueError(
                f"{where} has {len(state['generators'])} random generators "
                f"(wanted {len(generators)}, the network's)"
            )
        values: dict[int, dict[str, Any]] = {}
        for name, array in own.items():
            _, _, number, key = name.split("/")
            values.setdefault(int(number), {})[key] = (
                array.item() if array.dtype.kind == "i" else array
            )
        groups = [
            {k: tuple(v) if k == "betas" else v for k, v in group.items()}
            for group in state["param_groups"]
        ]
        self.model.load_state_dict(arrays)
        self.optimizer.load_state_dict({"state": values, "param_groups": groups})
        for generator, saved in zip(generators, state["generators"], strict=True):
            generator.bit_generator.state = saved
        self.history.epochs = [Epoch(*epoch) for epoch in state["epochs"]]


def read(path: Path) -> tuple[dict[str, Array], dict[str, Any], dict[str, Array]]:
    """The network's arrays, the state, and the optimizer's arrays."""
    arrays = load(path)
    own = {name: arrays.pop(name) for name in list(arrays) if name.startswith(OWN)}
    if f"{OWN}state" not in own:
        raise ValueError(
            f"fit: checkpoint {os.fspath(path)} holds no training (wanted one that fit wrote)"
        )
    state: dict[str, Any] = json.loads(own.pop(f"{OWN}state").tobytes())
    return arrays, state, own


def _plain(value: Any) -> Any:
    """NumPy's numbers and arrays as JSON has them."""
    return value.tolist()
