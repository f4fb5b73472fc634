"""IceVision 0.12: what it downloads while it is imported, and what it gets wrong about photos."""

import glob
import logging
import sys
from functools import wraps
from pathlib import Path
from typing import Any

from icevision_bridge.errors import BridgeError
from icevision_bridge.fonts import default_font
from icevision_bridge.patches import Mending, lend, patch

# IceVision's INFO lines tell which function runs; its own AUTOFIX reports stand at 25.
_AUTOFIX_LEVEL = 25


@patch(
    "icevision.utils.logger_utils",
    library="icevision",
    breaks="it logs which function runs, in colours, between the outputs of a notebook",
)
def every_call_is_logged() -> Mending:
    module = yield

    def logger_default_config() -> None:
        module.logger.remove()
        module.logger.add(sys.stderr, format="{message}", level=_AUTOFIX_LEVEL)

    module.logger_default_config = logger_default_config
    logger_default_config()


@patch(
    "icevision.visualize.utils",
    library="icevision",
    breaks="it downloads a font while it is imported, and keeps an error page as the font",
)
def font_is_downloaded() -> Mending:
    module = yield
    module.get_default_font = default_font


@patch(
    "icevision.models.mmdet.download_configs",
    library="icevision",
    breaks="it downloads mmdet's configuration files while it is imported; mmdet ships them",
)
def configs_are_downloaded() -> Mending:
    module = yield

    def shipped_configs() -> Path:
        import mmdet

        return Path(mmdet.__file__).parent / ".mim" / "configs"

    module.download_mmdet_configs = shipped_configs


def _turtle(module: str) -> None:
    @patch(
        module,
        library="icevision",
        breaks="it imports Python's turtle by mistake, which opens tkinter; Debian leaves that out",
    )
    def turtle_draws_nothing_here() -> Mending:
        with lend("turtle", instead=True, back=None):
            yield


for _stages in ("single_stage", "two_stage"):
    _turtle(f"icevision.models.mmdet.common.mask.{_stages}.model")


@patch(
    "icevision.utils.imageio",
    library="icevision",
    breaks="sizes are upright for two of the four quarter-turned EXIF orientations",
)
def sizes_are_not_upright() -> Mending:
    module = yield
    from PIL import ExifTags, Image

    def upright_size(filepath: Any) -> Any:
        with Image.open(filepath) as photo:
            turned = photo.getexif().get(ExifTags.Base.Orientation, 1) >= 5
            return module.ImgSize(*(photo.size[::-1] if turned else photo.size))

    module.get_img_size = upright_size


@patch(
    "icevision.data.record_collection",
    library="icevision",
    breaks="parse(show_pbar=False) shows a progress bar all the same",
)
def bar_cannot_be_hidden() -> Mending:
    module = yield
    autofix_records = module.autofix_records
    # It takes a millisecond a photo; the bar that counts is the one of reading the labels.
    module.autofix_records = lambda records: autofix_records(records, show_pbar=False)


@patch(
    "icevision.parsers.voc_parser",
    library="icevision",
    breaks="it trusts the photo's name and size in the XML, and lets an XML build what it likes",
)
def xml_is_trusted() -> Mending:
    module = yield
    import defusedxml.ElementTree
    from icevision.utils.imageio import get_img_size

    module.ET = defusedxml.ElementTree
    parser = module.VOCBBoxParser
    prepare = parser.prepare

    def prepare_pair(self: Any, xml: Path) -> None:
        try:
            prepare(self, xml)
        except Exception as error:
            raise BridgeError(
                f"{xml} cannot be read as a Pascal VOC file ({error}): mend it, or move it out of "
                "the folder."
            ) from error
        photo = self.images_dir / (self._filename or "")
        own = sorted(
            path
            for path in self.images_dir.glob(f"{glob.escape(xml.stem)}.*")
            if path.suffix.lower() != ".xml"
        )
        if own and photo not in own:
            module.logger.warning(
                f"{xml.name} names the photo {self._filename}; the photo beside it, {own[0].name}, "
                "is used."
            )
            self._filename = own[0].name
        elif not photo.is_file():
            raise BridgeError(
                f"{xml} has no photo: put {self._filename} into {self.images_dir}, or move the XML "
                "away."
            )

    def true_size(self: Any, xml: Path) -> Any:
        size = get_img_size(self.filepath(xml))
        written = img_size(self, xml)
        if written != size:
            module.logger.warning(
                f"{xml.name} says its photo is {written.width} x {written.height} pixels, but it "
                f"is {size.width} x {size.height}: look whether the boxes still sit on the cells "
                "(labelImg shows them)."
            )
        return size

    img_size = parser.img_size
    parser.prepare, parser.img_size = prepare_pair, true_size


