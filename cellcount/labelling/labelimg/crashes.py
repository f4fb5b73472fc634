"""labelImg on today's Python and PyQt5: what aborted it."""

import sys
from types import TracebackType
from typing import Any

from PyQt5.QtCore import QLineF, QPointF, QRectF, QTimer
from PyQt5.QtGui import QPainter
from PyQt5.QtWidgets import QAbstractSlider, QApplication, QMessageBox, QSpinBox

from cellcount.errors import CellCountError
from cellcount.labelling.labelimg.mended import mend
from icevision_bridge.patches import Mending, lend


@mend(
    "labelImg.labelImg",
    breaks="it imports distutils, which left Python in 3.12, and does not use it",
)
def distutils_is_gone() -> Mending:
    if sys.version_info < (3, 12):
        yield
        return
    with lend("distutils"), lend("distutils.spawn"):
        yield


class _Painter(QPainter):
    """Draws where floats say, through the calls that PyQt5 has for floats."""

    def drawRect(self, *rectangle: float) -> None:  # type: ignore[override]
        super().drawRect(QRectF(*rectangle))

    def drawLine(self, *ends: float) -> None:  # type: ignore[override]
        super().drawLine(QLineF(*ends))

    def drawText(self, x: float, y: float, text: str) -> None:  # type: ignore[override]
        super().drawText(QPointF(x, y), text)


@mend(
    "libs.canvas",
    breaks="it draws boxes, cross hairs and labels at floats, and PyQt5 aborts on Python 3.10",
)
def painting_takes_no_floats() -> Mending:
    module = yield
    module.QPainter = _Painter


def _rounding(widget: Any) -> None:
    set_value = widget.setValue
    widget.setValue = lambda self, value: set_value(self, round(value))


@mend(
    "labelImg.labelImg",
    breaks="it scrolls and zooms to floats, and PyQt5 aborts on Python 3.10",
)
def scrolling_and_zooming_take_no_floats() -> Mending:
    _rounding(QAbstractSlider)
    _rounding(QSpinBox)
    yield


@mend(
    "labelImg.labelImg",
    breaks="PyQt5 aborts on any error in a slot, with all boxes that are not saved",
)
def an_error_ends_everything() -> Mending:
    yield
    sys.excepthook = _show


_told: set[str] = set()


def _show(kind: type[BaseException], error: BaseException, _: TracebackType | None) -> None:
    """Show an error in a window and in the terminal, each once, and go on."""
    text = str(error)
    if not isinstance(error, CellCountError):
        text = (
            f"labelImg made a mistake ({kind.__name__}: {text}). Your boxes are still here: save "
            "them with Ctrl+S. If it comes again, close the window and start anew."
        )
    _end_painting()
    if text not in _told:  # what goes wrong while painting does so many times a second
        _told.add(text)
        print(text, file=sys.stderr, flush=True)
        # Not at once: a window that opens while another paints itself confuses Qt.
        QTimer.singleShot(0, lambda: _tell(text))


def _tell(text: str) -> None:
    QMessageBox.warning(QApplication.activeWindow(), "labelImg", text)
    _told.discard(text)


def _end_painting() -> None:
    """End what a failed paint event began: labelImg's painter would refuse to begin again."""
    for window in QApplication.topLevelWidgets():
        painter = getattr(getattr(window, "canvas", None), "_painter", None)
        if painter is not None and painter.isActive():
            painter.end()
