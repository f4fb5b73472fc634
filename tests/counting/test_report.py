"""The page of a table of counts: what it says, what it must not run, and how large it grows."""

import base64
import io
import os
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from cellcount.commands import main
from cellcount.commands.counting import SOME_FAILED
from cellcount.counting.count import Count, Number
from cellcount.counting.counter import Counter
from cellcount.counting.found import found_beside, with_boxes
from cellcount.counting.report import page as report
from cellcount.counting.report.histogram import bars
from cellcount.counting.report.page import write_report
from cellcount.counting.report.pictures import MOST_BOXES, Picture
from cellcount.counting.table import CountTable, read_rows
from cellcount.errors import CellCountError
from cellcount.photos.view import View
from tests.conftest import ROOT

MODEL = ROOT / "models" / "smear.pth"
PHOTOS = sorted((ROOT / "data" / "not_labeled").glob("*.png"))[:2]
HOSTILE = '<script>alert(1)<|script>" onload="alert(2).png'


class Page(HTMLParser):
    """The rows of a page's tables as texts, its tags, and the boxes drawn on each picture."""

    def __init__(self, file):
        super().__init__()
        self.open, self.rows, self.tags, self.texts, self.drawn = False, [], [], [], []
        self.feed(file.read_text("utf-8"))

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self.open = True
        if tag == "image":
            self.drawn.append([])
        if tag == "path" and self.drawn:
            path = re.findall(r"M(-?\d+) (-?\d+)h(-?\d+)v(-?\d+)", dict(attributes)["d"])
            boxes = np.array(path, dtype=int)
            self.drawn[-1] += np.column_stack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]]).tolist()

    def handle_data(self, data):
        self.texts.append(data.strip())
        if self.open:
            self.rows[-1][-1] += f" {data.strip()}"

    def handle_endtag(self, tag):
        self.open = self.open and tag not in ("td", "th")

    def row(self, word):
        rows = [[" ".join(cell.split()) for cell in row] for row in self.rows]
        (found,) = [row for row in rows if any(word in cell for cell in row)]
        return found


@pytest.fixture
def folder(tmp_path):
    """Two photos, one of a name that is a script, and one that is cut short."""
    made = tmp_path / "photos"
    made.mkdir()
    (made / HOSTILE).write_bytes(PHOTOS[0].read_bytes())
    (made / "b.png").write_bytes(PHOTOS[1].read_bytes())
    (made / "cut.png").write_bytes(PHOTOS[1].read_bytes()[:3000])
    return made


def a_count(name, n=5, why=()):
    boxes = np.array([[10 * i, 0, 10 * i + 8.04, 8] for i in range(n)], dtype=float).reshape(-1, 4)
    kinds = np.array(["<b>" if i else "dead" for i in range(n)], dtype=str)
    by_class = {"<b>": Number(max(n - 1, 0)), "dead": Number(min(n, 1))}
    return Count(name, n, boxes, np.full(n, 0.5), kinds=kinds, by_class=by_class, why=why)


def a_table(path, counts, failed=(), options=""):
    with CountTable(path, ["<b>", "dead"], "m", options) as rows:
        for one in counts:
            rows.add(one, 0.1)
        for name in failed:
            rows.fail(name, f"<i>{name}</i> is empty")
    return path


def test_it_shows_what_was_counted_and_goes_on_after_a_stop(folder, tmp_path, capsys):
    table = tmp_path / "out" / "counts.csv"
    command = ["count", str(MODEL), str(folder), "--out", str(table), "--report"]
    assert main.main(command) == SOME_FAILED
    file = tmp_path / "out" / "counts-report.html"
    assert str(file) in capsys.readouterr().out
    page, counter = Page(file), Counter(MODEL)
    truth = [counter.count(folder / HOSTILE), counter.count(folder / "b.png")]
    assert page.drawn == [
        [
            list(box)
            for kind in one.by_class
            for box in one.boxes[one.kinds == kind].round(1).round()
        ]
        for one in truth
    ]
    for one in truth:
        cells = page.row(f"{one.photo} : ")
        assert f"{one.n} {one.low} to {one.high}" in cells
        assert cells[0].startswith(f"{one.photo} : {one.number} cells")
    assert "cut short" in page.row("cut.png")[1]
    assert "3 photos asked for" in " ".join(page.texts) and counter.classes[0] in page.texts
    (maker,) = [row for row in page.rows if any("smear.pth" in cell for cell in row)]
    assert maker[0].strip() == read_rows(table)[0].made_by[0]
    # Nothing of a photo's name is code, and nothing comes from elsewhere.
    assert [tag for tag, _ in page.tags].count("script") == 1
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("href", "src"):
            assert attributes.get(name, "data:").startswith("data:"), tag
    # A run that keeps the counts of the one before draws the same boxes; so does the other command.
    before = Page(file).drawn
    file.unlink()
    assert main.main(command) == SOME_FAILED
    assert Page(file).drawn == before
    file.unlink()
    assert main.main(["report", str(table), str(folder), "--by", ".", "--volume-ul", "0.1"]) == 0
    page = Page(file)
    assert page.drawn == before
    value = truth[1].n / 0.1 * 1000
    assert f"{value:.3g}" in " ".join(page.row(f"{value:.3g}"))
    # Photos or boxes that are not there any more are said to be missing.
    found_beside(table).unlink()
    (folder / "b.png").unlink()
    assert main.main(["report", str(table), str(folder)]) == 0
    page = Page(file)
    assert page.drawn == [[]] and "Its boxes were not kept" in " ".join(page.row("<|script>"))
    assert "The photo was not there" in page.row("b.png")[0]


