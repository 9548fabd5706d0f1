"""``python -m fastconv``: the demo, networks as tables, and the paths a linker asks for."""

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


MODELS = (
    "lenet",
    "lenet5",
    "lenet5_original",
    "keras_cnn",
    "simple_convnet",
    "nin",
    "softmax",
)


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
        help="train a network on handwritten digits and draw what it learned",
        description="Train a network on real handwritten digits with fastconv's kernels, time a "
        "training step against plain NumPy, and draw what was learned into one PNG.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    _add_demo_arguments(demo)
    predict = commands.add_parser(
        "predict",
        help="say which digits pictures show, with weights that demo --save wrote",
        description="Print class and probability of pictures of one digit each (PNG, JPEG, ...).",
    )
    predict.add_argument("images", metavar="IMAGE", nargs="+")
    predict.add_argument(
        "--weights", metavar="PATH", default="weights.safetensors",
        help="what demo --save wrote (default: %(default)s)",
    )  # fmt: skip
    summary = commands.add_parser(
        "summary",
        help="print the layers of a network of fastconv.models",
        description="Print the layers of a network of fastconv.models for an input.",
    )
    summary.add_argument("name", metavar="NAME", help="resnet50, for one")
    summary.add_argument(
        "--shape", metavar="N,C,H,W", type=_shape, default=argparse.SUPPRESS,
        help="of the input (default: one image of the size that the network is for)",
    )  # fmt: skip
    options = parser.parse_args(arguments)

    if options.command == "demo":
        from .demo import run

        return run(options, demo.error)
    if options.command == "predict":
        from .demo import weights

        return weights.run(options, predict.error)
    if options.command == "summary":
        return _summary(options, summary)
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
        "--model",
        choices=MODELS,
        default="lenet",
        help="the network; of LeNet-5 the modern and the published form, softmax is the baseline",
    )
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
        help="passes over the training images (default: the network's own, with --data 3)",
    )
    demo.add_argument(
        "--batch-size",
        metavar="N",
        type=_positive,
        default=argparse.SUPPRESS,
        help="images a training step (default: the network's own)",
    )
    demo.add_argument(
        "--lr",
        metavar="RATE",
        type=_rate,
        default=argparse.SUPPRESS,
        help="Adam's learning rate at the start (default: the network's own)",
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
        "--save",
        metavar="PATH.safetensors",
        default=argparse.SUPPRESS,
        help="where to write the weights, for the command predict",
    )
    demo.add_argument(
        "--checkpoint",
        metavar="PATH.safetensors",
        default=argparse.SUPPRESS,
        help="written after each epoch; where it is there, training goes on from it",
    )
    demo.add_argument(
        "--no-plot", action="store_true", default=argparse.SUPPRESS, help="draw nothing"
    )
    demo.add_argument(
        "--quiet", action="store_true", default=argparse.SUPPRESS, help="print the results alone"
    )


def _summary(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    from . import models
    from ._summary import summary
    from .models.__main__ import NETWORKS

    if options.name not in models.__all__:
        parser.error(f"argument NAME: {options.name!r} (wanted one of {', '.join(models.__all__)})")
    network = getattr(models, options.name)()
    image = next(image for name, _, image, _ in NETWORKS if name.startswith(f"{options.name}("))
    try:
        print(summary(network, getattr(options, "shape", (1, *image))))
    except (ValueError, TypeError) as error:
        parser.error(f"argument --shape: {error}")
    return 0


def _shape(text: str) -> tuple[int, ...]:
    return tuple(_positive(size) for size in text.split(","))


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
