"""Photos in an object store: ``s3://bucket/folder``, and ``gs://``, which Google calls the same.

They are handled as paths, which keep ``s3:/bucket/folder`` of that, and copied to this machine for
as long as they are read. One package reads both stores, obstore: fsspec's s3fs and gcsfs bring
forty, and force older versions of some that are here.
"""

import configparser
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from cellcount.errors import CellCountError
from cellcount.photos.photo_error import PhotoError
from cellcount.photos.view import inside

ADD = "python -m pip install -r requirements-cluster.txt"
_SCHEMES = ("s3:", "gs:")
_MOST = 2 << 30  # bytes of a photo
_AWS_KEYS = {"aws_access_key_id", "aws_secret_access_key", "aws_session_token", "region"}
_modified: dict[Path, float] = {}


class Listed(NamedTuple):
    """What a folder of a store holds."""

    files: list[Path]
    folders: list[Path]


def is_remote(path: Path) -> bool:
    """Whether it is in an object store."""
    return len(path.parts) > 1 and path.parts[0] in _SCHEMES


def address(path: Path) -> str:
    """Of a photo in a store, as s3://bucket/folder/a.png."""
    return path.as_posix().replace(":/", "://", 1)


def listed(folder: Path, recursive: bool) -> Listed:
    """What is in a folder of a store, or in its folders too.

    Raises:
        CellCountError: it is not there, cannot be listed, or holds a name that no path can be.
    """
    store, prefix = _store(*folder.parts[:2]), "/".join(folder.parts[2:])
    root = Path(*folder.parts[:2])
    import obstore

    try:
        if recursive:
            objects = [one for some in obstore.list(store, prefix) for one in some]
            folders: list[str] = []
        else:
            found = obstore.list_with_delimiter(store, prefix)
            objects, folders = [*found["objects"]], [*found["common_prefixes"]]
    except Exception as error:  # stores raise anything
        raise CellCountError(f"{address(folder)} cannot be listed: {_why(error)}") from error
    objects = [one for one in objects if one["path"] != prefix]  # consoles make one for a folder
    if not objects and not folders:
        raise CellCountError(f"{address(folder)} holds nothing. Check the address.")
    files = [root / one["path"] for one in objects]
    _modified.update(zip(files, (one["last_modified"].timestamp() for one in objects), strict=True))
    return Listed(files, [root / one for one in folders])


def modified(path: Path) -> float:
    """When a file was written, in a store or here, in seconds since 1970.

    Raises:
        OSError: it is not there.
    """
    if not is_remote(path):
        return path.stat().st_mtime
    if path not in _modified:
        try:
            store = _store(*path.parts[:2])
            _modified[path] = store.head("/".join(path.parts[2:]))["last_modified"].timestamp()
        except Exception as error:  # stores raise anything
            raise OSError(_why(error)) from error
    return _modified[path]


@contextmanager
def at_hand(photo: Path) -> Iterator[Path]:
    """A photo where it can be read: a copy if it is in a store, else itself.

    Raises:
        PhotoError: it cannot be copied; or within the block, which then names its address.
    """
    if not is_remote(photo):
        yield photo
        return
    file = inside(photo).file
    with tempfile.TemporaryDirectory(prefix="cellcount-") as folder:
        _copy(file, Path(folder) / file.name)
        try:
            yield Path(folder) / photo.name
        except PhotoError as error:
            raise PhotoError(address(photo), error.problem, error.cure) from error


def _copy(file: Path, target: Path) -> None:
    try:
        store = _store(*file.parts[:2])
        got = store.get("/".join(file.parts[2:]))
        if got.meta["size"] > _MOST:
            raise PhotoError(address(file), "The file has more than 2 GB.", "Count it from a disk.")
        with target.open("wb") as copy:
            for chunk in got:
                copy.write(chunk)
    except CellCountError:
        raise
    except Exception as error:  # stores raise anything
        raise PhotoError(address(file), "The photo cannot be fetched:", _why(error)) from error


@lru_cache(maxsize=64)
def _store(scheme: str, bucket: str) -> Any:
    """The store of a bucket, by the credentials of the environment.

    Raises:
        CellCountError: the package that reads it is not installed.
    """
    try:
        from obstore.store import from_url
    except ModuleNotFoundError as error:
        raise CellCountError(f"Photos in an object store are read by obstore: {ADD}") from error
    asked: dict[str, Any] = {
        "client_options": {"connect_timeout": "10s", "timeout": "120s", "allow_http": True},
        "retry_config": {"max_retries": 3, "retry_timeout": timedelta(minutes=2)},
    }
    if scheme == "s3:":
        asked |= _aws()
    return from_url(f"{scheme}//{bucket}", **asked)


def _aws() -> dict[str, str]:
    """What ``aws configure`` has written, of which obstore knows only the environment's part."""
    if "AWS_ACCESS_KEY_ID" in os.environ:
        return {}
    profile, said = os.environ.get("AWS_PROFILE", "default"), configparser.RawConfigParser()
    with suppress(configparser.Error, UnicodeError):
        said.read([Path.home() / ".aws" / name for name in ("config", "credentials")])
    sections = [name for name in (f"profile {profile}", profile) if said.has_section(name)]
    every = {key: value for name in sections for key, value in said.items(name)}
    return {key: every[key] for key in _AWS_KEYS & every.keys()}


def _why(error: Exception) -> str:
    """What a store or its client has raised, and what to do, in a sentence."""
    said = str(error)
    if isinstance(error, CellCountError):
        return said
    if "NoSuchBucket" in said:
        return "there is no such bucket. Check its name."
    if isinstance(error, FileNotFoundError):
        return "it is not there. Check the address."
    if "169.254.169.254" in said or "metadata.google" in said:
        return (
            "no credentials are found. Log in with `aws configure` or `gcloud auth "
            "application-default login`, or set AWS_SKIP_SIGNATURE=true where all may read."
        )
    if isinstance(error, PermissionError) or " 403 " in said or " 401 " in said:
        return "your credentials do not allow it. Ask the bucket's owner for the right to read."
    short = " ".join(said.partition("\n")[0].split())[:200]
    return f"the store does not answer as it should ({short}). Try again."
