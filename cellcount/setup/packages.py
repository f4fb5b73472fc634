"""Compares the installed packages with the requirements files.

It stands on the standard library, so that it still speaks where everything else is broken.
"""

import os
import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Literal, NamedTuple

_ROOT = Path(__file__).resolve().parents[2]

OLDEST_TORCH = (2, 4)
INSTALL = "bash icevision_install.sh"


class Finding(NamedTuple):
    """One line of a report: a fault keeps something from working, a note does not."""

    what: str
    state: str
    level: Literal["ok", "note", "fault"] = "ok"
    cure: str = ""


class Pin(NamedTuple):
    """One line of a requirements file, with the first word of the heading that it stands under."""

    name: str
    version: str
    heading: str
    apart: bool


def hosted() -> bool:
    """On Colab or Kaggle, in the host's own Python: told as icevision_install.sh tells it."""
    there = os.environ.get
    return bool(there("COLAB_RELEASE_TAG") or there("KAGGLE_KERNEL_RUN_TYPE")) and not (
        there("VIRTUAL_ENV") or there("CONDA_PREFIX")
    )


def installed(name: str) -> metadata.Distribution | None:
    """Returns an installed package's metadata, or None where it is not installed."""
    try:
        return metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None


def pins() -> list[Pin]:
    """Reads the two requirements files that icevision_install.sh installs from."""
    found = []
    for name in ("requirements.txt", "requirements-apart.txt"):
        heading = ""
        for line in (_ROOT / name).read_text(encoding="utf-8").splitlines():
            if line.startswith("# "):
                heading = line.split()[1]
            elif pin := re.match(r"([\w.-]+)==(\S+)", line):
                found.append(Pin(pin[1], pin[2], heading, "apart" in name))
    return found


def release(version: str) -> tuple[int, ...]:
    """Returns the first two numbers of a version: (2, 14) for 2.14.1+cpu."""
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])


def _compare(pin: Pin) -> Finding:
    found = installed(pin.name)
    if pin.heading == "Desktop" and hosted():
        return Finding(pin.name, "not needed without a screen")
    if found is None:
        return Finding(pin.name, f"missing, should be {pin.version}", "fault", INSTALL)
    version = found.version
    if found.read_text("direct_url.json"):
        return Finding(pin.name, f"{version}, from its repository")
    if version.split("+")[0] == pin.version:
        return Finding(pin.name, version)
    kept = pin.heading == "PyTorch" and (pin.name != "torch" or release(version) >= OLDEST_TORCH)
    if kept or (pin.heading == "Common" and hosted()):
        return Finding(pin.name, f"{version}, kept")
    return Finding(pin.name, f"{version}, should be {pin.version}", "fault", INSTALL)


def needs_of(name: str, extras: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    """Yields what an installed package declares to need here: names, with the extras asked for."""
    from packaging.requirements import Requirement

    found = installed(name)
    for text in (found.requires or []) if found else []:
        need = Requirement(text)
        if need.marker is None or any(need.marker.evaluate({"extra": e}) for e in {"", *extras}):
            yield re.sub(r"[-_.]+", "-", need.name).lower(), frozenset(need.extras)


def _missing_needs(names: list[str]) -> list[Finding]:
    """Follows the dependencies of packages, in turn, and returns those that are not installed."""
    queue = [(name, frozenset[str]()) for name in names]
    seen, missing = set(queue), {}
    while queue:
        name, extras = queue.pop()
        for need in needs_of(name, extras):
            if need not in seen:
                seen.add(need)
                queue.append(need)
                if installed(need[0]) is None:
                    missing[need[0]] = f"missing, needed by {name}"
    return [Finding(name, state, "fault", INSTALL) for name, state in missing.items()]


def compare() -> list[Finding]:
    """Compares what is installed with the pins, and looks whether their dependencies are there."""
    listed = pins()
    findings = [_compare(pin) for pin in listed]
    try:
        # The lists of those installed apart cannot hold; that is why they are.
        needs = _missing_needs([pin.name for pin in listed if not pin.apart])
    except ImportError as error:  # the one package that it takes to read the others' lists
        needs = [Finding("packaging", f"does not import ({error})", "fault", INSTALL)]
    pinned = {finding.what.lower() for finding in findings if finding.level == "fault"}
    return findings + [need for need in needs if need.what not in pinned]


def hold() -> bool:
    """Tells icevision_install.sh whether every package is there in its version."""
    return all(finding.level != "fault" for finding in compare())
