"""The real photos of the 2022 walkthrough, fetched once from its author's public repository.

They are the original author's, and the repository states no licence. So this project carries only
their names, sizes and SHA-256 sums; the photos are downloaded by whoever wants them, for their own
use, and not redistributed.
"""

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import quote

import requests

from cellcount.bars import Bar
from cellcount.errors import CellCountError
from icevision_bridge.download import FetchError, fetch

REPOSITORY = "dnth/microalgae-cell-counter-blogpost"
COMMIT = "8c1a9b149a676e0c80da699dcb59dc621e4d7696"
BASE_URL = f"https://raw.githubusercontent.com/{REPOSITORY}/{COMMIT}"
MANIFEST = Path(__file__).with_suffix(".csv")
BUNDLED = Path(__file__).parents[2] / "data"


class DownloadError(CellCountError):
    """The public photos could not all be fetched; what has arrived is kept."""


@dataclass(frozen=True)
class _File:
    path: str  # in the repository, beginning with data/
    bytes: int
    sha256: str

    def under(self, folder: Path) -> Path:
        return folder.joinpath(*PurePosixPath(self.path).parts[1:])

    def is_at(self, path: Path) -> bool:
        if not path.is_file() or path.stat().st_size != self.bytes:
            return False
        return hashlib.sha256(path.read_bytes()).hexdigest() == self.sha256


def microalgae(folder: str | Path = "data/microalgae") -> Path:
    """Return the folder with the real photos (``labeled/``, ``not_labeled/``), fetched if need be.

    They are the original author's and are downloaded, not redistributed. Where they cannot be had,
    offline for one, the reason is printed and the folder of the bundled photos, which is laid out
    alike, is returned instead.
    """
    try:
        return download(folder)
    except DownloadError as error:
        print(error)
        return BUNDLED


def download(
    folder: str | Path,
    *,
    base_url: str = BASE_URL,
    manifest: str | Path = MANIFEST,
    progress: bool = True,
) -> Path:
    """Fetch what the folder lacks of the public photos, check every file, and return the folder.

    Files that are already right are not fetched again, and one that broke off goes on where it
    ended, in this run or the next. A file takes its name only when its SHA-256 sum is right.

    Args:
        folder: gets ``labeled/`` and ``not_labeled/``.
        base_url: what the manifest's paths are appended to.
        manifest: a CSV file with the columns path, bytes and sha256.
        progress: whether to say what is fetched from whom, and to show a bar.

    Raises:
        DownloadError: no network, no such file, wrong content, or no room; what arrived is kept.
    """
    folder = Path(folder)
    files = _read_manifest(Path(manifest))
    missing = [file for file in files if not file.is_at(file.under(folder))]
    size = sum(file.bytes for file in missing)
    if missing and progress:
        print(
            f"Downloading {len(missing)} of {len(files)} files ({size / 1e6:.0f} MB) into "
            f"{folder}. They are the original author's ({REPOSITORY} on GitHub, which states no "
            "licence) and are not redistributed with this project."
        )
    with (
        requests.Session() as session,
        Bar(total=size, unit="B", unit_scale=True, leave=False, disable=not progress) as bar,
    ):
        for file in missing:
            try:
                fetch(
                    session,
                    f"{base_url}/{quote(file.path)}",
                    file.under(folder),
                    name=file.path,
                    check=file.is_at,
                    size=file.bytes,
                    bar=bar,
                )
            except FetchError as error:
                reason = str(error)
                raise DownloadError(
                    f"{reason[0].upper()}{reason[1:]}: what was fetched is kept in {folder}, "
                    "running this again goes on from there, and the photos bundled in data/ "
                    "serve meanwhile."
                ) from error
    return folder


def _read_manifest(path: Path) -> list[_File]:
    with path.open(encoding="utf-8", newline="") as lines:
        return [
            _File(row["path"], int(row["bytes"]), row["sha256"]) for row in csv.DictReader(lines)
        ]
