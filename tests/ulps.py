"""How far a function's result may lie from another implementation's."""

from __future__ import annotations

import numpy as np

# Largest error in units of eps * max(1, |expected|); what is not here is equal to the bit.
ULPS = {
    "leaky_relu": 1, "sigmoid": 4, "tanh": 4, "silu": 4, "hard_swish": 4, "softmax": 8,
    "log_softmax": 8, "cross_entropy": 32, "mse_loss": 32, "linear": 32, "pad": 4,
    "leaky_relu_backward": 1, "sigmoid_backward": 8, "tanh_backward": 16, "silu_backward": 16,
    "hard_swish_backward": 8, "softmax_backward": 32, "batch_norm": 16, "batch_norm_backward": 64,
    "local_response_norm": 8, "local_response_norm_backward": 16,
}  # fmt: skip


def close(name, actual, expected):
    expected = np.asarray(expected)
    assert (np.shape(actual), actual.dtype) == (expected.shape, expected.dtype)
    rare = ~np.isfinite(expected)
    np.testing.assert_array_equal(np.asarray(actual)[rare], expected[rare])
    scale = np.finfo(expected.dtype).eps * np.maximum(1, np.abs(expected[~rare]))
    error = np.abs((np.asarray(actual)[~rare] - expected[~rare]) / scale)
    assert error.max(initial=0) <= ULPS.get(name, 0)
