"""The COCO weights, found on this machine or fetched from a real HTTP server on it."""

import random
import re
import subprocess
import sys
from hashlib import sha256

import pytest
import requests

from icevision_bridge import weights
from icevision_bridge.download import FetchError
from icevision_bridge.errors import BridgeError
from tests.shared.loopback import nobody, serve

# The sums of b"abc" and of a million b"a" are the examples of FIPS 180-2.
ABC, MILLION = "vfnet_abc_20201027pth-ba7816bf.pth", "vfnet_million_20201027-cdc76e5c.pth"
BODY = random.Random(3).randbytes(300_000)
NAME = f"vfnet_r50_20201027-{sha256(BODY).hexdigest()[:8]}.pth"
FOUND = f"v2.0/vfnet/{NAME}"


@pytest.fixture
def server(monkeypatch):
    with serve({FOUND: BODY, f"v2.0/{ABC}": b"abc"}, monkeypatch) as running:
        yield running


@pytest.fixture
def other(monkeypatch):
    with serve({FOUND: BODY}, monkeypatch) as running:
        yield running


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "checkpoints" / "vfnet"


@pytest.fixture
def find(server, folder):
    """Asks for NAME at the server, or at those given, in turn."""

    def run(*mirrors, again=False):
        mirrors = mirrors or (server.url,)
        return weights.find_weights(f"{mirrors[-1]}/{FOUND}", folder, again=again, mirrors=mirrors)

    return run


def put(path, body=BODY):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    return path


@pytest.mark.parametrize("where", ["vfnet", "."])
@pytest.mark.parametrize("name", [ABC, MILLION])
def test_what_is_here_needs_no_network(folder, where, name):
    path = put(folder.parent / where / name, {ABC: b"abc", MILLION: b"a" * 1_000_000}[name])
    assert weights.find_weights(f"{nobody()}/{name}", folder).samefile(path)
    assert weights.find_weights(f"{nobody()}/{name}", str(folder)).samefile(path)


def test_the_current_folder_may_hold_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    put(tmp_path / ABC, b"abc")
    assert weights.find_weights(f"{nobody()}/{ABC}", ".").samefile(tmp_path / ABC)


@pytest.mark.parametrize("name", ["yolox_s.pth", "vfnet_20201027.pth", "vfnet_20201027.pth.tar"])
def test_a_name_without_a_sum_is_trusted(folder, name):
    path = put(folder / name, b"whatever")
    assert weights.find_weights(f"{nobody()}/{name}", folder) == path


def test_they_are_downloaded_once(find, server, folder):
    assert find() == folder / NAME
    assert (folder / NAME).read_bytes() == BODY
    assert find() == folder / NAME
    assert server.log == [(FOUND, None)]
    assert [path.name for path in folder.iterdir()] == [NAME]


def test_a_bar_shows_how_much_it_is(find, capsys):
    find()
    assert "/300k" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["vfnet-ba7816bf.pth", "vfnet_ba7816bf.pth"])
@pytest.mark.parametrize("where", ["vfnet", "."])
def test_a_damaged_file_is_named_and_left(server, folder, where, name):
    path = put(folder.parent / where / name, b"ab")
    with pytest.raises(BridgeError, match=r"damaged.* begin with ba7816bf: delete it") as raised:
        weights.find_weights(f"{server.url}/{name}", folder, mirrors=(server.url,))
    assert str(path) in str(raised.value).replace("/./", "/")
    assert path.read_bytes() == b"ab"
    assert server.log == []


def test_an_intact_file_above_a_damaged_one_serves(find, server, folder):
    put(folder / NAME, BODY[:-1])
    above = put(folder.parent / NAME)
    assert find() == above
    assert server.log == []


def test_a_file_is_replaced_when_asked_for_again(find, folder):
    put(folder / NAME, b"old")
    put(folder.parent / NAME)
    assert find(again=True) == folder / NAME
    assert (folder / NAME).read_bytes() == BODY


def test_a_file_stays_when_it_cannot_be_had_again(find, folder):
    path = put(folder / NAME)
    with pytest.raises(BridgeError, match="cannot be downloaded"):
        find(nobody(), again=True)
    assert path.read_bytes() == BODY


def test_the_next_address_serves_when_one_is_down(find, server):
    assert find(nobody(), server.url).read_bytes() == BODY


@pytest.mark.parametrize("fault", [404, "wrong bytes", "too long"])
def test_the_next_address_serves_when_one_has_other_things(find, server, other, fault):
    other.plan[FOUND] = [fault]
    assert find(other.url, server.url).read_bytes() == BODY
    assert other.asked(FOUND) == server.asked(FOUND) == [None]


def test_a_url_elsewhere_is_asked_for_there_only(server, other, folder):
    weights.find_weights(f"{server.url}/v2.0/{ABC}", folder, mirrors=(other.url,))
    assert (folder / ABC).read_bytes() == b"abc"
    assert other.log == []


