"""Programs outside the package link and load what is installed: see tests/consumer_*/README.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from conftest import FORCED
from consumers import check_c, check_cpp, check_ctypes, clean_environment, follow, needs, run

import fastconv as fc

pytestmark = pytest.mark.skipif(bool(FORCED), reason="tells nothing of the ISA; run once, unforced")


@needs("cmake", "cc")
def test_c(tmp_path):
    check_c(follow("c", tmp_path / "c"))


@needs("pkg-config", "cc")
def test_c_by_pkg_config(tmp_path):
    check_c(follow("c", tmp_path / "c", block=2))


@needs("cmake", "c++")
def test_cpp(tmp_path):
    check_cpp(follow("cpp", tmp_path / "cpp"))


def test_ctypes(tmp_path):
    check_ctypes(follow("ctypes", tmp_path / "ctypes"))


@needs("c++")
@pytest.mark.parametrize(("name", "compiler"), [("fastconv.h", "cc"), ("fastconv.hpp", "c++")])
def test_example_of_the_header(tmp_path, name, compiler):
    """Complete, as it stands there, and without a warning."""
    header = Path(fc.get_include(), "fastconv", name).read_text()
    lines = re.findall(r"^(?: \*|//)(?:   (.*))?$", header.split("#ifndef")[0], re.MULTILINE)
    code = "\n".join(lines)
    assert "main" in code
    source = tmp_path / ("main.c" if compiler == "cc" else "main.cpp")
    source.write_text(code[code.index("#include") :] + "\n")
    standard = "-std=c99" if compiler == "cc" else "-std=c++17"
    library = fc.get_library_dir()
    run(compiler, standard, "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror", source,
        f"-I{fc.get_include()}", f"-L{library}", "-lfastconv", f"-Wl,-rpath,{library}",
        "-o", tmp_path / "main")  # fmt: skip
    assert run(tmp_path / "main", env=clean_environment()).startswith("7 ")
