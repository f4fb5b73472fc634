"""How photos are varied for training, and brought to the detector's size for all else."""

import random
from typing import Any

import numpy as np

from cellcount.detector.bridging import apply_bridge
from cellcount.detector.recipe import Recipe

_GREY = [124, 116, 104]  # of borders: mirrored ones would show cells that have no label
_LEAST_SIDE, _MOST_SIDE = 18, 90  # pixels of cells: a first look comes before their size is known
_LEAST, _MOST = 160, 1280  # pixels to which the longest side of a photo is brought


def transforms(recipe: Recipe) -> tuple[Any, Any]:
    """What is done to photos for training, and for all else: resizing, padding, normalising."""
    apply_bridge()
    from icevision import tfms

    steps = _by_photo(recipe) if recipe.cell_side is None else _by_cells(recipe.crop)
    return (
        tfms.A.Adapter([*steps, tfms.A.Normalize()]),
        tfms.A.Adapter([*tfms.A.resize_and_pad(recipe.size), tfms.A.Normalize()]),
    )


def _by_photo(recipe: Recipe) -> list[Any]:
    """Photos of one size, whose cells are of any."""
    from icevision import tfms

    move = tfms.A.ShiftScaleRotate(
        rotate_limit=recipe.angle,
        rotate_method="ellipse",
        scale_limit=0.35,
        border_mode=0,
        value=_GREY,
    )
    size = recipe.size
    varied = tfms.A.aug_tfms(size=size, presize=size, shift_scale_rotate=move, crop_fn=None)
    light, piece = tfms.A.RandomGamma((50, 170)), tfms.A.RandomCrop(recipe.crop, recipe.crop)
    return [tfms.A.RandomRotate90(), *varied, light, piece]


def _by_cells(piece: int) -> list[Any]:
    """Cells of all sizes, colours and lights, whichever way they lie, in pieces of photos."""
    from icevision import tfms

    kinds = tfms.A

    class CellsOfASize(kinds.LongestMaxSize):  # type: ignore[misc, name-defined]
        """Brings a photo to a size, drawn anew each time, from its cells."""

        targets_as_params = ("image", "bboxes")

        def get_params(self) -> dict[str, Any]:
            return {}

        def get_params_dependent_on_targets(self, params: dict[str, Any]) -> dict[str, int]:
            boxes = np.array([box[:4] for box in params["bboxes"]]).reshape(-1, 4)
            height, width = params["image"].shape[:2]
            sides = np.sqrt((boxes[:, 2:] - boxes[:, :2]).prod(axis=1) * width * height)
            side = _LEAST_SIDE * (_MOST_SIDE / _LEAST_SIDE) ** random.random()
            times = side / np.median(sides) if len(sides) else 1.0
            return {"max_size": int(np.clip(max(width, height) * times, _LEAST, _MOST))}

    move = kinds.ShiftScaleRotate(
        rotate_limit=180,
        rotate_method="ellipse",
        scale_limit=0.25,
        border_mode=0,
        value=_GREY,
        p=0.3,
    )
    return [
        kinds.RandomRotate90(),
        kinds.HorizontalFlip(),
        CellsOfASize(p=1),
        kinds.PadIfNeeded(piece, piece, border_mode=0, value=_GREY),
        kinds.RandomCrop(piece, piece),
        move,
        kinds.RandomGamma((60, 160), p=0.4),
        kinds.ColorJitter(0.3, 0.3, 0.4, 0.15, p=0.7),
        kinds.ToGray(p=0.15),
        kinds.InvertImg(p=0.1),
        kinds.Blur((1, 3), p=0.1),
    ]
