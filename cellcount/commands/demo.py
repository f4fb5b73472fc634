"""The demonstration: both notebooks from top to bottom on the bundled photos."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cellcount.errors import CellCountError

if TYPE_CHECKING:
    from nbformat import NotebookNode

NOTEBOOKS = ("train.ipynb", "inference.ipynb")
_OUT = Path("out")  # where the notebooks put their results
_WIDGET = "application/vnd.jupyter.widget-view+json"
_CELL_TIMEOUT = 3600  # seconds; the longest cell trains for a few minutes


def add(commands: Any) -> None:
    """Add it to argparse's ``commands``."""
    demo = commands.add_parser("demo", help="run both notebooks on the bundled photos")
    demo.set_defaults(run=_demo)


def _demo(_: argparse.Namespace) -> None:
    """Run both notebooks, then print counts beside true counts.

    The executed notebooks go to ``out``, so that the ones in the repository stay as they are.
    """
    from cellcount.calibration.accuracy import percentage_error
    from cellcount.counting.count import read_counts

    os.environ.pop("CELLCOUNT_DATA", None)
    for name in NOTEBOOKS:
        run_notebook(Path(name), _OUT / name)
    counted = read_counts(_OUT / "counts.csv")
    true = read_counts("data/not_labeled/true_counts.csv")
    print(f"\n{'photo':30} counted  true")
    for photo, number in counted.items():
        print(f"{photo:30} {number:7} {true[photo]:5}")
    error = percentage_error(list(counted.values()), [true[photo] for photo in counted])
    print(f"The counts are off by {error:.0f} % on average.")
    print(
        "Look at out/counted.jpg, the photo with its cells boxed; out/counts.csv, the table; "
        "out/train.ipynb and out/inference.ipynb, the notebooks as they ran; and "
        "models/model_checkpoint.pth, the trained model."
    )


def run_notebook(source: Path, target: Path) -> None:
    """Execute ``source`` in its own folder, with a bar over its cells, and write ``target``.

    Raises:
        CellCountError: a cell failed.
    """
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError
    from tqdm import tqdm

    notebook = nbformat.read(source, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    with tqdm(total=len(code), desc=source.name, unit="cell") as bar:
        client = NotebookClient(
            notebook,
            timeout=_CELL_TIMEOUT,
            kernel_name="python3",
            # ipykernel warns that its messages, which stay on this computer, are not encrypted.
            extra_arguments=["--log-level=40"],
            resources={"metadata": {"path": str(source.parent.resolve())}},
            on_cell_executed=lambda **_: bar.update(),
        )
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            client.execute()
        except CellExecutionError as error:
            last = error.evalue or error.ename
            raise CellCountError(
                f"{source} stopped: {last} The cells up to there are in {target}."
            ) from error
        finally:
            _drop_bars(notebook)
            nbformat.write(notebook, target)


def _drop_bars(notebook: "NotebookNode") -> None:
    """Leave out widgets, which without their kernel show as the text of a bar that never began."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [one for one in cell.outputs if _WIDGET not in one.get("data", {})]
    notebook.metadata.pop("widgets", None)
