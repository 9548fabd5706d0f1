"""The programs that link the library: their README's commands, and the numbers they must print."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fastconv import reference

TESTS = Path(__file__).parent


def needs(*programs):
    missing = [program for program in programs if not shutil.which(program)]
    return pytest.mark.skipif(bool(missing), reason=f"no {', '.join(missing)}")


def run(*command, **options):
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def clean_environment(python=sys.executable, **more):
    """Nothing of this process's but where programs are, `python` the first of them."""
    path = os.pathsep.join([str(Path(python).parent), os.environ["PATH"]])
    return {"PATH": path, "HOME": os.environ.get("HOME", "/"), "LC_ALL": "C", **more}


def follow(name, folder, *, block=0, python=sys.executable, **environment):
    """What the commands of the README of consumer `name` print, in a copy of it in `folder`."""
    shutil.copytree(TESTS / f"consumer_{name}", folder)
    blocks = re.findall(r"```sh\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    return run(
        "bash", "-euc", blocks[block], cwd=folder, env=clean_environment(python, **environment)
    )


def parse(text):
    lines = [line.split() for line in text.splitlines()]
    values = {line[0]: line[1:] for line in lines}
    return {name: np.array(values[name], float) for name in values if name in RESULTS}


RESULTS = {"output", "grad_input", "grad_weight", "grad_bias", "pooled", "grad_pooled"}


def ramp(*shape, period):
    return (np.arange(np.prod(shape)) % period - period // 2).astype(float).reshape(shape)


def check(text, **wanted):
    got = parse(text)
    assert set(got) == set(wanted)
    for name, value in wanted.items():
        np.testing.assert_array_equal(got[name], value.ravel(), err_msg=name)


def check_c(text):
    x, w, b = ramp(1, 2, 9, 10, period=7), ramp(3, 2, 3, 3, period=5), np.array([1.0, 2, 3])
    options = {"stride": 2, "padding": "same"}
    y = np.maximum(reference.conv2d(x, w, b, **options), 0)
    gx, gw, gb = reference.conv2d_backward(y, x, w, b, **options)
    pooled = reference.max_pool2d(y, 2, ceil_mode=True)
    check(text, output=y, grad_input=gx, grad_weight=gw, grad_bias=gb, pooled=pooled)


def last(x):
    """The numbers of (N, C, H, W) in the order of channels-last memory."""
    return x.transpose(0, 2, 3, 1)


def check_cpp(text):
    x, w = ramp(2, 7, 6, 4, period=7).transpose(0, 3, 1, 2), ramp(6, 2, 3, 3, period=5)
    b = np.arange(1.0, 7)
    options = {"padding": ((1, 0), (2, 1)), "groups": 2}
    y = reference.conv2d(x, w, b, **options)
    gx, gw, gb = reference.conv2d_backward(y, x, w, b, **options)
    pooled = reference.max_pool2d(y, 2)
    grad = reference.max_pool2d_backward(pooled, y, 2)
    check(text, output=last(y), grad_input=last(gx), grad_weight=gw, grad_bias=gb,
          pooled=last(pooled), grad_pooled=last(grad))  # fmt: skip


def check_ctypes(text):
    x, w = ramp(1, 2, 5, 6, period=7), ramp(3, 2, 3, 3, period=5)
    check(text, output=reference.conv2d(x, w, padding=1))
