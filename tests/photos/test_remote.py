"""Photos in a real object store on this machine (moto's server), by the addresses of both kinds.

The gs:// client speaks Google's XML interface, which is S3's, to the same server.
"""

import csv
import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import requests

from cellcount.commands import main
from cellcount.errors import CellCountError
from cellcount.photos import remote
from cellcount.photos.reading import read_photo
from tests.conftest import ROOT
from tests.shared.loopback import nobody

pytest.importorskip("obstore", reason="obstore is in requirements-cluster.txt")
pytest.importorskip("moto", reason="moto is in requirements-dev.txt")

MODEL = ROOT / "models" / "smear.pth"
PHOTOS = sorted((ROOT / "data" / "not_labeled").glob("*.png"))[:3]


@pytest.fixture(scope="module")
def server():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    asked = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(asked, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 120
        with requests.Session() as session:
            session.trust_env = False  # no proxy
            while True:
                try:
                    session.put(f"{url}/photos").raise_for_status()
                    break
                except requests.ConnectionError:
                    assert run.poll() is None and time.monotonic() < deadline
                    time.sleep(0.1)
            for name, content in {
                "day 1/": b"",
                "day 1/a.png": PHOTOS[0].read_bytes(),
                "day 1/ä.png": PHOTOS[1].read_bytes(),
                "day 1/cut.png": PHOTOS[1].read_bytes()[:3000],
                "day 1/notes.docx": b"notes",
                "day 1/deep/b.png": PHOTOS[2].read_bytes(),
                "nothing/readme.txt": b"none",
            }.items():
                put = session.put(
                    f"{url}/photos/{name}", data=content, headers={"x-amz-acl": "public-read"}
                )
                put.raise_for_status()
        yield url
        run.kill()


@pytest.fixture
def store(server, monkeypatch, tmp_path):
    account = tmp_path / "account.json"
    keys = dict.fromkeys(("client_email", "private_key", "private_key_id"), "")
    account.write_text(json.dumps({"gcs_base_url": server, "disable_oauth": True, **keys}))
    for name, value in {
        "AWS_ENDPOINT_URL": server,
        "AWS_ACCESS_KEY_ID": "me",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "GOOGLE_SERVICE_ACCOUNT": str(account),
        "NO_PROXY": "127.0.0.1,169.254.169.254",
    }.items():
        monkeypatch.setenv(name, value)
    remote._store.cache_clear()
    remote._modified.clear()
    yield server
    remote._store.cache_clear()


def count(table, *photos):
    status = main.main(["count", str(MODEL), *photos, "--out", str(table)])
    if not table.exists():
        return status, {}
    with table.open(newline="", encoding="utf-8-sig") as file:
        return status, {row["photo"]: row for row in csv.DictReader(file)}


@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_photos_are_counted_where_they_are(store, scheme, tmp_path, capsys):
    table, folder = tmp_path / "counts.csv", f"{scheme}://photos/day 1"
    status, rows = count(table, f"{folder}/", "--recursive")
    assert status == 3
    assert rows.keys() == {
        f"{folder}/{name}" for name in ("a.png", "ä.png", "cut.png", "deep/b.png")
    }
    assert "cut short" in rows[f"{folder}/cut.png"]["why"]
    said = capsys.readouterr()
    assert f"Left out: {folder}/cut.png: The photo is cut short" in said.err + said.out
    assert f"Files in {folder} that are no photos, as their names say: 1 (notes.docx)" in said.out
    status, here = count(tmp_path / "here.csv", *map(str, PHOTOS))
    numbers = [rows[f"{folder}/{name}"]["count"] for name in ("a.png", "ä.png", "deep/b.png")]
    assert numbers == [here[photo.name]["count"] for photo in PHOTOS]
    # The same command goes on, in another process and with a photo named by its address.
    seconds = rows[f"{folder}/a.png"]["seconds"]
    crew = ["--workers", "1"] if scheme == "s3" else []
    status, again = count(table, folder, f"{folder}/deep/b.png", *crew)
    assert status == 3 and again[f"{folder}/a.png"]["seconds"] == seconds
    assert "not entered: 1 (deep)" in capsys.readouterr().out


def test_a_copy_goes_when_it_is_read(store):
    with remote.at_hand(Path("s3://photos/day 1/a.png")) as copy:
        assert np.array_equal(read_photo(copy), read_photo(PHOTOS[0]))
    assert not copy.exists() and not copy.parent.exists()


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("s3://nobody/day 1", "no such bucket. Check its name."),
        ("gs://nobody/day 1", "no such bucket"),
        ("s3://photos/day 9", "s3://photos/day 9 holds nothing. Check the address."),
        ("s3://photos/nothing", "s3://photos/nothing holds no photo."),
        ("gs://photos/gone.png", "gs://photos/gone.png: The photo cannot be fetched: it is not"),
        ("s3://nobody/gone.png", "s3://nobody/gone.png: The photo cannot be fetched: there is no"),
    ],
)
def test_what_is_not_there_is_said_in_a_sentence(store, address, problem, tmp_path, capsys):
    status, _ = count(tmp_path / "counts.csv", address)
    said = capsys.readouterr()
    assert status == 1 and problem in said.err + said.out


def test_whoever_may_not_read_is_told(store, monkeypatch):
    def asked():
        remote._store.cache_clear()
        with pytest.raises(CellCountError) as error, remote.at_hand(Path("s3://photos/a.png")):
            pass
        return str(error.value)

    monkeypatch.setenv("AWS_ENDPOINT_URL", nobody())
    assert "the store does not answer as it should" in asked()
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    assert "read by obstore: python -m pip install -r requirements-cluster.txt" in asked()


def test_what_aws_configure_has_written_is_used(monkeypatch, tmp_path):
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text(
        "[default]\naws_access_key_id = me\naws_secret_access_key = a%b\n[lab]\nregion = x\n"
    )
    (tmp_path / ".aws" / "config").write_text("[default]\nregion = eu-west-1\noutput = json\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    keys = {"aws_access_key_id": "me", "aws_secret_access_key": "a%b", "region": "eu-west-1"}
    assert remote._aws() == keys
    monkeypatch.setenv("AWS_PROFILE", "lab")
    assert remote._aws() == {"region": "x"}
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of the environment")
    assert remote._aws() == {}
