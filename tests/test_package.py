"""What is installed, what it exports, and the core without Python."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import FORCED
from consumers import check_c, check_cpp, check_ctypes, follow, needs, run

import fastconv as fc
from fastconv import _core

ROOT = Path(__file__).parent.parent
PACKAGE = Path(_core.__file__).parent


def symbols(*arguments):
    return {line.split()[-1].split("@")[0] for line in run("nm", *arguments).splitlines() if line}


def external_names(target):
    lines = run("nm", "-C", "--defined-only", "--extern-only", target).splitlines()
    return [line.split(maxsplit=2)[-1] for line in lines]


def declared():
    header = Path(fc.get_include(), "fastconv", "fastconv.h").read_text()
    return set(re.findall(r"^FASTCONV_API [^(]*?(fastconv_\w+)\(", header, re.MULTILINE))


def test_paths_for_linkers():
    assert Path(fc.get_include(), "fastconv", "fastconv.h").is_file()
    assert Path(fc.get_cmake_dir(), "fastconv-config.cmake").is_file()
    assert Path(fc.get_pkgconfig_dir(), "fastconv.pc").is_file()
    names = os.listdir(fc.get_library_dir())
    assert [name for name in names if name.startswith("libfastconv")] in (
        ["libfastconv.so"], ["libfastconv.dylib"],
    )  # fmt: skip


@needs("nm")
@pytest.mark.skipif(sys.platform != "linux", reason="reads ELF")
def test_library_exports_the_c_api_alone():
    library = Path(fc.get_library_dir(), "libfastconv.so")
    exported = symbols("-D", "--defined-only", library)
    assert exported == declared()
    assert symbols("-D", "--defined-only", _core.__file__) == {"PyInit__core"}


@needs("nm", "g++")
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="compiles for x86-64")
@pytest.mark.parametrize(
    ("isa", "flags"),
    [
        ("baseline", []),
        ("avx2", ["-mavx2", "-mfma"]),
        ("avx512", ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mfma"]),
    ],
)
def test_kernels_define_nothing_but_their_table(tmp_path, isa, flags):
    """A weak symbol compiled for a new machine could be the copy that the linker keeps."""
    found = set()
    for source in sorted((ROOT / "src/kernels").glob("isa*.cpp")):
        target = tmp_path / f"{source.stem}.o"
        run("g++", "-std=c++17", "-O1", "-ffp-contract=fast", "-Wno-psabi", *flags,
            f"-DFASTCONV_ISA={isa}", f"-I{ROOT / 'src'}", "-c", source, "-o", target)  # fmt: skip
        found |= {name.split("(")[0] for name in external_names(target)}
    parts = {"table", "add_passes", "add_pooling"}
    assert found == {f"fastconv::{isa}::{part}" for part in parts}


def test_standing_in_a_checkout_finds_the_installed_module(tmp_path):
    """The checkout's folder hides the package; its compiled module must be found all the same."""
    checkout = tmp_path / "checkout"
    shutil.copytree(PACKAGE, checkout / "fastconv", ignore=shutil.ignore_patterns("*.so", "lib"))
    code = "import fastconv; print(fastconv.__file__); fastconv.conv2d"
    out = run(sys.executable, "-c", code, cwd=checkout)
    assert Path(out.strip()).parent == checkout / "fastconv"
    assert "fastconv" in run(sys.executable, "-m", "fastconv", "--version", cwd=checkout)
    alone = subprocess.run(
        [sys.executable, "-S", "-c", "import sys; sys.path = [''] + [p for p in sys.path if "
         "'site-packages' not in p]; import fastconv"],
        cwd=checkout, capture_output=True, text=True, check=False,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
    )  # fmt: skip
    assert "compiled module is not built for this Python; run: " in alone.stderr


PROGRAM = r"""
#include <fastconv/fastconv.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

int main(void) {
  float x[2 * 5 * 6], w[3 * 2 * 3 * 3], b[3] = {1, 2, 3}, y[3 * 5 * 6];
  for (int i = 0; i < 60; ++i) x[i] = (float)(i % 7 - 3);
  for (int i = 0; i < 54; ++i) w[i] = (float)(i % 5 - 2);
  for (int i = 0; i < 90; ++i) y[i] = NAN;
  fastconv_conv_desc desc = {sizeof desc};
  desc.dtype = FASTCONV_FLOAT32, desc.spatial = 2;
  desc.batch = 1, desc.in_channels = 2, desc.out_channels = 3, desc.groups = 1;
  desc.input[0] = 5, desc.input[1] = 6;
  for (int i = 0; i < 2; ++i) desc.kernel[i] = 3, desc.stride[i] = desc.dilation[i] = 1;
  desc.padding = FASTCONV_PADDING_SAME;
  fastconv_problem *problem;
  fastconv_plan *plan;
  if (fastconv_conv_problem_create(&desc, &problem) ||
      fastconv_plan_create(problem, FASTCONV_FORWARD, &plan))
    return puts(fastconv_last_error()), 1;
  fastconv_buffers buffers = {sizeof buffers};
  buffers.input = x, buffers.weight = w, buffers.bias = b, buffers.output = y;
  if (fastconv_execute(plan, &buffers)) return puts(fastconv_last_error()), 2;
  for (int o = 0; o < 3; ++o)
    for (int h = 0; h < 5; ++h)
      for (int v = 0; v < 6; ++v) {
        float sum = b[o];
        for (int c = 0; c < 2; ++c)
          for (int i = 0; i < 3; ++i)
            for (int j = 0; j < 3; ++j) {
              int r = h + i - 1, s = v + j - 1;
              if (r < 0 || r > 4 || s < 0 || s > 5) continue;
              sum += w[((o * 2 + c) * 3 + i) * 3 + j] * x[(c * 5 + r) * 6 + s];
            }
        if (y[(o * 5 + h) * 6 + v] != sum) return 3;
      }
  fastconv_plan_destroy(plan), fastconv_problem_destroy(problem);

  /* What must fail, with a message and no crash. */
  desc.stride[1] = 0;
  if (fastconv_conv_problem_create(&desc, &problem) != FASTCONV_INVALID_ARGUMENT) return 4;
  if (!strstr(fastconv_last_error(), "stride is (1, 0)")) return 5;
  desc.size = 1;
  if (fastconv_conv_problem_create(&desc, &problem) != FASTCONV_INVALID_ARGUMENT) return 6;
  if (fastconv_conv_problem_create(NULL, &problem) != FASTCONV_INVALID_ARGUMENT) return 7;
  if (fastconv_execute(NULL, &buffers) != FASTCONV_INVALID_ARGUMENT) return 8;
  if (fastconv_set_isa("none") != FASTCONV_INVALID_ARGUMENT) return 9;
  if (fastconv_allocate((size_t)-1)) return 10;
  printf("%s %s\n", fastconv_version(), fastconv_isa());
  return 0;
}
"""


