"""IceVision 0.12: in which mode a network is when it predicts, and when its loss is validated."""

from functools import wraps
from typing import Any

from icevision_bridge.patches import Mending, patch


def _predicting(module: str) -> None:
    @patch(
        module,
        library="icevision",
        breaks="predictions come from the network as training left it, in which VFNet hands out "
        "its first guess at each box and a U-Net normalises by the photo, or leave it changed",
    )
    def predictions_depend_on_training() -> Mending:
        prediction = yield
        predict_batch = prediction._predict_batch

        @wraps(predict_batch)
        def predict_in_eval_mode(model: Any, *args: Any, **kwargs: Any) -> Any:
            training = model.training
            model.eval()
            try:
                return predict_batch(model, *args, **kwargs)
            finally:
                model.train(training)

        prediction._predict_batch = predict_in_eval_mode


for _family in (
    "mmdet.common.bbox",
    "mmdet.common.mask",
    "torchvision.faster_rcnn",
    "torchvision.mask_rcnn",
    "torchvision.keypoint_rcnn",
    "fastai.unet",
    "ross.efficientdet",
    "ultralytics.yolov5",
):
    _predicting(f"icevision.models.{_family}.prediction")


@patch(
    "icevision.models.torchvision.fastai.callbacks",
    library="icevision",
    breaks="batch norms learn from the validation photos, as torchvision gives losses in training "
    "mode only",
)
def validation_trains_batch_norms() -> Mending:
    module = yield
    from torch.nn.modules.batchnorm import _BatchNorm

    callback = module.RCNNCallback
    after_loss = callback.after_loss

    def give_losses_only(self: Any) -> None:
        self.model.train()
        for layer in self.model.modules():
            if isinstance(layer, _BatchNorm):
                layer.eval()

    def predict_after_loss(self: Any) -> None:
        after_loss(self)
        if not self.training:
            give_losses_only(self)

    callback.before_validate, callback.after_loss = give_losses_only, predict_after_loss
