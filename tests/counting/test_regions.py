"""Which cells are of a region, against rules written out one by one, and on photos."""

import csv

import numpy as np
import pytest
from PIL import Image, ImageDraw
from roifile import ROI_TYPE, ImagejRoi

from cellcount.commands import main
from cellcount.commands.counting import SOME_FAILED
from cellcount.counting.counter import Counter
from cellcount.counting.drawing import draw_count
from cellcount.counting.regions import Region
from cellcount.errors import CellCountError
from tests.conftest import ROOT

MODEL = ROOT / "models" / "smear.pth"
PHOTO = sorted((ROOT / "data" / "not_labeled").glob("*.png"))[0]
PIXELS = np.zeros((200, 300, 3), np.uint8)


def some_boxes(number=3000):
    rng = np.random.default_rng(1)
    corners = rng.integers(0, [300, 200], (number, 2))
    return np.concatenate([corners, corners + rng.integers(1, 60, (number, 2))], 1).astype(float)


def where(text, edges="all"):
    return Region.asked(text, edges).on(None, PIXELS.shape[1::-1], PIXELS)


def test_two_edges_as_people_count_in_a_chamber():
    """Look at each box: does it touch the square, and which of its lines?"""
    boxes, (left, top, right, bottom) = some_boxes(), (60, 40, 160, 120)
    expected = []
    for xmin, ymin, xmax, ymax in boxes:
        on_square = xmax >= left and xmin <= right and ymax >= top and ymin <= bottom
        on_right, on_bottom = xmin <= right <= xmax, ymin <= bottom <= ymax
        expected.append(on_square and not on_right and not on_bottom)
    counted = where("60,40,100,80", "two").counted(boxes)
    assert counted.tolist() == expected and 0 < counted.sum() < len(boxes)


def test_squares_side_by_side_count_each_cell_once():
    boxes = some_boxes()
    boxes = boxes[(boxes[:, 2] < 275) & (boxes[:, 3] < 175)]
    for edges in ("two", "all"):
        times = sum(
            where(f"{x},{y},50,50", edges).counted(boxes + 0.25).astype(int)
            for x in range(0, 300, 50)
            for y in range(0, 200, 50)
        )
        assert (times == 1).all()


def test_cells_cut_by_the_rim_count_on_two_sides_of_the_photo():
    middle, near = [100, 100, 120, 120], [270, 100, 299.5, 120]
    rims = [[0, 90, 20, 110], [90, 0, 110, 20], [280, 90, 300, 110], [90, 180, 110, 200]]
    boxes = np.array([middle, near, *rims], dtype=float)
    assert where(None, "two").counted(boxes).tolist() == [True, False, True, True, False, False]
    assert where(None).counted(boxes).all() and where(None).area == 60_000


def test_percent_and_pixels():
    assert where("10%,20%,50%,25%").polygon.bounds == (30, 40, 180, 90)
    assert where("30,20%,150,50").area == 7500


def test_polygons_from_imagej_and_from_tables(tmp_path):
    corners = np.array([[20.0, 10], [220, 30], [120, 190]])
    doubled = corners[:, 0] @ np.roll(corners[:, 1], -1) - corners[:, 1] @ np.roll(
        corners[:, 0], -1
    )
    ImagejRoi.frompoints(corners).tofile(tmp_path / "a.roi")
    (tmp_path / "b.csv").write_text("x,y\n20,10\n220,30\n120,190\n")
    (tmp_path / "c.txt").write_text("20\t10\n220\t30\n120\t190\n")  # Save As > XY Coordinates
    (tmp_path / "d.xls").write_text(" \tX\tY\n1\t20\t10\n2\t220\t30\n3\t120\t190\n")  # Measure
    for name in ("a.roi", "b.csv", "c.txt", "d.xls"):
        outline = where(str(tmp_path / name))
        assert outline.area == pytest.approx(abs(doubled) / 2)
        boxes = np.array([[110, 70, 130, 90], [0, 150, 20, 170]], dtype=float)
        assert outline.counted(boxes).tolist() == [True, False]
    oval = ImagejRoi(roitype=ROI_TYPE.OVAL, left=50, top=20, right=150, bottom=180)
    oval.tofile(tmp_path / "oval.roi")
    outline = where(str(tmp_path / "oval.roi"))
    assert outline.area == pytest.approx(np.pi * 50 * 80, rel=1e-3)
    assert outline.polygon.bounds == pytest.approx((50, 20, 150, 180))


