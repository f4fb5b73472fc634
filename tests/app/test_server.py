"""What is asked over HTTP: counts, limits, and nothing of another visitor's or of the disk."""

import csv
import io
import json
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from cellcount.app import visits
from cellcount.app.server import OWN_HEADER
from cellcount.counting.counter import Counter
from cellcount.photos.view import View
from tests.app.conftest import Bright, squares
from tests.conftest import ROOT


def table_of(page, visit):
    status, content = page.raw("GET", f"{visit}/counts.csv")
    assert status == 200
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))


def folders(page):
    return [one.folder for one in page.service.visits._open.values()]


def change(page, visit, **asked):
    return page.ask(visit, "PUT", json.dumps(asked).encode())


def test_count_is_that_of_the_command_line_in_page_and_table(page, counter, photo, tmp_path):
    visit = page.begin()
    page.send(visit, "photo.png", photo.read_bytes())
    [shown] = page.counted(visit)["photos"]
    assert shown["n"] == 3 == counter.count(photo).n
    assert shown["classes"][0]["boxes"] == counter.count(photo).boxes.tolist()
    [row] = table_of(page, visit)
    counter.count_all([photo], tmp_path / "counts.csv")
    [same] = csv.DictReader((tmp_path / "counts.csv").open(encoding="utf-8-sig"))
    assert {**row, "seconds": ""} == {**same, "seconds": ""}
    status, report = page.raw("GET", f"{visit}/report.html")
    assert status == 200
    shown = report.decode()
    assert "photo.png" in shown and "data:image/jpeg" in shown and row["model"] in shown
    for x, y, right, _ in counter.count(photo).boxes.round().astype(int).tolist():
        assert f"M{x} {y}h{right - x}" in shown  # its boxes
    assert str(tmp_path) not in shown  # nothing tells where it lay


@pytest.mark.parametrize(("threshold", "cells"), [(0.05, 5), (0.3, 4), (0.7, 2), (1.0, 0)])
def test_threshold_moves_boxes_counts_and_table(page, photo, tmp_path, threshold, cells):
    visit = page.begin()
    page.send(visit, "photo.png", photo.read_bytes())
    page.counted(visit)
    status, shown = change(page, visit, threshold=threshold)
    assert status == 200
    assert shown["photos"][0]["n"] == len(shown["photos"][0]["classes"][0]["boxes"]) == cells
    [row] = table_of(page, visit)
    other = Counter(tmp_path / "bright.pth", threshold, Bright())
    assert int(row["count"]) == cells == other.count(photo).n
    assert row["options"] == f"threshold {threshold}"


def test_concentration_of_a_chamber(page, photo):
    visit = page.begin()
    for name in ("a.png", "b.png"):
        page.send(visit, name, photo.read_bytes())
    page.counted(visit)
    _, shown = change(page, visit, chamber="neubauer-improved", squares=1, dilution=2)
    # 3 cells in 0.1 microlitres are 30,000 in a millilitre, twice that before it was diluted.
    assert shown["total"]["concentration"].startswith("6e+04 (")
    assert shown["photos"][0]["concentration"].startswith("6e+04 (")
    status, refused = change(page, visit, threshold=50)
    assert status == 400 and "from 0.05 to 1" in refused["sentence"]


def test_bad_files_get_a_sentence_beside_the_others_counts(page, photo):
    visit = page.begin()
    page.send(visit, "good.png", photo.read_bytes())
    page.send(visit, "bad.png", photo.read_bytes()[:60])
    page.send(visit, "empty.tif", b"")
    page.send(visit, "notes.txt", b"notes")
    good, bad, empty, notes = page.counted(visit)["photos"]
    assert good["n"] == 3
    assert "again from the camera" in bad["why"]
    assert "The file is empty" in empty["why"]
    assert "no photo by its name" in notes["why"]
    assert str(folders(page)[0]) not in str((bad, empty, notes))
    assert [row["trust"] for row in table_of(page, visit)] == ["", "failed", "failed", "failed"]


