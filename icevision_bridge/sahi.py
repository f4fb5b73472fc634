"""IceVision's sliced inference on sahi 0.12: where its base class is, and what each box returns."""

import sys
from functools import wraps
from typing import Any

from icevision_bridge.patches import Mending, patch

_MODULE = "icevision.models.inference_sahi"


@patch(
    _MODULE,
    library="sahi",
    versions=">=0.11",
    breaks="IceVision imports `sahi.model`, which is `sahi.models.base` today",
    until="IceVision imports sahi.models.base",
)
def model_has_moved() -> Mending:
    import sahi.models.base

    sys.modules.setdefault("sahi.model", sahi.models.base)
    yield


@patch(
    _MODULE,
    library="sahi",
    versions=">=0.11",
    breaks="sahi's boxes take no `bool_mask` any more, and plain numbers only; scores go to other "
    "boxes where there are several classes; class 0 is lost where there is no background; every "
    "slice is drawn",
    until="IceVision is released again",
)
def boxes_get_other_scores() -> Mending:
    module = yield
    from PIL import Image
    from sahi.prediction import ObjectPrediction
    from sahi.utils.compatibility import fix_full_shape_list, fix_shift_amount_list

    model = module.IceSahiModel
    start = model.__init__

    @wraps(start)
    def start_with_names_by_id(self: Any, *args: Any, **kwargs: Any) -> None:
        start(self, *args, **kwargs)
        names = enumerate(self.class_map.get_classes())
        self.category_mapping = {str(number): str(name) for number, name in names}

    def detect_in_slice(self: Any, image: Any, image_size: int | None = None) -> None:
        self._original_predictions = self.model_type.end2end_detect(
            img=Image.fromarray(image),
            transforms=self.tfms,
            model=self.model,
            class_map=self.class_map,
            detection_threshold=self.confidence_threshold,
            return_img=False,
        )

    def give_each_box_its_own(
        self: Any, shift_amount_list: Any = None, full_shape_list: Any = None
    ) -> None:
        (shift,) = fix_shift_amount_list(shift_amount_list)
        full_shapes = fix_full_shape_list(full_shape_list)
        found = self._original_predictions["detection"]
        self._object_prediction_list_per_image = [
            [
                ObjectPrediction(
                    bbox=[float(edge) for edge in box.xyxy],
                    category_id=int(number),
                    category_name=self.category_mapping[str(int(number))],
                    score=float(score),
                    shift_amount=shift,
                    full_shape=full_shapes[0] if full_shapes else None,
                )
                for box, number, score in zip(
                    found["bboxes"], found["label_ids"], found["scores"], strict=True
                )
            ]
        ]

    model.__init__ = start_with_names_by_id
    model.perform_inference = detect_in_slice
    model._create_object_prediction_list_from_original_predictions = give_each_box_its_own


@patch(
    _MODULE,
    library="icevision",
    breaks="width and height are swapped, boxes are drawn on the photo as it is stored, not as it "
    "is held upright, and sahi switches Pillow's limit on huge photos off for good",
)
def slices_are_misread() -> Mending:
    module = yield
    from PIL import Image, ImageOps

    model = module.IceSahiModel
    predict_sliced = model.get_sliced_prediction

    @wraps(predict_sliced)
    def predict_upright(self: Any, image: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(image, Image.Image):
            photo = ImageOps.exif_transpose(image)
        else:
            photo = module.open_img(image)
        photo = photo if photo.mode == "RGB" else photo.convert("RGB")
        limit = Image.MAX_IMAGE_PIXELS
        try:
            found = predict_sliced(self, photo, *args, **kwargs)
        finally:
            Image.MAX_IMAGE_PIXELS = limit
        if isinstance(found, dict):
            found["width"], found["height"] = photo.size
        return found

    model.get_sliced_prediction = predict_upright
