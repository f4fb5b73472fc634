"""The commands on labels: drawing, checking and exchanging them."""

import argparse
import shlex
from pathlib import Path
from typing import Any

from cellcount.commands.options import CHECKPOINT, add_minutes, add_view
from cellcount.labels.formats import FORMATS, WRITTEN


def add(commands: Any) -> None:
    """Add them to argparse's ``commands``."""
    label = commands.add_parser("label", help="draw boxes around cells with labelImg")
    label.add_argument("folder", type=Path, nargs="?", help="photos (data/labeled)")
    label.add_argument("--classes", nargs="+", default=[], metavar="NAME", help="labels to offer")
    label.set_defaults(run=_label)

    prelabel = commands.add_parser("prelabel", help="let a model draw boxes for you to correct")
    prelabel.add_argument("folder", type=Path, help="photos, some of them perhaps labelled")
    prelabel.add_argument(
        "--model",
        type=Path,
        default=Path("models/model_checkpoint.pth"),
        help=f"{CHECKPOINT} (models/model_checkpoint.pth)",
    )
    prelabel.add_argument(
        "--measure",
        type=int,
        metavar="N",
        help="write nothing; train on N labelled photos, say how much work the others leave",
    )
    add_minutes(prelabel)
    add_view(prelabel)
    prelabel.set_defaults(run=_prelabel)

    check = commands.add_parser("check", help="look for mistakes in labelled photos, or mend them")
    check.add_argument("folder", type=Path, help="photos with their XML beside them")
    check.add_argument(
        "--fix", action="store_true", help="mend what needs no guessing, and keep the originals"
    )
    add_view(check)
    check.set_defaults(run=_check)

    bring = commands.add_parser("import", help="bring labels from other programs")
    bring.add_argument("source", type=Path, help="folder, zip or file of another program")
    bring.add_argument("folder", type=Path, help="gets photos with XML beside them")
    bring.add_argument("--format", choices=FORMATS, help="of the source (found out)")
    bring.add_argument("--label", default="cell", help="class of cells that have none (cell)")
    bring.add_argument(
        "--diameter", type=float, metavar="PIXELS", help="of cells that are marked by points"
    )
    bring.add_argument(
        "--split", action="store_true", help="take each connected part of a mask for a cell"
    )
    bring.set_defaults(run=_import)

    export = commands.add_parser("export", help="copy labelled photos for other programs")
    export.add_argument("folder", type=Path, help="photos with their XML beside them")
    export.add_argument("target", type=Path, help="folder to make")
    export.add_argument("--format", choices=WRITTEN, required=True)
    export.set_defaults(run=_export)


def _label(options: argparse.Namespace) -> None:
    from cellcount.labelling import launch
    from cellcount.photos import folders

    launch.label(options.folder or folders.data_folder() / "labeled", options.classes)


def _prelabel(options: argparse.Namespace) -> None:
    if options.measure is not None:
        from cellcount.labelling import annotation_effort

        annotation_effort.measure(options.folder, options.measure, options.minutes)
        return
    from cellcount.labelling.prelabelling import prelabel

    print(prelabel(options.folder, options.model))
    print(
        "Correct the boxes in this order, in labelImg or in a notebook with "
        f"cc.label({str(options.folder)!r}). Nothing learns from a photo until you confirm it: "
        "space in labelImg, Submit in the notebook."
    )


def _check(options: argparse.Namespace) -> int:
    from cellcount.labels import checks, mending

    if options.fix:
        for done in mending.mend(options.folder):
            print(done)
    checked = checks.check(options.folder)
    checks.tell(checked)
    return 1 if checked.errors else 0


def _import(options: argparse.Namespace) -> None:
    from cellcount.labels.exchange import import_labels

    moved = import_labels(
        options.source,
        options.folder,
        options.format,
        label=options.label,
        diameter=options.diameter,
        split=options.split,
    )
    print(
        f"{options.folder} now has {moved.photos} more labelled photos, with {moved.boxes} boxes."
    )
    if moved.empty:
        print(
            f"{moved.empty} of them have no box: it will be learned that they hold no cell. Delete "
            "the XML of those that nobody has labelled yet."
        )
    print(f"python -m cellcount check {shlex.quote(str(options.folder))} looks for mistakes.")


def _export(options: argparse.Namespace) -> None:
    from cellcount.labels.exchange import export_labels

    moved = export_labels(options.folder, options.target, options.format)
    print(f"{moved.photos} photos with {moved.boxes} boxes are in {options.target}.")
