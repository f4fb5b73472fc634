"""The public photos, fetched from a real HTTP server on this machine that misbehaves on demand."""

import csv
import hashlib
import random
import re
from pathlib import Path

import pytest

from cellcount.errors import CellCountError
from cellcount.photos import public_photos
from tests.shared.loopback import nobody, serve

ROOT = Path(__file__).parents[2]
REAL = ROOT.parent / "shared" / "microalgae"

CONTENT = {
    "data/labeled/one µ #1.jpg": random.Random(1).randbytes(300_000),
    "data/labeled/one µ #1.xml": b"<annotation/>",
    "data/not_labeled/two.jpg": random.Random(2).randbytes(200_000),
}
FIRST = "data/labeled/one µ #1.jpg"


@pytest.fixture
def server(monkeypatch):
    with serve(CONTENT, monkeypatch) as running:
        yield running


@pytest.fixture
def manifest(tmp_path):
    rows = [[p, len(b), hashlib.sha256(b).hexdigest()] for p, b in CONTENT.items()]
    path = tmp_path / "manifest.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["path", "bytes", "sha256"], *rows])
    return path


@pytest.fixture
def fetch(server, manifest, tmp_path):
    def run(**options):
        options = {"base_url": server.url, "manifest": manifest, "progress": False} | options
        return public_photos.download(tmp_path / "photos", **options)

    return run


def local(folder, path):
    return folder / path.removeprefix("data/")


def whole(folder):
    files = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    return files == {path.removeprefix("data/"): body for path, body in CONTENT.items()}


def test_everything_arrives_once(fetch, server, tmp_path):
    folder = fetch()
    assert folder == tmp_path / "photos"
    assert whole(folder)
    assert server.log == [(path, None) for path in CONTENT]
    assert whole(fetch())
    assert len(server.log) == len(CONTENT)


def test_it_says_whose_photos_these_are(fetch, capsys):
    fetch(progress=True)
    said, bar = capsys.readouterr()
    assert "3 of 3 files" in said
    assert "original author's" in said
    assert "no licence" in said
    assert "not redistributed" in said
    assert "/500k" in bar
    fetch(progress=True)
    assert capsys.readouterr().out == ""


def test_only_what_is_missing_or_wrong_is_fetched(fetch, server):
    folder = fetch()
    server.log.clear()
    local(folder, "data/labeled/one µ #1.xml").write_bytes(b"<annotatiom/>")
    local(folder, "data/not_labeled/two.jpg").unlink()
    assert whole(fetch())
    assert [path for path, _ in server.log] == [
        "data/labeled/one µ #1.xml",
        "data/not_labeled/two.jpg",
    ]


@pytest.mark.parametrize("fault", ["dies half-way", "ends early"])
def test_a_break_is_mended_within_one_run(fetch, server, fault):
    server.plan[FIRST] = [fault, fault]
    assert whole(fetch())
    first, second, third = server.asked(FIRST)
    assert first is None
    assert 0 < int(second[6:-1]) <= 150_000
    assert 150_000 < int(third[6:-1]) <= 225_000


def test_a_server_gone_half_way_is_resumed_by_the_next_run(fetch, server):
    server.plan[FIRST] = ["dies half-way", 503, 503, 503]
    with pytest.raises(public_photos.DownloadError, match=r"answers 503 .*one µ #1\.jpg.* goes on"):
        fetch()
    assert not local(Path(fetch()), FIRST).with_suffix(".jpg.part").exists()
    *_, resumed = server.asked(FIRST)
    assert 100_000 < int(resumed[6:-1]) <= 150_000
    assert whole(fetch())


def test_a_server_that_ignores_range_starts_over(fetch, server):
    server.plan[FIRST] = ["dies half-way", "ignores range"]
    assert whole(fetch())
    assert len(server.asked(FIRST)) == 2


def test_a_server_that_cannot_satisfy_the_range_starts_over(fetch, server):
    server.plan[FIRST] = ["dies half-way", 416]
    assert whole(fetch())
    assert server.asked(FIRST)[2] is None


@pytest.fixture
def bars(monkeypatch):
    """Where each progress bar stood when it was closed, and its total."""
    seen = []

    class Kept(public_photos.Bar):
        def close(self):
            if not self.disable:  # as it is once closed
                seen.append((self.n, self.total))
            super().close()

    monkeypatch.setattr(public_photos, "Bar", Kept)
    return seen


