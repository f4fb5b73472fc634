"""``python -m benchmarks.looks``, of drawn photos that are laid out as public repositories are."""

import numpy as np
import pytest
from PIL import Image

from benchmarks.looks.__main__ import main
from benchmarks.looks.sources import SOURCES
from cellcount.labels import voc

ROUND = [(60, 60), (160, 60), (60, 150), (168, 150)]  # middles of cells


def _disks(height, width, radius=20, middles=ROUND):
    """(height, width), the number of the cell that each pixel is of, 0 for none."""
    y, x = np.mgrid[:height, :width]
    numbers = np.zeros((height, width), np.uint8)
    for number, (across, down) in enumerate(middles, start=1):
        numbers[(x - across) ** 2 + (y - down) ** 2 <= radius**2] = number
    return numbers


def _coloured(numbers, ground, cell):
    return np.where(numbers[..., None] > 0, np.uint8(cell), np.uint8(ground))


def _save(file, pixels):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(file)


def _write(file, lines):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines))


def _smears(clone):
    cells = _coloured(_disks(480, 640), [230, 230, 230], [200, 90, 120])
    for photo, points in (("1", ROUND), ("2", ROUND[:2])):  # half of its cells have no point
        _save(clone / "Dataset" / f"{photo}.jpg", cells)
        _write(clone / "Label" / f"{photo}.txt", [f"{x} {y} 0" for x, y in points])


def _tissue(clone):
    middles = [(50, 50), (120, 50), (50, 120), (120, 120), (200, 200), (400, 400)]
    nuclei = _coloured(_disks(490, 490, 9, middles), [240, 220, 235], [80, 50, 130])
    _save(clone / "images" / "a.png", nuclei)
    points = [f"{y} {x} 1" for x, y in middles]
    _write(clone / "labels" / "a_gt_class_coords.txt", points)


def _bacteria(clone):
    rods = _disks(512, 512, 8, [(40, 40), (300, 300)])
    for kind, times in (("binary", 1), ("brightfield", 9), ("fluorescence", 9)):
        _save(clone / "test" / "test_data" / "ds1" / kind / "00001.tif", times * rods)


def _culture(clone):
    cells = _disks(1022, 1024, middles=[(x + 510, y) for x, y in ROUND])
    folder = clone / "Mask R-CNN" / "train" / "set1"
    _save(folder / "instances_ids.png", cells)
    _save(folder / "raw.tif", 9 * cells)


def _blood(clone):
    cells = _disks(363, 360)
    photo = _coloured(cells, [250, 230, 200], [220, 170, 180])
    photo[cells == 1] = [90, 40, 140]
    kinds = {"a": [0, 1, 1, 2], "b": [None, 1, 1, 0]}  # on b, a white cell has no box
    for name in ("a", "a1", "a2", "b"):  # every third is looked at
        _save(clone / "TXL_PBC" / "images" / "train" / f"{name}.jpg", photo)
        rows = [
            f"{kind} {x / 360} {y / 363} {40 / 360} {40 / 363}"
            for kind, (x, y) in zip(kinds[name[0]], ROUND, strict=True)
            if kind is not None
        ]
        again = rows if name == "b" else []
        _write(clone / "TXL_PBC" / "labels" / "train" / f"{name}.txt", [*rows, *again])


def _neurons(clone):
    cells = _disks(512, 512, 10)
    folders = {"cFOS": "cFOS", "transfer_learning/train": "new", "Parv": "Parv"}
    for folder, ending in folders.items():
        for number in range(6):
            file = clone / "sample_images" / folder / f"{number:02d}_{ending}.tif"
            _save(file, 9 * cells)
            _save(file.with_name(f"{number:02d}_expert.tif"), 255 * (cells > 0))


@pytest.mark.parametrize(
    ("source", "looks", "boxes", "sides"),
    [
        (("Chula-RBC-12-Dataset", _smears), {"chula": 1}, 4, {41}),
        (("TXL-PBC_Dataset", _blood), {"blood_pbc": 1}, 3, {40}),
        (("Dataset-BRCA-M2C", _tissue), {"brca": 1}, 5, {38}),
        (("ColiCoords", _bacteria), {"coli_brightfield": 2, "coli_fluorescence": 2}, 1, {34}),
        (("Usiigaci", _culture), {"usiigaci": 1}, 4, {41}),
        (
            ("DeepFLaSH", _neurons),
            {"neuron_cfos": 6, "neuron_cortex": 5, "neuron_parv": 6},
            4,
            {42, 52, 31},
        ),
    ],
)
def test_a_clone_becomes_photos_with_a_box_on_each_cell(source, looks, boxes, sides, tmp_path):
    repository, draw = source
    clone = tmp_path / "clones" / repository
    clone.mkdir(parents=True)
    draw(clone)
    main([str(tmp_path / "clones"), str(tmp_path / "out")])
    found = {folder.name: len(list(folder.glob("*.png"))) for folder in tmp_path.glob("out/*")}
    assert found == looks
    for xml in tmp_path.glob("out/*/*.xml"):
        label = voc.read(xml)
        assert len(label.boxes) == boxes
        with Image.open(xml.with_suffix(".png")) as photo:
            assert photo.size == (label.width, label.height)
        for box in label.boxes:
            for side in (box.xmax - box.xmin, box.ymax - box.ymin):
                assert min(abs(side - one) for one in sides) <= 3


def test_what_was_not_cloned_is_said(tmp_path, capsys):
    main([str(tmp_path), str(tmp_path / "out")])
    printed = capsys.readouterr().out
    assert all(f"Left out: {repository}, which is not in" in printed for repository in SOURCES)
