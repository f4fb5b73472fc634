"""Every detector that IceVision offers for boxes: what it weighs, and how long it takes here.

``python -m cellcount models`` lists them; with ``--size`` each is built, trained for two steps and
asked for the cells of one photo, on rendered photos and with random weights.
"""

import gc
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

from cellcount.bars import Bar
from cellcount.detector.bridging import apply_bridge
from cellcount.errors import CellCountError
from cellcount.files import replacing
from cellcount.render import render_folder
from icevision_bridge.errors import BridgeError

# Families by the name under which ``icevision.models`` has them, in the walkthrough's order.
FAMILIES = (
    "mmdet.vfnet",
    "mmdet.retinanet",
    "mmdet.faster_rcnn",
    "mmdet.fcos",
    "mmdet.fsaf",
    "mmdet.sabl",
    "mmdet.sparse_rcnn",
    "mmdet.yolox",
    "mmdet.yolof",
    "mmdet.ssd",
    "mmdet.detr",
    "mmdet.deformable_detr",
    "mmdet.cornernet",
    "mmdet.centripetalnet",
    "torchvision.faster_rcnn",
    "torchvision.retinanet",
    "ross.efficientdet",
    "ultralytics.yolov5",
)
# Families that are told the image size when they are built.
_SIZED = ("ross.efficientdet", "ultralytics.yolov5")
_MARK = "<!-- models -->"
_STEPS = 2  # the first one warms up and is not measured
_BATCH = 2  # photos a step, as in train.ipynb


@dataclass(frozen=True)
class Entry:
    """One detector: a family such as ``mmdet.vfnet`` and one of its backbones."""

    family: str
    backbone: str

    @property
    def model_type(self) -> ModuleType:
        """IceVision's module for the family, as ``models.mmdet.vfnet``."""
        library, name = self.family.split(".")
        return getattr(getattr(_icevision().models, library), name)

    @property
    def weights(self) -> str:
        """Where weights to start from come from."""
        config = getattr(self.model_type.backbones, self.backbone)
        if self.family == "ultralytics.yolov5":
            return "download, after a yes"
        if self.family == "ross.efficientdet":
            from effdet import get_efficientdet_config

            return "download" if get_efficientdet_config(config.model_name).url else "none"
        if self.family.startswith("mmdet") and not config.weights_url:
            return (
                "installed" if self.backbone == "efficientnet_lite0_fpn" else "download, ImageNet"
            )
        return "download, ImageNet" if self.family.startswith("torchvision") else "download"


@dataclass(frozen=True)
class Trial:
    """What came of building one detector and using it.

    ``parameters`` counts all weights; ``loss`` is that of the last training step; ``taken`` is how
    many steps changed the weights, which those in 16 bits do not whose gradients overflow;
    ``unreached`` names the parameter groups that train but got no gradient; ``most`` is the largest
    number of boxes it can find on a photo, None if there is no cap a photo of cells would meet.
    """

    parameters: int
    loss: float
    taken: int
    unreached: tuple[int, ...]
    step_seconds: float
    photo_seconds: float
    found: int
    most: int | None


def entries(families: Sequence[str] = ()) -> list[Entry]:
    """All detectors, or those of some families, each given in full or by its last name.

    Raises:
        CellCountError: there is no family of that name.
    """
    names = [
        name for name in FAMILIES if not families or {name, name.split(".")[1]} & set(families)
    ]
    known = {*FAMILIES, *(name.split(".")[1] for name in FAMILIES)}
    unknown = [one for one in families if one not in known]
    if unknown:
        raise CellCountError(f"There is no family {unknown[0]}: take one of {', '.join(FAMILIES)}.")
    _icevision()
    from icevision.backbones import BackboneConfig

    return [
        Entry(family, backbone)
        for family in names
        for backbone, config in vars(Entry(family, "").model_type.backbones).items()
        if isinstance(config, BackboneConfig)
    ]


def build(entry: Entry, size: int, classes: int = 2) -> Any:
    """The detector with random weights, for square images of ``size`` pixels.

    Args:
        entry: which.
        size: pixels a side.
        classes: number of classes, the background among them.
    """
    sized = {"img_size": size} if entry.family in _SIZED else {}
    backbone = getattr(entry.model_type.backbones, entry.backbone)
    return entry.model_type.model(backbone=backbone(pretrained=False), num_classes=classes, **sized)


