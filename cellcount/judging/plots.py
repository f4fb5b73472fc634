"""Pictures of how right counts are: a photo's mistakes, predicted against labelled."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike
from PIL import Image

from cellcount.calibration.accuracy import count_accuracy, curve
from cellcount.calibration.matching import Prediction, match
from cellcount.calibration.series import Chart
from cellcount.counting.colours import CELL, FALSE_ALARM, MISS
from cellcount.counting.drawing import Photo, draw_boxes, draw_count, short
from cellcount.judging.evaluation import Confusion
from cellcount.photos.reading import pixels_of

_NAMED = 10  # photos of a chart


def draw_mistakes(
    photo: Photo,
    found: Prediction,
    threshold: float,
    *,
    iou: float = 0.3,
    longest: int | None = None,
) -> Image.Image:
    """Draw missed cells, false alarms and found cells, each in a colour of its own.

    Args:
        photo: its path or its pixels.
        found: boxes and labels in pixels of ``photo``.
        threshold: the score above which a box is a cell.
        iou: overlap of box and label that makes the box right.
        longest: shrink the picture until its longest side has this many pixels.
    """
    matched = match(found, iou)
    cells = found.scores > threshold
    right, wrong = cells & matched.matched, cells & ~matched.matched
    missed = np.setdiff1d(np.arange(matched.labelled), matched.label_of[right])
    drawn = [
        (found.boxes[right], CELL),
        (found.boxes[wrong], FALSE_ALARM),
        (found.labels[missed], MISS),
    ]
    words = [
        (f"{right.sum()} found", CELL),
        (f"{len(missed)} missed", MISS),
        (f"{wrong.sum()} false", FALSE_ALARM),
    ]
    return draw_boxes(photo, drawn, words, longest)


def threshold_dial(
    photo: Photo, boxes: ArrayLike, scores: ArrayLike, thresholds: Sequence[float]
) -> Figure:
    """Show the same photo at several thresholds, side by side.

    Args:
        photo: its path or its pixels.
        boxes: (n, 4) in pixels of ``photo``, all candidates.
        scores: (n,).
        thresholds: a picture for each.
    """
    boxes, scores = np.asarray(boxes, dtype=float), np.asarray(scores, dtype=float)
    pixels, many = pixels_of(photo), len(thresholds)
    figure, axes = plt.subplots(1, many, figsize=(4 * many, 4.3), squeeze=False)
    for axis, threshold in zip(axes[0], thresholds, strict=True):
        axis.imshow(draw_count(pixels, boxes[scores > threshold], longest=700))
        axis.set_title(f"threshold {threshold:.2f}")
        axis.axis("off")
    figure.tight_layout()
    plt.close(figure)
    return figure


def predicted_against_labelled(
    labelled: Sequence[int],
    predicted: Sequence[int],
    intervals: Sequence[tuple[int, int] | None] | None = None,
) -> Figure:
    """Plot each photo's predicted count over its labelled count; the diagonal is perfection.

    Args:
        labelled: for each photo.
        predicted: for each photo.
        intervals: low and high of each predicted count, drawn as bars; None where it has none.
    """
    figure, axes = plt.subplots(figsize=(4.5, 4.5), layout="constrained")
    pairs = zip(labelled, intervals or [None] * len(labelled), strict=True)
    bars = [(cells, *ends) for cells, ends in pairs if ends is not None]
    most = 1.08 * max([*labelled, *predicted, *(high for *_, high in bars), 1])
    axes.plot([0, most], [0, most], color="0.7", zorder=0)
    if bars:
        axes.vlines(*zip(*bars, strict=True), color=CELL, zorder=1)
    axes.scatter(labelled, predicted, color=CELL, edgecolor="black", zorder=2)
    axes.set(xlim=(0, most), ylim=(0, most), aspect="equal")
    axes.set(xlabel="cells labelled by a person", ylabel="cells found by the model")
    plt.close(figure)  # a notebook shows the returned figure; it need not show it twice
    return figure


def bland_altman(labelled: Sequence[int], predicted: Sequence[int]) -> Figure:
    """Plot error over mean of both counts, in cells, with bias and limits of agreement.

    Bland & Altman, Lancet 1986.

    Args:
        labelled: number of labelled cells on each photo.
        predicted: number of counted cells, in the same order.
    """
    truth, counted = np.asarray(labelled, dtype=float), np.asarray(predicted, dtype=float)
    accuracy = count_accuracy(predicted, labelled)
    low, high = accuracy.limits
    figure, axes = plt.subplots(figsize=(5.5, 4), layout="constrained")
    axes.scatter((counted + truth) / 2, counted - truth, color=CELL, edgecolor="black", zorder=2)
    for height, style, name in (
        (accuracy.bias, "-", f"bias {accuracy.bias:+.1f}"),
        (high, "--", f"{high:+.1f}"),
        (low, "--", f"{low:+.1f}"),
    ):
        if np.isnan(height):
            continue  # one photo has no limits of agreement
        axes.axhline(height, linestyle=style, color="0.4", zorder=1)
        axes.annotate(
            name, (1, height), xycoords=("axes fraction", "data"), ha="right", va="bottom"
        )
    axes.set(xlabel="mean of labelled and predicted count", ylabel="predicted minus labelled")
    axes.margins(y=0.15)
    plt.close(figure)
    return figure


def f1_against_threshold(photos: Sequence[Prediction], iou: float = 0.3) -> Figure:
    """Plot precision, recall and F1 of all photos together over the threshold."""
    line = curve([match(photo, iou) for photo in photos])
    figure, axes = plt.subplots(figsize=(5.5, 4), layout="constrained")
    axes.plot(line.threshold, line.precision, color=FALSE_ALARM, label="precision")
    axes.plot(line.threshold, line.recall, color=MISS, label="recall")
    axes.plot(line.threshold, line.f1, color="black", linewidth=2, label="F1")
    axes.axvline(line.best_threshold, color="0.6", linestyle="--")
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="threshold", ylabel=f"at IoU {iou}")
    axes.legend(loc="lower left")
    plt.close(figure)
    return figure


def confusion(found: Confusion) -> Figure:
    """Draw how many cells of each labelled class were found as which, or missed."""
    names = [short(name) for name in found.classes]
    side = 2.5 + 0.6 * len(names)
    figure, axes = plt.subplots(figsize=(side, side), layout="constrained")
    of_row = found.table / found.table.sum(axis=1, keepdims=True).clip(1)
    axes.imshow(of_row, cmap="cividis", vmin=0, vmax=1)
    for (row, column), number in np.ndenumerate(found.table):
        colour = "black" if of_row[row, column] > 0.5 else "white"
        axes.text(column, row, str(number), ha="center", va="center", color=colour)
    places = range(len(names) + 1)
    axes.set_xticks(places, [*names, "missed"], rotation=45, ha="right")
    axes.set_yticks(places, [*names, "no cell"])
    axes.set(xlabel="found as", ylabel="labelled as")
    plt.close(figure)
    return figure


def control_charts(charts: Mapping[str, Chart], photos: Sequence[str]) -> Figure:
    """Draw each figure of a series of photos, its limits, and the photos that lie beyond them."""
    rows = len(charts)
    figure, all_axes = plt.subplots(
        rows, figsize=(9, 0.6 + 1.3 * rows), sharex=True, squeeze=False, layout="constrained"
    )
    for axes, (name, chart) in zip(all_axes[:, 0], charts.items(), strict=True):
        values, odd = chart.values, chart.beyond
        axes.axhspan(chart.low, chart.high, color="0.92")
        axes.plot(range(1, len(values) + 1), values, color="0.4", marker=".", linewidth=1)
        axes.scatter(odd + 1, values[odd], color=FALSE_ALARM, edgecolor="black", zorder=3)
        for number in odd[:_NAMED]:
            axes.annotate(
                short(photos[number]),
                (number + 1, values[number]),
                xytext=(0, 5),
                textcoords="offset points",
                ha="right" if number > len(photos) / 2 else "left",
                fontsize=8,
            )
        axes.set_ylabel(name)
        axes.margins(y=0.3)
    all_axes[-1, 0].xaxis.set_major_locator(MaxNLocator(integer=True))
    all_axes[-1, 0].set_xlabel("photo, in the order of the table; grey: usual change")
    plt.close(figure)
    return figure
