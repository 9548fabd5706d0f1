"""The public names, and their arguments' names, order and defaults, as the contract has them."""

from __future__ import annotations

import inspect

import pytest

import fastconv as fc
import fastconv.functional as F
from fastconv import nn

CONV = "input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1"
TRANSPOSED = "input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1"
CONV_KEYWORDS = {"activation": None, "residual": None, "algorithm": "auto"}
MAX = (
    "input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False"
)
AVG = "input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True"

# Positional arguments, and what is keyword-only and named in the contract.
FUNCTIONS: dict[str, tuple[str, dict[str, object]]] = {
    "unfold": ("input, kernel_size, dilation=1, padding=0, stride=1", {}),
    "fold": ("input, output_size, kernel_size, dilation=1, padding=0, stride=1", {}),
    "local_response_norm": ("input, size, alpha=0.0001, beta=0.75, k=1.0", {}),
    "batch_norm": (
        "input, running_mean, running_var, weight=None, bias=None, training=False, "
        "momentum=0.1, eps=1e-05",
        {},
    ),
    "linear": ("input, weight, bias=None", {}),
    "relu": ("input", {}),
    "relu6": ("input", {}),
    "leaky_relu": ("input, negative_slope=0.01", {}),
    "sigmoid": ("input", {}),
    "tanh": ("input", {}),
    "silu": ("input", {}),
    "hard_swish": ("input", {}),
    "softmax": ("input, dim", {}),
    "log_softmax": ("input, dim", {}),
    "cross_entropy": (
        "input, target, weight=None, ignore_index=-100, reduction='mean', label_smoothing=0.0",
        {},
    ),
    "mse_loss": ("input, target, reduction='mean'", {}),
    "dropout": ("input, p=0.5, training=True", {"seed": None}),
    "pad": ("input, pad, mode='constant', value=None", {}),
}
for d in (1, 2, 3):
    FUNCTIONS |= {
        f"conv{d}d": (CONV, CONV_KEYWORDS),
        f"conv_transpose{d}d": (TRANSPOSED, {**CONV_KEYWORDS, "output_size": None}),
        f"max_pool{d}d": (MAX, {}),
        f"avg_pool{d}d": (AVG + (", divisor_override=None" if d > 1 else ""), {"dilation": 1}),
        f"lp_pool{d}d": (
            "input, norm_type, kernel_size, stride=None, ceil_mode=False",
            {"padding": 0, "dilation": 1},
        ),
        f"adaptive_avg_pool{d}d": ("input, output_size", {}),
        f"adaptive_max_pool{d}d": ("input, output_size, return_indices=False", {}),
        f"max_unpool{d}d": (
            "input, indices, kernel_size, stride=None, padding=0, output_size=None",
            {},
        ),
    }

LAYERS = (
    *(f"{name}{d}d" for d in (1, 2, 3) for name in (
        "Conv", "ConvTranspose", "MaxPool", "AvgPool", "LPPool", "AdaptiveAvgPool",
        "AdaptiveMaxPool", "MaxUnpool", "BatchNorm",
    )),
    "Linear", "LocalResponseNorm", "Dropout", "ReLU", "ReLU6", "LeakyReLU", "Sigmoid", "Tanh",
    "SiLU", "Hardswish", "Flatten", "Softmax", "CrossEntropyLoss", "MSELoss", "Sequential",
    "Concat", "Residual", "ScaledAvgPool2d", "RBF", "Module", "Parameter",
)  # fmt: skip
WITH_LAYOUT = ("conv", "max_pool", "avg_pool", "lp_pool", "adaptive", "max_unpool")


def described(parameters):
    return ", ".join(
        p.name if p.default is p.empty else f"{p.name}={p.default!r}" for p in parameters
    )


def split(function):
    every = list(inspect.signature(function).parameters.values())
    keywords = {p.name: p.default for p in every if p.kind is p.KEYWORD_ONLY}
    return [p for p in every if p.kind is p.POSITIONAL_OR_KEYWORD], keywords


@pytest.mark.parametrize("name", FUNCTIONS)
def test_arguments(name):
    wanted, extras = FUNCTIONS[name]
    positional, keywords = split(getattr(F, name))
    assert described(positional) == wanted
    assert extras.items() <= keywords.items()
    assert getattr(fc, name) is getattr(F, name)
    if name.startswith(WITH_LAYOUT):
        assert {"layout", "out"} <= keywords.keys()
    if name.startswith("conv"):
        assert keywords["layout"] == {"1": "NCL", "2": "NCHW", "3": "NCDHW"}[name[-2]]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_backward_takes_the_same_arguments_after_grad_output(name):
    positional, keywords = split(getattr(F, name))
    after, extras = split(getattr(F, f"{name}_backward"))
    assert after[0].name == "grad_output"
    assert described(after[1:]) == described(positional)
    assert getattr(fc, f"{name}_backward") is getattr(F, f"{name}_backward")
    shared = keywords.keys() - {"out"}
    assert {k: extras.get(k, "missing") for k in shared} == {k: keywords[k] for k in shared}
    if name.startswith("conv"):
        assert {"needs", "output"} <= extras.keys()
    if name.startswith("max_pool"):
        assert extras["indices"] is None


def test_every_function_is_in_the_contract_or_beside_it():
    beside = {f"dropout{d}d" for d in (1, 2, 3)}
    forward = {name for name in F.__all__ if not name.endswith("_backward")}
    assert forward == FUNCTIONS.keys() | beside
    assert {name.removesuffix("_backward") for name in F.__all__} == forward


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name):
    layer = getattr(nn, name)
    assert getattr(fc, name, layer) is layer
    assert name in nn.__all__
    theirs = getattr(pytest.importorskip("torch.nn"), name, None)
    if theirs is None or name in ("Module", "Parameter", "Sequential"):
        return
    without = ("self", "device", "dtype", "inplace", "size_average", "reduce")
    wanted = [
        p
        for p in inspect.signature(theirs.__init__).parameters.values()
        if p.kind is p.POSITIONAL_OR_KEYWORD and p.name not in without
    ]
    positional, _ = split(layer.__init__)
    got = [p for p in positional if p.name not in without]
    if name == "Softmax":  # torch's default guesses, and warns
        wanted[0] = wanted[0].replace(default=inspect.Parameter.empty)
    assert described(got) == described(wanted)
