"""Call libfastconv through ctypes, without fastconv's own module, and print the result.

The structures are those of fastconv.h.
"""

import ctypes
import glob
import sys

POINTERS = ("input", "weight", "bias", "residual", "grad_output", "prepared", "output",
            "grad_input", "grad_weight", "grad_bias", "indices", "workspace")  # fmt: skip


class ConvDesc(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_size_t),
        ("dtype", ctypes.c_int),
        ("spatial", ctypes.c_int32),
        *((name, ctypes.c_int64) for name in ("batch", "in_channels", "out_channels", "groups")),
        *((name, ctypes.c_int64 * 3) for name in ("input", "kernel", "stride", "dilation")),
        ("padding", ctypes.c_int),
        *((name, ctypes.c_int64 * 3) for name in ("pad_before", "pad_after")),
        *((name, ctypes.c_void_p) for name in ("in_strides", "weight_strides", "out_strides")),
        ("output", ctypes.c_int64 * 3),
        ("algorithm", ctypes.c_int),
        ("activation", ctypes.c_int),
        ("activation_slope", ctypes.c_double),
    ]


class Buffers(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_size_t),
        *((name, ctypes.c_void_p) for name in POINTERS),
        ("workspace_bytes", ctypes.c_size_t),
        ("threads", ctypes.c_int32),
    ]


def require(library, status):
    """Raise what the status says."""
    if status != 0:
        raise ValueError(library.fastconv_last_error().decode())


def main(folder):
    """Correlate 1 x 2 x 5 x 6 with 3 x 2 x 3 x 3, padding 1."""
    library = ctypes.CDLL(glob.glob(f"{folder}/libfastconv.*")[0])
    library.fastconv_last_error.restype = ctypes.c_char_p
    x = (ctypes.c_double * 60)(*(i % 7 - 3 for i in range(60)))
    w = (ctypes.c_double * 54)(*(i % 5 - 2 for i in range(54)))
    y = (ctypes.c_double * 90)()
    desc = ConvDesc(ctypes.sizeof(ConvDesc), 1, 2, 1, 2, 3, 1)
    desc.input[:2], desc.kernel[:2] = (5, 6), (3, 3)
    desc.stride[:2] = desc.dilation[:2] = desc.pad_before[:2] = desc.pad_after[:2] = (1, 1)
    problem, plan = ctypes.c_void_p(), ctypes.c_void_p()
    require(
        library, library.fastconv_conv_problem_create(ctypes.byref(desc), ctypes.byref(problem))
    )
    require(library, library.fastconv_plan_create(problem, 0, ctypes.byref(plan)))
    buffers = Buffers(ctypes.sizeof(Buffers), threads=1)
    for name, array in (("input", x), ("weight", w), ("output", y)):
        setattr(buffers, name, ctypes.addressof(array))
    require(library, library.fastconv_execute(plan, ctypes.byref(buffers)))
    library.fastconv_plan_destroy(plan)
    library.fastconv_problem_destroy(problem)
    print("output", *(f"{value:g}" for value in y))


main(sys.argv[1])
