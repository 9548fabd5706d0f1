"""The demo's weights in a file, and what they say about a picture."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from .. import data, nn
from ..functional import softmax
from ..serialization import load, save
from .networks import NETWORKS

Array = NDArray[Any]

KEY = "demo"  # of what is not the network's: the bytes of a JSON object
INK = 0.2  # brightness from which a pixel belongs to a figure


class Trained(NamedTuple):
    """A network with its weights, and what its images are like."""

    network: nn.Sequential
    pixels: int  # of the data's images
    size: int  # of the images as the network sees them
    extent: float  # the part of an image's size that its figure takes, typically


def save_weights(
    path: str, network: nn.Sequential, name: str, images: data.Dataset, size: int, classes: int
) -> None:
    """Write the arrays under their names, and what `load_weights` makes the network from."""
    channels, pixels = images.train_images.shape[1:3]
    extents = [max(_box(i).shape) for i in images.train_images[:500, 0] if i.max() > INK]
    extent = float(np.median(extents or [pixels])) / pixels
    about = {"model": name, "channels": channels, "size": size, "classes": classes,
             "pixels": pixels, "extent": extent}  # fmt: skip
    text = np.frombuffer(json.dumps(about).encode(), np.uint8)
    save(path, {**network.state_dict(), KEY: text})


def load_weights(path: str) -> Trained:
    """The network that `save_weights` wrote, in ``eval()``."""
    state = load(path)
    if KEY not in state:
        raise ValueError(f"{path} holds no weights of the demo (wanted what demo --save wrote)")
    about = json.loads(state.pop(KEY).tobytes())
    make = NETWORKS[about["model"]].make
    network = make(about["channels"], about["size"], about["classes"])
    network.load_state_dict(state)
    return Trained(network.eval(), about["pixels"], about["size"], about["extent"])


def read_picture(path: str, pixels: int, extent: float) -> Array:
    """A picture as the data has them: grey, white on black, the figure in the middle.

    Dark on light is inverted, told by the picture's edge. A picture of another size than `pixels`
    is cropped to its figure, which is then scaled to the data's `extent`.
    """
    from PIL import Image

    with Image.open(path) as picture:
        coloured = picture.convert("RGBA")
    paper = Image.new("RGBA", coloured.size, "white")
    grey: Array = np.asarray(Image.alpha_composite(paper, coloured).convert("L"), np.float32) / 255
    edge = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    if np.median(edge) > (grey.min() + grey.max()) / 2:
        grey = 1 - grey
    least, most = grey.min(), grey.max()
    if most - least < 0.1:
        raise ValueError("shows nothing: all of it is one shade")
    grey = (grey - least) / (most - least)
    if grey.shape == (pixels, pixels):
        return grey
    figure = _box(grey)
    longest = max(1, round(extent * pixels))
    height, width = (max(1, round(n * longest / max(figure.shape))) for n in figure.shape)
    scaled = Image.fromarray(figure).resize((width, height), Image.Resampling.BILINEAR)
    image: Array = np.zeros((pixels, pixels), np.float32)
    top, left = (pixels - height) // 2, (pixels - width) // 2
    image[top : top + height, left : left + width] = np.asarray(scaled)
    image /= image.max()
    return image


def run(options: argparse.Namespace, fail: Callable[[str], NoReturn]) -> int:
    """Print class and probability of each picture; the exit code is 1 where one is unreadable."""
    try:
        import PIL.Image  # noqa: F401
    except ImportError:
        print("predict needs Pillow: pip install Pillow", file=sys.stderr)
        return 1
    if not os.path.exists(options.weights):
        fail(f"argument --weights: no such file: {options.weights} (demo --save writes one)")
    try:
        trained = load_weights(options.weights)
    except (OSError, ValueError, TypeError, KeyError) as error:
        fail(f"argument --weights: {error}")
    code = 0
    for path in options.images:
        try:
            picture = read_picture(path, trained.pixels, trained.extent)
        except (OSError, ValueError, SyntaxError) as error:
            reason = getattr(error, "strerror", None) or str(error).replace("\n", " ")
            print(f"{path}: {reason}", file=sys.stderr)
            code = 1
            continue
        image = data.enlarge(picture[None, None], trained.size // trained.pixels)
        chances = softmax(trained.network(image), 1)[0]
        best, second = np.argsort(chances)[:-3:-1]
        print(f"{path}: {best}  {chances[best]:.1%}  (then {second}, {chances[second]:.1%})")
    return code


def _box(image: Array) -> Array:
    """The part of an image that holds its figure."""
    rows, columns = ((image > INK).any(axis) for axis in (1, 0))
    (top, bottom), (left, right) = (np.flatnonzero(line)[[0, -1]] for line in (rows, columns))
    box: Array = image[top : bottom + 1, left : right + 1]
    return box
