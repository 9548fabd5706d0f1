"""``python -m fastconv``: the demo, and the paths a linker asks for."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from . import _core, config

PATHS = {
    "--includedir": (config.get_include, "the folder of the C headers"),
    "--libdir": (config.get_library_dir, "the folder of libfastconv"),
    "--cmakedir": (config.get_cmake_dir, "the folder of fastconv-config.cmake"),
    "--pkgconfigdir": (config.get_pkgconfig_dir, "the folder of fastconv.pc"),
}


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors take one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        Without the program's name; ``sys.argv[1:]`` by default.

    Returns
    -------
    int
        The exit code: 0; 1 where something is not installed; 2 for wrong arguments.
    """
    parser = Parser(
        prog="python -m fastconv",
        description="Convolution kernels for NumPy: a demo, and what a linker asks for.",
    )
    parser.add_argument("--version", action="version", version=f"fastconv {_core.__version__}")
    for flag, (_, meaning) in PATHS.items():
        parser.add_argument(
            flag, action="append_const", const=flag, dest="paths", help=f"print {meaning}"
        )
    parser.add_argument(
        "--show-config", action="store_true", help="print version, compiler, ISA and threads"
    )
    commands = parser.add_subparsers(dest="command", metavar="command")
    demo = commands.add_parser(
        "demo",
        help="train a LeNet on handwritten digits and draw what it learned",
        description="Train a LeNet on real handwritten digits with fastconv's kernels, time a "
        "training step against plain NumPy, and draw what was learned into one PNG.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    _add_demo_arguments(demo)
    options = parser.parse_args(arguments)

    if options.command == "demo":
        from .demo import run

        return run(options, demo.error)
    try:
        for flag in options.paths or ():
            print(PATHS[flag][0]())
    except RuntimeError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    if options.show_config:
        config.show_config()
    elif not options.paths:
        parser.print_help()
    return 0


def _add_demo_arguments(demo: argparse.ArgumentParser) -> None:
    demo.add_argument(
        "--data",
        metavar="PATH",
        default=argparse.SUPPRESS,
        help="folder with MNIST's or Fashion-MNIST's IDX files, or Keras's mnist.npz "
        "(default: scikit-learn's 8x8 digits)",
    )
    demo.add_argument(
        "--epochs",
        metavar="N",
        type=_positive,
        default=argparse.SUPPRESS,
        help="passes over the training images (default: 40, with --data 3)",
    )
    demo.add_argument(
        "--batch-size", metavar="N", type=_positive, default=32, help="images a training step"
    )
    demo.add_argument(
        "--lr", metavar="RATE", type=_rate, default=0.003, help="Adam's learning rate at the start"
    )
    demo.add_argument(
        "--seed",
        metavar="N",
        type=_seed,
        default=0,
        help="seed of initial weights, order and augmentation; the same seed gives the same bits",
    )
    demo.add_argument(
        "--threads",
        metavar="N",
        type=_positive,
        default=argparse.SUPPRESS,
        help="threads of the kernels (default: all cores)",
    )
    demo.add_argument(
        "--output", metavar="PATH.png", default="fastconv-demo.png", help="where to draw"
    )
    demo.add_argument(
        "--no-plot", action="store_true", default=argparse.SUPPRESS, help="draw nothing"
    )
    demo.add_argument(
        "--quiet", action="store_true", default=argparse.SUPPRESS, help="print the results alone"
    )


def _positive(text: str) -> int:
    return _whole(text, 1)


def _seed(text: str) -> int:
    return _whole(text, 0)


def _whole(text: str, least: int) -> int:
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
    if not least <= number < 2**31:
        raise argparse.ArgumentTypeError(f"got {number} (wanted {least} to 2147483647)")
    return number


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
    if not 0 < rate < float("inf"):
        raise argparse.ArgumentTypeError(f"got {rate} (wanted a number above 0)")
    return rate


if __name__ == "__main__":
    sys.exit(main())