def test_channel_is_asked_for_and_can_be_changed(page):
    file = io.BytesIO()
    both = np.stack([squares(250), squares(250, 250)])
    tifffile.imwrite(
        file, both, ome=True, metadata={"axes": "CYX", "Channel": {"Name": ["A", "B"]}}
    )
    visit = page.begin()
    page.send(visit, "a.ome.tif", file.getvalue())
    shown = page.counted(visit)
    assert shown["channels"] == ["A", "B"]
    assert "several channels" in shown["photos"][0]["why"]
    assert "--channel" not in shown["photos"][0]["why"]
    for channel, cells in (("A", 1), ("B", 2)):
        assert change(page, visit, channel=channel)[0] == 200
        assert page.counted(visit)["photos"][0]["n"] == cells
    assert table_of(page, visit)[0]["options"] == "channel B"


def test_a_file_of_several_photos_has_a_count_of_each(page, tmp_path):
    visit, file = page.begin(), tmp_path / "pages.tif"
    for name, pages in (("a.tif", 2), ("more.tif", 3)):
        photos = np.stack([squares(*[250] * (1 + number)) for number in range(pages)])
        tifffile.imwrite(file, photos, metadata=None, photometric="minisblack")
        page.send(visit, name, file.read_bytes())
    *shown, more = page.counted(visit)["photos"]
    assert [(one["name"], one["n"]) for one in shown] == [("a.tif[P1]", 1), ("a.tif[P2]", 2)]
    assert "room for 2 more" in more["why"]


def test_pictures_are_the_photos_with_boxes(page, photo):
    visit = page.begin()
    page.send(visit, "photo.png", photo.read_bytes())
    page.send(visit, "photo.png", photo.read_bytes())
    page.counted(visit)
    status, content = page.raw("GET", f"{visit}/counted.zip")
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert status == 200 and archive.testzip() is None
    assert archive.namelist() == ["photo.png.jpg", "photo-2.png.jpg"]
    assert Image.open(archive.open("photo.png.jpg")).size == (200, 60)
    number = page.counted(visit)["numbers"][0]
    status, content = page.raw("GET", f"{visit}/photos/{number}/picture.jpg")
    assert status == 200 and Image.open(io.BytesIO(content)).size == (200, 60)


@pytest.mark.parametrize(
    "path",
    [
        "/../pyproject.toml",
        "/%2e%2e/pyproject.toml",
        "/..%2f..%2fpyproject.toml",
        "//etc/passwd",
        "/page.js/../server.py",
        "/page.js%00.py",
        "/page/index.html",
        "/server.py",
        "/visits/../../../etc/passwd",
        "KEY/photos/../counts.csv",
        "KEY/photos/1/../../../page.js",
        "KEY/photos/1/picture.jpg/../../../../etc/passwd",
        "KEY/1.png",
        "KEY/photos/%2e%2e",
    ],
)
def test_no_path_reaches_a_file(page, photo, path):
    visit = page.begin()
    page.send(visit, "photo.png", photo.read_bytes())
    for method in ("GET", "DELETE", "PUT", "POST"):
        body = None if method == "GET" else b"{}"
        headers = {OWN_HEADER: "1"}
        status, content = page.raw(method, path.replace("KEY", visit), body, **headers)
        assert status in (404, 405)
        assert b"import" not in content and b"root:" not in content


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("..%2F..%2Fevil.png", "evil.png"),
        ("%2Fetc%2Fevil.png", "evil.png"),
        ("C:%5Cwindows%5Cevil.png", "evil.png"),
        ("%3Cimg%20src=x%20onerror=a()%3E.png", "<img src=x onerror=a()>.png"),
        ("evil%1B%5B31m%0A.png", "evil [31m.png"),
        ("e" * 3000 + ".png", "e" * 116 + ".png"),
        ("%3D1%2B1.png", "=1+1.png"),
    ],
)
def test_no_name_of_a_visitor_reaches_the_disk(page, photo, sent, shown):
    visit = page.begin()
    page.send(visit, sent, photo.read_bytes())
    assert page.counted(visit)["photos"][0]["name"] == shown
    [folder] = folders(page)
    assert [one.name for one in folder.iterdir()] == ["1.png"]
    assert folder.parent == Path(tempfile.gettempdir())
    assert folder.stat().st_mode & 0o077 == 0
    written = table_of(page, visit)[0]["photo"]
    assert written == (f"'{shown}" if shown.startswith("=") else shown)


