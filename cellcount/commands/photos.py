"""The commands that bring photos: real ones and rendered ones."""

import argparse
from pathlib import Path
from typing import Any

from cellcount.commands.options import add_seed


def add(commands: Any) -> None:
    """Add them to argparse's ``commands``."""
    data = commands.add_parser("data", help="download the walkthrough's real photos, 100 MB, once")
    data.add_argument("--out", type=Path, default=Path("data/microalgae"), help="their folder")
    data.set_defaults(run=_data)

    render = commands.add_parser("render", help="make photos with cells and exact labels")
    render.add_argument("out", type=Path, help="folder to write to")
    render.add_argument("--photos", type=int, default=10, help="how many (10)")
    render.add_argument("--size", type=int, default=1024, help="pixels a side (1024)")
    render.add_argument(
        "--cells", type=int, nargs=2, default=(20, 140), metavar=("MIN", "MAX"), help="a photo"
    )
    render.add_argument("--no-labels", action="store_true", help="write no XML")
    add_seed(render)
    render.set_defaults(run=_render)


def _data(options: argparse.Namespace) -> None:
    from cellcount.photos import public_photos

    print(f"The photos are in {public_photos.download(options.out)}.")


def _render(options: argparse.Namespace) -> None:
    from cellcount.render import render_folder

    written = render_folder(
        options.out,
        photos=options.photos,
        seed=options.seed,
        size=options.size,
        cells=tuple(options.cells),
        labels=not options.no_labels,
    )
    print(f"{len(written)} photos are in {options.out}.")