def attempt(
    entry: Entry, size: int, *, steps: int = _STEPS, half: bool = False, device: Any = None
) -> Trial:
    """Build a detector, train it for some steps and let it look at one photo, with fastai.

    Args:
        entry: which.
        size: pixels a side.
        steps: how many; the time is that of the last.
        half: whether it computes in 16 bits where 32 are not needed.
        device: torch's; the graphics card, if left out, where there is one.

    Raises:
        BridgeError: the family cannot have images of that size.
    """
    import torch
    from fastai.callback.core import Callback

    model_type = entry.model_type
    model = build(entry, size)
    unreached: list[int] = []
    seconds, losses, taken = [], [], []

    class Watch(Callback):
        """Notes loss, time and gradients of each training step."""

        order = 100

        def before_batch(self) -> None:
            self.start = time.perf_counter()

        def before_step(self) -> None:
            taken.append(self.learn.iter)
            unreached[:] = [
                index
                for index, group in enumerate(self.learn.opt.param_lists)
                if any(one.requires_grad for one in group)
                and not any(one.grad is not None and one.grad.abs().sum() > 0 for one in group)
            ]

        def after_batch(self) -> None:
            if self.learn.training:
                losses.append(self.learn.loss.item())
                if self.learn.loss.is_cuda:
                    torch.cuda.synchronize()
                seconds.append(time.perf_counter() - self.start)

    train_dl = model_type.train_dl(_photos(size, steps * _BATCH), batch_size=_BATCH)
    dls = [train_dl, model_type.valid_dl(_photos(size, 1), batch_size=1)]
    learn = model_type.fastai.learner(dls=dls, model=model, cbs=[Watch()], device=device)
    if half:
        to_16_bits(learn)
    learn.unfreeze()
    with learn.no_bar(), learn.no_logging():
        learn.fit(1, 1e-5)

    infer_dl = model_type.infer_dl(_photos(size, 1), batch_size=1)
    found, start = [], 0.0
    for _ in range(2):  # the first look warms up
        start = time.perf_counter()
        found = model_type.predict_from_dl(model, infer_dl, show_pbar=False)
    return Trial(
        parameters=sum(one.numel() for one in model.parameters()),
        loss=losses[-1],
        taken=len(taken),
        unreached=tuple(unreached),
        step_seconds=seconds[-1],
        photo_seconds=time.perf_counter() - start,
        found=len(found[0].pred.detection.bboxes),
        most=_most(model),
    )


def to_16_bits(learn: Any) -> None:
    """Compute in 16 bits where 32 are not needed; processors are slow in others than bfloat16."""
    learn.to_fp16() if learn.dls.device.type == "cuda" else learn.to_bf16()


def report(families: Sequence[str] = (), size: int | None = None, page: Path | None = None) -> None:
    """Print a Markdown table of detectors, row by row; with a ``size``, measure each on the way.

    Args:
        families: of these only; all if empty.
        size: pixels a side of the images to measure on; nothing is measured without.
        page: also put the table between the two comments ``<!-- models -->`` of this file.

    Raises:
        CellCountError: there is no family of that name, or the page has no such comments.
    """
    if page is not None and page.read_text(encoding="utf-8").count(_MARK) != 2:
        raise CellCountError(f"{page} has no two lines {_MARK}: the table goes between them.")
    chosen = entries(families)
    heads = ["family", "backbone", "weights"]
    if size is not None:
        heads += ["million parameters", f"s a step of {_BATCH}", "s a photo", "most boxes"]
    lines = [_row(heads), "|---" * 3 + "|--:" * (len(heads) - 3) + "|"]
    print(*lines, sep="\n")
    for entry in Bar(chosen, unit="model", leave=False, disable=size is None):
        cells = [f"`{entry.family}`", f"`{entry.backbone}`", entry.weights]
        if size is not None:
            cells += _measured(entry, size)
            gc.collect()  # learner and model hold each other; the largest have gigabytes
        lines.append(_row(cells))
        Bar.write(lines[-1])
    if page is not None:
        before, _, after = page.read_text(encoding="utf-8").split(_MARK)
        text = _MARK.join([before, "\n".join(["", "", *lines, "", ""]), after])
        with replacing(page) as part:
            part.write_text(text, encoding="utf-8")


def _measured(entry: Entry, size: int) -> list[str]:
    """The measured cells of a row; for a detector that cannot have the size, why."""
    try:
        trial = attempt(entry, size)
    except BridgeError as error:
        return [str(error), "", "", ""]
    return [
        f"{trial.parameters / 1e6:.1f}",
        f"{trial.step_seconds:.2f}",
        f"{trial.photo_seconds:.2f}",
        "" if trial.most is None else str(trial.most),
    ]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _most(model: Any) -> int | None:
    """How many boxes a detector can find: its queries, or what its first stage proposes."""
    for holder, name in (("bbox_head", "num_query"), ("rpn_head", "num_proposals")):
        number = getattr(getattr(model, holder, None), name, None)
        if isinstance(number, int):
            return number
    proposing = getattr(getattr(model, "rpn_head", None), "test_cfg", None)
    return proposing["max_per_img"] if proposing else None


@cache
def _icevision() -> ModuleType:
    apply_bridge()
    import icevision.all

    return icevision.all


@cache
def _rendered(size: int) -> tuple[TemporaryDirectory[str], Any]:
    """A folder of rendered photos of ``size`` pixels a side, enough for all steps, and its records.

    The folder is deleted when Python ends.
    """
    ice = _icevision()
    folder = TemporaryDirectory()
    render_folder(
        folder.name, photos=_STEPS * _BATCH, seed=0, size=size, cells=(20, 20), progress=False
    )
    parser = ice.parsers.VOCBBoxParser(annotations_dir=folder.name, images_dir=folder.name)
    (records,) = parser.parse(ice.SingleSplitSplitter(), show_pbar=False)
    return folder, records


def _photos(size: int, number: int) -> Any:
    """IceVision's dataset of ``number`` rendered photos, after the last the first again."""
    ice = _icevision()
    _, records = _rendered(size)
    return ice.Dataset(
        (list(records) * number)[:number], ice.tfms.A.Adapter([ice.tfms.A.Normalize()])
    )
