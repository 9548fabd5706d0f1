"""Pictures of a training: curves, first-layer filters, feature maps, confusion matrix, predictions.

Needs Matplotlib (``pip install 'fastconv[demo]'``), imported where a figure is made. Only its
object interface is used: no pyplot, no window, no display.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

    from . import nn
    from .data import Dataset
    from .training import History

__all__ = [
    "feature_maps",
    "first_weight",
    "plot_confusion",
    "plot_feature_maps",
    "plot_filters",
    "plot_predictions",
    "plot_training",
    "training_figure",
]

Array = NDArray[Any]

BLUE, ORANGE, RED, GREY = "#1f5fa8", "#d9722e", "#c8202f", "#6b7280"


def training_figure(
    history: History, model: nn.Sequential, data: Dataset, predicted: Array, *, title: str = ""
) -> Figure:
    """Draw a training in one figure of 1700 by 1100 pixels; ``figure.savefig(path)`` writes it.

    Parameters
    ----------
    history : fastconv.training.History
    model : fastconv.nn.Sequential
        Whose first parameter is a convolution's weight or, of the pixels, a linear layer's.
    data : fastconv.data.Dataset
    predicted : ndarray of int, shape (N,)
        The classes of the test images.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(17, 11), dpi=100, facecolor="white")
    figure.suptitle(title, x=0.03, y=0.975, ha="left", fontsize=18, fontweight="bold")
    grid = figure.add_gridspec(
        2, 3, width_ratios=(1.1, 1, 1.15), height_ratios=(1, 1.05), left=0.03, right=0.985,
        top=0.89, bottom=0.045, wspace=0.13, hspace=0.2,
    )  # fmt: skip
    curves = grid[0, 0].subgridspec(2, 1, hspace=0.25)
    plot_training(
        figure.add_subplot(curves[0]), figure.add_subplot(curves[1]),
        history.loss, history.validation_accuracy,
    )  # fmt: skip
    filters = figure.add_subplot(grid[0, 1])
    drawn = plot_filters(filters, first_weight(model, data.test_images))
    bar = figure.colorbar(
        drawn, cax=filters.inset_axes((0, -0.09, 1, 0.035)), orientation="horizontal"
    )
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=10, length=2)
    plot_confusion(figure.add_subplot(grid[0, 2]), data.test_labels, predicted)
    maps = feature_maps(model, data.test_images[0])
    if len(maps) > 1:
        plot_feature_maps(figure.add_subplot(grid[1, :2]), maps)
    columns = 7 if len(maps) > 1 else 22
    predictions = figure.add_subplot(grid[1, 2] if len(maps) > 1 else grid[1, :])
    plot_predictions(predictions, data.test_images, data.test_labels, predicted, 6, columns)
    return figure


def first_weight(model: nn.Module, images: Array) -> Array:
    """The first layer's weight (out, in, H, W); of a linear layer, in the images' shape."""
    weight = next(model.parameters()).data
    return weight if weight.ndim == 4 else weight.reshape(-1, *images.shape[1:])


def feature_maps(model: nn.Sequential, image: Array, stages: int = 4) -> list[tuple[str, Array]]:
    """What an image becomes on its way through the network.

    Parameters
    ----------
    model : fastconv.nn.Sequential
    image : ndarray, shape (C, H, W)
    stages : int
        How many places to look at most, spread from the first to the last.

    Returns
    -------
    list of (name, ndarray of shape (maps, H, W))
        The image itself, then the maps before each layer that learns, and the last ones.

    Examples
    --------
    >>> net = fc.nn.Sequential(fc.nn.Conv2d(1, 4, 3), fc.nn.ReLU(), fc.nn.Flatten())
    >>> [(name, maps.shape) for name, maps in feature_maps(net, np.ones((1, 8, 8), np.float32))]
    [('input', (1, 8, 8)), ('ReLU 1', (4, 6, 6))]
    """
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    found, last, value = [("input", image)], ("input", image), image[None]
    for name, module in model.named_children():
        if next(module.parameters(), None) is not None and last[0] != found[-1][0]:
            found.append(last)
        value = module(value)
        if value.ndim == 4 and value.shape[2] * value.shape[3] > 1:
            label = name if not name.isdigit() else f"{type(module).__name__} {name}"
            last = (label, value[0])
    if last[0] != found[-1][0]:
        found.append(last)
    for module, mode in modes:
        module.training = mode
    count = min(stages, len(found) - 1)
    chosen = np.linspace(1, len(found) - 1, count).round().astype(int)
    return [found[0], *(found[place] for place in chosen)]


