"""The process in which labelImg runs."""

import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from cellcount.labelling.labelimg.mended import mended_labelimg


def main(folder: str, classes: list[str]) -> int:
    """Open the window on the folder; return 0 when it was closed."""
    labelimg = mended_labelimg()
    app = labelimg.QApplication(["labelImg"])
    app.setApplicationName("labelImg")
    app.setWindowIcon(labelimg.new_icon("app"))
    with tempfile.TemporaryDirectory() as place:
        offered = Path(place, "classes.txt")
        offered.write_text("\n".join(classes), encoding="utf-8")
        window = labelimg.MainWindow(None, str(offered), folder)
    window.resize(app.primaryScreen().availableSize() * 0.9)
    window.show()
    labelimg.QTimer.singleShot(0, lambda: window.import_dir_images(folder))
    ticking = _close_on_signals(window, labelimg)
    status: int = app.exec_()
    ticking.stop()
    return status


def _close_on_signals(window: Any, labelimg: Any) -> Any:
    """Close the window, which saves, when the terminal is closed or Ctrl+C is pressed in it."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):  # Windows has no SIGHUP
            signal.signal(getattr(signal, name), lambda *_: window.close())
    ticking = labelimg.QTimer()  # Python looks at signals only when it is run
    ticking.timeout.connect(lambda: None)
    ticking.start(200)
    return ticking


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1], sys.argv[2:]))
