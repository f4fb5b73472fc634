"""Fetches a file over HTTP: goes on after a break, checks it, and only then gives it its name."""

import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import requests
from tqdm import tqdm

_WAITS = (0.5, 1.0, 2.0)  # seconds before the second, third and fourth try
_PATIENCE = (10, 20)  # seconds without a connection, and without a byte, before a try is given up


class FetchError(Exception):
    """A file could not be fetched; the message is a clause that says why, without a full stop."""


class StorageError(FetchError):
    """This computer cannot store the file: no other address would help."""


class _BrokenOff(OSError):
    """An answer ended early."""


class _Refused(OSError):
    """The server answered with an HTTP status that is no success, the only argument."""


class _WrongContent(OSError):
    """A file arrived whole but fails its check; the only argument is whether it was resumed."""


def fetch(
    session: requests.Session,
    url: str,
    target: Path,
    *,
    name: str,
    check: Callable[[Path], bool],
    size: int | None,
    bar: tqdm,
) -> None:
    """Fetch one file beside its target, check it, and only then move it there.

    Until then it is ``<target>.part``. One that broke off is kept and gone on with, in this call or
    the next; a wrong one is deleted, and fetched anew if it was pieced together.

    Args:
        session: keeps the connection between the files of one server.
        url: of the file.
        target: where it goes; its folder is made, and a file that is there is replaced.
        name: what messages call the file.
        check: whether the file at a path is the right one.
        size: bytes of the file; None takes the server's word and makes it the total of ``bar``.
        bar: counts bytes, those of a ``.part`` that is gone on with too.

    Raises:
        StorageError: the file cannot be written here.
        FetchError: no network, no such file, or wrong content.
    """
    host = urlsplit(url).netloc
    part = target.with_name(f"{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        bar.update(_length(part))
        _complete(session, url, part, check=check, size=size, bar=bar)
        part.replace(target)
    except _WrongContent as error:
        raise FetchError(
            f"the file {name} arrived from {host} with wrong content and was deleted"
        ) from error
    except _Refused as error:
        raise FetchError(f"the server {host} answers {error} when asked for {name}") from error
    except (_BrokenOff, requests.RequestException) as error:
        kind = "the answer broke off" if isinstance(error, _BrokenOff) else type(error).__name__
        raise FetchError(f"this computer is offline or {host} is gone ({kind})") from error
    except OSError as error:  # last: requests' errors are OSErrors, too
        raise StorageError(f"the file {name} cannot be stored ({error})") from error


def _complete(
    session: requests.Session,
    url: str,
    part: Path,
    *,
    check: Callable[[Path], bool],
    size: int | None,
    bar: tqdm,
) -> None:
    """Try until the part is the whole file and right."""
    for wait in (*_WAITS, None):
        resumed = part.exists()
        try:
            _go_on(session, url, part, size, bar)
            if check(part):
                return
            if resumed:
                bar.update(-_length(part))
            part.unlink()
            raise _WrongContent(resumed)
        except (_BrokenOff, _Refused, _WrongContent, requests.RequestException) as error:
            if wait is None or not _may_pass(error):
                raise
            time.sleep(wait)


def _go_on(session: requests.Session, url: str, part: Path, size: int | None, bar: tqdm) -> None:
    """Append to the part what it lacks, or begin anew where the server cannot go on."""
    have = _length(part)
    if size is not None and have >= size:
        return
    # A compressed answer could not be continued at a byte of the file.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with session.get(url, headers=headers, stream=True, timeout=_PATIENCE) as answer:
        if have and answer.status_code == requests.codes.requested_range_not_satisfiable:
            return  # there is nothing behind the part: it is whole, or wrong, which the check tells
        if not answer.ok:
            raise _Refused(answer.status_code)
        goes_on = answer.status_code == requests.codes.partial_content
        if not goes_on:
            bar.update(-have)
        if size is None and "Content-Length" in answer.headers:
            size = int(answer.headers["Content-Length"]) + (have if goes_on else 0)
            bar.total = size
            bar.refresh()
        with part.open("ab" if goes_on else "wb") as out:
            for chunk in answer.iter_content(1 << 14):
                out.write(chunk)
                bar.update(len(chunk))
                if size is not None and out.tell() > size:
                    return  # another file than ours, perhaps an endless one: the check will say so
    if size is not None and _length(part) < size:
        raise _BrokenOff


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _may_pass(error: OSError) -> bool:
    """Whether another try may help: not if the server is silent or says that it never will."""
    if isinstance(error, _WrongContent):
        return error.args[0]
    if isinstance(error, _Refused):
        return error.args[0] in (408, 429) or error.args[0] >= 500
    return not isinstance(error, requests.ConnectTimeout)
