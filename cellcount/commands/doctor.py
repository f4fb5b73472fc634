"""Says what is installed here, what is missing, and what to do about it."""

import os
import platform
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from cellcount.labelling.labelimg import screen
from cellcount.setup import packages
from cellcount.setup.packages import INSTALL, Finding

_ROOT = Path(__file__).resolve().parents[2]
_MARKS = {"ok": "  ", "note": "- ", "fault": "! "}


def _machine() -> Iterator[Finding]:
    fits = (3, 10) <= sys.version_info[:2] <= (3, 13)
    python = f"{platform.python_version()} in {sys.prefix}"
    cure = "" if fits else "make an environment with Python 3.10 to 3.13"
    yield Finding("Python", python, "ok" if fits else "fault", cure)
    try:
        system = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        system = platform.platform()
    yield Finding("System", f"{system}, {platform.machine()}")
    machine = f"{os.cpu_count()} CPU cores"
    if hasattr(os, "sysconf"):  # not on Windows
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
        machine += f", {memory:.0f} GB of memory"
    yield Finding("Machine", machine)
    yield _gpu()


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


def _gpu() -> Finding:
    try:
        import torch
        import torchvision  # noqa: F401 - one that was built for another torch fails here
    except Exception as error:  # a broken PyTorch raises OSError or RuntimeError too
        return Finding("GPU", f"PyTorch does not import ({_reason(error)})", "fault", INSTALL)
    if torch.cuda.is_available():
        return Finding("GPU", f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}")
    return Finding("GPU", "none that PyTorch can use: the laptop backbone is for that", "note")


def _bridge() -> Iterator[Finding]:
    try:
        import icevision_bridge
        from cellcount.detector import bridging

        for name, what, applied in dict.fromkeys(icevision_bridge.report(bridging.__name__)):
            yield Finding(name, what if applied else f"not needed here: {what}")
        bridging.apply_bridge()
        import icevision.all  # noqa: F401 - the walkthrough's first line, which needs all of it
    except Exception as error:  # whatever it is, the rest of the report is still wanted
        yield Finding("IceVision", f"does not import ({_reason(error)})", "fault")
    else:
        yield Finding("IceVision", "imports, with all that it needs")


def _files() -> Iterator[Finding]:
    weights = sorted(path.name for path in (_ROOT / "checkpoints").rglob("*.pth"))
    none = "none in checkpoints/: downloaded when first asked for; the laptop backbone needs none"
    yield Finding("COCO weights", ", ".join(weights) or none, "ok" if weights else "note")
    photos = len(list((_ROOT / "data" / "labeled").glob("*.xml")))
    if photos:
        yield Finding("Sample photos", f"{photos} labelled ones in data/labeled")
    else:
        yield Finding("Sample photos", "none in data/labeled", "note", "git checkout -- data")


def _labelling() -> Iterator[Finding]:
    """Looks for what keeps labelImg's window from opening, where it could open at all."""
    if packages.installed("PyQt5-Qt5") is None or packages.hosted():
        return
    if missing := screen.missing_libraries():
        needs = f"its window needs {', '.join(missing)}"
        yield Finding("labelImg", needs, "note", screen.apt_line(missing))


_SECTIONS: dict[str, Callable[[], Iterable[Finding]]] = {
    "This machine": _machine,
    "Packages": packages.compare,
    "Bridge": _bridge,
    "Files": _files,
    "Labelling": _labelling,
}


def add(commands: Any) -> None:
    """Add it to argparse's ``commands``."""
    doctor = commands.add_parser("doctor", help="say what is installed and what is missing")
    doctor.add_argument("--brief", action="store_true", help="leave out what is as it should be")
    doctor.set_defaults(run=lambda options: run(options.brief))


def run(brief: bool = False) -> int:
    """Prints the report; returns 0 when all is well and 1 when something must be put right.

    It takes some 10 seconds, most of them to import IceVision.

    Args:
        brief: leave out what is as it should be.
    """
    faults = []
    for title, examine in _SECTIONS.items():
        findings = [one for one in examine() if not (brief and one.level == "ok")]
        if not findings:
            continue
        width = max(len(finding.what) for finding in findings)
        print(title)
        for finding in findings:
            cure = f"  ->  {finding.cure}" if finding.cure else ""
            print(f"{_MARKS[finding.level]}{finding.what:<{width}}  {finding.state}{cure}")
        print(flush=True)
        faults += [finding for finding in findings if finding.level == "fault"]
    if not faults:
        print("All is well.")
        return 0
    cures = dict.fromkeys(fault.cure for fault in faults if fault.cure)
    print(f"To put right: {', '.join(fault.what for fault in faults)}.", *cures)
    return 1
