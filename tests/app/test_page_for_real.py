"""The page in a browser: photos are handed in, the slider is moved, files are taken away."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile

import pytest

from cellcount.counting.counter import Counter
from tests.conftest import ROOT
from tests.shared.chromium import MARKS, chromium

pytestmark = MARKS
WAIT = 180  # seconds, on a busy machine
MODEL = ROOT / "models" / "smear.pth"
EVIL = "<img src=x onerror=document.title='caught'>.png"


@pytest.fixture(scope="module")
def temporary(tmp_path_factory):
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def server(temporary):
    """The address of ``cellcount app``, and its process."""
    command = [sys.executable, "-m", "cellcount", "app", str(MODEL), "--port", "0"]
    command += ["--max-mb", "1"]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            loading, opened = process.stdout.readline(), process.stdout.readline()
            assert "Loading" in loading
            yield re.search(r"http://127\.0\.0\.1:[0-9]+", opened)[0], process
        finally:
            process.kill()


@pytest.fixture
def browser(tmp_path):
    prefs = {"download.default_directory": str(tmp_path / "got")}
    driver = chromium("1280,1000", prefs=prefs, logs=("performance", "browser"))
    yield driver
    driver.quit()


@pytest.fixture
def photos(tmp_path):
    """Two photos of the bundled ones; one's name is a piece of HTML."""
    first, second = sorted((ROOT / "data" / "not_labeled").glob("*.png"))[:2]
    return [shutil.copy(first, tmp_path / "a.png"), shutil.copy(second, tmp_path / EVIL)]


def until(true):
    end = time.monotonic() + WAIT
    while not (got := true()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.1)
    return got


def counts_on(browser):
    """The numbers of cells that the page says, by photo."""
    cards = browser.find_elements("css selector", "figure[data-state=counted]")
    return {
        card.find_element("class name", "name").text: int(
            card.find_element("class name", "count").text.split()[0]
        )
        for card in cards
    }


def table_after_click(browser, folder):
    file = folder / "got" / "counts.csv"
    file.unlink(missing_ok=True)
    browser.find_element("id", "table").click()
    until(file.exists)
    return list(csv.DictReader(file.open(encoding="utf-8-sig")))


def hand_in(browser, address, *files):
    """Open the page and hand in two good and two bad files; return what was said meanwhile."""
    browser.get(address)
    until(lambda: "smear.pth" in browser.find_element("id", "model").text)
    browser.find_element("id", "files").send_keys("\n".join(map(str, files)))
    said = set()

    def done():
        said.add(browser.find_element("id", "doing").text)
        failed = browser.find_elements("css selector", "[data-state=failed]")
        return len(failed) == 2 == len(counts_on(browser))

    until(done)
    return said


def fits_a_phone(browser):
    phone = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 390


def asked_nothing_of_other_computers(browser, address):
    told = [json.loads(one["message"])["message"] for one in browser.get_log("performance")]
    requests = [one for one in told if one["method"] == "Network.requestWillBeSent"]
    urls = [one["params"]["request"]["url"] for one in requests]
    assert urls and all(url.startswith((f"{address}/", "data:")) for url in urls)
    assert browser.get_log("browser") == []


def test_counts_on_the_page_are_those_of_the_table_and_the_counter(
    server, browser, photos, temporary, tmp_path
):
    from selenium.webdriver import Keys
    from selenium.webdriver.support.ui import Select

    address, _ = server
    (tmp_path / "bad.png").write_bytes(b"hi")
    (tmp_path / "large.png").write_bytes(bytes(1_100_000))
    said = hand_in(browser, address, *photos, tmp_path / "bad.png", tmp_path / "large.png")
    assert any("Counting" in one for one in said)
    text = browser.find_element("id", "photos").text
    assert "The content is no JPEG" in text and "larger than 1 MB" in text
    assert browser.title == "Cell Counter"

    counter = Counter(MODEL)
    own = {"a.png": counter.count(photos[0]).n, EVIL: counter.count(photos[1]).n}
    assert counts_on(browser) == own
    for card in browser.find_elements("css selector", "figure[data-state=counted]"):
        boxes = card.find_elements("css selector", "rect")
        assert len(boxes) == own[card.find_element("class name", "name").text]
    rows = {row["photo"]: row for row in table_after_click(browser, tmp_path)}
    assert {name: int(row["count"]) for name, row in rows.items() if row["count"]} == own
    low, high = rows["a.png"]["low"], rows["a.png"]["high"]
    assert f"{low} to {high}" in text

    slider = browser.find_element("id", "threshold")
    slider.send_keys(Keys.HOME)
    until(lambda: sum(counts_on(browser).values()) > sum(own.values()))
    slider.send_keys(*[Keys.ARROW_RIGHT] * 45)
    until(lambda: browser.find_element("id", "score").text == "0.50")
    other = counter.at(0.5)
    moved = {"a.png": other.count(photos[0]).n, EVIL: other.count(photos[1]).n}
    until(lambda: counts_on(browser) == moved)
    rows = table_after_click(browser, tmp_path)
    assert {row["photo"]: int(row["count"]) for row in rows if row["count"]} == moved
    assert {row["options"] for row in rows} == {"threshold 0.5"}
    browser.find_element("id", "own").click()
    until(lambda: counts_on(browser) == own)

    Select(browser.find_element("id", "chamber")).select_by_value("thoma")
    until(lambda: f"{sum(own.values()) / 2 * 1e4:.3g} (" in browser.find_element("id", "sums").text)
    browser.find_element("id", "pictures").click()
    until((tmp_path / "got" / "counted.zip").exists)
    assert len(zipfile.ZipFile(tmp_path / "got" / "counted.zip").namelist()) == 2
    browser.find_element("css selector", ".picture").click()
    assert browser.find_element("id", "large").is_displayed()
    browser.find_element("css selector", "dialog button").click()

    fits_a_phone(browser)
    asked_nothing_of_other_computers(browser, address)
    [folder] = temporary.glob("cellcount-app-*")
    browser.get("about:blank")
    until(lambda: not folder.exists())


def test_photos_are_gone_when_the_program_ends(server, browser, photos, temporary):
    address, process = server
    browser.get(address)
    until(lambda: browser.find_element("id", "model").text)
    browser.find_element("id", "files").send_keys(str(photos[0]))
    until(lambda: counts_on(browser))
    assert [*temporary.glob("cellcount-app-*/*.png")]
    process.send_signal(signal.SIGTERM)
    assert process.wait(WAIT) == 0
    assert "deleted" in process.stdout.read()
    assert not [*temporary.glob("cellcount-app-*")]
