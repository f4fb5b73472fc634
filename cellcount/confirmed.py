"""Which labels count: those that a person drew or confirmed, never those of a model alone."""

from collections.abc import Sequence
from pathlib import Path

from cellcount import voc
from cellcount.errors import CellCountError


def confirmed(xmls: Sequence[Path], *, tell: bool = True) -> list[Path]:
    """Leave out the Pascal VOC files whose boxes a model drew and nobody has confirmed.

    All that trains and judges reads its labels through here: a detector that learns from its own
    boxes learns its own mistakes.

    Args:
        xmls: Pascal VOC files.
        tell: print how many are left out, if any.

    Raises:
        CellCountError: there are files, but none is confirmed.
    """
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
