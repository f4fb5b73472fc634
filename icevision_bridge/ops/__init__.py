"""mmcv's operations without compiling mmcv: they stand on torchvision and plain torch.

What breaks: mmcv 1.x keeps its operations in a compiled module, ``mmcv._ext``. Wheels of it stop at
torch 2.4 and Python 3.11, and compiling it takes ten minutes and more. When it can go: when mmcv is
installed with its operations compiled (``mmcv-full``); then this patch does nothing.
"""

import sys
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import find_spec

from . import attention, boxes, deform, extension, focal, masked, nms, roi_align, roi_pool
from .empty import accept_empty
from .extension import NAME, Extension, MissingOpError

__all__ = ["MissingOpError", "accept_empty", "install"]

_KERNELS = (
    attention.ms_deform_attn_forward,
    attention.ms_deform_attn_backward,
    boxes.bbox_overlaps,
    deform.deform_conv_forward,
    deform.deform_conv_backward_input,
    deform.deform_conv_backward_parameters,
    deform.modulated_deform_conv_forward,
    deform.modulated_deform_conv_backward,
    extension.get_compiler_version,
    extension.get_compiling_cuda_version,
    focal.sigmoid_focal_loss_forward,
    focal.sigmoid_focal_loss_backward,
    focal.softmax_focal_loss_forward,
    focal.softmax_focal_loss_backward,
    masked.masked_im2col_forward,
    masked.masked_col2im_forward,
    nms.nms,
    nms.softnms,
    nms.nms_match,
    roi_align.roi_align_forward,
    roi_align.roi_align_backward,
    roi_pool.roi_pool_forward,
    roi_pool.roi_pool_backward,
)


def install() -> bool:
    """Serve ``mmcv._ext`` from here, before ``mmcv.ops`` is imported; return whether it is.

    Nothing is done, and False returned, if mmcv comes with a compiled module that loads. One that
    does not load (it was built for another torch) is passed over.
    """
    if NAME not in sys.modules and not _compiled_module_loads():
        sys.modules[NAME] = Extension({kernel.__name__: kernel for kernel in _KERNELS})
    return isinstance(sys.modules[NAME], Extension)


def _compiled_module_loads() -> bool:
    package = find_spec("mmcv")
    if package is None or PathFinder.find_spec(NAME, package.submodule_search_locations) is None:
        return False
    import_module("mmcv")  # its own errors are not this module's
    try:
        import_module(NAME)
    except ImportError:
        return False
    return True