@needs("cc")
@pytest.mark.skipif(bool(FORCED), reason="tells nothing of the ISA; run once, unforced")
def test_what_must_fail_in_c(tmp_path):
    """A C program gets statuses and messages, and no crash."""
    source, library = tmp_path / "main.c", fc.get_library_dir()
    source.write_text(PROGRAM)
    run("cc", "-std=c99", source, f"-I{fc.get_include()}", f"-L{library}", "-lfastconv",
        f"-Wl,-rpath,{library}", "-o", tmp_path / "main")  # fmt: skip
    assert fc.__version__ in run(tmp_path / "main")


def install(prefix, build, *options):
    """Builds the core without Python and without a warning, and installs it below `prefix`."""
    run("cmake", "-S", ROOT, "-B", build, "-DFASTCONV_PYTHON=OFF", "-DFASTCONV_WERROR=ON",
        f"-DCMAKE_INSTALL_PREFIX={prefix}", *options)  # fmt: skip
    run("cmake", "--build", build, "--parallel", "2")
    run("cmake", "--install", build)
    shutil.rmtree(build)
    assert not list(prefix.rglob("*.py"))


@needs("cmake", "c++", "pkg-config")
@pytest.mark.skipif(bool(FORCED), reason="builds every ISA; run once, unforced")
def test_the_core_builds_and_installs_without_python(tmp_path):
    """And what was installed may be moved."""
    install(tmp_path / "prefix", tmp_path / "build")
    prefix = (tmp_path / "prefix").rename(tmp_path / "moved")
    check_c(follow("c", tmp_path / "c", block=1, PREFIX=str(prefix)))
    check_cpp(follow("cpp", tmp_path / "cpp", block=1, PREFIX=str(prefix)))
    check_ctypes(follow("ctypes", tmp_path / "ctypes", block=1, PREFIX=str(prefix)))
    if importlib.util.find_spec("pybind11"):
        extension = follow("pybind11", tmp_path / "pybind11", block=1, PREFIX=str(prefix))
        assert "good: " in extension
    (pc,) = prefix.rglob("fastconv.pc")
    told = run("pkg-config", "--cflags", "--libs", "fastconv",
               env={**os.environ, "PKG_CONFIG_PATH": str(pc.parent)})  # fmt: skip
    assert {Path(flag[2:]).resolve() for flag in told.split() if flag[:2] in ("-I", "-L")} == {
        (prefix / "include").resolve(), pc.parents[1].resolve(),
    }  # fmt: skip
    (tmp_path / "cpp" / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.20)\nproject(p NONE)\nfind_package(fastconv 9.0 CONFIG)\n"
        'if(fastconv_FOUND)\nmessage(FATAL_ERROR "is no 9.0")\nendif()\n'
    )
    run(
        "cmake", "-S", tmp_path / "cpp", "-B", tmp_path / "version", f"-DCMAKE_PREFIX_PATH={prefix}"
    )


@needs("cmake", "c++")
@pytest.mark.skipif(bool(FORCED), reason="builds a library; run once, unforced")
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="builds a kernel set of x86-64")
def test_a_static_core_with_one_kernel_set(tmp_path):
    options = ("-DFASTCONV_SHARED=OFF", "-DFASTCONV_ISAS=baseline")
    install(tmp_path / "prefix", tmp_path / "build", *options)
    check_cpp(follow("cpp", tmp_path / "cpp", block=1, PREFIX=str(tmp_path / "prefix")))


@needs("cmake", "c++")
@pytest.mark.skipif(bool(FORCED), reason="builds a library; run once, unforced")
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="builds a kernel set of x86-64")
def test_a_program_builds_the_library_along(tmp_path):
    check_cpp(follow("cpp", tmp_path / "cpp", block=2, CHECKOUT=str(ROOT)))
