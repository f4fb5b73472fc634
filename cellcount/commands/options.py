"""Options that several commands have: one name, one meaning."""

import argparse
from pathlib import Path
from typing import Any

CHECKPOINT = "what a training saved, or a shipped one, such as models/cells.pth"


def positive(text: str) -> int:
    """A whole number of at least 1, as argparse takes a type.

    Raises:
        ArgumentTypeError: it is none.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no whole number from 1 on")
    return int(text)


def add_epochs(command: argparse.ArgumentParser, default: int) -> None:
    """``--epochs``."""
    said = f"how often each photo is shown in training ({default})"
    command.add_argument("--epochs", type=positive, default=default, help=said)


def add_seed(command: argparse.ArgumentParser, default: int = 0) -> None:
    """``--seed``."""
    said = f"of all that is random; the same seed gives the same result ({default})"
    command.add_argument("--seed", type=int, default=default, help=said)


def add_minutes(command: argparse.ArgumentParser) -> None:
    """``--minutes``."""
    command.add_argument(
        "--minutes", type=float, default=8.0, help="at most, for all trainings together (8)"
    )


def add_recipe(command: argparse.ArgumentParser) -> None:
    """What may be set by hand of a recipe: ``--size`` and ``--steps``; and ``--minutes``."""
    add_minutes(command)
    command.add_argument("--size", type=positive, help="pixels of the longest side of photos")
    command.add_argument("--steps", type=positive, help="how many photos are shown in all")


def add_engine(command: argparse.ArgumentParser) -> None:
    """``--engine``."""
    said = "what computes the model: auto, openvino or torch (auto)"
    command.add_argument("--engine", default="auto", help=said)


def add_crew(command: argparse.ArgumentParser) -> None:
    """Where else to count: ``--workers`` and ``--scheduler``."""
    crew = command.add_mutually_exclusive_group()
    crew.add_argument(
        "--workers", type=positive, metavar="N", help="count in so many processes of this machine"
    )
    crew.add_argument(
        "--scheduler", metavar="ADDRESS", help="count on the Dask cluster of this scheduler"
    )


def add_view(command: argparse.ArgumentParser) -> None:
    """Which picture is taken of photos that have several: ``--channel`` and ``--z``."""
    command.add_argument(
        "--channel", help="of photos with several channels: its name, or its number from 1 on"
    )
    command.add_argument(
        "--z", help="of photos with several slices: sharpest, max or a number (sharpest)"
    )


def add_region(command: argparse.ArgumentParser) -> None:
    """Which part of photos is counted: ``--region`` and ``--edges``."""
    command.add_argument(
        "--region",
        metavar="circle|X,Y,WIDTH,HEIGHT|FILE",
        help="count this part only: the bright round field, a rectangle in pixels or percent of "
        "the photo (10%%,10%%,80%%,80%%), or a polygon, ImageJ's .roi or a CSV of x and y",
    )
    command.add_argument(
        "--edges",
        default="all",
        choices=("all", "two"),
        help="two: cells that touch the left or the top edge count, those that touch the right or "
        "the bottom one do not (all)",
    )


def by_hand(options: argparse.Namespace) -> dict[str, Any]:
    """The values of a recipe that the user has given."""
    given = {name: getattr(options, name) for name in ("size", "steps")}
    return {name: value for name, value in given.items() if value is not None}


def add_strict(command: argparse.ArgumentParser) -> None:
    """``--strict``."""
    said = "refuse labels with mistakes, instead of going on without those photos"
    command.add_argument("--strict", action="store_true", help=said)


def obey_strict(options: argparse.Namespace, *folders: Path) -> None:
    """Refuse folders of labelled photos with mistakes, if ``--strict`` was given.

    Raises:
        CellCountError: lists the mistakes of the first such folder.
    """
    if options.strict:
        from cellcount.labels.checks import check, refuse_errors

        for folder in folders:
            refuse_errors(check(folder))
