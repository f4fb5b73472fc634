"""The page of results, to which each is added as it comes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from benchmarks.table import machine, markdown, versions


@dataclass(frozen=True)
class Page:
    """A Markdown file; whatever ends the run, what was added is in it."""

    file: Path

    def begin(self, command: str) -> None:
        """Write its head, over what an earlier run has left."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text("", encoding="utf-8")
        when = f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC"
        self._add(
            "# On a graphics card",
            "",
            f"`{command}`, {when}. {machine()}. With {versions()}.",
        )

    def section(self, title: str, heads: Sequence[str], texts: int = 2) -> None:
        """Begin a table, whose first columns hold ``texts``, and the others figures."""
        self._add("", f"## {title}", "", *markdown(heads, [], texts))

    def row(self, *cells: object) -> None:
        """Add a row to the table that was begun last; figures are shortened to three digits."""
        shown = [f"{one:.3g}" if isinstance(one, float) else str(one) for one in cells]
        self._add(f"| {' | '.join(shown)} |")

    def note(self, text: str) -> None:
        """Add a paragraph."""
        self._add("", text)

    def _add(self, *lines: str) -> None:
        with self.file.open("a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)
        print(*lines, sep="\n", flush=True)


def told(error: Exception) -> str:
    """An error as a cell of a table."""
    return " ".join(f"{type(error).__name__}: {error}".split()).replace("|", "/")[:300]
