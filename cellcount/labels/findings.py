"""What is wrong with a file of labels or a photo, and what to do about it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cellcount.errors import CellCountError

MEND = "Mend it in a text editor, bring it back from a backup, or save the photo in labelImg anew."


@dataclass(frozen=True, repr=False)
class Finding:
    """One thing about one file that a user should know before training."""

    file: Path
    problem: str
    cure: str
    severity: Literal["error", "note"] = "error"

    def __repr__(self) -> str:
        """Say it as one plain line, also where a notebook shows a list of them."""
        return f"{self.file}: {self.problem} {self.cure}"


class AnnotationError(CellCountError):
    """An XML that holds no usable annotation; ``finding`` says which and why."""

    def __init__(self, finding: Finding) -> None:
        """Take the finding, which is also the message."""
        super().__init__(finding)
        self.finding = finding
