"""What a detector is shown of labelled photos: each as a whole, or the larger ones in tiles."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cellcount.calibration.matching import Prediction, beside_labels
from cellcount.detector.bridging import apply_bridge
from cellcount.errors import CellCountError
from cellcount.labels.parts import cut_in_tiles
from cellcount.photos.reading import photo_size
from cellcount.photos.tiles import cut


@dataclass(frozen=True)
class View:
    """A labelled photo, and IceVision's records of what is shown of it: the whole, or its tiles."""

    photo: Path
    records: list[Any]
    tile: int | None = None

    def merged(self, found: Sequence[Prediction]) -> Prediction:
        """What was found on each of the records as one prediction of the photo."""
        if len(found) == 1:
            return found[0]
        assert self.tile is not None
        boxes, scores, kinds = [], [], []
        for tile, part in zip(cut(*photo_size(self.photo), self.tile), found, strict=True):
            moved = part.boxes + np.array(tile.seen[:2] * 2)
            mine = tile.counts(moved)
            boxes.append(moved[mine])
            scores.append(part.scores[mine])
            if part.box_classes is not None:
                kinds.append(part.box_classes[mine])
        joined = np.concatenate(boxes), np.concatenate(scores)
        return beside_labels(self.photo, *joined, np.concatenate(kinds) if kinds else None)


def views(
    photos: Sequence[Path], tile: int | None, scratch: Path, class_map: Any = None
) -> tuple[list[View], Any]:
    """Labelled photos as a detector is shown them, and the class map of their records.

    Args:
        photos: of one folder, each with an XML of its name beside it.
        tile: pixels a side of the tiles into which larger photos are cut; None: none is cut.
        scratch: folder for the tiles.
        class_map: if it is to be another than that of the labels.

    Raises:
        CellCountError: the labels of a photo cannot be used.
    """
    if tile is None:
        parsed, class_map = records(photos, class_map)
        return [View(photo, [one]) for photo, one in zip(photos, parsed, strict=True)], class_map
    parts = [cut_in_tiles(photo, scratch, tile) for photo in photos]
    parsed, class_map = records([part for some in parts for part in some], class_map)
    each = iter(parsed)
    shown = [
        View(photo, [next(each) for _ in some], tile)
        for photo, some in zip(photos, parts, strict=True)
    ]
    return shown, class_map


def records_of(shown: Sequence[View]) -> list[Any]:
    """All records of some photos."""
    return [record for one in shown for record in one.records]


def records(photos: Sequence[Path], class_map: Any = None) -> tuple[list[Any], Any]:
    """IceVision's records in the order of ``photos``, and their class map.

    Args:
        photos: of one folder, each with an XML of its name beside it.
        class_map: if it is to be another than that of the labels.

    Raises:
        CellCountError: the labels of a photo cannot be used.
    """
    apply_bridge()
    import icevision.all as ice

    folder = photos[0].parent
    parser = ice.parsers.VOCBBoxParser(
        annotations_dir=folder, images_dir=folder, class_map=class_map
    )
    (records,) = parser.parse(ice.SingleSplitSplitter(), show_pbar=False)
    by_name = {Path(record.filepath).name: record for record in records}
    missing = [photo.name for photo in photos if photo.name not in by_name]
    if missing:
        raise CellCountError(
            f"The labels of {missing[0]} cannot be used: `cellcount check {folder}` says why."
        )
    return [by_name[photo.name] for photo in photos], parser.class_map
