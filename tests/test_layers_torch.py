"""Layers beside torch's: what they print, their states' keys and values, copies, and no backward
before a forward.
"""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from fastconv import nn

torch = pytest.importorskip("torch")

# Positional arguments, and the keywords of each variant.
WINDOWED = {
    "Conv": ((4, 6, 3), {}, {"stride": 2, "padding": 1, "dilation": 2, "groups": 2, "bias": False},
             {"padding": "same"}, {"padding": 1, "padding_mode": "reflect"}),
    "ConvTranspose": ((4, 6, 3), {}, {"stride": 2, "padding": 1, "output_padding": 1, "groups": 2,
                                      "bias": False, "dilation": 2}),
    "MaxPool": ((2,), {}, {"stride": 1, "padding": 1, "dilation": 2, "ceil_mode": True}),
    "AvgPool": ((2,), {}, {"stride": 1, "padding": 1, "ceil_mode": True}),
    "LPPool": ((2, 2), {}, {"stride": 1, "ceil_mode": True}),
    "AdaptiveAvgPool": ((3,), {}),
    "AdaptiveMaxPool": ((3,), {}),
    "MaxUnpool": ((2,), {}, {"stride": 1, "padding": 1}),
    "BatchNorm": ((4,), {}, {"eps": 1e-3, "momentum": None}, {"affine": False},
                  {"track_running_stats": False}),
    "Dropout": ((), {}, {"p": 0.25}),
}  # fmt: skip
OTHERS = {
    "Linear": ((3, 4), {}, {"bias": False}),
    "LocalResponseNorm": ((3,), {}, {"alpha": 0.1, "beta": 0.5, "k": 2.0}),
    "Dropout": ((), {}, {"p": 0.25}),
    "LeakyReLU": ((), {}, {"negative_slope": 0.2}),
    "Flatten": ((), {}, {"start_dim": 0, "end_dim": 2}),
    "Softmax": ((1,), {}),
    "LogSoftmax": ((1,), {}),
    **dict.fromkeys(("ReLU", "ReLU6", "Sigmoid", "Tanh", "SiLU", "Hardswish"), ((), {})),
    **dict.fromkeys(("CrossEntropyLoss", "MSELoss"), ((), {})),
}
LAYERS = [
    (name, positional, keywords)
    for table, names in ((WINDOWED, "{}1d {}2d {}3d"), (OTHERS, "{}"))
    for base, (positional, *variants) in table.items()
    for name in names.replace("{}", base).split()
    for keywords in variants
]


@pytest.mark.parametrize(("name", "positional", "keywords"), LAYERS)
def test_layer_is_torchs(name, positional, keywords):
    mine = getattr(nn, name)(*positional, **keywords)
    theirs = getattr(torch.nn, name)(*positional, **keywords)
    assert repr(mine) == repr(theirs)
    state = {key: value.numpy() for key, value in theirs.state_dict().items()}
    assert list(mine.state_dict()) == list(state)
    mine.load_state_dict(state)
    for layer in (mine, copy.deepcopy(mine), pickle.loads(pickle.dumps(mine))):
        assert repr(layer) == repr(theirs)
        for key, value in layer.state_dict().items():
            np.testing.assert_array_equal(value, state[key])
    with pytest.raises(RuntimeError, match="backward"):
        mine.backward(np.ones((1, 1), np.float32))
