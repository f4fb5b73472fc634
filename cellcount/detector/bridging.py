"""What this project adds to IceVision through the bridge: photos, confirmed labels, a backbone."""

from functools import wraps
from pathlib import Path
from typing import Any

import icevision_bridge
from icevision_bridge.patches import Mending, loaded, patch

_CONFIGS = Path(__file__).parent / "configs"
_NEVER = "never: it is this project's own"


def apply_bridge() -> None:
    """Make ``from icevision.all import *`` work, with photos and labels read as ``cellcount`` does.

    Call it before that line; a second call is free.

    Raises:
        BridgeError: a bridged library was imported before, or packages were exchanged on disk
            since Python started; both want a fresh start of Python.
    """
    icevision_bridge.apply(__name__)


@patch(
    "icevision.utils.imageio",
    library="icevision",
    breaks="16-bit photos turn white, and files that are damaged end in a traceback",
    until=_NEVER,
)
def photos_are_misread() -> Mending:
    module = yield
    from PIL import Image

    from cellcount.photos.reading import photo_size, read_photo

    open_img = module.open_img

    def open_photo(fn: Any, gray: bool = False, ignore_exif: bool = False) -> Image.Image:
        if gray or ignore_exif:
            return open_img(fn, gray=gray, ignore_exif=ignore_exif)
        return Image.fromarray(read_photo(fn))

    module.open_img = open_photo
    module.get_img_size = lambda filepath: module.ImgSize(*photo_size(filepath))


@patch(
    "icevision.parsers.voc_parser",
    library="icevision",
    breaks="boxes that a model drew and nobody has confirmed are taken for a person's",
    until=_NEVER,
)
def unconfirmed_boxes_are_learned() -> Mending:
    module = yield
    from cellcount.labels.confirmed import confirmed

    parser = module.VOCBBoxParser
    init = parser.__init__

    @wraps(init)
    def init_confirmed(self: Any, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        self.annotation_files = confirmed(self.annotation_files)

    parser.__init__ = init_confirmed


@patch(
    "icevision.models.mmdet.models.vfnet.backbones",
    library="icevision",
    breaks="no backbone of VFNet is for a laptop",
    until=_NEVER,
)
def laptop_backbone() -> Mending:
    backbones = yield
    resnet = loaded(f"{backbones.__name__}.resnet_fpn")
    backbones.efficientnet_lite0_fpn = resnet.MMDetVFNETBackboneConfig(
        config_path=_CONFIGS / "vfnet_efficientnet_lite0_fpn.py", weights_url=None
    )