def test_the_bar_ends_full_whatever_happens(fetch, server, bars):
    server.plan[FIRST] = ["dies half-way", "ignores range"]
    server.plan["data/not_labeled/two.jpg"] = ["dies half-way", *[503] * 3]
    with pytest.raises(public_photos.DownloadError):
        fetch(progress=True)
    server.plan["data/not_labeled/two.jpg"] = [416, "dies half-way"]
    fetch(progress=True)
    assert 300_013 < bars[0][0] < 500_013 == bars[0][1]
    assert bars[1] == (200_000, 200_000)


def test_an_answer_that_does_not_end_is_left(fetch, server, bars):
    server.plan[FIRST] = ["too long"]
    with pytest.raises(public_photos.DownloadError, match="wrong content"):
        fetch(progress=True)
    assert bars[0][0] < 320_000


@pytest.mark.parametrize("fault", ["wrong bytes", "too long"])
def test_wrong_content_is_named_deleted_and_fetched_anew(fetch, server, tmp_path, fault):
    path = "data/not_labeled/two.jpg"
    server.plan[path] = [fault]
    with pytest.raises(
        CellCountError, match=r"data/not_labeled/two\.jpg .*wrong content .*deleted"
    ):
        fetch()
    left = {p.name for p in (tmp_path / "photos").rglob("*") if p.is_file()}
    assert left == {"one µ #1.jpg", "one µ #1.xml"}
    assert whole(fetch())
    assert server.asked(path) == [None, None]


@pytest.mark.parametrize(("status", "tries"), [(404, 1), (403, 1), (500, 4), (429, 4)])
def test_a_refusal_is_named_and_retried_only_if_that_may_help(fetch, server, status, tries):
    server.plan[FIRST] = [status] * 9
    with pytest.raises(public_photos.DownloadError) as raised:
        fetch()
    sentence = str(raised.value)
    for part in (f"answers {status}", FIRST, "kept in", "running this again goes on", "data/"):
        assert part in sentence
    assert len(server.asked(FIRST)) == tries


def test_a_passing_fault_is_retried(fetch, server):
    server.plan[FIRST] = [500, 503, 429]
    assert whole(fetch())


def test_offline_is_said_in_one_sentence(fetch):
    with pytest.raises(public_photos.DownloadError, match="This computer is offline or") as raised:
        fetch(base_url=nobody())
    assert str(raised.value).count(". ") == 0


def test_complete_photos_need_no_network(fetch):
    fetch()
    assert whole(fetch(base_url=nobody()))


def test_a_folder_that_cannot_be_made_is_named(fetch, tmp_path):
    (tmp_path / "photos").write_text("in the way")
    with pytest.raises(public_photos.DownloadError, match=r"one µ #1\.jpg cannot be stored"):
        fetch()


def test_the_notebooks_go_on_with_the_bundled_photos(monkeypatch, tmp_path, capsys):
    def offline(folder):
        raise public_photos.DownloadError("This computer is offline.")

    monkeypatch.setattr(public_photos, "download", offline)
    assert public_photos.microalgae(tmp_path) == ROOT / "data"
    assert capsys.readouterr().out == "This computer is offline.\n"


def test_the_notebooks_get_the_real_photos(monkeypatch, tmp_path):
    monkeypatch.setattr(public_photos, "download", Path)
    assert public_photos.microalgae(tmp_path) == tmp_path


def rows():
    with public_photos.MANIFEST.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_carried_manifest_is_whole():
    assert len(rows()) == 110
    for row in rows():
        assert re.fullmatch(r"data/(labeled|not_labeled)/[\w.-]+\.(jpg|xml)", row["path"])
        assert re.fullmatch(r"[0-9a-f]{64}", row["sha256"])
        assert 0 < int(row["bytes"]) < 5_000_000
    assert len({row["path"] for row in rows()}) == 110


@pytest.mark.skipif(not REAL.is_dir(), reason="the real photos are not beside this repository")
def test_the_carried_manifest_fits_the_real_photos():
    known = {row["path"].removeprefix("data/"): row for row in rows()}
    files = [path for path in REAL.glob("*labeled/*") if path.is_file()]
    assert files
    for path in files:
        row = known[path.relative_to(REAL).as_posix()]
        assert path.stat().st_size == int(row["bytes"])
        assert hashlib.sha256(path.read_bytes()).hexdigest() == row["sha256"]
