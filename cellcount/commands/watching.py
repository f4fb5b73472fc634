"""A notebook that runs, and a bar that says how far it is: in which part, and within its cells."""

import asyncio
import re
from typing import Any

from nbclient import NotebookClient
from nbformat import NotebookNode
from tqdm import tqdm

_FORMAT = "{n_fmt}/{total_fmt} cells {elapsed} |{bar}| {desc}"
# fastprogress writes "[12/76 00:31&lt;02:46]", our own bar "| 12/76 [00:31<02:46, ".
_FAR = re.compile(r"(\d+/\d+) \[?[\d:]+(&lt;|<)")


class WatchedClient(NotebookClient):
    """Runs a notebook as nbclient does, and shows where it is: a bar in a terminal, whose clock
    runs; else, as in a file of what a program said, a line for each part that begins.

    Args:
        notebook: to be run.
        name: that it is shown under.
        options: of nbclient's client.
    """

    def __init__(self, notebook: NotebookNode, name: str, **options: Any) -> None:
        code = sum(cell.cell_type == "code" for cell in notebook.cells)
        self.bar: Any = tqdm(total=code, desc=name, bar_format=_FORMAT, disable=None)
        self.name, self.part = name, ""
        super().__init__(
            notebook,
            on_cell_execute=self._begun,
            on_cell_executed=lambda **_: self.bar.update(),
            **options,
        )

    async def watched(self) -> None:
        """Execute all cells.

        Raises:
            CellExecutionError: one of them failed.
        """
        clock = asyncio.create_task(self._tick())
        try:
            with self.bar:
                await self.async_execute()
        finally:
            clock.cancel()

    def process_message(
        self, msg: dict[str, Any], cell: NotebookNode, cell_index: int
    ) -> NotebookNode | None:
        """Look at what the kernel sends for what a bar in the cell says."""
        if said := bar_says(msg["content"].get("data", {})):
            self.bar.set_description_str(f"{self.part}: {said}")
        return super().process_message(msg, cell, cell_index)

    def _begun(self, cell_index: int, **_: Any) -> None:
        part = f"{self.name}, {heading(self.nb.cells[:cell_index])}"
        if self.bar.disable and part != self.part:
            print(part, flush=True)
        self.part = part
        self.bar.set_description_str(part)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(1)
            self.bar.refresh()


def heading(cells: list[NotebookNode]) -> str:
    """The last heading in a notebook's cells, "3. Train", or nothing."""
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return ["", *re.findall(r"^#+ (.+)$", text, re.M)][-1]


def bar_says(data: dict[str, Any]) -> str:
    """How far a bar in a notebook is: "12/76", or, of a training, "epoch 12/76, train_loss 0.61".

    Args:
        data: of a kernel's message. fastprogress shows HTML, in a training with a table of losses;
            our own bar shows text.

    Returns:
        Nothing for data of anything else.
    """
    far = _FAR.search(data.get("text/html") or data.get("text/plain", ""))
    if not far:
        return ""
    columns, values = (re.findall(f"<{tag}>(.*?)</{tag}>", far.string) for tag in ("th", "td"))
    last = dict(zip(columns, values[-len(columns) :], strict=False)) if columns else {}
    loss = f", train_loss {last['train_loss']}" if "train_loss" in last else ""
    return f"{'epoch ' if columns else ''}{far[1]}{loss}"
