"""A folder of the project as a reader has it, for notebooks that are run for real."""

import shutil
from pathlib import Path

from cellcount.commands.demo import NOTEBOOKS
from tests.conftest import ROOT


def as_a_reader_has_it(folder: Path) -> Path:
    """Everything that the notebooks need, in ``folder``; what they write goes there too."""
    for name in ("data", "cellcount", "icevision_bridge"):
        (folder / name).symlink_to(ROOT / name)
    for name in NOTEBOOKS:
        shutil.copy(ROOT / name, folder)
    for name in ("models", "docs"):  # JupyterLab shows no picture that a link leads to
        shutil.copytree(ROOT / name, folder / name)
    (folder / "models" / "model_checkpoint.pth").unlink(missing_ok=True)
    return folder