def test_imagej_draws_on_stored_pixels(tmp_path):
    """A phone's photo that EXIF turns to the right: what is left for ImageJ is above for us."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(PIXELS).save(tmp_path / "p.jpg", exif=exif)
    corners = np.array([[0, 0], [100, 0], [100, 200], [0, 200]], dtype=float)
    ImagejRoi.frompoints(corners).tofile(tmp_path / "a.roi")
    upright = np.zeros((300, 200, 3), np.uint8)
    outline = Region.asked(str(tmp_path / "a.roi")).on(
        tmp_path / "p.jpg", upright.shape[1::-1], upright
    )
    assert outline.polygon.bounds == (0, 0, 200, 100)


@pytest.mark.parametrize(
    ("text", "edges", "says"),
    [
        ("square", "all", "give circle"),
        ("no.roi", "all", "cannot be read"),
        ("10,10,0,5", "all", "no area"),
        ("circle", "two", "of rectangles only"),
        ("line.roi", "all", "no area"),
        ("crossed.csv", "all", "crosses itself"),
        ("words.csv", "all", "columns x and y"),
        ("cut.roi", "all", "cannot be read"),
        ("250,10,100,20", "all", "reaches beyond the photo of 300 x 200"),
        ("circle", "all", "No bright round field"),
    ],
)
def test_what_is_no_region_is_told(text, edges, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ImagejRoi(roitype=ROI_TYPE.LINE, x1=1, y1=1, x2=9, y2=9).tofile(tmp_path / "line.roi")
    (tmp_path / "cut.roi").write_bytes((tmp_path / "line.roi").read_bytes()[:20])
    (tmp_path / "crossed.csv").write_text("0,0\n10,10\n10,0\n0,10\n")
    (tmp_path / "words.csv").write_text("a,b\n1,2\n")
    with pytest.raises(CellCountError, match=says):
        where(text, edges)


@pytest.fixture(scope="module")
def round_photo(tmp_path_factory):
    """A photo seen through an eyepiece; what lies beyond the field is black."""
    folder = tmp_path_factory.mktemp("round")
    picture = Image.open(PHOTO).convert("RGB")
    mask = Image.new("L", picture.size)
    ImageDraw.Draw(mask).ellipse((38, 38, 218, 218), fill=255)
    Image.composite(picture, Image.new("RGB", picture.size), mask).save(folder / "round.png")
    picture.save(folder / "whole.png")
    return folder


def test_the_command_counts_the_round_field_or_says_why_not(round_photo, tmp_path, capsys):
    table = tmp_path / "counts.csv"
    command = ["count", str(MODEL), str(round_photo), "--out", str(table), "--um-per-px", "2"]
    assert main.main([*command, "--region", "circle"]) == SOME_FAILED
    with table.open(newline="", encoding="utf-8-sig") as file:
        rows = {row["photo"]: row for row in csv.DictReader(file)}
    assert "No bright round field was found" in rows["whole.png"]["why"]
    assert rows["whole.png"]["count"] == ""
    row = rows["round.png"]
    assert float(row["area px"]) == pytest.approx(np.pi * 90**2, rel=0.03)
    assert float(row["area mm2"]) == pytest.approx(np.pi * 0.18**2, rel=0.03)
    assert "region circle" in row["options"]
    # Another region is another count, though the table has one of each photo.
    assert main.main([*command, "--region", "0,0,50%,100%", "--edges", "two"]) == 0
    with table.open(newline="", encoding="utf-8-sig") as file:
        assert {row["area px"] for row in csv.DictReader(file)} == {str(128 * 256)}
    capsys.readouterr()


def test_halves_of_a_photo_add_up_and_have_intervals(tmp_path):
    whole = Counter(MODEL).count(PHOTO)
    halves = [
        Counter(MODEL, region=region, edges=edges).count(PHOTO)
        for region, edges in (("0,0,50%,100%", "two"), ("50%,0,50%,100%", "all"))
    ]
    both = Counter(MODEL, edges="two").count(PHOTO)
    assert both.n < whole.n
    for half in halves:
        assert half.low is not None and half.low <= half.n <= half.high
        assert 0 < half.n < whole.n and half.outline is not None
    pictures = [draw_count(PHOTO, one) for one in (whole, halves[0])]
    assert whole.outline is None and pictures[0] != pictures[1]
