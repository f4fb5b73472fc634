"""The demonstration: both notebooks from top to bottom on the bundled photos."""

import argparse
import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cellcount.errors import CellCountError

if TYPE_CHECKING:
    from nbformat import NotebookNode

NOTEBOOKS = ("train.ipynb", "inference.ipynb")
_OUT = Path("out")  # where the notebooks put their results


def add(commands: Any) -> None:
    """Add it to argparse's ``commands``."""
    demo = commands.add_parser("demo", help="run both notebooks on the bundled photos")
    demo.set_defaults(run=_demo)


def _demo(_: argparse.Namespace) -> None:
    """Run both notebooks, then print counts beside what people labelled on the photos counted.

    The executed notebooks go to ``out``, so that the ones in the repository stay as they are.
    """
    from cellcount.calibration.accuracy import count_accuracy
    from cellcount.counting.table import read_counts
    from cellcount.labels import voc

    os.environ.pop("CELLCOUNT_DATA", None)
    for name in NOTEBOOKS:
        run_notebook(Path(name), _OUT / name)
    counted = read_counts(_OUT / "counts.csv")
    labelled = [
        len(voc.read(Path("data/not_labeled/labels", photo).with_suffix(".xml")).boxes)
        for photo in counted
    ]
    print(f"\n{'photo':20} counted  labelled by people")
    for (photo, number), cells in zip(counted.items(), labelled, strict=True):
        print(f"{photo:20} {number:7} {cells:9}")
    off = count_accuracy(list(counted.values()), labelled).share_off
    print(
        f"On these real photos, which it has not learned from, the counts are {off:.0f} % off: the "
        "sum of all errors, over all labelled cells."
    )
    print(
        "Look at out/counted.jpg, the photo with its cells boxed; out/counts.csv, the table; "
        "out/train.ipynb and out/inference.ipynb, the notebooks as they ran; and "
        "models/model_checkpoint.pth, the trained model."
    )


def run_notebook(source: Path, target: Path) -> None:
    """Execute ``source`` in its own folder, show how far it is, and write ``target``.

    Raises:
        CellCountError: a cell failed, or the computer ended what ran it.
    """
    import nbformat
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    from cellcount.commands.watching import WatchedClient

    notebook = nbformat.read(source, as_version=4)
    client = WatchedClient(
        notebook,
        source.name,
        timeout=None,  # a slow computer takes its time, and the bar shows that it works
        kernel_name="python3",
        # ipykernel warns that its messages, which stay on this computer, are not encrypted.
        extra_arguments=["--log-level=40"],
        resources={"metadata": {"path": str(source.parent.resolve())}},
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        asyncio.run(client.watched())
    except CellExecutionError as error:
        last = error.evalue or error.ename
        raise CellCountError(
            f"{source} stopped: {last} The cells up to there are in {target}."
        ) from error
    except DeadKernelError as error:
        raise CellCountError(
            f"{source} stopped: its Python was ended, most often for lack of memory. Close other "
            f"programs and run it again. The cells up to there are in {target}."
        ) from error
    finally:
        _drop_empty(notebook)
        nbformat.write(notebook, target)


def _drop_empty(notebook: "NotebookNode") -> None:
    """Leave out outputs that show nothing: bars that are done."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [one for one in cell.outputs if "" not in one.get("data", {}).values()]
