"""The model draws boxes for a person to correct, and never over a person's."""

import io

import numpy as np
import pytest
from PIL import Image

from cellcount.commands import main
from cellcount.counting.counter import Counter
from cellcount.detector.head_start import SHIPPED
from cellcount.errors import CellCountError
from cellcount.labelling import prelabelling
from cellcount.labelling.active_learning import Signs
from cellcount.labels import voc
from cellcount.render import render_folder


@pytest.fixture
def photos(tmp_path):
    return render_folder(tmp_path / "photos", photos=4, seed=21, size=512, cells=(15, 40))


def _order(folder):
    return (folder / ".cellcount-order.txt").read_text().split()


def test_boxes_are_those_of_the_count_and_a_persons_files_stay(photos, capsys):
    folder = photos[0].parent
    mine = {path: path.read_bytes() for path in (p.with_suffix(".xml") for p in photos[:2])}
    truth = [len(voc.read(photo.with_suffix(".xml")).boxes) for photo in photos]
    photos[2].with_suffix(".xml").unlink()
    old = voc.Annotation(photos[3].name, 512, 512, (), verified=False)
    voc.write(photos[3].with_suffix(".xml"), old)
    (folder / "broken.jpg").write_bytes(b"no photo")

    assert main.main(["prelabel", str(folder), "--model", str(SHIPPED)]) == 0
    said = capsys.readouterr()
    assert "broken.jpg" in said.out + said.err
    assert {path: path.read_bytes() for path in mine} == mine
    assert not (folder / "broken.xml").exists()
    assert sorted(_order(folder)) == [photo.name for photo in photos[2:]]
    rows = [line.split()[0] for line in said.out.splitlines() if line.startswith("rendered")]
    assert rows == _order(folder)
    counter = Counter(SHIPPED)
    for photo, labelled in zip(photos[2:], truth[2:], strict=True):
        found = voc.read(photo.with_suffix(".xml"))
        assert (found.filename, found.width, found.height) == (photo.name, 512, 512)
        assert found.verified is False
        assert {box.label for box in found.boxes} == {"Microalgae"}
        drawn = np.array([(b.xmin, b.ymin, b.xmax, b.ymax) for b in found.boxes])
        count = counter.count(photo)
        assert np.abs(drawn - count.boxes).max() <= 1
        assert abs(len(drawn) - labelled) <= 0.4 * labelled


def test_what_was_done_is_kept_when_it_is_interrupted(photos, monkeypatch):
    folder = photos[0].parent
    for photo in photos:
        photo.with_suffix(".xml").unlink()
    draw, asked = prelabelling.draw, []

    def stop_at_third_photo(counter, photo):
        asked.append(photo)
        if len(asked) > 4:  # two a photo
            raise KeyboardInterrupt
        return draw(counter, photo)

    monkeypatch.setattr(prelabelling, "draw", stop_at_third_photo)
    with pytest.raises(KeyboardInterrupt):
        prelabelling.prelabel(folder, SHIPPED)
    assert sorted(_order(folder)) == [photo.name for photo in photos[:2]]
    assert [photo.with_suffix(".xml").exists() for photo in photos] == [True, True, False, False]


def test_two_photos_of_one_name_do_not_share_a_file(photos, capsys):
    folder = photos[0].parent
    photos[3].with_suffix(".xml").unlink()
    Image.open(photos[3]).save(photos[3].with_suffix(".png"))
    (done,) = prelabelling.prelabel(folder, SHIPPED)
    assert "Rename one of them" in capsys.readouterr().out
    assert voc.read(done.photo.with_suffix(".xml")).filename == done.photo.name
    assert done.signs.changed < 0.3  # the turned boxes were turned back


def test_unsure_boxes_are_orange_in_a_notebook(tmp_path):
    photos = [tmp_path / name for name in ("a.png", "b.png", "c.png", "d.png")]
    for photo in photos:
        Image.new("RGB", (200, 300)).save(photo)
    boxes = np.array([(20.0, 200, 60, 240), (100, 200, 140, 240)])
    drawn = prelabelling.Drawn(boxes, np.ones(2), np.full(2, "cell"), np.array([0.9, 0.6]), 0.2)
    signs = Signs(0.2, 0.0, None)
    shown = prelabelling.Prelabels(prelabelling.Prelabelled(one, drawn, signs) for one in photos)
    picture = np.asarray(Image.open(io.BytesIO(shown._repr_jpeg_())).convert("RGB"))
    assert picture.shape == (300, 3 * 200 + 2 * 8, 3)
    for left in (0, 208, 416):
        sure, unsure = picture[200, left + 40].astype(int), picture[200, left + 120].astype(int)
        assert sure[2] > 150 > sure[1]  # pink
        assert unsure[0] > 150 > unsure[2]  # orange
    assert prelabelling.Prelabels()._repr_jpeg_() is None


def test_photo_labelled_meanwhile_is_left_alone(photos, monkeypatch, capsys):
    xml = photos[3].with_suffix(".xml")
    content = xml.read_bytes()
    xml.unlink()
    draw = prelabelling.draw

    def label_then_draw(counter, photo):
        xml.write_bytes(content)
        return draw(counter, photo)

    monkeypatch.setattr(prelabelling, "draw", label_then_draw)
    assert prelabelling.prelabel(photos[0].parent, SHIPPED) == []
    assert xml.read_bytes() == content
    assert "meanwhile" in capsys.readouterr().out


def test_folder_that_is_all_labelled_is_told(photos):
    with pytest.raises(CellCountError, match="has labelled every photo"):
        prelabelling.prelabel(photos[0].parent, SHIPPED)


def test_box_is_whole_and_inside():
    box = prelabelling._whole("cell", np.array([-0.4, 99.8, 7.6, 99.9]), (50, 100))
    assert box == voc.Box("cell", 0, 99, 8, 100)