def test_photos_to_look_at_come_first_and_reasons_are_no_code(tmp_path):
    table = a_table(
        tmp_path / "t.csv",
        [a_count("a.png"), a_count("z.png", why=("it is <u>darker</u>",))],
        ["<x>.png"],
    )
    write_report(table, {}, tmp_path / "r.html")
    page = Page(tmp_path / "r.html")
    names = [row[1].strip() for row in page.rows if len(row) == 6]
    assert names == ["photo", "z.png", "a.png"]
    assert "it is <u>darker</u>" in page.row("z.png")[-1]
    assert page.row("<x>.png")[1] == "<i><x>.png</i> is empty"
    assert not {"u", "i"} & {tag for tag, _ in page.tags}


def test_boxes_of_another_model_or_of_a_run_that_was_killed_are_not_taken(tmp_path):
    table = a_table(tmp_path / "t.csv", [a_count("a.png", 2), a_count("b.png", 3), a_count("c", 0)])
    found = found_beside(table)
    other = tmp_path / "other.csv"
    a_table(other, [a_count("a.png", 5)], options="threshold 0.5")
    with found.open("ab") as file:  # a later run was killed before its first row
        file.write(found_beside(other).read_bytes())
        file.write(b'{"photo":"b.png","by":"')
    asked = {row.photo: (row.count, row.made_by) for row in read_rows(table)}
    got = with_boxes(asked, table)
    for name, n in (("a.png", 2), ("b.png", 3), ("c", 0)):
        assert got[name].boxes.tolist() == a_count(name, n).boxes.round(1).tolist()
        assert got[name].kinds.tolist() == a_count(name, n).kinds.tolist()
    # The run that goes on keeps those of its rows once each, and writes behind the torn line.
    photos = {name: tmp_path / name for name in ("a.png", "b.png")}
    for photo in photos.values():
        photo.touch()
    os.utime(table, (2e9, 2e9))
    with CountTable(table, ["<b>", "dead"], "m", "") as rows:
        assert rows.kept(photos).keys() == {"a.png", "b.png"}
        assert found.read_bytes().count(b"\n") == 2
        rows.add(a_count("d.png", 4), 0.1)
    asked = {row.photo: (row.count, row.made_by) for row in read_rows(table)}
    assert {name: len(one.boxes) for name, one in with_boxes(asked, table).items()} == {
        "a.png": 2,
        "b.png": 3,
        "d.png": 4,
    }


def test_pictures_stay_small_and_in_place(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (900, 1200, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    picture = Picture.of(tmp_path / "a.png", View(), most=20_000)
    jpeg = base64.b64decode(picture.jpeg)
    width, height = Image.open(io.BytesIO(jpeg)).size
    assert len(jpeg) <= 20_000 and width / height == pytest.approx(4 / 3, rel=0.02)
    assert picture.size == (1200, 900)
    many = a_count("a.png", MOST_BOXES + 5)
    assert picture.svg(many).count("h8v8h-8z") == MOST_BOXES
    assert 'stroke="' not in picture.svg()


def test_a_long_table_says_what_it_leaves_out(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "MOST_PICTURES", 2)
    monkeypatch.setattr(report, "MOST_ROWS", 3)
    Image.new("RGB", (60, 40)).save(tmp_path / "p.png")
    counts = [a_count(f"{i}.png", i) for i in range(5)]
    failed = [f"f{i}.png" for i in range(4)]
    table = a_table(tmp_path / "t.csv", counts, failed)
    write_report(table, dict.fromkeys([one.photo for one in counts], tmp_path / "p.png"), table)
    page = Page(table)  # which has taken the place of the table
    told = " ".join(page.texts)
    assert "3 photos have a row; the table t.csv has all 5" in told
    assert "1 more could not be counted" in told
    assert len(page.drawn) == 2 and "10 cells in all" in told


def test_bars_hold_every_photo_once():
    rng = np.random.default_rng(1)
    for most in (1, 2, 30, 5000):
        counts = rng.integers(0, most, 200).tolist()
        odd = (rng.random(200) < 0.2).tolist()
        found = bars(counts, odd)
        assert len(found) <= 22 and len({one.high - one.low for one in found}) == 1
        for one in found:
            some = [flag for n, flag in zip(counts, odd, strict=True) if one.low <= n <= one.high]
            assert (one.like, one.unlike) == (len(some) - sum(some), sum(some))
        assert sum(one.like + one.unlike for one in found) == 200


def test_what_cannot_be_reported_is_told(tmp_path):
    table = a_table(tmp_path / "t.csv", [a_count("a.png")])
    (tmp_path / "file").touch()
    with pytest.raises(CellCountError, match="cannot be written"):
        write_report(table, {}, tmp_path / "file" / "r.html")
    table.write_text(table.read_text("utf-8-sig").splitlines()[0] + "\n", "utf-8")
    with pytest.raises(CellCountError, match="holds no photo"):
        write_report(table, {}, tmp_path / "r.html")
    a_table(table, [a_count("a.png")])
    table.write_text(table.read_text("utf-8-sig")[:-20], "utf-8")
    with pytest.raises(CellCountError, match=r"row of a.png is cut short"):
        read_rows(table)


def test_nothing_counted_is_a_page_too(tmp_path):
    table = a_table(tmp_path / "t.csv", [], ["a.png"])
    write_report(table, {}, tmp_path / "r.html")
    assert "is empty" in " ".join(Page(tmp_path / "r.html").row("a.png"))
