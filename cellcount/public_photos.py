"""The real photos of the 2022 walkthrough, fetched once from its author's public repository.

They are the original author's, and the repository states no licence. So this project carries only
their names, sizes and SHA-256 sums; the photos are downloaded by whoever wants them, for their own
use, and not redistributed.
"""

import csv
import hashlib
import time
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import quote, urlsplit

import requests
from tqdm import tqdm

from cellcount.errors import CellCountError

REPOSITORY = "dnth/microalgae-cell-counter-blogpost"
COMMIT = "8c1a9b149a676e0c80da699dcb59dc621e4d7696"
BASE_URL = f"https://raw.githubusercontent.com/{REPOSITORY}/{COMMIT}"
MANIFEST = Path(__file__).with_suffix(".csv")
BUNDLED = Path(__file__).parents[1] / "data"

_WAITS = (0.5, 1.0, 2.0)  # seconds before the second, third and fourth try of a file
_PATIENCE = 20  # seconds without a byte before a try is given up


class DownloadError(CellCountError):
    """The public photos could not all be fetched; what has arrived is kept."""


class _BrokenOff(OSError):
    """An answer ended early."""


class _Refused(OSError):
    """The server answered with an HTTP status that is no success, the only argument."""


class _WrongContent(OSError):
    """A file arrived whole, but is not the one in the manifest."""


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
        tqdm(total=size, unit="B", unit_scale=True, leave=False, disable=not progress) as bar,
    ):
        for file in missing:
            try:
                _fetch(session, f"{base_url}/{quote(file.path)}", file, file.under(folder), bar)
            except OSError as error:  # as requests' errors are, too
                raise DownloadError(
                    f"{_reason(error, file, base_url)}: what was fetched is kept in {folder}, "
                    "running this again goes on from there, and the photos bundled in data/ "
                    "serve meanwhile."
                ) from error
    return folder


def _read_manifest(path: Path) -> list[_File]:
    with path.open(encoding="utf-8", newline="") as lines:
        return [
            _File(row["path"], int(row["bytes"]), row["sha256"]) for row in csv.DictReader(lines)
        ]


def _fetch(session: requests.Session, url: str, file: _File, target: Path, bar: tqdm) -> None:
    """Fetch one file beside its target, check it, and only then move it there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    bar.update(_length(part))
    for wait in (*_WAITS, None):
        try:
            _go_on(session, url, file, part, bar)
            break
        except (_BrokenOff, _Refused, requests.RequestException) as error:
            if wait is None or not _may_pass(error):
                raise
            time.sleep(wait)
    if not file.is_at(part):
        part.unlink()
        raise _WrongContent
    part.replace(target)


def _go_on(session: requests.Session, url: str, file: _File, part: Path, bar: tqdm) -> None:
    """Append to the part what it lacks, or begin anew where the server cannot go on."""
    have = _length(part)
    if have >= file.bytes:
        return
    # A compressed answer could not be continued at a byte of the file.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with session.get(url, headers=headers, stream=True, timeout=_PATIENCE) as answer:
        if answer.status_code == requests.codes.requested_range_not_satisfiable:
            part.unlink()
            bar.update(-have)
            raise _BrokenOff
        if not answer.ok:
            raise _Refused(answer.status_code)
        goes_on = answer.status_code == requests.codes.partial_content
        if not goes_on:
            bar.update(-have)
        with part.open("ab" if goes_on else "wb") as out:
            for chunk in answer.iter_content(1 << 14):
                out.write(chunk)
                bar.update(len(chunk))
                if out.tell() > file.bytes:
                    return  # another file than ours, perhaps an endless one: the check will say so
    if _length(part) < file.bytes:
        raise _BrokenOff


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _may_pass(error: OSError) -> bool:
    """Whether another try may help: not if the server has said that it never will."""
    return not isinstance(error, _Refused) or error.args[0] in (408, 429) or error.args[0] >= 500


def _reason(error: OSError, file: _File, base_url: str) -> str:
    host = urlsplit(base_url).netloc
    if isinstance(error, _WrongContent):
        return f"{file.path} arrived from {host} with wrong content and was deleted"
    if isinstance(error, _Refused):
        return f"{host} answers {error.args[0]} when asked for {file.path}"
    if isinstance(error, _BrokenOff | requests.RequestException):
        kind = "the answer broke off" if isinstance(error, _BrokenOff) else type(error).__name__
        return f"This computer is offline or {host} is gone ({kind} at {file.path})"
    return f"{file.path} cannot be stored ({error})"
