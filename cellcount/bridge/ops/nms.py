"""Non-maximum suppression: which of many overlapping boxes to keep.

Boxes are (N, 4) or, with scores, (N, 5): x1, y1, x2, y2, in pixels. ``offset`` is 1 for the older
convention in which a box from pixel 3 to pixel 3 is one pixel wide, else 0.
"""

from torch import Tensor
from torchvision.ops import nms as torchvision_nms

from .precision import kernel, widen


@kernel
def nms(boxes: Tensor, scores: Tensor, *, iou_threshold: float, offset: int) -> Tensor:
    """Indices (K,) of the boxes that stay, best first; equal scores stay in their order.

    A box goes if its IoU with a better one that stays is greater than ``iou_threshold``.
    """
    boxes = widen(boxes)
    if offset:
        # Moving the far edges out by one makes every width, height and overlap one larger.
        boxes = boxes + boxes.new_tensor([0, 0, offset, offset])
    return torchvision_nms(boxes, scores.to(boxes.dtype), iou_threshold)
