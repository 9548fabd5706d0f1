"""Pictures of a training: curves, first-layer filters, predictions, and all of them in one figure.

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

__all__ = ["plot_filters", "plot_predictions", "plot_training", "training_figure"]

Array = NDArray[Any]

BLUE, ORANGE, RED, GREY = "#1f5fa8", "#d9722e", "#c8202f", "#6b7280"


def training_figure(
    loss: Sequence[float],
    accuracy: Sequence[float],
    weight: Array,
    images: Array,
    labels: Array,
    predicted: Array,
    *,
    title: str = "",
) -> Figure:
    """Draw a training in one figure of 1400 by 900 pixels; ``figure.savefig(path)`` writes it.

    Parameters
    ----------
    loss, accuracy : sequence of float
        One of each an epoch; accuracy as a share.
    weight : ndarray, shape (out, in, H, W)
        The first layer's.
    images, labels, predicted : ndarray
        Held-out images ``(N, 1, H, W)`` and their true and predicted classes ``(N,)``.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14, 9), dpi=100, facecolor="white")
    grid = figure.add_gridspec(
        2, 2, width_ratios=(1, 1.18), height_ratios=(2.6, 1), left=0.045, right=0.985,
        top=0.88, bottom=0.03, wspace=0.16, hspace=0.33,
    )  # fmt: skip
    curves = grid[0, 0].subgridspec(2, 1, hspace=0.22)
    loss_axes = figure.add_subplot(curves[0])
    plot_training(loss_axes, figure.add_subplot(curves[1]), loss, accuracy)
    filters = figure.add_subplot(grid[1, 0])
    drawn = plot_filters(filters, weight)
    bar = figure.colorbar(drawn, cax=filters.inset_axes((1.03, 0, 0.025, 1)))
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=10, length=2)
    plot_predictions(figure.add_subplot(grid[:, 1]), images, labels, predicted)
    figure.suptitle(title, x=0.045, y=0.97, ha="left", fontsize=17, fontweight="bold")
    return figure


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
        (loss_axes, losses, BLUE, f"training loss (labels smoothed), {losses[-1]:.3g} at last"),
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
    wide = math.ceil((len(filters) * 2) ** 0.5)
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
    gap = max(3, round(0.3 * height))
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
        f"held-out images and their predictions: {wrong.sum()} of {len(labels)} wrong (red)",
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
