"""A screen in memory with labelImg on it, used as a person would: by mouse, keys and looking."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image, ImageGrab, features

from cellcount.labelling.labelimg import screen
from cellcount.setup import packages

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 20  # seconds, on a machine that does other work too

# Where a photo's two marks are, (left, top, right, bottom) in its pixels, and their colours, which
# nothing of labelImg's window has.
MARKS = {(255, 0, 255): (150, 100, 180, 130), (0, 255, 255): (300, 230, 330, 260)}


def marked(width: int = 480, height: int = 360) -> Image.Image:
    """A grey photo with the marks on it."""
    photo = Image.new("RGB", (width, height), (190, 190, 190))
    for colour, box in MARKS.items():
        photo.paste(colour, box)
    return photo


class View(NamedTuple):
    """Where the photo is on the screen: screen = origin + scale * photo, in pixels."""

    scale: float
    x: float
    y: float

    def to_screen(self, x: float, y: float) -> tuple[int, int]:
        return round(self.x + self.scale * x), round(self.y + self.scale * y)

    def to_photo(self, x: int, y: int) -> tuple[float, float]:
        return (x - self.x) / self.scale, (y - self.y) / self.scale


def skip_without_screen() -> None:
    missing = [name for name in ("Xvfb", "xdotool") if shutil.which(name) is None]
    missing += [name for name in ("PyQt5", "labelImg") if packages.installed(name) is None]
    missing += screen.missing_libraries()
    if missing or not features.check("xcb"):
        pytest.skip(f"labelImg's window cannot be tried here: {', '.join(missing)} is missing")


@contextmanager
def memory_screen() -> Iterator[str]:
    """Start Xvfb on a free number; yield the DISPLAY."""
    reader, writer = os.pipe()
    # Without -noreset it begins anew, and answers nobody meanwhile, when the last window closes.
    command = ["Xvfb", "-displayfd", str(writer), "-noreset", "-nolisten", "tcp"]
    command += ["-screen", "0", "1024x768x24"]
    server = subprocess.Popen(command, pass_fds=[writer], stderr=subprocess.DEVNULL)
    os.close(writer)
    try:
        yield f":{os.read(reader, 20).decode().strip()}"
    finally:
        server.terminate()
        server.wait()
        os.close(reader)


class Labelling:
    """``python -m cellcount label`` in a process of its own, and hands and eyes for its window."""

    def __init__(self, display: str, folder: Path, home: Path, *options: str) -> None:
        self.display = display
        self.environment = {**os.environ, "DISPLAY": display, "HOME": str(home)}
        self.environment.pop("QT_QPA_PLATFORM", None)
        self.output = home / "output.txt"
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cellcount", "label", str(folder), *options],
                cwd=ROOT,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        pattern = "^labelImg .*[0-9]+ / [0-9]+"
        until(lambda: bool(self.hand("search", "--onlyvisible", "--name", pattern)), self.output)
        self.window = self.hand("search", "--onlyvisible", "--name", pattern).split()[0]

    def hand(self, *actions: str | int) -> str:
        """One call of xdotool; what it prints."""
        command = ["xdotool", *map(str, actions)]
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    def keys(self, *keys: str) -> None:
        self.hand("key", "--delay", "40", *keys)

    def title(self) -> str:
        return self.hand("getwindowname", self.window)

    def shows(self, photo: str) -> None:
        until(lambda: re.search(rf"/{re.escape(photo)} \[", self.title()) is not None, self.output)
        self.view()
        self.hand("windowfocus", "--sync", self.window)

    def is_in_dialog(self) -> bool:
        # Without a window manager the keyboard goes back to the root, which no process owns.
        return bool(self.hand("getwindowfocus", "getwindowpid")) and (
            self.hand("getwindowfocus") != self.window
        )

    def dialog(self) -> None:
        """Wait for a dialog to have the keyboard."""
        until(self.is_in_dialog, self.output)

    def answer(self, *keys: str) -> None:
        """Wait for a dialog, press keys in it, wait until it is gone."""
        self.dialog()
        self.keys(*keys)
        if self.process.poll() is None:
            until(lambda: not self.is_in_dialog(), self.output)
            self.hand("windowfocus", "--sync", self.window)

    def look(self) -> np.ndarray:
        return np.asarray(ImageGrab.grab(xdisplay=self.display).convert("RGB"))

    def view(self) -> View:
        """Find the photo's marks on the screen, once they rest."""
        seen: list[View | None] = [None]

        def rests() -> bool:
            seen.append(_found(self.look()))
            return seen[-1] is not None and seen[-1] == seen[-2]

        until(rests, self.output)
        assert seen[-1] is not None
        return seen[-1]

    def draw(self, left: int, top: int, right: int, bottom: int, *label: str) -> np.ndarray:
        """Draw a box from corner to corner, in photo pixels; return where the mouse really was."""
        view = self.view()
        start, end = view.to_screen(left, top), view.to_screen(right, bottom)
        middle = [(a + b) // 2 for a, b in zip(start, end, strict=True)]
        self.hand("mousemove", *start, "sleep", "0.1", "key", "w", "sleep", "0.2")
        self.hand(
            *("mousemove", *start, "sleep", "0.05", "mousedown", 1, "sleep", "0.05"),
            *("mousemove", *middle, "sleep", "0.05", "mousemove", *end, "sleep", "0.05"),
            *("mouseup", 1),
        )
        # After typing, the first Return takes what completes the label from the list.
        self.answer(*label, *(["Return"] if label else []), "Return")
        return np.array([*view.to_photo(*start), *view.to_photo(*end)])

    def wheel(self, button: int, times: int, *, ctrl: bool = False) -> View:
        """Turn the wheel over the middle of the photo; return where the photo is then."""
        before = self.view()
        self.hand("mousemove", *before.to_screen(240, 180))
        for _ in range(times):
            actions = ("click", button)
            self.hand(*(("keydown", "ctrl", *actions, "keyup", "ctrl") if ctrl else actions))
        until(lambda: self.view() != before, self.output)
        return self.view()

    def close(self) -> str:
        """Close the window; return what was printed."""
        self.keys("ctrl+q")
        return self._printed()

    def interrupt(self) -> str:
        """Press Ctrl+C in the terminal that the command was typed in; return what was printed."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self._printed()

    def _printed(self) -> str:
        assert self.process.wait(PATIENCE) == 0
        return self.output.read_text()

    def end(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def until(true: Callable[[], bool], output: Path) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, f"it never came; printed so far: {output.read_text()}"
        time.sleep(0.1)


def _found(seen: np.ndarray) -> View | None:
    centres, sizes = [], []
    for colour, (left, top, right, bottom) in MARKS.items():
        alike = [abs(seen[..., one].astype(np.int16) - colour[one]) < 60 for one in range(3)]
        rows, columns = np.nonzero(alike[0] & alike[1] & alike[2])
        if len(rows) < 100:
            return None
        middle = ((left + right) / 2, (top + bottom) / 2)
        centres.append((middle, (columns.mean() + 0.5, rows.mean() + 0.5)))
        sizes.append(np.sqrt(len(rows) / ((right - left) * (bottom - top))))
    (photo, on_screen), (other, other_on_screen) = centres
    across = (other_on_screen[0] - on_screen[0]) / (other[0] - photo[0])
    down = (other_on_screen[1] - on_screen[1]) / (other[1] - photo[1])
    assert across == pytest.approx(down, rel=0.02) == pytest.approx(np.mean(sizes), rel=0.1)
    scale = (across + down) / 2
    return View(scale, on_screen[0] - scale * photo[0], on_screen[1] - scale * photo[1])
