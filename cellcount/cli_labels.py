"""The commands on labels: check, import and export; as in :mod:`cellcount.cli`."""

import argparse
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """Add them to the command line.

    Args:
        commands: what argparse's ``add_subparsers`` returned.
    """
    check = commands.add_parser("check", help="look for mistakes in labelled photos, or mend them")
    check.add_argument("folder", type=Path, help="photos with their XML beside them")
    check.add_argument(
        "--fix", action="store_true", help="mend what needs no guessing, and keep the originals"
    )
    check.set_defaults(run=_check)


def _check(options: argparse.Namespace) -> int:
    from cellcount import checks, mending

    if options.fix:
        for done in mending.mend(options.folder):
            print(done)
    checked = checks.check(options.folder)
    checks.tell(checked)
    return 1 if checked.errors else 0
