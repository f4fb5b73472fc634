"""The command line: ``cellcount COMMAND``, or ``python -m cellcount COMMAND``.

Each file beside this one holds a group of commands. What a command needs is imported when it runs,
so that ``--help`` answers at once.
"""

import argparse
import io
import sys
from collections.abc import Sequence

from cellcount.commands import app, counting, demo, doctor, judging, labels, photos, study, training
from cellcount.photos.view import View
from icevision_bridge.errors import BridgeError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status: 0 done, 1 told what to mend, 3 done in part."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # Windows' encodings lack letters of names
        sys.stdout.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(arguments)
    try:
        with View(*(getattr(options, name, None) for name in ("channel", "z"))).chosen_for_all():
            return int(options.run(options) or 0)
    except BridgeError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped. What has been written is kept.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cellcount",
        description="Count cells on microscope photos with a detector you trained yourself.",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for group in (doctor, demo, app, counting, study, judging, training, photos, labels):
        group.add(commands)
    return parser
