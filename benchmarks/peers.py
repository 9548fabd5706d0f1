"""fastconv beside PyTorch, ONNX Runtime and OpenVINO, each at its best, one running at a time.

Each contestant has a process of its own, and all but the one whose turn it is are stopped. They
get equal arrays; their results are compared before anything is timed. A peer that is not
installed is left out: `pip install fastconv[peers]` has them all.

contestants:
  plain        fastconv's functions on plain arrays
  prepared     fastconv's layers, frozen: weights packed beforehand
  torch        PyTorch, contiguous tensors, in inference mode
  torch-nhwc   the same, channels-last memory
  onnxruntime  a model of one node, its weights packed at load
  openvino     the same

examples:
  python benchmarks/peers.py conv --markdown conv.md --json conv.json
  python benchmarks/peers.py conv -k depthwise --rounds 3 --contestants plain,torch-nhwc
  FASTCONV_ISA=avx2 python benchmarks/peers.py bwd -k resnet50
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path

WHAT = {
    "conv": "convolutions, forward; then tiny calls and fused epilogues",
    "bwd": "gradients of the same convolutions: of the input, of the weight",
    "pool": "maximum and average pooling, forward and backward",
}


def parser() -> argparse.ArgumentParser:
    about = argparse.ArgumentParser(
        prog="peers.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    lines = "; ".join(f"{name}: {text}" for name, text in WHAT.items())
    add = about.add_argument
    add("what", choices=list(WHAT), help=lines)
    add("-k", metavar="PATTERN", default="", help="only rows whose name or class contains this")
    add("--list", action="store_true", help="print the selected rows and run nothing")
    add("--rounds", type=_positive, default=5, help="turns of each contestant (default: 5)")
    add("--threads", type=_positive, default=_cores(), help="of every contestant (default: cores)")
    add("--contestants", metavar="A,B", help="only these (default: all)")
    add("--layout", choices=("nchw", "nhwc"), default="nchw",
        help="memory of the arrays that fastconv gets and returns (default: nchw)")  # fmt: skip
    add("--json", metavar="FILE", type=Path, help="save every figure; also when interrupted")
    add("--markdown", metavar="FILE", type=Path, help="save what is printed")
    return about


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} (wanted 1 or more)")
    return number


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def main() -> int:
    from peer_contest.event import hold, listing  # not in the contestants' processes

    options = parser().parse_args()
    if options.list:
        for line in listing(options.what, options.k):
            print(line)
        return 0
    isa = os.environ.get("FASTCONV_ISA")
    prefix = f"FASTCONV_ISA={isa} " if isa else ""
    return hold(options, prefix + shlex.join(["python", "benchmarks/peers.py", *sys.argv[1:]]))


if __name__ == "__main__":
    sys.exit(main())