def test_wrong_content_is_said_and_not_kept(find, server, folder):
    server.plan[FOUND] = ["wrong bytes"]
    with pytest.raises(BridgeError, match=rf"{NAME} .*wrong content and was deleted"):
        find()
    assert list(folder.iterdir()) == []


def test_a_break_is_mended(find, server):
    server.plan[FOUND] = ["dies half-way"]
    assert find().read_bytes() == BODY
    first, second, *more = server.asked(FOUND)
    assert first is None
    assert 0 < int(second[6:-1]) <= 150_000
    assert more == []


def test_the_next_run_goes_on_where_one_ended(find, server, folder):
    server.plan[FOUND] = ["dies half-way", 503, 503, 503]
    with pytest.raises(BridgeError, match="answers 503"):
        find()
    kept = (folder / f"{NAME}.part").stat().st_size
    assert find().read_bytes() == BODY
    assert server.asked(FOUND)[-1] == f"bytes={kept}-"
    assert 100_000 < kept <= 150_000


def test_the_next_address_goes_on_where_one_ended(find, server, other):
    other.plan[FOUND] = ["dies half-way", 404]
    assert find(other.url, server.url).read_bytes() == BODY
    assert server.asked(FOUND) == other.asked(FOUND)[1:]
    assert server.asked(FOUND) != [None]


def test_a_whole_part_is_taken(find, server, folder):
    put(folder / f"{NAME}.part")
    assert find().read_bytes() == BODY
    assert server.asked(FOUND) == ["bytes=300000-"]


@pytest.mark.parametrize("size", [1000, 300_000, 300_001])
def test_a_wrong_part_is_replaced(find, server, folder, size):
    put(folder / f"{NAME}.part", bytes(size))
    assert find().read_bytes() == BODY
    assert server.asked(FOUND) == [f"bytes={size}-", None]
    assert [path.name for path in folder.iterdir()] == [NAME]


def test_what_to_do_without_network_is_said_in_two_sentences(find, folder, monkeypatch):
    monkeypatch.chdir(folder.parents[1])
    gone = nobody(), nobody()
    url = f"{gone[1]}/{FOUND}"
    with pytest.raises(BridgeError) as raised:
        weights.find_weights(url, "checkpoints/vfnet", mirrors=gone)
    first, second = re.fullmatch(r"(.*?\.) ([^.]*\.)", str(raised.value)).groups()
    for part in (f"{gone[0]}/{FOUND}", url, f"save it as {folder / NAME} ", "is offline"):
        assert part in first
    assert "without internet" in second
    assert "pretrained=False" in second


def test_a_folder_that_cannot_be_made_is_no_matter_of_the_network(find, server, other, folder):
    put(folder, b"in the way")
    with pytest.raises(BridgeError, match="cannot be kept") as raised:
        find(server.url, other.url)
    assert str(folder) in str(raised.value)
    assert server.log == other.log == []


def test_a_silent_server_is_asked_once(find, monkeypatch):
    asked = []

    def silent(self, url, **options):
        asked.append(url)
        raise requests.ConnectTimeout

    monkeypatch.setattr(requests.Session, "get", silent)
    with pytest.raises(BridgeError, match="ConnectTimeout"):
        find("http://a", "http://b")
    assert asked == [f"http://a/{FOUND}", f"http://b/{FOUND}"]


@pytest.fixture
def vfnet_urls(icevision):
    backbones = vars(icevision.models.mmdet.vfnet.backbones).values()
    urls = {getattr(backbone, "weights_url", None) for backbone in backbones} - {None, ""}
    assert len(urls) == 8
    return urls


def test_every_vfnet_names_its_sum(vfnet_urls):
    for url in vfnet_urls:
        assert url[-4:] == ".pth"
        assert weights.expected_prefix(url) == url[-12:-4]
        assert len(bytes.fromhex(url[-12:-4])) == 4


def test_every_vfnet_is_sought_at_two_addresses(vfnet_urls, folder, monkeypatch):
    sought = []

    def gone(session, url, *_, **__):
        sought.append(url)
        raise FetchError

    monkeypatch.setattr(weights, "fetch", gone)
    plain = "http://download.openmmlab.com/mmdetection/v2.0/detr/detr_r50-2c4b8974.pth"
    for url in [*vfnet_urls, plain]:
        sought.clear()
        with pytest.raises(BridgeError):
            weights.find_weights(url, folder)
        path = url[url.index("/mmdetection/v2.0/") :]
        assert sought == [
            f"https://openmmlab.oss-cn-hangzhou.aliyuncs.com{path}",
            f"https://download.openmmlab.com{path}",
        ]


def test_torch_is_not_needed():
    code = "import sys, icevision_bridge.weights; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
