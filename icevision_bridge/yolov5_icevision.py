"""YOLOv5 as IceVision builds it and asks it: its weights, its sizes, its caps on counts."""

import sys
from typing import Any
from unittest import mock

from icevision_bridge.effdet import LIKELY
from icevision_bridge.patches import Mending, overlay, patch
from icevision_bridge.sizes import checked_size, watch_size
from icevision_bridge.yolov5_weights import ask_for_yes, find_published, run_published

_FAMILY = "YOLOv5"
# More cells than a photo can show apart.
_MOST_BOXES = 5000
# Of the candidates, as many as a square image of 1024 pixels has. A cell has about ten.
_MOST_CANDIDATES = 65000
# Candidates a photo that metrics choose from, beside all that are likely. COCO's evaluation takes a
# second a photo for 1000 boxes.
_METRIC_CANDIDATES = 1000


@patch(
    "icevision.models.ultralytics.yolov5.model",
    library="icevision",
    breaks="it downloads a program and runs it, unasked; a wrong img_size is changed or fails",
    until="YOLOv5's weights are published without code",
)
def weights_are_programs() -> Mending:
    module = yield
    import torch

    build = module.model
    module.attempt_download = find_published
    module.torch = overlay(torch, load=run_published)

    def model(
        backbone: Any,
        num_classes: int,
        img_size: Any = None,
        device: Any = None,
        trust_pickled_weights: bool = False,
    ) -> Any:
        """Build a YOLOv5.

        Args:
            backbone: one of ``models.ultralytics.yolov5.backbones``, called with ``pretrained``.
            num_classes: number of classes, the background among them.
            img_size: side of the images in pixels, or (height, width): multiples of 32, those of
                the backbones that end in ``_p6`` of 64.
            device: where it goes; without, to a GPU if there is one.
            trust_pickled_weights: load the published weights, which are a program.
        """
        # The four larger ones, yolov5s6 to yolov5x6, have one more level.
        multiple = 64 if backbone.model_name.endswith("6") else 32
        height, width = checked_size(_FAMILY, img_size, multiple=multiple)
        if backbone.pretrained:
            ask_for_yes(trust_pickled_weights)
        with mock.patch.object(sys, "path", list(sys.path)):  # IceVision adds to it while it loads
            built = build(backbone, num_classes, max(height, width), device)
        # IceVision weighs how sure the network is by the area of square images.
        built.hyp["obj"] *= height * width / max(height, width) ** 2
        watch_size(built, _FAMILY, multiple=multiple)
        return built

    module.model = model


@patch(
    "icevision.models.ultralytics.yolov5.prediction",
    library="icevision",
    breaks="counts stop at 300, and at 0 for the photos of a batch that are left after 10 seconds; "
    "classes suppress each other beyond 4096 pixels",
)
def counts_stop_at_300() -> Mending:
    module = yield
    module.non_max_suppression = suppress


def suppress(prediction: Any, conf_thres: float, iou_thres: float) -> list[Any]:
    """Leave one box of those that show the same cell, on each photo of a batch.

    Args:
        prediction: (photos, candidates, 5 + classes): centre x and y, width and height in pixels,
            how sure it is a cell, how sure it is of each class.
        conf_thres: the product of the two certainties must exceed it.
        iou_thres: boxes of one class that overlap more are the same cell.

    Returns:
        For each photo (boxes, 6): xmin, ymin, xmax, ymax, score, class from 0, the best first.
    """
    import torch
    from torchvision.ops import batched_nms, box_convert

    found = []
    for candidates in prediction.float():
        scores, classes = (candidates[:, 4:5] * candidates[:, 5:]).max(1)
        best = scores.topk(min(len(scores), _MOST_CANDIDATES)).indices
        best = best[scores[best] > conf_thres]
        boxes = box_convert(candidates[best, :4], "cxcywh", "xyxy")
        kept = batched_nms(boxes, scores[best], classes[best], iou_thres)[:_MOST_BOXES]
        columns = (boxes, scores[best, None], classes[best, None].float())
        found.append(torch.cat(columns, 1)[kept])
    return found


@patch(
    "icevision.models.ultralytics.yolov5.fastai.callbacks",
    library="icevision",
    breaks="metrics look at the first two photos of a batch only, and at every box there is room "
    "for, which takes COCO's evaluation seconds a photo",
)
def metrics_get_two_photos() -> Mending:
    module = yield
    yolov5 = module.yolov5

    def convert_best(batch: Any, raw_preds: Any, detection_threshold: float, **kwargs: Any) -> Any:
        scores = (raw_preds[..., 4:5] * raw_preds[..., 5:]).amax(2)
        best = scores.topk(min(_METRIC_CANDIDATES, scores.shape[1])).values
        threshold = max(detection_threshold, min(LIKELY, float(best[:, -1].max())))
        images, _ = batch
        return yolov5.convert_raw_predictions(
            batch=images, raw_preds=raw_preds, detection_threshold=threshold, **kwargs
        )

    module.yolov5 = overlay(yolov5, convert_raw_predictions=convert_best)
