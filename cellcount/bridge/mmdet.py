"""mmdet 2.28: its configuration files, its cap on detections, its chatter."""

from collections.abc import Iterator
from functools import wraps
from typing import Any

from cellcount.bridge.spans import loaded, span

UNTIL = "IceVision runs on mmdet 3"


@span(
    "mmdet",
    library="mmdet",
    versions="<3",
    breaks="torch warns about meshgrid's indexing at each first forward pass",
    until=UNTIL,
)
def meshgrid_wants_an_indexing() -> Iterator[None]:
    import warnings

    yield
    warnings.filterwarnings("ignore", message="torch.meshgrid: in an upcoming release")


@span(
    "mmdet.models.dense_heads.vfnet_head",
    library="mmdet",
    versions=">=2.20,<3",
    breaks="in eval mode VFNet's head returns two outputs where its loss, which IceVision asks for "
    "on validation batches, takes three",
    until=UNTIL,
)
def validation_loss_wants_three_outputs() -> Iterator[None]:
    yield
    head = loaded("mmdet.models.dense_heads.vfnet_head").VFNetHead
    forward_train = head.forward_train

    @wraps(forward_train)
    def with_training_outputs(self: Any, *args: Any, **kwargs: Any) -> Any:
        # Only the head's own flag: its layers stay as they are, so the loss is that of eval mode.
        training, self.training = self.training, True
        try:
            return forward_train(self, *args, **kwargs)
        finally:
            self.training = training

    head.forward_train = with_training_outputs


@span(
    "icevision.models.mmdet.common.bbox.prediction",
    library="icevision",
    breaks="after training, predictions come from the network in training mode, in which VFNet "
    "hands out its first guess at each box instead of the refined one",
    until="IceVision is released again",
)
def predictions_are_made_in_training_mode() -> Iterator[None]:
    yield
    module = loaded("icevision.models.mmdet.common.bbox.prediction")
    predict_batch = module._predict_batch

    @wraps(predict_batch)
    def predict_in_eval_mode(model: Any, *args: Any, **kwargs: Any) -> Any:
        training = model.training
        model.eval()
        try:
            return predict_batch(model, *args, **kwargs)
        finally:
            model.train(training)

    module._predict_batch = predict_in_eval_mode
