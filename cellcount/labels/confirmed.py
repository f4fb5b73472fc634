"""Which labels count: those that a person drew or confirmed, never those of a model alone."""

from collections.abc import Sequence
from pathlib import Path

from cellcount.errors import CellCountError
from cellcount.labels import voc
from cellcount.labels.checks import check, is_left_out, leave_out
from cellcount.photos.reading import list_photos


def confirmed(xmls: Sequence[Path], *, tell: bool = True) -> list[Path]:
    """Leave out the Pascal VOC files whose boxes a model drew and nobody has confirmed.

    Those with errors that were said to be left out are missing too.

    All that trains and judges reads its labels through here: a detector that learns from its own
    boxes learns its own mistakes.

    Args:
        xmls: Pascal VOC files.
        tell: print how many are left out, if any.

    Raises:
        CellCountError: there are files, but none is confirmed.
    """
    xmls = [xml for xml in xmls if not is_left_out(xml)]
    kept = [xml for xml in xmls if not voc.unconfirmed(xml)]
    left_out = len(xmls) - len(kept)
    if left_out and not kept:
        raise CellCountError(
            f"In {xmls[0].parent} only a model has drawn boxes, on {left_out} photos: open them in "
            "labelImg, correct the boxes, and press space on each photo to confirm it."
        )
    if left_out and tell:
        print(
            f"{left_out} of {len(xmls)} labelled photos are left out: a model drew their boxes and "
            "nobody has confirmed them (in labelImg: space)."
        )
    return kept


def labelled_photos(folder: str | Path, *, tell: bool = False, strict: bool = False) -> list[Path]:
    """The photos of a folder whose boxes, in an XML beside them, a person drew or confirmed.

    It prints which are left out because their labels cannot be used.

    Args:
        folder: with photos.
        tell: print how many have only a model's boxes; IceVision's parser says it by itself.
        strict: refuse the folder for one mistake, instead of going on without its photo.

    Raises:
        CellCountError: there is none, or the folder holds mistakes: it lists them.
    """
    checked = check(folder)
    leave_out(checked, strict=strict)
    if not checked.labelled:
        raise CellCountError(
            f"No photo in {folder} has an XML of its name beside it: label some in labelImg first."
        )
    labels = set(confirmed([one.xml for one in checked.labelled], tell=tell))
    return [photo for photo in list_photos(folder) if photo.with_suffix(".xml") in labels]
