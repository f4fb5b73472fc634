"""Options that several commands have: one name, one meaning."""

import argparse


def positive(text: str) -> int:
    """A whole number of at least 1, as argparse takes a type.

    Raises:
        ArgumentTypeError: it is none.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no whole number from 1 on")
    return int(text)


def add_epochs(command: argparse.ArgumentParser, default: int | None = None) -> None:
    """``--epochs``; without a default, the training has its own."""
    said = "how often each photo is shown in training"
    command.add_argument("--epochs", type=positive, default=default, help=_with(said, default))


def add_seed(command: argparse.ArgumentParser, default: int = 0) -> None:
    """``--seed``."""
    said = "of all that is random; the same seed gives the same result"
    command.add_argument("--seed", type=int, default=default, help=_with(said, default))


def _with(said: str, default: int | None) -> str:
    return said if default is None else f"{said} ({default})"
