"""A photo with its boxes as one SVG: a JPEG of bounded size, and the boxes as lines over it."""

import base64
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain, repeat
from pathlib import Path
from urllib.parse import quote

from PIL import Image

from cellcount.counting.colours import CLASSES, OTHERS
from cellcount.counting.count import Count
from cellcount.photos.reading import photo_size, read_photo
from cellcount.photos.view import View

LONGEST = 1000  # pixels of the longest side
MOST_BOXES = 3000  # a picture has room for; 60 kB of text
_QUALITY = 80


@dataclass(frozen=True)
class Picture:
    """A photo of ``size`` (width, height) in pixels, and a smaller JPEG of it, as base64."""

    size: tuple[int, int]
    jpeg: str

    @classmethod
    def of(cls, photo: Path, view: View, most: int = 150_000, longest: int = LONGEST) -> "Picture":
        """Read a photo, and shrink it until its JPEG has at most so many bytes.

        Args:
            photo: its path.
            view: which channel and slice.
            most: bytes of the JPEG.
            longest: pixels of the longest side, at most.

        Raises:
            PhotoError: it cannot be read.
        """
        with view.chosen_for_all():
            size = photo_size(photo)
            image = Image.fromarray(read_photo(photo, shrink_to=longest))
        while len(jpeg := _jpeg(image)) > most and max(image.size) > 16:
            smaller = min(0.9, (most / len(jpeg)) ** 0.5)
            image.thumbnail((round(image.width * smaller), round(image.height * smaller)))
        return cls(size, base64.b64encode(jpeg).decode())

    def svg(self, count: Count | None = None) -> str:
        """The photo with the boxes of a count, the surest ``MOST_BOXES``; a colour each class."""
        width, height = self.size
        lines = "" if count is None else "".join(_lines(count))
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}">'
            f'<image href="data:image/jpeg;base64,{self.jpeg}" width="{width}" height="{height}"/>'
            f"{lines}</svg>"
        )

    def address(self, count: Count | None = None) -> str:
        """The same as a data URI, which programs show that allow no SVG in their pages."""
        return f"data:image/svg+xml,{quote(self.svg(count), safe=' /:=,;+')}"


def colours_of(count: Count) -> dict[str, str]:
    """The colour of each class; of a detector of one class, under no name."""
    return dict(zip(count.by_class or [""], chain(CLASSES, repeat(OTHERS)), strict=False))


def _lines(count: Count) -> Iterator[str]:
    kinds = None if count.kinds is None else count.kinds[:MOST_BOXES]
    some = replace(count, boxes=count.boxes[:MOST_BOXES], kinds=kinds)
    for (_, boxes), colour in zip(some.drawn.items(), colours_of(count).values(), strict=True):
        corners = boxes.round().astype(int).tolist()
        if path := "".join(f"M{x} {y}h{r - x}v{b - y}h{x - r}z" for x, y, r, b in corners):
            yield (
                f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2" '
                'vector-effect="non-scaling-stroke"/>'
            )


def _jpeg(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()
