"""Compare the extension with fastconv's own reference, before and after fastconv itself loads."""

import edges
import numpy as np

x = np.arange(2 * 3 * 8 * 9.0).reshape(2, 3, 8, 9) % 7 - 3
w = np.arange(4 * 3 * 3 * 3.0).reshape(4, 3, 3, 3) % 5 - 2
before = edges.correlate(x, w)

from fastconv import reference  # noqa: E402

wanted = reference.conv2d(x, w, padding="same")
for dtype in (np.float32, np.float64):
    for threads in (0, 1, 3):
        got = edges.correlate(x.astype(dtype), w.astype(dtype), threads)
        assert got.dtype == dtype
        assert np.array_equal(got, wanted)
assert np.array_equal(before, wanted)
try:
    edges.correlate(x, w[:, :2])
except ValueError as error:
    print("good:", error)
else:
    raise AssertionError("no error")
