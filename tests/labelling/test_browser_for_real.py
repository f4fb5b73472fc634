"""JupyterLab with a real mouse: a box is drawn, another deleted, and both are in the file."""

import nbformat
import pytest
from PIL import Image

from cellcount.labels import voc
from tests.conftest import ROOT
from tests.shared.chromium import MARKS, chromium
from tests.shared.jupyterlab import WAIT, jupyterlab

pytestmark = MARKS
SIZE = (2000, 2800)
RIGHT, WRONG = voc.Box("cell", 300, 400, 500, 520), voc.Box("cell", 1000, 1000, 1200, 1100)


@pytest.fixture
def notebook(tmp_path):
    """A notebook that shows ``cc.label`` on one photo, which lies sideways in its file."""
    (tmp_path / "photos").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = Image.new("RGB", SIZE, "white")
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "photos" / "a.jpg", exif=exif)
    drawn = voc.Annotation("a.jpg", *SIZE, (RIGHT, WRONG), verified=False)
    voc.write(tmp_path / "photos" / "a.xml", drawn)
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
    code += "import cellcount as cc; cc.label('photos')"
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    cells = [nbformat.v4.new_code_cell(code)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), tmp_path / "n.ipynb")
    return tmp_path / "n.ipynb"


@pytest.fixture
def address(notebook):
    """JupyterLab with the notebook open, for as long as the test runs."""
    with jupyterlab(notebook.parent) as address_of:
        yield address_of(notebook.name)


@pytest.fixture
def browser():
    driver = chromium("1400,1600")
    yield driver
    driver.quit()


def test_box_is_drawn_another_deleted_and_both_saved(notebook, address, browser):
    from selenium.webdriver import ActionChains, Keys
    from selenium.webdriver.support.ui import WebDriverWait

    def find(selector):
        return WebDriverWait(browser, WAIT).until(
            lambda driver: driver.find_elements("css selector", selector)
        )[0]

    browser.get(address)
    find(".jp-CodeCell .cm-content")
    WebDriverWait(browser, WAIT).until(lambda driver: "| Idle" in driver.page_source)
    find(".jp-CodeCell .cm-content").click()
    ActionChains(browser).key_down(Keys.SHIFT).send_keys(Keys.ENTER).key_up(Keys.SHIFT).perform()
    photo = find(".wrapper img")
    WebDriverWait(browser, WAIT).until(lambda _: photo.rect["height"] > 500)
    browser.execute_script("arguments[0].scrollIntoView()", photo)
    shrunk = SIZE[1] / photo.rect["height"]

    def at(x, y):
        """A place in the photo as the mouse knows it: from the middle, in pixels of the screen."""
        return round((x - SIZE[0] / 2) / shrunk), round((y - SIZE[1] / 2) / shrunk)

    def mouse():
        return ActionChains(browser)

    mouse().move_to_element_with_offset(photo, *at(1500, 600)).click_and_hold().perform()
    mouse().move_to_element_with_offset(photo, *at(1700, 720)).release().perform()
    middle = at((WRONG.xmin + WRONG.xmax) / 2, (WRONG.ymin + WRONG.ymax) / 2)
    mouse().move_to_element_with_offset(photo, *middle).click().send_keys(Keys.DELETE).perform()
    find(".wrapper button.success").click()
    xml = notebook.parent / "photos" / "a.xml"
    WebDriverWait(browser, WAIT).until(lambda _: voc.read(xml).verified)
    right, new = voc.read(xml).boxes
    assert right == RIGHT
    exact = (1500, 600, 1700, 720)
    assert (new.xmin, new.ymin, new.xmax, new.ymax) == pytest.approx(exact, abs=2 * shrunk)
    assert new.label == "cell"
