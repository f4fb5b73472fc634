"""Bars that say how far a long work is, in a terminal and in a notebook."""

import sys
from io import StringIO
from typing import Any

from tqdm import tqdm


class Bar(tqdm):
    """tqdm's bar; in a notebook an output that is updated, and is empty when the bar goes.

    tqdm has widgets for notebooks. A notebook keeps the place of a widget that is gone: saved and
    opened again, it says "Error displaying widget: model not found" there.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        self._output: Any = None
        self._notebook = _in_notebook()
        if self._notebook:
            options |= {"file": StringIO(), "ascii": False}
        super().__init__(*args, **options)

    def display(self, msg: str | None = None, pos: int | None = None) -> Any:
        """Show it, or ``msg`` in its place, which is nothing when it goes."""
        if not self._notebook:
            return super().display(msg, pos)
        from IPython.display import display

        shown = {"text/plain": str(self) if msg is None else msg}
        if self._output is None:
            self._output = display(shown, raw=True, display_id=True)
        else:
            self._output.update(shown, raw=True)
        return True


def _in_notebook() -> bool:
    """Whether a kernel runs this, whose outputs can be updated."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None and "IPKernelApp" in shell.config