@patch(
    "icevision.models.inference",
    library="icevision",
    breaks="end2end_detect swaps width and height, ignores EXIF and rounds boxes to pixels of the "
    "shrunken image",
)
def boxes_are_rounded_small() -> Mending:
    module = yield
    from PIL import ImageOps

    detect = module._end2end_detect

    def exact_box(
        img: Any, bbox: Any, transforms: list[Any], h_after: int, w_after: int
    ) -> tuple[float, float, float, float]:
        """Map a box from the resized, padded picture to the photo, without rounding."""
        width, height = img.size
        h_after, w_after = module.get_size_without_padding(transforms, img, h_after, w_after)
        pad = next((t for t in transforms if type(t).__name__ == "PadIfNeeded"), None)
        # PadIfNeeded centres the picture; an odd pixel goes to the right and to the bottom.
        left = max(pad.min_width - w_after, 0) // 2 if pad else 0
        top = max(pad.min_height - h_after, 0) // 2 if pad else 0
        xs = ((x - left) * width / w_after for x in (bbox.xmin, bbox.xmax))
        ys = ((y - top) * height / h_after for y in (bbox.ymin, bbox.ymax))
        xmin, xmax = (min(max(float(x), 0.0), float(width)) for x in xs)
        ymin, ymax = (min(max(float(y), 0.0), float(height)) for y in ys)
        return xmin, ymin, xmax, ymax

    @wraps(detect)
    def detect_upright(img: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        if isinstance(img, (str, Path)):
            photo = module.open_img(img)
        else:
            photo = ImageOps.exif_transpose(img)
            photo = photo if photo.mode == "RGB" else photo.convert("RGB")
        found = detect(photo, *args, **kwargs)
        found["width"], found["height"] = photo.size
        return found

    module.postprocess_bbox, module._end2end_detect = exact_box, detect_upright


@patch(
    "icevision.data.convert_records_to_coco_style",
    library="icevision",
    breaks="COCOMetric looks at the 100 best boxes of a photo only",
)
def metric_stops_at_100() -> Mending:
    module = yield

    class UncappedCOCOeval(module.COCOeval):  # type: ignore[name-defined,misc]
        """COCO's evaluation with room for every box that a photo has."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            per_photo: dict[Any, int] = {}
            for box in self.cocoDt.anns.values():
                per_photo[box["image_id"]] = per_photo.get(box["image_id"], 0) + 1
            if self.params.iouType != "keypoints":
                self.params.maxDets = [1, 10, max(100, *per_photo.values(), 0)]

        def summarize(self) -> None:
            """COCO's numbers, the last of the three caps being that of the photo with most boxes.

            pycocotools looks a cap up by its value and has 100 written into one place, so the cap
            that was used is called 100 here; COCOMetric calls it so as well.
            """
            used = self.params.maxDets
            if self.params.iouType != "keypoints":
                self.params.maxDets = [*used[:-1], 100]
            try:
                super().summarize()
            finally:
                self.params.maxDets = used

    module.COCOeval = UncappedCOCOeval


@patch(
    "icevision.models.checkpoint",
    library="icevision",
    breaks="an interrupted save leaves half a checkpoint; one that is missing or does not fit is "
    "reported obscurely, or not",
)
def checkpoints_are_half_written() -> Mending:
    module = yield
    save, load = module.save_checkpoint, module.model_from_checkpoint

    def save_whole(model: Any, filename: str | Path, **kwargs: Any) -> None:
        target = Path(filename)
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(target.name + ".part")
        save(model, str(part), **kwargs)
        part.replace(target)

    @wraps(load)
    def load_existing(filename: str | Path, *args: Any, **kwargs: Any) -> dict[str, Any]:
        if not Path(filename).is_file():
            raise BridgeError(f"The checkpoint {filename} is not there: check its name.")
        # Told through a logger, a file that is loaded is no news; without one, it is printed.
        kwargs.setdefault("logger", logging.getLogger("icevision_bridge"))
        # Weights that do not fit would be left out, and the detector find nothing or anything.
        kwargs.setdefault("strict", True)
        try:
            return load(filename, *args, **kwargs)
        except RuntimeError as error:
            if "do not match exactly" not in str(error):
                raise
            raise BridgeError(
                f"The weights in {filename} are for a detector that is built otherwise, as by "
                "another version of these libraries: train it again."
            ) from error

    module.save_checkpoint, module.model_from_checkpoint = save_whole, load_existing