def test_a_visit_belongs_to_its_key(page, photo):
    mine, other = page.begin(), page.begin()
    page.send(mine, "photo.png", photo.read_bytes())
    [number] = page.counted(mine)["numbers"]
    assert mine != other and len(mine) == len("/visits/") + 22
    for path in (f"{other}/photos/{number}/picture.jpg", f"{mine[:-1]}_/counts.csv", "/visits"):
        assert page.raw("GET", path)[0] in (404, 405)
    assert page.counted(other)["photos"] == []
    assert page.raw("GET", f"{other}/counts.csv")[0] == 400
    # Pages of other sites can send no header of their own, and have a name of their own.
    assert page.raw("DELETE", mine)[0] == 403
    assert page.raw("POST", "/visits", b"")[0] == 403
    assert page.raw("GET", mine, Host="evil.example")[0] == 403
    assert page.counted(mine)["photos"][0]["n"] == 3


def test_large_and_many_photos_are_refused(page, photo):
    visit, large = page.begin(), bytes(1_000_001)
    headers = {OWN_HEADER: "1"}
    told = {**headers, "Content-Length": str(len(large))}
    assert page.raw("POST", f"{visit}/photos?name=a.png", b"", **told)[0] == 413
    in_parts = {**headers, "Transfer-Encoding": "chunked"}  # which do not say how many will come
    for method, path in (("POST", f"{visit}/photos?name=a.png"), ("PUT", visit)):
        with pytest.raises((ConnectionError, AssertionError)):
            assert page.raw(method, path, large, **in_parts)[0] == 200
    assert [*folders(page)[0].iterdir()] == []
    status, _ = page.ask(f"{visit}/photos?name=a.png&size=1000001", "POST", b"")
    assert status == 200
    assert "larger than 1 MB" in page.counted(visit)["photos"][0]["why"]
    for _ in range(4):
        page.send(visit, "photo.png", photo.read_bytes())
    *_, last = page.counted(visit)["photos"]
    assert "ends at 4 photos" in last["why"]
    assert len([*folders(page)[0].iterdir()]) == 3


def test_a_photo_that_windows_keeps_while_it_is_read_goes_with_the_visit(photo, monkeypatch):
    def refuse(path, missing_ok=False):
        raise PermissionError(13, "in use", str(path))

    visit = visits.Visit(visits.Limits(), View())
    file = visit.new_file("photo.png")
    file.write_bytes(photo.read_bytes())
    (shown,) = visit.add(file, "photo.png", visits.look_into(file, View()))
    monkeypatch.setattr(Path, "unlink", refuse)
    visit.remove(shown)
    assert visit.photos == {}
    visit.end()
    assert not file.exists()


def test_photos_are_deleted_with_the_visit(page, photo, monkeypatch):
    visit, left = page.begin(), page.begin()
    for one in (visit, left):
        page.send(one, "photo.png", photo.read_bytes())
        page.counted(one)
    ended, idle = folders(page)
    [number] = page.counted(visit)["numbers"]
    assert page.ask(f"{visit}/photos/{number}", "DELETE")[0] == 200
    assert [*ended.iterdir()] == []
    assert page.ask(visit, "DELETE")[0] == 200
    status, gone = page.ask(visit)
    assert not ended.exists() and status == 404 and "Load the page again" in gone["sentence"]
    monkeypatch.setattr(visits, "_IDLE", -1)
    page.begin()
    assert not idle.exists()


def test_page_asks_nothing_of_other_computers():
    text = "".join(file.read_text() for file in (ROOT / "cellcount" / "app" / "page").iterdir())
    assert {one.split('"')[0] for one in text.split("://")[1:]} <= {"www.w3.org/2000/svg"}
