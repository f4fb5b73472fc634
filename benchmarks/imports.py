"""From a fresh start of Python, its files in the system's cache, until something can be used."""

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.counting import CHECKPOINT, export
from benchmarks.effort import Effort
from benchmarks.interleave import interleave, python
from benchmarks.photos import BUNDLED
from benchmarks.plain import LOADED_LATER
from benchmarks.table import Row

_STAR = "from icevision.all import *"
_BRIDGED = f"import cellcount as cc; cc.apply_bridge(); {_STAR}"
_ALL_AT_ONCE = f"from benchmarks.plain import leave_out; leave_out({LOADED_LATER!r}); {_STAR}"


def measure(effort: Effort) -> list[Row]:
    """Imports, the help, and the command that counts one photo."""
    return [*_light(effort), _icevision(effort), _count(effort)]


def _light(effort: Effort) -> list[Row]:
    ways = {
        "import cellcount": partial(python, "-c", "import cellcount"),
        "python -m cellcount --help": partial(python, "-m", "cellcount", "--help"),
    }
    bare = partial(python, "-c", "pass")
    found = interleave({**ways, "bare": bare}, effort.repeats(7))
    return [Row.of(f"`{name}`", found[name], found["bare"], "`python -c pass`") for name in ways]


def _icevision(effort: Effort) -> Row:
    ways = {"ours": partial(python, "-c", _BRIDGED), "plain": partial(python, "-c", _ALL_AT_ONCE)}
    found = interleave(ways, effort.repeats(3), effort.warm_ups)
    return Row.of(
        f"`{_STAR}`, bridged",
        found["ours"],
        found["plain"],
        "the same without loading later",
        must=2,
        aim=4,
    )


def _count(effort: Effort) -> Row:
    export()
    photo = str(BUNDLED[0])
    with TemporaryDirectory() as folder:
        table = str(Path(folder) / "counts.csv")
        ways = {
            "ours": partial(python, "-m", "cellcount", "count", CHECKPOINT, photo, "--out", table),
            "plain": partial(
                python,
                "-c",
                f"from benchmarks.plain import count_once; count_once({CHECKPOINT!r}, {photo!r})",
            ),
        }
        found = interleave(ways, effort.repeats(3), effort.warm_ups)
    return Row.of(
        "command line, one photo of 1024 px to count from a cold start",
        found["ours"],
        found["plain"],
        "IceVision's end2end_detect, the same checkpoint, nothing loaded later",
    )
