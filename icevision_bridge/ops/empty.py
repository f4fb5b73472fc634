"""Empty batches, at which mmcv's wrappers stop before they reach a kernel.

mmcv 1.7's deformable convolutions divide by the batch's size to check ``im2col_step``, and its
``batched_nms`` asks for the largest coordinate of no boxes. Compiled or not makes no difference.
"""

import sys
from functools import wraps
from typing import Any

import torch
from torch import Tensor


def accept_empty() -> None:
    """Let mmcv's deformable convolutions take 0 images and its ``batched_nms`` 0 boxes.

    To be called when ``mmcv.ops`` has been imported and before anything takes ``batched_nms`` from
    it by name; a second call changes nothing.
    """
    from mmcv import ops
    from mmcv.ops.deform_conv import DeformConv2dFunction
    from mmcv.ops.modulated_deform_conv import ModulatedDeformConv2dFunction

    if not hasattr(ops.batched_nms, "__wrapped__"):
        ops.batched_nms = _unless_no_boxes(ops.batched_nms)
        # The function mmcv.ops.nms hides its module of the same name.
        vars(sys.modules["mmcv.ops.nms"])["batched_nms"] = ops.batched_nms
        _accept_no_images(DeformConv2dFunction, batched=2)
        _accept_no_images(ModulatedDeformConv2dFunction, batched=3)


def _unless_no_boxes(batched_nms: Any) -> Any:
    @wraps(batched_nms)
    def guarded(
        boxes: Tensor, scores: Tensor, idxs: Tensor, nms_cfg: Any, class_agnostic: bool = False
    ) -> tuple[Tensor, Tensor]:
        if len(boxes):
            return batched_nms(boxes, scores, idxs, nms_cfg, class_agnostic)
        no_index = torch.zeros(0, dtype=torch.long, device=boxes.device)
        return torch.cat([boxes, scores[:, None]], -1), no_index

    return guarded


def _accept_no_images(function: Any, batched: int) -> None:
    """Run an empty batch as one black image and drop it again, forwards and backwards.

    The first ``batched`` arguments of the autograd ``function`` have a batch axis.
    """
    forward, backward = function.forward, function.backward

    def forward_any(ctx: Any, *arguments: Any) -> Tensor:
        if len(arguments[0]):
            return forward(ctx, *arguments)
        stand_in = [tensor.new_zeros(1, *tensor.shape[1:]) for tensor in arguments[:batched]]
        result = forward(ctx, *stand_in, *arguments[batched:])
        return result.new_empty(0, *result.shape[1:])

    def backward_any(ctx: Any, gradient: Tensor) -> tuple:
        if len(gradient):
            return backward(ctx, gradient)
        found = backward(ctx, gradient.new_zeros(1, *gradient.shape[1:]))
        none_left = [part if part is None else part[:0] for part in found[:batched]]
        return (*none_left, *found[batched:])

    function.forward, function.backward = staticmethod(forward_any), staticmethod(backward_any)
