"""Both notebooks as a reader runs them, in JupyterLab, by its menu; then the screen is looked at.

Pictures of that screen, as wide as a laptop and as a phone, stay in the folder that is printed.
"""

import base64
import time
from pathlib import Path

import nbformat
import pytest

from cellcount.commands.demo import NOTEBOOKS
from cellcount.commands.watching import bar_says
from tests.conftest import ROOT
from tests.shared.chromium import MARKS, chromium
from tests.shared.jupyterlab import WAIT, jupyterlab
from tests.shared.reader import as_a_reader_has_it

pytestmark = MARKS
LIMIT = 3600  # seconds for one notebook, in quick mode on a busy machine
SCREENS = {"laptop": (1366, 768), "phone": (390, 844)}
TALL = 1600  # pixels of one picture: two screens below each other

NUMBERS = """return [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')]
    .map(one => one.textContent.match(/[0-9*]+/)?.[0] ?? '')"""
# What JupyterLab says in a window or in a corner, cells that failed, and widgets: of those, a saved
# notebook keeps the place alone.
WRONG = """return [...document.querySelectorAll(`.jp-Dialog, .Toastify__toast--error,
        [data-mime-type="application/vnd.jupyter.error"], .jp-OutputArea .jupyter-widgets`)]
    .map(one => one.textContent)"""
BROKEN = """return [...document.querySelectorAll('.jp-Notebook img')]
    .filter(one => !one.naturalWidth && !one.src.startsWith('https://'))
    .map(one => one.src.slice(0, 99))"""
CLIPPED = """return [...document.querySelectorAll('.jp-OutputArea-output, .jp-RenderedMarkdown')]
    .filter(one => one.scrollWidth > one.clientWidth + 1)
    .map(one => `${one.scrollWidth} of ${one.clientWidth}: ${one.textContent.slice(0, 80)}`)"""


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def kinds(cell):
    """What a cell shows: kinds of output, with the formats that they come in."""
    return {(one.output_type, *sorted(one.get("data", {}))) for one in cell.outputs}


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """The reader's folder, its notebooks never run, and where JupyterLab shows them."""
    folder = as_a_reader_has_it(tmp_path_factory.mktemp("reader"))
    for name in NOTEBOOKS:
        notebook = nbformat.read(folder / name, as_version=4)
        for cell in code(notebook):
            cell.outputs, cell.execution_count = [], None
        nbformat.write(notebook, folder / name)
    with jupyterlab(folder, CELLCOUNT_QUICK="1") as address_of:
        yield folder, address_of


@pytest.fixture
def browser():
    driver = chromium("{},{}".format(*SCREENS["laptop"]))
    yield driver
    driver.quit()


def until(true, limit=WAIT):
    end = time.monotonic() + limit
    while not (got := true()):
        assert time.monotonic() < end, "it never came"
        time.sleep(1)
    return got


def run_all_cells(browser):
    (menu,) = (
        one for one in browser.find_elements("class name", "lm-MenuBar-item") if one.text == "Run"
    )
    menu.click()
    until(lambda: browser.find_elements("css selector", "[data-command='runmenu:run-all']"))[
        0
    ].click()
    until(lambda: "*" in browser.execute_script(NUMBERS))

    def done():
        assert browser.execute_script(WRONG) == []
        return "*" not in browser.execute_script(NUMBERS) and "| Idle" in browser.page_source

    until(done, LIMIT)


def press(browser, key):
    """With the control key."""
    from selenium.webdriver import ActionChains, Keys

    ActionChains(browser).key_down(Keys.CONTROL).send_keys(key).key_up(Keys.CONTROL).perform()


def saved(browser, file):
    press(browser, "s")

    def read():
        notebook = nbformat.read(file, as_version=4)
        return notebook if code(notebook)[-1].execution_count else None

    return until(read)


def look(browser, folder, name):
    """Keep pictures of the whole notebook, from the top, in each width; return what is clipped."""
    clipped = {}
    for screen, (width, _) in SCREENS.items():
        size = {"width": width, "height": TALL, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        if screen == "phone":
            press(browser, "b")  # the list of files goes
        browser.execute_script("document.querySelector('.jp-WindowedPanel-outer').scrollTop = 0")
        for number in range(30):
            time.sleep(2)
            shot = browser.execute_cdp_cmd("Page.captureScreenshot", {})["data"]
            file = folder / f"{Path(name).stem}-{screen}-{number:02}.png"
            file.write_bytes(base64.b64decode(shot))
            if not browser.execute_script(
                "const all = document.querySelector('.jp-WindowedPanel-outer');"
                "const before = all.scrollTop; all.scrollTop += all.clientHeight - 40;"
                "return all.scrollTop > before"
            ):
                break
        clipped[screen] = browser.execute_script(CLIPPED)
    return clipped


def opened(browser, address):
    browser.get(address)
    until(lambda: "| Idle" in browser.page_source)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_runs_in_jupyterlab(lab, browser, name, tmp_path, capsys):
    folder, address_of = lab
    opened(browser, address_of(name))
    run_all_cells(browser)
    ran = saved(browser, folder / name)
    committed = nbformat.read(ROOT / name, as_version=4)
    assert [cell.execution_count for cell in code(ran)] == [*range(1, len(code(ran)) + 1)]
    for cell, shown in zip(code(ran), code(committed), strict=True):
        assert kinds(cell) >= kinds(shown), cell.source
        for output in cell.outputs:
            assert output.get("name") != "stderr", output.text
            assert "Warning" not in output.get("text", "")
            assert not bar_says(output.get("data", {})), "a bar stays"

    opened(browser, address_of(name))  # as a reader does the next day
    clipped = look(browser, tmp_path, name)
    with capsys.disabled():
        print(f"\nLook at the pictures of {name} in {tmp_path}, clipped: {clipped}")
    assert browser.execute_script(WRONG) == []
    assert browser.execute_script(BROKEN) == []
    assert clipped["laptop"] == []
