"""Filters of images, signals and volumes with SciPy's names, on the compiled convolutions.

`convolve2d` and `correlate2d` are those of ``scipy.signal``, `convolve` and `correlate` those of
``scipy.ndimage``: the same arguments, sizes, boundaries and dtypes of results. What they compute:

- float32 and float64 are summed as such. An order of its own makes a sum differ from SciPy's in
  the last places, as any two orders do.
- Integers are exact. Where no sum of the products' sizes passes 2^24 they are computed in float32,
  below 2^53 in float64, which hold every partial sum exactly; beyond, `convolve2d` and
  `correlate2d` add integers, tap by tap, which wrap around as SciPy's do. The filters of
  ``scipy.ndimage`` sum in float64, and so do these: integers by whole weights are exact below
  2^53, other weights give a sum that is cut off to an integer as C does.
- Complex arrays are two real ones: two convolutions where one operand is real, four otherwise.

The textbooks' convolution of an image, with the kernel flipped, is ``convolve2d(image, kernel,
mode)``: narrow is "valid", of equal width "same", wide "full".
"""

from .filters import convolve, correlate
from .planes import convolve2d, correlate2d

__all__ = ["convolve", "convolve2d", "correlate", "correlate2d"]
