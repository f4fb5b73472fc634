"""The weights that IceVision's backbones name: found here, or fetched, and always checked."""

import hashlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import requests
from tqdm import tqdm

from icevision_bridge.download import FetchError, StorageError, fetch
from icevision_bridge.errors import BridgeError

# OpenMMLab's model zoo under its own name, and the bucket behind it; IceVision names now the one,
# now the other. The name lapsed in June 2026 (open-mmlab/mmdetection issues 12445 to 12447).
ADDRESSES = (
    "https://openmmlab.oss-cn-hangzhou.aliyuncs.com",
    "https://download.openmmlab.com",  # its domain is reported to have lapsed for a time in 2026
)
# After an underscore, eight digits are a date.
_PREFIX = re.compile(r"(?:-|_(?!\d{8}\.))([0-9a-f]{8})\.pth$")


def find_weights(
    url: str,
    folder: str | Path,
    *,
    again: bool = False,
    mirrors: Sequence[str] = ADDRESSES,
) -> Path:
    """Return the path of the weights file that ``url`` names, downloaded if need be.

    It is looked for in ``folder`` and in the folder above; one that is there and intact needs no
    network. A file is intact if its SHA-256 sum begins as its name ends (mmdet's
    ``tools/model_converters/publish_model.py`` names it so); a name without sum is trusted.

    Args:
        url: of a ``.pth`` file, as an IceVision backbone's ``weights_url``.
        folder: gets the file, as ``checkpoints/vfnet``.
        again: download it even if it is there.
        mirrors: beginnings of addresses that hold the same files: a url at one of them, over http
            or https, is tried at each in turn, and any other url at its own address only.

    Raises:
        BridgeError: the file that is there is damaged, or there is none and it cannot be had.
    """
    name = PurePosixPath(urlsplit(url).path).name
    folder = Path(folder)
    target = folder / name
    if not again:
        present = [path for path in (target, folder.parent / name) if path.is_file()]
        for path in present:
            if _is_intact(path, name):
                return path
        if present:
            raise BridgeError(
                f"{present[0]} is damaged, its SHA-256 sum does not begin with "
                f"{expected_prefix(name)}: delete it and run this again to download it anew."
            )
    download(
        _addresses(url, mirrors),
        target,
        lambda path: _is_intact(path, name),
        "A computer without internet can train any detector with pretrained=False.",
    )
    return target


def expected_prefix(name: str) -> str | None:
    """The first 8 hex digits of the file's SHA-256 sum, as its name has them; None if it has none.

    Examples are ``..._20201027-38db6f58.pth`` and ``..._20201027pth-6879c318.pth``.
    """
    found = _PREFIX.search(name)
    return found[1] if found else None


def _is_intact(path: Path, name: str) -> bool:
    expected = expected_prefix(name)
    if expected is None:
        return True
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 18):
            digest.update(chunk)
    return digest.hexdigest().startswith(expected)


def _addresses(url: str, mirrors: Sequence[str]) -> list[str]:
    bare = url.partition("://")[2]
    for mirror in mirrors:
        home = mirror.partition("://")[2]
        if bare.startswith(f"{home}/"):
            return [mirror + bare.removeprefix(home) for mirror in mirrors]
    return [url]


def download(
    addresses: Sequence[str], target: Path, check: Callable[[Path], bool], advice: str
) -> None:
    """Fetch a file of weights from the first of several addresses that gives it.

    Args:
        addresses: of the file.
        target: where it goes.
        check: whether the file at a path is the right one.
        advice: a sentence on what else could be done, for who cannot have it.

    Raises:
        BridgeError: it cannot be had, or not be kept.
    """
    reasons = []
    with requests.Session() as session:
        for address in addresses:
            with tqdm(unit="B", unit_scale=True, leave=False, desc="weights") as bar:
                try:
                    fetch(
                        session, address, target, name=target.name, check=check, size=None, bar=bar
                    )
                    return
                except StorageError as error:
                    raise BridgeError(
                        f"The weights cannot be kept, {error}: make room and allow writing "
                        "there, then run this again."
                    ) from error
                except FetchError as error:
                    reasons.append(str(error))
    raise BridgeError(
        f"The weights cannot be downloaded: get {' or '.join(addresses)} on another computer "
        f"and save it as {target.absolute()} on this one ({'; '.join(reasons)}). {advice}"
    )
