"""How a detector of any cell is made: trained on many looks, and taught to count others.

Of a look that it has not seen, cells get other scores than those of the looks that it was trained
on, most often lower ones. What it will be shown is the former, most often. So it learns to count
from looks left out: a few more detectors are trained, each without some of the looks, and count
those. All photos of a look go astray in one direction, so together they count as one photo; how
much looks differ is how wide the interval is. A photo whose cells they do not find teaches nothing:
no factor turns what else is found there into a count, and boxes show it.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from cellcount.calibration.intervals import Calibration
from cellcount.calibration.matching import Match, Prediction, match
from cellcount.calibration.usual import learn_usual
from cellcount.counting.counter import Counter
from cellcount.counting.recalibration import found_on, tell
from cellcount.detector.head_start import OF_USE, f1
from cellcount.detector.pretraining import can_train, pretrain, set_aside
from cellcount.detector.provenance import checkpoint_meta
from cellcount.detector.recipe import Recipe
from cellcount.labels.confirmed import labelled_photos

_PARTS = 3  # of the looks, each of which one more detector is trained without


def make(
    out: str | Path,
    folders: Sequence[str | Path],
    *,
    epochs: int,
    seed: int,
    start: str | Path | None = None,
    backbone: str = Recipe.backbone,
) -> None:
    """Train on photos of many looks by :func:`pretrain`, and learn to count on looks left out.

    Where nothing could be learned without a look, as it is the only one, those of its photos that
    are set aside take its place.

    Args:
        out: checkpoint to write.
        folders: each with labelled photos of one look.
        epochs: how often photos are shown.
        seed: of all chance in the trainings.
        start: a checkpoint to train further; else the backbone starts from ImageNet.
        backbone: its name among VFNet's backbones in IceVision.

    Raises:
        CellCountError: labels cannot be used: it lists them; or the photos are too few.
    """
    out = Path(out)
    train = partial(pretrain, epochs=epochs, seed=seed, start=start, backbone=backbone)
    out.parent.mkdir(parents=True, exist_ok=True)
    looks = [labelled_photos(folder) for folder in folders]
    parts = min(_PARTS, len(looks))
    counted: list[Path] = []
    found: list[list[Prediction]] = []
    with TemporaryDirectory() as scratch:
        everything, judge = Path(scratch, "all.pth"), Path(scratch, "judge.pth")
        print("The detector is trained on all looks.")
        train(everything, looks)
        for part in range(parts):
            others = [look for i, look in enumerate(looks) if i % parts != part]
            unseen = can_train(others)
            if unseen:
                names = ", ".join(Path(folder).name for folder in folders[part::parts])
                print(f"Another, {part + 1} of {parts}, without those it then counts: {names}.")
                train(judge, others)
            counter = Counter(judge if unseen else everything, threshold=0.5)
            for look in looks[part::parts]:
                some = look if unseen else set_aside(look)
                found.append(found_on(some, counter.find, counter.classes))
                counted += some
        calibration = Calibration.learn(_lessons(found))
        usual = learn_usual(counted, [one for look in found for one in look], calibration, None)
        tell(everything, out, checkpoint_meta(calibration, usual=usual))


def _lessons(looks: Sequence[Sequence[Prediction]]) -> list[Match]:
    """What photos of looks that a detector has not seen teach about counting: a look as one."""
    seen = [[one for one in look if not len(one.labels) or f1([one]) >= OF_USE] for look in looks]
    taught = seen if any(seen) else looks  # of which the calibration says that it explains nothing
    lessons = [[match(one.classless) for one in look] for look in taught if look]
    return lessons[0] if len(looks) == 1 else [Match.of_all(look) for look in lessons]
