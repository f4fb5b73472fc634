"""mmdet 2.28: its configuration files, its cap on detections, its chatter."""

from functools import wraps
from typing import Any

from icevision_bridge.patches import Mending, patch


@patch(
    "mmdet",
    library="mmdet",
    breaks="torch warns about how its meshgrid is called, and how DETR copies its class weights",
)
def torch_has_better_ways() -> Mending:
    import warnings

    yield
    warnings.filterwarnings("ignore", message="torch.meshgrid: in an upcoming release")
    warnings.filterwarnings(
        "ignore", message="To copy construct from a tensor", module="mmdet.models.losses"
    )


@patch(
    "mmdet.models.dense_heads.vfnet_head",
    library="mmdet",
    versions=">=2.20,<3",
    breaks="in eval mode VFNet's head returns two outputs where its loss, which IceVision asks for "
    "on validation batches, takes three",
)
def validation_loss_wants_three_outputs() -> Mending:
    module = yield
    head = module.VFNetHead
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
