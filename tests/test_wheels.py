"""The wheels that users install: built from the sdist, repaired, and used in clean environments.

Minutes, most of them the library's one build: ``pytest -m wheels`` (with the extra ``wheels``).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from consumers import (
    TESTS,
    check_c,
    check_cpp,
    check_ctypes,
    clean_environment,
    follow,
    needs,
    run,
)
from test_package import declared, symbols

ROOT = TESTS.parent
pytestmark = [
    pytest.mark.wheels,
    pytest.mark.skipif(sys.platform != "linux", reason="repairs wheels of Linux"),
    needs("nm", "cmake", "c++"),
]

# Of a repaired wheel, libgomp with it, in bytes. The aim is 1.5 MiB: 2.1 MB are libfastconv's.
MOST_BYTES = 1_572_864  # 1.5 MiB
VERSIONS = ("3.10", "3.11", "3.12", "3.13")
# The oldest NumPy that has a wheel for each, and is supported.
OLDEST_NUMPY = {"3.10": "1.26.0", "3.11": "1.26.0", "3.12": "1.26.0", "3.13": "2.1.0"}
NOT_TIMED = "not microseconds and not quick and not torch"
QUICK_TESTS = ("test_inputs.py", "test_module.py", "test_runtime.py")


def interpreter(version):
    """The path of CPython `version`, or None; pyenv's too, which are on no PATH."""
    for folder in sorted(Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob(
        f"versions/{version}.*/bin"
    )):  # fmt: skip
        return folder / f"python{version}"
    found = shutil.which(f"python{version}")
    works = found and subprocess.run([found, "-c", ""], capture_output=True).returncode == 0
    return Path(found) if works else None


