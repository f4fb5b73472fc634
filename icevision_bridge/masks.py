"""IceVision 0.12's masks and key points, and how they are judged."""

from functools import wraps
from typing import Any

from icevision_bridge.errors import BridgeError
from icevision_bridge.patches import Mending, patch

_VOID = 255
# The cap under which COCO's evaluation looks key points up, and the points it knows: a body's.
_COCO_CAP, _COCO_POINTS = 20, 17
_KEY_POINT_LOGS = (
    "AP (OKS=0.50:0.95) area=all",
    "AP (OKS=0.50) area=all",
    "AP (OKS=0.75) area=all",
    "AP (OKS=0.50:0.95) area=medium",
    "AP (OKS=0.50:0.95) area=large",
    "AR (OKS=0.50:0.95) area=all",
    "AR (OKS=0.50) area=all",
    "AR (OKS=0.75) area=all",
    "AR (OKS=0.50:0.95) area=medium",
    "AR (OKS=0.50:0.95) area=large",
)


@patch(
    "icevision.core.mask",
    library="icevision",
    breaks="a Pascal VOC mask loses its last object where no border is drawn",
)
def objects_are_taken_for_void() -> Mending:
    module = yield
    import numpy as np
    from PIL import Image

    masks = module.VocMaskFile
    to_mask = masks.to_mask

    @wraps(to_mask)
    def to_mask_with_last_object(self: Any, h: int, w: int) -> Any:
        drop, void = self.drop_void, (np.array(Image.open(self.filepath)) == _VOID).any()
        self.drop_void = drop and void
        try:
            return to_mask(self, h, w)
        finally:
            self.drop_void = drop

    masks.to_mask = to_mask_with_last_object


@patch(
    "icevision.data.convert_records_to_coco_style",
    library="icevision",
    breaks="COCOMetric offers to judge key points, but hands none over; it stops at 20 objects",
)
def key_points_are_not_handed_over() -> Mending:
    module = yield
    convert = module.convert_record_to_coco_annotations

    def convert_with_key_points(record: Any) -> dict[str, list[Any]]:
        annotations = convert(record)
        points = getattr(record.detection, "keypoints", None)
        if points is not None:
            annotations["keypoints"] = [one.keypoints.tolist() for one in points]
            annotations["num_keypoints"] = [int(one.n_visible_keypoints) for one in points]
        return annotations

    class KeyPointCOCOeval(module.COCOeval):  # type: ignore[name-defined,misc]
        """COCO's evaluation with room for every object whose key points are known."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            if self.params.iouType == "keypoints":
                _refuse_other_points(self.cocoGt.anns.values())
                self.params.maxDets = [max(_COCO_CAP, len(self.cocoDt.anns))]

        def summarize(self) -> None:
            """COCO's numbers, the cap being called 20, as pycocotools looks it up by that."""
            used = self.params.maxDets
            if self.params.iouType == "keypoints":
                self.params.maxDets = [_COCO_CAP]
            try:
                super().summarize()
            finally:
                self.params.maxDets = used

    module.convert_record_to_coco_annotations = convert_with_key_points
    module.COCOeval = KeyPointCOCOeval


def _refuse_other_points(annotations: Any) -> None:
    for one in annotations:
        points = len(one.get("keypoints", ())) // 3
        if points != _COCO_POINTS:
            raise BridgeError(
                f"COCO's score of key points is made for a body's {_COCO_POINTS} points, and these "
                f"labels have {points}: judge their boxes, by COCOMetricType.bbox."
            )


@patch(
    "icevision.metrics.coco_metric.coco_metric",
    library="icevision",
    breaks="COCOMetric takes COCO's ten numbers on key points for twelve on boxes",
)
def key_points_have_ten_numbers() -> Mending:
    module = yield
    finalize = module.COCOMetric.finalize

    @wraps(finalize)
    def finalize_by_type(self: Any) -> dict[str, float]:
        if self.metric_type is not module.COCOMetricType.keypoint:
            return finalize(self)
        with module.CaptureStdout(propagate_stdout=self.print_summary):
            evaluation = module.create_coco_eval(
                records=self._records,
                preds=self._preds,
                metric_type=self.metric_type.value,
                iou_thresholds=self.iou_thresholds,
                show_pbar=self.show_pbar,
            )
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
        self._reset()
        return dict(zip(_KEY_POINT_LOGS, evaluation.stats, strict=True))

    module.COCOMetric.finalize = finalize_by_type
