"""A counted folder, as a notebook shows it: a table, and a gallery of the photos with boxes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from cellcount.counting.count import Count
from cellcount.counting.found import with_boxes
from cellcount.counting.report.pictures import Picture
from cellcount.counting.table import TEXTS, plain, read_rows
from cellcount.photos.reading import PhotoError
from cellcount.photos.view import View

if TYPE_CHECKING:
    from pandas import DataFrame

_PICTURES = 12  # of the gallery: a notebook stays below a megabyte
_BYTES = 30_000  # of each
_LONGEST = 420  # pixels
_LEFT_OUT = ("tile", "um/px", "cell um", "area px", "seconds", "model", "options", "version")


@dataclass(frozen=True)
class CountedFolder:
    """The counts of a folder; in Jupyter it shows itself.

    ``counts`` are those of the photos that could be counted, with their boxes where they are kept;
    ``file`` is the table that was written, and ``photos`` are the files by their names in it.
    """

    counts: Sequence[Count]
    file: Path
    photos: Mapping[str, Path]
    view: View

    @classmethod
    def of(
        cls, counts: Sequence[Count], file: Path, photos: Mapping[str, Path], view: View
    ) -> "CountedFolder":
        """Counts as they were made, and with the boxes beside the table those of an earlier run."""
        made_by = {row.photo: row.made_by for row in read_rows(file)}
        bare = {one.photo: (one, made_by[one.photo]) for one in counts if len(one.boxes) < one.n}
        kept = with_boxes(bare, file)
        return cls([kept.get(one.photo, one) for one in counts], file, photos, view)

    @cached_property
    def table(self) -> "DataFrame":
        """The table of counts, a row for each photo that was asked for; what is unknown is NA."""
        import pandas as pd

        read = pd.read_csv(self.file, dtype=str, keep_default_na=False, encoding="utf-8-sig")
        read = read.rename(columns=plain)
        for name in read.columns:
            column = read[name]
            read[name] = (
                column.map(plain) if name in TEXTS else pd.to_numeric(column).convert_dtypes()
            )
        return read

    def __repr__(self) -> str:
        """How many photos were counted, and where the table is."""
        odd = sum(bool(one.why) for one in self.counts)
        look = f", {odd} of them to look at" if odd else ""
        return (
            f"{len(self.counts)} of {len(self.photos)} photos counted{look}; the table is "
            f"{self.file}"
        )

    def _repr_html_(self) -> str:
        """The table, and pictures of the first photos, those to look at before the others."""
        shown = self.table.drop(columns=[*_LEFT_OUT]).astype(object)
        shown = shown.where(shown.notna(), "")
        shown = shown.loc[:, (shown != "").any()]
        first = sorted(self.counts, key=lambda one: not one.why)[:_PICTURES]
        more = len(self.counts) - len(first)
        told = f"<p>{more} more photos are counted.</p>" if more else ""
        return (
            f"<p>{escape(repr(self))}</p>{shown.to_html(max_rows=20, border=0)}"
            f'<div style="display:flex;flex-wrap:wrap;gap:8px">'
            f"{''.join(map(self._picture, first))}</div>{told}"
        )

    def _picture(self, count: Count) -> str:
        try:
            picture = Picture.of(self.photos[count.photo], self.view, _BYTES, _LONGEST)
        except PhotoError as error:
            inner = escape(f"{error.problem} {error.cure}")
        else:
            inner = f'<img src="{picture.address(count)}" style="width:100%" alt="">'
        words = f"{escape(count.photo)}: {escape(str(count))}"
        return (
            f'<figure style="width:220px;margin:0">{inner}<figcaption>{words}</figcaption></figure>'
        )
