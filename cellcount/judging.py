"""A trained model on labelled photos: its boxes, its counts, a table and pictures of both."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from cellcount import plots, voc
from cellcount.calibration import Estimate
from cellcount.checks import ready_to_train
from cellcount.confirmed import confirmed
from cellcount.counter import Counter
from cellcount.counting import Count
from cellcount.errors import CellCountError
from cellcount.evaluation import Evaluation, evaluate
from cellcount.matching import Prediction
from cellcount.photos import list_photos, read_photo


def labelled_photos(folder: str | Path, *, tell: bool = False) -> list[Path]:
    """The photos of a folder whose boxes, in an XML beside them, a person drew or confirmed.

    Args:
        folder: with photos.
        tell: print how many have only a model's boxes; IceVision's parser says it by itself.

    Raises:
        CellCountError: there is none, or the folder holds mistakes: it lists them.
    """
    ready_to_train(folder)
    photos = [photo for photo in list_photos(folder) if photo.with_suffix(".xml").is_file()]
    if not photos:
        raise CellCountError(
            f"No photo in {folder} has an XML of its name beside it: label some in labelImg first."
        )
    labels = set(confirmed([photo.with_suffix(".xml") for photo in photos], tell=tell))
    return [photo for photo in photos if photo.with_suffix(".xml") in labels]


def judge(model: str | Path, folder: str | Path, out: str | Path) -> Evaluation:
    """Judge a checkpoint on photos that it has not learned from, and write what came of it.

    Args:
        model: checkpoint saved by train.ipynb.
        folder: labelled photos.
        out: gets a table, the plots, and each photo with its misses and false alarms.

    Raises:
        CellCountError: no photo is labelled, or a file cannot be read.
    """
    photos = labelled_photos(folder, tell=True)
    counter = Counter(model)
    predicted, counts = [], []
    for photo in tqdm(photos, unit="photo", leave=False):
        labels = voc.read(photo.with_suffix(".xml")).boxes
        found = counter.detect(photo)
        several = len(counter.classes) > 1
        predicted.append(
            Prediction(
                photo.name,
                np.array([box.xyxy for box in found["detection"]["bboxes"]]).reshape(-1, 4),
                np.asarray(found["detection"]["scores"], dtype=float),
                np.array([(b.xmin, b.ymin, b.xmax, b.ymax) for b in labels]).reshape(-1, 4),
                np.array(found["detection"]["labels"], dtype=str) if several else None,
                np.array([b.label for b in labels], dtype=str) if several else None,
            )
        )
        if counter.calibration is not None:
            one = Count.from_detection(photo, found, counter.calibration)
            counts.append(Estimate(one.n, one.low or 0, one.high or 0))
    threshold = counter.calibration.threshold_f1 if counter.calibration else counter.threshold
    result = evaluate(predicted, threshold, counts=counts or None)
    write(result, predicted, np.full(len(photos), threshold), photos, out)
    return result


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
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    with (out / "summary.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("figure", "value"), *result.summary().items()])
    labelled = [one.labelled for one in result.photos]
    counted = [one.predicted for one in result.photos]
    intervals = [one.interval for one in result.photos if one.interval is not None]
    for name, figure in (
        ("counts", plots.predicted_against_labelled(labelled, counted, intervals or None)),
        ("bland_altman", plots.bland_altman(labelled, counted)),
        ("f1", plots.f1_against_threshold(predicted, result.iou)),
    ):
        figure.savefig(out / f"{name}.png", dpi=150)
    for photo, one, threshold in zip(photos, predicted, thresholds, strict=True):
        picture = plots.draw_mistakes(read_photo(photo), one, threshold, longest=1400)
        picture.save(out / f"{photo.stem}.jpg", quality=85)


def tell(result: Evaluation) -> None:
    """Print the table of photos and the figures over all of them."""
    rows = result.rows()
    widths = {name: max(len(name), *(len(str(row[name])) for row in rows)) for name in rows[0]}
    print("  ".join(name.ljust(width) for name, width in widths.items()))
    for row in rows:
        print("  ".join(str(row[name]).rjust(width) for name, width in widths.items()))
    counts = result.counts
    print(
        f"\nBoxes, matched at IoU {result.iou}: precision {result.precision:.2f}, "
        f"recall {result.recall:.2f}, F1 {result.f1:.2f}; AP50 {result.ap50:.2f}, "
        f"AP {result.ap:.2f}"
    )
    print(
        f"Counts: off by {counts.mean_absolute_error:.1f} cells or {counts.mape:.1f} % on "
        f"average, bias {counts.bias:+.1f}, limits of agreement {counts.limits[0]:+.1f} to "
        f"{counts.limits[1]:+.1f}, R2 {counts.r2:.2f}"
    )
    if result.covered is not None:
        print(
            f"Intervals: {result.covered} of {len(rows)} hold the labelled count; their median "
            f"width is {result.width:.0f} % of the count"
        )
