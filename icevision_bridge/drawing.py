"""IceVision 0.12's pictures with boxes: the same ones, without a copy of the photo for each box."""

from contextvars import ContextVar
from functools import lru_cache, wraps
from typing import Any

from icevision_bridge.patches import Mending, overlay, patch


class _Canvas:
    """A picture that is drawn on, standing for the array that it would be copied into."""

    def __init__(self, picture: Any) -> None:
        self.picture = picture

    @property
    def shape(self) -> tuple[int, ...]:
        width, height = self.picture.size
        bands = len(self.picture.getbands())
        return (height, width, bands) if bands > 1 else (height, width)


@patch(
    "icevision.visualize.draw_data",
    library="icevision",
    breaks="each box and each label copies the whole photo twice and loads the font anew: minutes "
    "for a thousand cells",
)
def every_box_copies_the_photo() -> Mending:
    module = yield
    import PIL.Image
    import PIL.ImageFont

    at_work = ContextVar("at_work", default=False)
    draw, numpy = module.draw_sample, module.np

    def to_picture(given: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(given, _Canvas):
            return given.picture
        return PIL.Image.fromarray(given, *args, **kwargs)

    def to_array(given: Any, *args: Any, **kwargs: Any) -> Any:
        if at_work.get() and isinstance(given, PIL.Image.Image):
            return _Canvas(given)
        return numpy.array(given, *args, **kwargs)

    @wraps(draw)
    def draw_on_one_canvas(*args: Any, **kwargs: Any) -> Any:
        token = at_work.set(True)
        try:
            drawn = draw(*args, **kwargs)
        finally:
            at_work.reset(token)
        return numpy.array(drawn.picture) if isinstance(drawn, _Canvas) else drawn

    module.np = overlay(numpy, array=to_array)
    module.PIL = overlay(
        PIL,
        Image=overlay(PIL.Image, fromarray=to_picture),
        ImageFont=overlay(PIL.ImageFont, truetype=lru_cache(PIL.ImageFont.truetype)),
    )
    module.draw_sample = draw_on_one_canvas


@patch(
    "icevision.tfms.albumentations.albumentations_helpers",
    library="icevision",
    breaks="end2end_detect copies the whole photo for each box to learn its size",
)
def every_box_copies_the_photo_for_its_size() -> Mending:
    module = yield
    import PIL.Image

    numpy = module.np

    def to_array(given: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(given, PIL.Image.Image):
            return _Canvas(given)
        return numpy.array(given, *args, **kwargs)

    module.np = overlay(numpy, array=to_array)
