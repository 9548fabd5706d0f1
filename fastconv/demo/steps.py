"""A training step with the kernels, and the same one in plain NumPy, timed in turns."""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import nn, optim, reference, training

Array = NDArray[Any]
Backward = Callable[[Array], Array]

SMOOTHING = 0.1  # of labels
# Timed training steps: so many turns of so many steps for each of the two.
ROUNDS, REPEATS = 5, 6


def kernel_step(model: nn.Sequential, optimizer: Any, images: Array, labels: Array) -> float:
    """A training step with the kernels; returns its loss."""
    loss = nn.CrossEntropyLoss(label_smoothing=SMOOTHING)
    return training.train_step(model, optimizer, loss, images, labels)[0]


def reference_step(model: nn.Sequential, optimizer: Any, images: Array, labels: Array) -> float:
    """A training step with the functions of `fastconv.reference`: the same sums in plain NumPy."""
    tape: list[Backward] = []
    output = images
    for layer in model:
        output, backward = _reference_layer(layer, output, needs_input=bool(tape))
        tape.append(backward)
    loss = float(reference.cross_entropy(output, labels, label_smoothing=SMOOTHING))
    one = np.ones((), output.dtype)
    gradients = reference.cross_entropy_backward(one, output, labels, label_smoothing=SMOOTHING)
    grad = np.asarray(gradients[0])
    for backward in reversed(tape):
        grad = backward(grad)
    optimizer.step()
    return loss


def _reference_layer(layer: Any, input: Array, needs_input: bool) -> tuple[Array, Backward]:
    """The layer's output, and the function from its gradient to the input's."""
    if isinstance(layer, nn.MaxPool2d):
        window = (layer.kernel_size, layer.stride, layer.padding)
        output, indices = reference.max_pool2d(input, *window, return_indices=True)
        return output, lambda gy: reference.max_pool2d_backward(gy, input, *window, indices=indices)
    if isinstance(layer, nn.Flatten):
        return input.reshape(len(input), -1), lambda gy: gy.reshape(input.shape)
    if isinstance(layer, nn.ReLU):
        return reference.relu(input), lambda gy: reference.relu_backward(gy, input)

    forward: Callable[..., Array]
    backward: Callable[..., Any]
    if isinstance(layer, nn.Conv2d):
        forward, backward = reference.conv2d, reference.conv2d_backward
        how: tuple[Any, ...] = (layer.stride, layer.padding, layer.dilation, layer.groups)
    elif isinstance(layer, nn.Linear):
        forward, backward, how = reference.linear, reference.linear_backward, ()
    else:
        raise TypeError(f"reference_step knows no {type(layer).__name__}")
    weight, bias = layer.weight, layer.bias
    assert bias is not None
    arguments = (input, weight.data, bias.data, *how)

    def both(gy: Array) -> Array:
        needs = (needs_input, True, True)
        grad_input, weight.grad, bias.grad = backward(gy, *arguments, needs=needs)
        return np.asarray(grad_input)

    return forward(*arguments), both


def time_steps(model: nn.Sequential, images: Array, labels: Array) -> tuple[float, float]:
    """Median seconds of `kernel_step` and `reference_step` on copies of the model, in turns.

    Raises
    ------
    RuntimeError
        If the two do not agree on loss and gradients, which is checked first.
    """
    pairs = []
    for run_step in (kernel_step, reference_step):
        twin = copy.deepcopy(model)
        pairs.append((run_step, twin, optim.Adam(twin.parameters(), 1e-4)))
    ours, wanted = (run_step(twin, adam, images, labels) for run_step, twin, adam in pairs)
    gradients = ([p.grad for p in twin.parameters()] for _, twin, _ in pairs)
    # Float32 sums of up to some thousand terms, through five layers.
    close = abs(ours - wanted) <= 1e-5 * abs(wanted) and all(
        np.abs(a - b).max() <= 1e-4 * np.abs(b).max() for a, b in zip(*gradients, strict=True)
    )
    if not close:
        raise RuntimeError("fastconv and its NumPy reference disagree on loss or gradients")
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for taken, (run_step, twin, adam) in zip(times, pairs, strict=True):
            # The first of a turn finds the other's data in the caches and its threads awake.
            for repeat in range(1 + REPEATS):
                start = time.perf_counter()
                run_step(twin, adam, images, labels)
                if repeat:
                    taken.append(time.perf_counter() - start)
    return statistics.median(times[0]), statistics.median(times[1])


def kernel_seconds(model: nn.Sequential, images: Array, labels: Array) -> float:
    """Median seconds of `kernel_step` on a copy of the model."""
    twin, taken = copy.deepcopy(model), []
    adam = optim.Adam([p for p in twin.parameters() if p.requires_grad], 1e-4)
    for _ in range(1 + REPEATS):
        start = time.perf_counter()
        kernel_step(twin, adam, images, labels)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken[1:])


def has_reference(model: nn.Sequential) -> bool:
    """Whether `reference_step` knows all layers of the network."""
    known = (nn.Conv2d, nn.Flatten, nn.Linear, nn.MaxPool2d, nn.ReLU)
    return all(type(layer) in known for layer in model)
