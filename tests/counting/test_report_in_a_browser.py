"""The report in Chromium: searched, sorted, opened, without JavaScript, narrow and on paper."""

import numpy as np
import pytest
from PIL import Image

from cellcount.counting.count import Count
from cellcount.counting.report.page import write_report
from cellcount.counting.table import CountTable
from tests.shared.chromium import MARKS, chromium

pytestmark = MARKS
NAMES = ["<img src=x onerror=alert(1)>.png", "9.png", "10.png", "a" * 200 + ".png"]


@pytest.fixture
def page(tmp_path):
    photo = tmp_path / "p.png"
    Image.new("RGB", (300, 200), "white").save(photo)
    with CountTable(tmp_path / "t.csv", [], "m", "") as rows:
        for n, name in enumerate(NAMES):
            why = ("it is darker",) if n == 1 else ()
            boxes = np.tile([10.0, 10, 90, 60], (n, 1))
            rows.add(Count(name, n, boxes, np.ones(n), why=why), 0.1)
        rows.fail("lost.png", "The file is empty.")
    write_report(tmp_path / "t.csv", dict.fromkeys(NAMES, photo), tmp_path / "r.html")
    return (tmp_path / "r.html").as_uri()


@pytest.fixture
def browse(page):
    opened = []

    def browser(script=True):
        off = {"profile.managed_default_content_settings.javascript": 2}
        opened.append(chromium("1300,900", prefs=None if script else off, logs=("browser",)))
        opened[-1].get(page)
        return opened[-1]

    yield browser
    for one in opened:
        one.quit()


def seen(driver, selector):
    return [one for one in driver.find_elements("css selector", selector) if one.is_displayed()]


def names(driver):
    return [one.text for one in seen(driver, ".photos td[data-value]:nth-child(2)")]


def test_it_is_searched_sorted_and_opened(browse):
    driver = browse()
    assert names(driver)[0] == "9.png" and len(names(driver)) == 4
    seen(driver, "#search")[0].send_keys("empty")
    assert names(driver) == [] and "lost.png" in seen(driver, ".lost td")[0].text
    for _ in "empty":
        seen(driver, "#search")[0].send_keys("\b")
    by_name, by_cells, _ = seen(driver, "th.sort")
    by_name.click()
    assert [one for one in names(driver) if one[0].isdigit()] == ["9.png", "10.png"]
    by_cells.click()
    by_cells.click()
    assert names(driver) == NAMES[::-1]
    (picture, *_) = seen(driver, "details.photo svg")
    small = picture.size["width"]
    picture.click()
    assert picture.size["width"] > 5 * small and "3 cells" in seen(driver, ".caption")[0].text
    picture.click()
    assert picture.size["width"] == small
    assert driver.get_log("browser") == []  # nothing was refused, for nothing was tried


def test_without_javascript_the_page_is_whole(browse):
    driver = browse(script=False)
    assert len(names(driver)) == 4 and seen(driver, "#search") == []
    picture = seen(driver, "details.photo svg")[0]
    small = picture.size["width"]
    picture.click()
    assert picture.size["width"] > 5 * small
    picture.click()
    boxes = seen(driver, "#boxes")[0]
    assert seen(driver, "details.photo path")
    boxes.click()
    assert seen(driver, "details.photo path") == []


def test_nothing_is_cut_off_on_a_phone(browse):
    driver = browse()
    metrics = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    assert driver.execute_script("return document.documentElement.scrollWidth") == 360
