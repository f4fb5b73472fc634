"""Whether Qt could open a window here, and what to do where it could not; needs no Qt itself."""

import ctypes
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from cellcount.setup import packages


def obstacle() -> str | None:
    """What keeps labelImg's window from opening, with the cure, as the start of a sentence."""
    if sys.platform != "linux" or os.environ.get("QT_QPA_PLATFORM", "xcb") != "xcb":
        return None
    if missing := missing_libraries():
        return f"labelImg's window needs {', '.join(missing)}: run `{apt_line(missing)}`"
    if os.environ.get("WAYLAND_DISPLAY") and not os.environ.get("DISPLAY"):
        return None
    if not os.environ.get("DISPLAY"):
        return "There is no screen here to open labelImg's window on: sit at a desktop"
    if not _answers():
        name = os.environ["DISPLAY"]
        return f"The screen {name}, which DISPLAY names, does not answer: sit at a desktop"
    return None


def missing_libraries() -> list[str]:
    """The shared libraries of the system that Qt's plugin for windows wants and does not find."""
    qt = packages.installed("PyQt5-Qt5")
    plugin = Path(str(qt.locate_file("PyQt5/Qt5/plugins/platforms/libqxcb.so"))) if qt else None
    if plugin is None or not plugin.exists():
        return []
    try:
        linked = subprocess.run(["ldd", plugin], capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        return []
    return sorted(set(re.findall(r"(\S+) => not found", linked)))


def apt_line(libraries: list[str]) -> str:
    """What installs these libraries on Debian and Ubuntu."""
    return "sudo apt install " + " ".join(sorted({_debian_package(name) for name in libraries}))


def without_opencvs_qt(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without the folders of Qt plugins that opencv-python sets.

    Its cv2, once imported, hands them on to every process that is started from then on; PyQt5 finds
    plugins of another Qt there and aborts.
    """
    names = ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR")
    return {
        name: value
        for name, value in environment.items()
        if not (name in names and "cv2" in Path(value).parts)
    }


def _debian_package(library: str) -> str:
    """Names the package of a shared library as Debian's policy has it: libX11.so.6 is libx11-6."""
    if library in ("libglib-2.0.so.0", "libgthread-2.0.so.0"):
        return "libglib2.0-0"
    stem, _, version = library.lower().partition(".so.")
    return stem + ("-" if stem[-1].isdigit() else "") + version


def _answers() -> bool:
    """Whether the X server answers; Qt would abort where it does not."""
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:  # Qt's plugin, too, has found it elsewhere, and will tell
        return True
    xcb.xcb_connect.restype = ctypes.c_void_p
    xcb.xcb_connection_has_error.argtypes = xcb.xcb_disconnect.argtypes = [ctypes.c_void_p]
    connection = xcb.xcb_connect(None, None)
    broken = xcb.xcb_connection_has_error(connection)
    xcb.xcb_disconnect(connection)
    return not broken
