"""``python -m benchmarks.looks CLONES OUT``: labelled photos of cells from public repositories.

CLONES holds clones of what :mod:`benchmarks.looks.sources` names, each in a folder of its
repository's name. OUT gets a folder a look, of photos with Pascal VOC labels, as ``cellcount
pretrain`` takes them. Of people's points and masks, boxes are made by machine. A repository that is
not there is left out, and it is said.
"""

import argparse
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from benchmarks.looks.boxes import Labelled
from benchmarks.looks.sources import SOURCES
from cellcount.labels import voc


def main(arguments: list[str] | None = None) -> None:
    """Write the photos of each look that has its repository in CLONES."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.looks", description=main.__doc__)
    parser.add_argument("clones", type=Path, help="folder of clones")
    parser.add_argument("out", type=Path, help="folder to write")
    options = parser.parse_args(arguments)
    for repository, gather in SOURCES.items():
        clone = options.clones / repository
        if not clone.is_dir():
            print(f"Left out: {repository}, which is not in {options.clones}.")
            continue
        for one in tqdm(gather(clone), desc=repository, unit="photo"):
            _write(options.out / one.look, one)


def _write(folder: Path, one: Labelled) -> None:
    """A photo and its XML."""
    folder.mkdir(parents=True, exist_ok=True)
    photo = folder / f"{one.name}.png"
    Image.fromarray(one.photo).save(photo)
    height, width = one.photo.shape[:2]
    boxes = tuple(voc.Box("cell", *corners) for corners in one.boxes.round().astype(int).tolist())
    voc.write(photo.with_suffix(".xml"), voc.Annotation(photo.name, width, height, boxes))


if __name__ == "__main__":
    main()
