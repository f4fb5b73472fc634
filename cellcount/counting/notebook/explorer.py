"""One photo in a notebook, with a slider for the threshold: boxes and count follow it.

Only ipywidgets' own parts are used, those that version 7 has too, which Colab keeps.
"""

from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ipywidgets import HTML, Button, FileUpload, FloatSlider, HBox, VBox

from cellcount.counting.count import Count
from cellcount.counting.report.pictures import Picture, colours_of
from cellcount.detector.training import LEAST_SCORE
from cellcount.errors import CellCountError
from cellcount.files import printable
from cellcount.photos.reading import PHOTO_SUFFIXES
from cellcount.photos.view import View

# Counts a photo at any threshold, or as the counter does by itself (None), from one look at it.
Counting = Callable[[float | None], Count]
_LONGEST = 700  # pixels: sent to the browser whenever the slider moves
_HELP = (
    "Move the slider: every box with a score above it is a cell. Own count weighs all boxes as the "
    "model has learned to. A photo of more than 1 MB on Colab, or 10 MB elsewhere, is too large "
    'for the upload: put it into a folder, and write counter.explore("its name").'
)


class Explorer(VBox):
    """What ``counter.explore()`` shows.

    Args:
        look: reads a photo, and returns what counts it.
        threshold: where the slider begins.
        view: which channel and slice the picture shows.
        photo: to begin with; none, if one is to be uploaded.

    Raises:
        PhotoError: the photo cannot be read.
    """

    def __init__(
        self,
        look: Callable[[Path], Counting],
        threshold: float,
        view: View,
        photo: str | Path | None = None,
    ) -> None:
        self.look, self.view = look, view
        self.count: Count | None = None
        self._counting: Counting | None = None
        self.slider = FloatSlider(
            threshold, min=LEAST_SCORE, max=1, step=0.01, description="threshold", disabled=True
        )
        self.own = Button(description="Own count", disabled=True)
        self.upload = FileUpload(accept=",".join(PHOTO_SUFFIXES), description="Your photo")
        self.words, self.picture = HTML("Upload a photo."), HTML()
        self.slider.observe(lambda change: self._show(change["new"]), "value")
        self.own.on_click(lambda _: self._show(None))
        self.upload.observe(lambda change: self._receive(change["new"]), "value")
        bar = HBox([self.slider, self.own, self.upload], layout={"flex_flow": "row wrap"})
        super().__init__([HTML(_HELP), bar, self.words, self.picture])
        if photo is not None:
            self.take(Path(photo), printable(Path(photo).name))

    def __repr__(self) -> str:
        """What is shown where widgets are not; ipywidgets cuts it after 110 letters."""
        return (
            "No sliders are shown here: open this in Jupyter or Colab, or use counter.count(photo)."
        )

    def take(self, photo: Path, name: str) -> None:
        """Show a photo, counted as the counter does by itself.

        Args:
            photo: its path.
            name: under which it is shown.

        Raises:
            PhotoError: it cannot be read.
        """
        self._picture, self._counting = (
            Picture.of(photo, self.view, longest=_LONGEST),
            self.look(photo),
        )
        self._name = name
        self.slider.disabled = self.own.disabled = False
        self._show(None)

    def _receive(self, value: Any) -> None:
        """Count what was uploaded."""
        if not value:
            return
        name, content = _uploaded(value)
        suffix = Path(name).suffix.lower()
        self.words.value = f"Counting {escape(name)} ..."
        try:
            with TemporaryDirectory() as folder:
                photo = Path(folder, f"photo{suffix if suffix in PHOTO_SUFFIXES else ''}")
                photo.write_bytes(content)
                self.take(photo, name)
        except CellCountError as error:
            said = str(error).partition(": ")[2] or str(error)  # without the temporary file's name
            self.words.value = f"<span style='color:#b00020'>{escape(f'{name}: {said}')}</span>"

    def _show(self, threshold: float | None) -> None:
        if self._counting is None:
            return
        self.count = count = self._counting(threshold)
        how = "own count" if threshold is None else f"threshold {threshold:.2f}"
        colours = "".join(
            f' <span style="color:{colour}">&#9632;</span> {count.by_class[kind].n} {escape(kind)}'
            for kind, colour in colours_of(count).items()
            if kind
        )
        look = f" Look at it: {escape(', '.join(count.why))}." if count.why else ""
        self.words.value = (
            f"<b>{escape(self._name)}</b>, {how}: <b>{count.number}</b>{colours}.{look}"
        )
        self.picture.value = (
            f'<img src="{self._picture.address(count)}" alt="" style="max-width:100%;width:700px">'
        )


def _uploaded(value: Any) -> tuple[str, bytes]:
    """Name and content of the last file: ipywidgets 8 has them in a row, 7 by name."""
    if isinstance(value, Mapping):
        name, file = [*value.items()][-1]
        return name, bytes(file["content"])
    return value[-1]["name"], bytes(value[-1]["content"])
