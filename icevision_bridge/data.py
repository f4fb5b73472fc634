"""IceVision 0.12's Dataset: each photo is decoded once, at the size that its transforms want."""

from copy import deepcopy
from functools import wraps
from typing import Any

from icevision_bridge.patches import Mending, patch

# What may stand before the resizing, which gives the same behind it: turns and flips.
_TURNS = {"HorizontalFlip", "RandomRotate90", "Transpose", "VerticalFlip"}
_RESIZES = {"LongestMaxSize": max, "SmallestMaxSize": min}
# What a record may consist of. Masks and key points would have to be shrunk as well.
_BOXED = {
    "AreasRecordComponent",
    "BBoxesRecordComponent",
    "ClassMapRecordComponent",
    "FilepathRecordComponent",
    "InstancesLabelsRecordComponent",
    "IsCrowdsRecordComponent",
    "RecordIDRecordComponent",
    "SizeRecordComponent",
}


@patch(
    "icevision.data.dataset",
    library="icevision",
    breaks="it decodes and shrinks a photo each time it is asked for it, so a GPU waits for that",
)
def photos_are_decoded_again_and_again() -> Mending:
    module = yield
    dataset = module.Dataset
    start, get = dataset.__init__, dataset.__getitem__

    @wraps(start)
    def start_keeping(self: Any, records: Any, tfm: Any = None) -> None:
        start(self, records, tfm)
        self._shrunken = _Shrunken(records, _resizing(tfm))

    @wraps(get)
    def get_shrunken(self: Any, i: int) -> Any:
        record = self._shrunken.load(self.records, i, _resizing(self.tfm))
        return get(self, i) if record is None else self.tfm(record)

    dataset.__init__, dataset.__getitem__ = start_keeping, get_shrunken


def _resizing(tfm: Any) -> Any:
    """The resizing that a photo goes through before anything but turns and flips, or None."""
    for step in getattr(tfm, "tfms_list", ()):
        kind = type(step).__name__
        if kind in _RESIZES and isinstance(step.max_size, int) and step.p == 1:
            return step
        if kind not in _TURNS:
            return None
    return None


class _Shrunken:
    """The records of a data set with their photos and boxes resized by ``step``, if there is one.

    The step then finds nothing left to do, and everything else happens as it would have.
    """

    def __init__(self, records: Any, step: Any) -> None:
        from icevision_bridge.photo_cache import PhotoCache

        self._step = step
        self._files = [getattr(record, "filepath", None) for record in records]
        self._kept = PhotoCache([self._shape(record) for record in records] if step else [])

    def load(self, records: Any, number: int, step: Any) -> Any:
        """Record ``number``, or None if IceVision is to load it in its own way."""
        import numpy as np

        number = range(len(records))[number]
        record = records[number]
        if step is None or step is not self._step:
            return None  # the data set was given other transforms
        if not self._kept.takes(number, self._shape(record)):
            return None
        if record.filepath != self._files[number]:
            return None  # its records were sorted or exchanged
        photo = self._kept.get(number)
        if photo is None:
            whole = np.array(record.load().img)
            if whole.shape[:2] != (record.height, record.width):
                return None
            photo = step.apply(whole, max_size=step.max_size, interpolation=step.interpolation)
            self._kept.put(number, photo)
        return _resized(record, photo)

    def _shape(self, record: Any) -> Any:
        """What the step makes of the photo's shape, or None if it is not to be kept."""
        from icevision.tfms.albumentations.albumentations_helpers import func_max_size

        components = list(record.components)
        boxed = {type(one).__name__ for one in components} <= _BOXED
        if not boxed or not hasattr(record, "filepath") or record.gray or not record.img_size:
            return None
        side = _RESIZES[type(self._step).__name__]
        height, width = func_max_size(record.height, record.width, self._step.max_size, side)
        return (height, width, 3) if height < record.height else None


def _resized(record: Any, photo: Any) -> Any:
    """A copy of ``record`` that holds ``photo``, with its boxes on it."""
    from icevision.core import BBox

    across, down = photo.shape[1] / record.width, photo.shape[0] / record.height
    copy = deepcopy(record)
    copy.set_img(photo)
    detection = getattr(copy, "detection", None)
    if boxes := getattr(detection, "bboxes", None):
        corners = [(b.xmin * across, b.ymin * down, b.xmax * across, b.ymax * down) for b in boxes]
        copy.detection.set_bboxes([BBox.from_xyxy(*one) for one in corners])
    return copy