@pytest.fixture(scope="session")
def sdist(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sdist")
    run(sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", folder, ROOT)
    (path,) = folder.iterdir()
    return path


@pytest.fixture(scope="session")
def source(sdist, tmp_path_factory):
    """The sdist's own folder, in which all wheels are built: the library once."""
    folder = tmp_path_factory.mktemp("source")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (path,) = folder.iterdir()
    return path


@pytest.fixture(scope="session")
def wheel(source, tmp_path_factory):
    """Builds and repairs the wheel for a version of CPython, once."""
    wheels = {}

    def build(version):
        python = interpreter(version)
        if python is None:
            pytest.skip(f"no CPython {version}")
        if version not in wheels:
            built, repaired = (tmp_path_factory.mktemp(name) for name in ("built", "repaired"))
            run(python, "-m", "pip", "wheel", "--no-deps", "-w", built, source)
            run(sys.executable, "-m", "auditwheel", "repair", "-z", "9", "-w", repaired,
                *built.iterdir(), env=clean_environment())  # fmt: skip
            (wheels[version],) = repaired.iterdir()
        return wheels[version]

    return build


@pytest.fixture(scope="session")
def environment(wheel, tmp_path_factory):
    """A virtual environment with the repaired wheel and the oldest NumPy; its Python."""
    made = {}

    def make(version):
        if version not in made:
            path = wheel(version)
            folder = tmp_path_factory.mktemp(f"python{version}-")
            run(interpreter(version), "-m", "venv", folder)
            python = folder / "bin" / "python"
            numpy = f"numpy=={OLDEST_NUMPY[version]}"
            run(python, "-m", "pip", "install", "--quiet", path, numpy, "pytest", "threadpoolctl",
                "pybind11", "scikit-build-core")  # fmt: skip
            made[version] = python
        return made[version]

    return make


@pytest.fixture(scope="session")
def own(environment, source):
    """The environment of the Python that runs the tests, with nothing left of any build."""
    python = environment(f"3.{sys.version_info.minor}")
    shutil.rmtree(source / "build", ignore_errors=True)
    return python


def test_sdist_holds_the_sources_alone(sdist):
    with tarfile.open(sdist) as archive:
        names = [name.split("/", 1)[1] for name in archive.getnames() if "/" in name]
    tops = {name.split("/")[0] for name in names}
    assert tops >= {"src", "fastconv", "CMakeLists.txt", "pyproject.toml", "LICENSE", "README.md"}
    assert not tops & {"build", "dist", ".ci", ".git"}
    assert not [name for name in names if name.endswith((".so", ".o", ".pyc"))]


@pytest.mark.parametrize("version", VERSIONS)
def test_wheel_is_small_and_holds_each_thing_once(wheel, version, tmp_path):
    path = wheel(version)
    tag = re.search(r"-cp3\d+-cp3\d+-manylinux_2_(\d+)_", path.name)
    assert tag, path.name
    assert int(tag[1]) <= 34
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        archive.extractall(tmp_path)
    assert not [info.filename for info in infos if info.external_attr >> 16 & 0o170000 == 0o120000]
    names = {info.filename for info in infos}
    suffix = f"cpython-{version.replace('.', '')}-{os.uname().machine}-linux-gnu.so"
    binaries = {name for name in names if ".so" in name}
    (gomp,) = (name for name in binaries if name.startswith("fastconv.libs/libgomp"))
    assert binaries == {f"fastconv/_core.{suffix}", "fastconv/lib/libfastconv.so", gomp}
    assert names >= {
        "fastconv/include/fastconv/fastconv.h", "fastconv/include/fastconv/fastconv.hpp",
        "fastconv/lib/cmake/fastconv/fastconv-config.cmake",
        "fastconv/lib/cmake/fastconv/fastconv-config-version.cmake",
        "fastconv/lib/cmake/fastconv/fastconv-targets.cmake",
        "fastconv/lib/cmake/fastconv/fastconv-targets-release.cmake",
        "fastconv/lib/pkgconfig/fastconv.pc", "fastconv/py.typed", "fastconv/_core.pyi",
    }  # fmt: skip
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "fastconv").rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == modules
    assert any(name.endswith("LICENSE") for name in names)
    library, module = (
        tmp_path / "fastconv/lib/libfastconv.so",
        tmp_path / f"fastconv/_core.{suffix}",
    )
    assert symbols("-D", "--defined-only", library) == declared()
    assert symbols("-D", "--defined-only", module) == {"PyInit__core"}
    for binary in (library, module):
        stripped = subprocess.run(["nm", binary], capture_output=True, text=True, check=False)
        assert "no symbols" in stripped.stderr
    assert path.stat().st_size <= MOST_BYTES, f"{path.stat().st_size} bytes"


@pytest.mark.parametrize("version", VERSIONS)
def test_suite_on_the_oldest_and_the_newest_numpy(environment, version, tmp_path):
    python = environment(version)
    for path in TESTS.glob("*.py"):
        if not path.name.startswith("test_") or path.name in QUICK_TESTS:
            shutil.copy(path, tmp_path)
    seen = []
    for upgrade in (False, True):
        if upgrade:
            run(python, "-m", "pip", "install", "--quiet", "--upgrade", "numpy")
        seen.append(run(python, "-c", "import numpy; print(numpy.__version__)").strip())
        quick = ["-m", "pytest", "-q", "-x", "-k", NOT_TIMED, tmp_path]
        run(python, *quick, cwd=tmp_path, env=clean_environment(python))
    assert seen[0] == OLDEST_NUMPY[version] != seen[1]


@pytest.mark.parametrize(("name", "check"), [("c", check_c), ("cpp", check_cpp)])
def test_programs_link_the_wheel(own, name, check, tmp_path):
    check(follow(name, tmp_path / name, python=own))


def test_program_links_the_wheel_by_pkg_config(own, tmp_path):
    check_c(follow("c", tmp_path / "c", block=2, python=own))


def test_ctypes_loads_the_wheel(own, tmp_path):
    check_ctypes(follow("ctypes", tmp_path / "ctypes", python=own))


def test_another_extension_links_the_wheel(own, tmp_path):
    assert "good: " in follow("pybind11", tmp_path / "pybind11", python=own)


def test_threadpoolctl_sees_the_wheels_openmp(own, tmp_path):
    code = (
        "import fastconv as fc, threadpoolctl as t; n = fc.get_num_threads();"
        "print([i['filepath'] for i in t.threadpool_info() if i['user_api'] == 'openmp']);"
        "l = t.threadpool_limits(1); assert fc.get_num_threads() == 1; l.restore_original_limits();"
        "assert fc.get_num_threads() == n"
    )
    environment = clean_environment(own, OMP_NUM_THREADS="3")
    assert "fastconv.libs/libgomp" in run(own, "-c", code, cwd=tmp_path, env=environment)


@pytest.mark.parametrize("first", ["torch", "fastconv"])
def test_beside_torchs_openmp(own, first, tmp_path):
    """Two OpenMP runtimes in one process: the same numbers, on several threads, in either order."""
    torch = pytest.importorskip("torch")
    numpy = pytest.importorskip("numpy")
    paths = [str(Path(module.__file__).parents[1]) for module in (torch, numpy)]
    second = "fastconv" if first == "torch" else "torch"
    code = f"""
import sys; sys.path += {paths}
import {first}; import {second}
import numpy as np, fastconv as fc
torch.set_num_threads(3); fc.set_num_threads(3)
x = np.arange(4 * 16 * 40 * 40, dtype=np.float32).reshape(4, 16, 40, 40) % 7 - 3
w = np.arange(32 * 16 * 9, dtype=np.float32).reshape(32, 16, 3, 3) % 5 - 2
for _ in range(20):
    y, wanted = fc.conv2d(x, w), torch.conv2d(torch.from_numpy(x), torch.from_numpy(w)).numpy()
    assert np.array_equal(y, wanted)
runtimes = {{line.split()[-1] for line in open("/proc/self/maps") if "libgomp" in line}}
print(len(runtimes), "runtimes")
"""
    assert "2 runtimes" in run(own, "-c", code, cwd=tmp_path, env=clean_environment(own))
