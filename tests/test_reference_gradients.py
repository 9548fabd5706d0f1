"""Gradients of `fastconv.reference` against difference quotients, and as adjoints, in float64."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from fastconv import reference as ref


def integers(rng, shape):
    return rng.integers(-4, 5, shape).astype(np.float64)


def call(name, dims, *args, **kwargs):
    return getattr(ref, name.format(dims))(*args, **kwargs)


def difference_quotients(f, arrays, which, gy, step):
    """The gradient of <f(*arrays), gy> by central differences, one element at a time."""
    grad = np.zeros(arrays[which].shape)
    for place in np.ndindex(grad.shape):
        moved = [[a.copy() for a in arrays] for _ in range(2)]
        moved[0][which][place] += step
        moved[1][which][place] -= step
        up, down = (np.sum(f(*side) * gy) for side in moved)
        grad[place] = (up - down) / (2 * step)
    return grad


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_multilinear_gradients_are_exact_difference_quotients(dims):
    rng = np.random.default_rng(7)
    size, kernel = (5, 4, 4)[:dims], (3, 2, 2)[:dims]
    arrays = [
        integers(rng, (2, 2, *size)),
        integers(rng, (4, 1, *kernel)),
        integers(rng, 4),
    ]

    def conv(x, w, b):
        return call("conv{}d", dims, x, w, b, stride=2, padding=1, groups=2)

    y = conv(*arrays)
    gy = integers(rng, y.shape)
    grads = call("conv{}d_backward", dims, gy, *arrays, stride=2, padding=1, groups=2)
    for which, grad in enumerate(grads):
        np.testing.assert_array_equal(grad, difference_quotients(conv, arrays, which, gy, 1.0))

    # <f(x), gy> = <x, f's adjoint gy>, for each operand that f is linear in
    product = np.sum((y - arrays[2].reshape(-1, *(1,) * dims)) * gy)
    assert np.sum(arrays[0] * grads[0]) == product
    assert np.sum(arrays[1] * grads[1]) == product

    # without a tie, a step below half the gap between values changes no maximum
    x = rng.permutation(arrays[0].size).reshape(arrays[0].shape).astype(float)

    def max_pool(x):
        return call("max_pool{}d", dims, x, 3, 2, 1)

    def avg_pool(x):
        return call("avg_pool{}d", dims, 27 * x, 3, 2, 1)  # divisible by every divisor

    gy = integers(rng, max_pool(x).shape)
    grad = call("max_pool{}d_backward", dims, gy, x, 3, 2, 1)
    np.testing.assert_array_equal(grad, difference_quotients(max_pool, [x], 0, gy, 0.25))
    grad = call("avg_pool{}d_backward", dims, 27 * gy, x, 3, 2, 1)
    np.testing.assert_array_equal(grad, difference_quotients(avg_pool, [x], 0, gy, 1.0))
    assert np.sum(avg_pool(x) * gy) == np.sum(x * grad)


def test_linear():
    rng = np.random.default_rng(8)
    for lead, out in itertools.product([(), (4,), (2, 3), (0,)], [(5,), ()]):
        arrays = [integers(rng, (*lead, 3)), integers(rng, (*out, 3)), integers(rng, out)]
        y = ref.linear(*arrays)
        gy = integers(rng, y.shape)
        assert y.shape == (*lead, *out)
        for which, grad in enumerate(ref.linear_backward(gy, *arrays)):
            quotients = difference_quotients(ref.linear, arrays, which, gy, 1.0)
            np.testing.assert_array_equal(grad, quotients)


STEP = 1e-5
SMOOTH = {
    "relu": lambda f, x: f(x),
    "sigmoid": lambda f, x: f(x),
    "tanh": lambda f, x: f(x),
    "softmax": lambda f, x: f(x, 1),
    "log_softmax": lambda f, x: f(x, 0),
}


def agree(actual, quotients):
    """A quotient is off by STEP**2 times a third derivative and by eps / STEP of rounding."""
    assert actual.shape == quotients.shape
    assert np.abs(actual - quotients).max(initial=0) < 1e-9


@pytest.mark.parametrize("name", SMOOTH)
def test_activation_gradients(name):
    rng = np.random.default_rng(9)
    x, gy = rng.standard_normal((2, 3, 4, 5))

    def function(x):
        return SMOOTH[name](getattr(ref, name), x)

    backward = getattr(ref, name + "_backward")
    grad = SMOOTH[name](lambda *args: backward(gy, *args), x)
    agree(grad, difference_quotients(function, [x], 0, gy, STEP))


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("shape", [(3, 4), (4,), (2, 3, 2, 2)], ids=str)
def test_loss_gradients(shape, reduction):
    rng = np.random.default_rng(10)
    x, classes = rng.standard_normal(shape), shape[0 if len(shape) == 1 else 1]
    options = {"weight": rng.random(classes), "reduction": reduction, "label_smoothing": 0.2}
    labels = rng.integers(0, classes, shape[:1] * (len(shape) > 1) + shape[2:])
    shares = rng.random(shape)

    gy = rng.standard_normal(ref.cross_entropy(x, labels, **options).shape)
    grads = ref.cross_entropy_backward(gy, x, labels, **options)
    assert grads[1:] == (None, None)
    agree(
        grads[0],
        difference_quotients(lambda x: ref.cross_entropy(x, labels, **options), [x], 0, gy, STEP),
    )
    grads = ref.cross_entropy_backward(gy, x, shares, **options)
    for which in (0, 1):

        def loss(x, q):
            return ref.cross_entropy(x, q, **options)

        agree(grads[which], difference_quotients(loss, [x, shares], which, gy, STEP))

    gy = rng.standard_normal(ref.mse_loss(x, shares, reduction).shape)
    grads = ref.mse_loss_backward(gy, x, shares, reduction)
    for which in (0, 1):

        def loss(x, q):
            return ref.mse_loss(x, q, reduction)

        agree(grads[which], difference_quotients(loss, [x, shares], which, gy, STEP))