def plot_feature_maps(axes: Axes, maps: Sequence[tuple[str, Array]], columns: int = 12) -> None:
    """Draw what `feature_maps` gave: a row of maps for each place, each map in its own scale.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    maps : sequence of (name, ndarray of shape (maps, H, W))
    columns : int
        How many maps of a row at most.
    """
    axes.set_title(
        "one held-out image on its way through the network (each map from its least value, white, "
        "to its greatest, black)", loc="left", fontsize=12,
    )  # fmt: skip
    lines = 2 if len(maps) < 4 else 1  # of maps for each place
    line = 0
    for name, values in maps:
        room = columns * lines
        used = min(lines, -(-len(values) // columns))
        for place, tile in enumerate(values[:room]):
            left, top = 1.08 * (place % columns), 1.12 * (line + place // columns)
            axes.imshow(
                tile, cmap="gray_r", extent=(left, left + 1, top + 1, top),
                interpolation="nearest", aspect="auto",
            )  # fmt: skip
            axes.plot(
                [left, left + 1, left + 1, left, left], [top, top, top + 1, top + 1, top],
                color="#d1d5db", linewidth=0.8,
            )  # fmt: skip
        count, height, width = values.shape
        all_of = "all" if count <= room else f"{room} of"
        shown = f"\n{all_of} {count} maps" if count > 1 else ""
        axes.text(
            -0.15, 1.12 * (line + used / 2), f"{name}\n{height}x{width}{shown}", ha="right",
            va="center", fontsize=11, color=GREY,
        )  # fmt: skip
        line += used
    axes.set_xlim(-2.3, 1.08 * columns)
    axes.set_ylim(1.12 * line, 0)
    axes.set_aspect("equal")
    axes.set_axis_off()
    axes.set_anchor("NW")


def plot_confusion(axes: Axes, labels: Array, predicted: Array) -> None:
    """Draw how often each class was taken for which; off the diagonal, in red, are the errors.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    labels, predicted : ndarray of int, shape (N,)
    """
    classes = 1 + int(max(labels.max(), predicted.max()))
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (labels, predicted), 1)
    right = np.eye(classes, dtype=bool)
    shade = np.where(right, counts / max(1, counts.max()), 0.0)
    axes.imshow(shade, cmap="Blues", vmin=0, vmax=1.6)
    wrong = np.where(right | (counts == 0), np.nan, counts / max(1, counts[~right].max()))
    axes.imshow(wrong, cmap="Reds", vmin=-0.3, vmax=1.5)
    if classes <= 20:
        for true, taken in np.argwhere(counts).tolist():
            axes.text(
                taken, true, str(counts[true, taken]), ha="center", va="center", fontsize=11,
            )  # fmt: skip
    places = np.arange(classes) if classes <= 20 else np.linspace(0, classes - 1, 11).astype(int)
    axes.set_xticks(places)
    axes.set_yticks(places)
    axes.tick_params(labelsize=10, length=0)
    axes.spines[:].set_color("#d1d5db")
    axes.set_xlabel("predicted class", fontsize=11)
    axes.set_ylabel("true class", fontsize=11)
    axes.set_title(
        f"confusion matrix: {(labels != predicted).sum()} of {len(labels)} off the diagonal",
        loc="left", fontsize=12,
    )  # fmt: skip


def plot_training(
    loss_axes: Axes, accuracy_axes: Axes, loss: Sequence[float], accuracy: Sequence[float]
) -> None:
    """Draw training loss (logarithmic if it falls far) and held-out accuracy, epoch by epoch.

    Parameters
    ----------
    loss_axes, accuracy_axes : matplotlib.axes.Axes
    loss, accuracy : sequence of float
        One of each an epoch; accuracy as a share.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    losses, percent = np.asarray(loss), 100 * np.asarray(accuracy)
    for axes, values, colour, name in (
        (loss_axes, losses, BLUE, f"training loss, {losses[-1]:.3g} at last"),
        (accuracy_axes, percent, ORANGE, f"held-out accuracy, {percent[-1]:.2f} % at last"),
    ):
        epochs = np.arange(1, len(values) + 1)
        axes.plot(epochs, values, color=colour, linewidth=2, marker="o", markersize=3.5)
        axes.set_title(name, loc="left", fontsize=12, color=colour)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.set_xlim(0.5, len(values) + 0.5)
        axes.margins(y=0.1)
        axes.grid(color="#e5e7eb")
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=10)
    if losses.min() > 0 and losses.max() > 5 * losses.min():
        loss_axes.set_yscale("log")
        loss_axes.yaxis.set_major_locator(LogLocator(subs=(1, 3)))
        loss_axes.yaxis.set_minor_locator(NullLocator())
        loss_axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    loss_axes.tick_params(labelbottom=False)
    accuracy_axes.set_xlabel("epoch", fontsize=11)


def plot_filters(axes: Axes, weight: Array) -> AxesImage:
    """Draw the filters of a first layer, all in one diverging colour scale with white at zero.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    weight : ndarray, shape (out, in, H, W)
        Drawn is the mean over `in`.

    Returns
    -------
    matplotlib.image.AxesImage
        For a colour bar.
    """
    filters = np.asarray(weight).mean(axis=1)
    limit = float(np.abs(filters).max()) or 1.0
    wide = math.ceil(len(filters) ** 0.5)
    columns = next((n for n in range(wide, 2 * wide) if len(filters) % n == 0), wide)
    tiles = _mosaic(filters, columns, gap=1)[:-1]
    drawn = axes.imshow(tiles, cmap="RdBu_r", vmin=-limit, vmax=limit)
    size = "x".join(str(n) for n in filters.shape[1:])
    axes.set_title(
        f"the {len(filters)} learned {size} filters of the first layer", loc="left", fontsize=12
    )
    axes.set_axis_off()
    axes.set_anchor("NW")
    return drawn


def plot_predictions(
    axes: Axes, images: Array, labels: Array, predicted: Array, rows: int = 7, columns: int = 7
) -> None:
    """Draw held-out images with what the network took them for; wrong ones first, framed in red.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    images : ndarray, shape (N, 1, H, W)
    labels, predicted : ndarray of int, shape (N,)
    rows, columns : int
        How many images at most.
    """
    from matplotlib.patches import Rectangle

    labels, predicted = np.asarray(labels), np.asarray(predicted)
    wrong = labels != predicted
    right = np.flatnonzero(~wrong)
    room = min(len(right), max(0, rows * columns - int(wrong.sum())))
    # The right ones evenly spread: neighbours in a file are often of one class.
    spread = right[np.arange(room) * len(right) // max(room, 1)]
    order = np.concatenate([np.flatnonzero(wrong), spread])[: rows * columns]
    height, width = images.shape[2:]
    gap = max(3, round(0.4 * height))
    axes.imshow(_mosaic(images[order, 0], columns, gap), cmap="gray_r", vmin=0, vmax=1)
    for place, index in enumerate(order):
        top = (place // columns) * (height + gap) - 0.5
        left = (place % columns) * (width + gap) - 0.5
        colour = RED if wrong[index] else "#d1d5db"
        axes.add_patch(
            Rectangle(
                (left, top), width, height, fill=False, edgecolor=colour, clip_on=False,
                linewidth=2.5 if wrong[index] else 0.8,
            )
        )  # fmt: skip
        text = f"{predicted[index]}, is {labels[index]}" if wrong[index] else f"{predicted[index]}"
        axes.text(
            left + width / 2, top + height + 0.2 * gap, text, ha="center", va="top", fontsize=11,
            color=RED if wrong[index] else GREY, fontweight="bold" if wrong[index] else "normal",
        )  # fmt: skip
    axes.set_title(
        f"held-out images, what they were taken for: {wrong.sum()} wrong (red)",
        loc="left",
        fontsize=12,
    )
    axes.set_axis_off()
    axes.set_anchor("N")


def _mosaic(tiles: Array, columns: int, gap: int) -> Array:
    """Tiles (N, H, W) row by row in one image, NaN (drawn as nothing) below and right of each."""
    count, height, width = tiles.shape
    rows = -(-count // columns)
    cells = np.full((rows * columns, height + gap, width + gap), np.nan, np.float32)
    cells[:count, :height, :width] = tiles
    cells = cells.reshape(rows, columns, height + gap, width + gap).swapaxes(1, 2)
    mosaic: Array = cells.reshape(rows * (height + gap), -1)[:, :-gap]
    return mosaic
