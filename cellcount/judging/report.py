"""A trained model on labelled photos: its boxes, its counts, a table and pictures of both."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cellcount.bars import Bar
from cellcount.calibration.matching import Prediction, beside_labels
from cellcount.counting.counter import Counter
from cellcount.errors import CellCountError
from cellcount.judging import plots
from cellcount.judging.evaluation import Evaluation, evaluate
from cellcount.labels import voc
from cellcount.labels.confirmed import labelled_photos


def judge(
    model: str | Path, folder: str | Path, out: str | Path, engine: str = "auto"
) -> Evaluation:
    """Judge a checkpoint on photos that it has not learned from, and write what came of it.

    Args:
        model: a checkpoint.
        folder: labelled photos.
        out: gets a table, the plots, and each photo with its misses and false alarms.
        engine: what computes the model, as :class:`cellcount.counting.counter.Counter` takes it.

    Raises:
        CellCountError: no photo is labelled, a file cannot be read, or the engine cannot be used.
    """
    refuse_own_folder(folder, out)
    photos = labelled_photos(folder, tell=True)
    counter = Counter(model, engine=engine)
    result, predicted = judged(counter, photos)
    write(result, predicted, np.full(len(photos), _threshold(counter)), photos, out)
    return result


def judged(counter: Counter, photos: Sequence[Path]) -> tuple[Evaluation, list[Prediction]]:
    """How right a detector is on labelled photos, and what it found on each.

    Raises:
        CellCountError: no cell is labelled, or a file cannot be read.
    """
    several = len(counter.classes) > 1 and _known(counter, photos)
    predicted, counts = [], []
    for photo in Bar(photos, unit="photo", leave=False):
        found, count = counter.find_and_count(photo)
        kinds = found.kinds(counter.classes) if several else None
        predicted.append(beside_labels(photo, found.boxes, found.scores, kinds))
        if counter.calibration is not None:
            counts.append(count)
    return evaluate(predicted, _threshold(counter), counts=counts or None), predicted


def _known(counter: Counter, photos: Sequence[Path]) -> bool:
    """Whether a detector knows a class of those labelled; those that it does not know are said."""
    labelled = {box.label for photo in photos for box in voc.read(photo.with_suffix(".xml")).boxes}
    if labelled and not labelled & {*counter.classes}:
        print(
            f"None of the labelled classes ({', '.join(sorted(labelled))}) is one that the model "
            f"knows ({', '.join(counter.classes)}): it is judged without classes."
        )
        return False
    for name in sorted(labelled - {*counter.classes}):
        print(f"The model does not know the class {name}: each of its cells counts as missed.")
    return True


def _threshold(counter: Counter) -> float:
    """The score above which a box is drawn as a cell."""
    return counter.calibration.threshold_f1 if counter.calibration else counter.threshold


def refuse_own_folder(folder: str | Path, out: str | Path) -> None:
    """Refuse to write pictures where the photos are, whose names they have.

    Raises:
        CellCountError: ``out`` is the photos' folder.
    """
    if Path(folder).resolve() == Path(out).resolve():
        raise CellCountError(
            f"The pictures would replace your photos in {out}: choose another folder for them."
        )


def write(
    result: Evaluation,
    predicted: Sequence[Prediction],
    thresholds: Sequence[float] | np.ndarray,
    photos: Sequence[Path],
    out: str | Path,
) -> None:
    """Write ``photos.csv``, ``summary.csv``, the plots, and the photos with what went wrong.

    Args:
        result: what :func:`evaluate` said about ``predicted``.
        predicted: boxes and labels of each photo, in pixels of the photo.
        thresholds: the score above which a box is a cell, for each photo.
        photos: their files, in the same order.
        out: folder to write to.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    rows = result.rows()
    with (out / "photos.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, _columns(rows), restval="")
        table.writeheader()
        table.writerows(rows)
    with (out / "summary.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("figure", "value"), *result.summary().items()])
    if result.confusion is not None:
        with (out / "confusion.csv").open("w", newline="", encoding="utf-8") as file:
            lines = result.confusion.rows()
            table = csv.DictWriter(file, list(lines[0]))
            table.writeheader()
            table.writerows(lines)
        plots.confusion(result.confusion).savefig(out / "confusion.png", dpi=150)
    labelled = [one.labelled for one in result.photos]
    counted = [one.predicted for one in result.photos]
    intervals = [one.interval for one in result.photos]
    for name, figure in (
        ("counts", plots.predicted_against_labelled(labelled, counted, intervals)),
        ("bland_altman", plots.bland_altman(labelled, counted)),
        ("f1", plots.f1_against_threshold(predicted, result.iou)),
    ):
        figure.savefig(out / f"{name}.png", dpi=150)
    for photo, one, threshold in zip(photos, predicted, thresholds, strict=True):
        picture = plots.draw_mistakes(photo, one, threshold, longest=1400)
        picture.save(out / f"{photo.stem}.jpg", quality=85)


def tell(result: Evaluation) -> None:
    """Print the table of photos and the figures over all of them."""
    rows = result.rows()
    widths = {
        name: max(len(name), *(len(str(row.get(name, ""))) for row in rows))
        for name in _columns(rows)
    }
    print("  ".join(name.ljust(width) for name, width in widths.items()))
    for row in rows:
        print("  ".join(str(row.get(name, "")).rjust(width) for name, width in widths.items()))
    counts = result.counts
    print(
        f"\nBoxes, matched at IoU {result.iou}: precision {result.precision:.2f}, "
        f"recall {result.recall:.2f}, F1 {result.f1:.2f}; AP50 {result.ap50:.2f}, "
        f"AP {result.ap:.2f}"
    )
    said = [f"off by {counts.mean_absolute_error:.1f} cells on average"]
    if not np.isnan(counts.mape):
        said.append(f"{counts.share_off:.1f} % of all cells, {counts.mape:.1f} % a photo")
    said.append(f"bias {counts.bias:+.1f}")
    if len(rows) > 1:  # which one photo does not define
        said.append("limits of agreement {:+.1f} to {:+.1f}".format(*counts.limits))
    if not np.isnan(counts.r2):
        said.append(f"R2 {counts.r2:.2f}")
    print(f"Counts: {', '.join(said)}")
    if result.covered is not None:
        print(
            f"Intervals: {result.covered} of {result.with_interval} hold the labelled count; their "
            f"median width is {result.width:.0f} % of the count"
        )
    if any(one.why for one in result.photos):
        for odd, which in ((False, "like"), (True, "unlike")):
            some = [one for one in result.photos if bool(one.why) == odd]
            cells = sum(one.labelled for one in some)
            wrong = sum(abs(one.predicted - one.labelled) for one in some)
            off = f", counts {100 * wrong / cells:.1f} % off" if cells else ""
            print(f"Photos {which} those that the model has learned from: {len(some)}{off}")
    for name, one in result.by_class.items():
        told = f"{name}: {one.labelled} labelled, {one.predicted} counted"
        if one.labelled:
            told += f", {one.off:.1f} % off; AP50 {one.ap50:.2f}"
        if not np.isnan(one.share):
            points = 100 * (one.share - one.labelled_share)
            told += f"; share {100 * one.share:.1f} %, {points:+.1f} points off"
        print(told)


def _columns(rows: Sequence[dict[str, str | int]]) -> list[str]:
    """The columns that any row has."""
    return list(dict.fromkeys(name for row in rows for name in row))
