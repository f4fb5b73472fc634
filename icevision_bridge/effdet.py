"""EfficientDet: effdet 0.4 under IceVision, with its weights, its sizes and its caps on counts."""

from functools import wraps
from pathlib import Path
from typing import Any

from icevision_bridge.errors import BridgeError
from icevision_bridge.mmcv import load_weights
from icevision_bridge.patches import Mending, overlay, patch
from icevision_bridge.sizes import checked_size, watch_size

_FAMILY = "EfficientDet"
# Stride of the coarsest feature map: effdet puts its anchors where a multiple of it has them.
_MULTIPLE = 128
# More cells than a photo can show apart.
_MOST_BOXES = 5000
# What detectors of IceVision's other families call a find (mmdet's score_thr, torchvision's
# box_score_thresh).
LIKELY = 0.05
# Boxes a photo that IceVision gave to metrics. COCO's evaluation takes a second a photo for 1000.
_METRIC_BOXES = 100
# Above the score 0 of what fills effdet's answer up.
_NOTHING = 1e-9


@patch(
    "effdet.config.model_config",
    library="effdet",
    breaks="it has no d6, d7 and d7x but with tf_ before, which IceVision lists",
    until="effdet has them",
)
def largest_are_missing() -> Mending:
    module = yield
    configs = module.efficientdet_model_param_dict
    for size in ("d6", "d7", "d7x"):
        name, twin = f"efficientdet_{size}", configs[f"tf_efficientdet_{size}"]
        # So d4 and d5, which effdet has, differ from theirs.
        backbone = twin["backbone_name"].removeprefix("tf_")
        own = {**twin, "name": name, "backbone_name": backbone, "url": ""}
        configs.setdefault(name, own)


@patch(
    "effdet.bench",
    library="effdet",
    versions="<0.5",
    breaks="it looks at the 5000 best candidates of a photo, which crowded cells use up, and fails "
    "where an image has less",
    until="effdet drops unlikely candidates by score",
)
def candidates_stop_at_5000() -> Mending:
    module = yield
    import torch

    post_process = module._post_process

    def keep_likely(
        cls_outputs: Any,
        box_outputs: Any,
        num_levels: int,
        num_classes: int,
        max_detection_points: int,
    ) -> Any:
        scores = torch.cat([level.flatten(1) for level in cls_outputs], 1).sigmoid()
        likely = int((scores >= LIKELY).sum(1).max())
        most = min(max(max_detection_points, likely), scores.shape[1])
        return post_process(cls_outputs, box_outputs, num_levels, num_classes, most)

    module._post_process = keep_likely


@patch(
    "effdet.factory",
    library="effdet",
    versions="<0.5",
    breaks="weights are fetched unchecked and may run code; a model without any stays random",
    until="effdet checks its weights",
)
def weights_are_fetched_unchecked() -> Mending:
    module = yield

    def load_checked(model: Any, url: str) -> None:
        from icevision_bridge.weights import find_weights

        if not url:
            name = model.config.name
            raise BridgeError(
                f"Nobody has published weights of {name}: take the backbone with tf_ before its "
                "name, or pretrained=False to begin with random weights."
            )
        path = find_weights(url, Path("checkpoints") / "efficientdet")
        model.load_state_dict(load_weights(path))

    module.load_pretrained = load_checked


@patch(
    "icevision.models.ross.efficientdet.model",
    library="icevision",
    breaks="counts stop at 100; pretrained=False fetches weights; a wrong img_size fails obscurely",
)
def counts_stop_at_100() -> Mending:
    module = yield
    build, unwrap_bench = module.model, module.unwrap_bench

    @wraps(build)
    def build_sized(backbone: Any, num_classes: int, img_size: Any = None, **kwargs: Any) -> Any:
        size = checked_size(_FAMILY, img_size, multiple=_MULTIPLE)
        kwargs = {"pretrained_backbone": False, "max_det_per_image": _MOST_BOXES, **kwargs}
        model = build(backbone, num_classes, size, **kwargs)
        # Predictions go around the outer model, which adds targets and loss.
        watch_size(unwrap_bench(model), _FAMILY, exact=size)
        return model

    module.model = build_sized


@patch(
    "icevision.models.ross.efficientdet.dataloaders",
    library="icevision",
    breaks="a photo without cells teaches the first anchor a box without size",
)
def no_cell_is_a_box() -> Mending:
    module = yield
    process = module.process_train_record

    def leave_stand_in_out(record: Any) -> tuple[Any, Any, Any]:
        image, boxes, classes = process(record)
        # effdet drops boxes of class -1, and is content with none; IceVision says 0.
        return image, boxes, classes if record.detection.label_ids else [-1]

    module.process_train_record = leave_stand_in_out


@patch(
    "icevision.models.ross.efficientdet.prediction",
    library="icevision",
    breaks="effdet fills its answer up with boxes of nothing, which pass a threshold of 0",
)
def answers_are_filled_up() -> Mending:
    module = yield
    convert = module.convert_raw_predictions

    @wraps(convert)
    def convert_found(
        batch: Any, raw_preds: Any, records: Any, detection_threshold: float, **kwargs: Any
    ) -> Any:
        return convert(batch, raw_preds, records, max(detection_threshold, _NOTHING), **kwargs)

    module.convert_raw_predictions = convert_found


@patch(
    "icevision.models.ross.efficientdet.fastai.callbacks",
    library="icevision",
    breaks="metrics get every box there is room for, which takes COCO's evaluation seconds a photo",
    until="never: there is more room for boxes than IceVision left",
)
def metrics_get_all() -> Mending:
    module = yield
    efficientdet = module.efficientdet

    def convert_best(batch: Any, raw_preds: Any, **kwargs: Any) -> Any:
        likely = int((raw_preds[..., 4] >= LIKELY).sum(1).max())
        best = raw_preds[:, : max(_METRIC_BOXES, likely)]  # they come sorted
        return efficientdet.convert_raw_predictions(batch=batch, raw_preds=best, **kwargs)

    module.efficientdet = overlay(efficientdet, convert_raw_predictions=convert_best)
