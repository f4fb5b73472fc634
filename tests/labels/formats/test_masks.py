"""Label images: told from photos and from masks that do not part the cells."""

import io
import pickle
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy import ndimage
from skimage.measure import regionprops

from cellcount.errors import CellCountError
from cellcount.labels import voc
from cellcount.labels.exchange import import_labels
from cellcount.labels.formats import cellpose, masks
from tests.labels.formats.samples import HEIGHT, WIDTH, photo


@pytest.fixture
def inside(tmp_path):
    photo(tmp_path / "in")
    return tmp_path / "in"


def boxes(folder, **more):
    import_labels(folder, folder.parent / "to", **more)
    return voc.read(folder.parent / "to" / "a.xml").boxes


def two_blobs(first=255, second=255):
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[10:20, 30:50], mask[40:60, 30:45] = first, second
    return mask


BLOBS = (voc.Box("cell", 30, 10, 50, 20), voc.Box("cell", 30, 40, 45, 60))


def test_scikit_image_finds_the_same_bounds():
    rng = np.random.default_rng(5)
    numbers = ndimage.label(ndimage.gaussian_filter(rng.random((300, 400)), 4) > 0.505)[0]
    numbers = numbers.astype(np.uint32) * 70_000  # more than any list has places
    found = {shape[1:5] for shape in masks.cells(numbers, split=False)}
    expected = {
        (r.bbox[1], r.bbox[0], r.bbox[3], r.bbox[2]) for r in regionprops(numbers // 70_000)
    }
    assert found == expected
    assert len(found) > 50


@pytest.mark.parametrize("values", [(255, 255), (1, 1)])
def test_one_number_for_all_cells_is_said_and_split(inside, values):
    Image.fromarray(two_blobs(*values)).save(inside / "a_mask.png")
    says = r"a_mask\.png .*one number for all cells.* --split takes its 2 connected parts"
    with pytest.raises(CellCountError, match=says):
        boxes(inside)
    assert boxes(inside, split=True) == BLOBS


def test_numbers_of_classes_are_said_and_split(inside):
    mask = two_blobs(1, 2)
    for x in range(100, 180, 20):
        mask[70:80, x : x + 9], mask[85:95, x : x + 9] = 1, 2
    Image.fromarray(mask).save(inside / "a_mask.png")
    with pytest.raises(CellCountError, match=r"one number for several cells.* its 10 connected"):
        boxes(inside)
    assert len(boxes(inside, split=True)) == 10


def test_one_cell_alone_and_crumbs_need_no_split(inside):
    mask = two_blobs(7, 8)
    mask[0, 0] = 7  # a crumb far away belongs to its cell
    Image.fromarray(mask).save(inside / "a_cp_masks.png")
    assert boxes(inside) == (voc.Box("cell", 0, 0, 50, 20), BLOBS[1])
    Image.fromarray(two_blobs(255, 0)).save(inside / "a_cp_masks.png")
    import_labels(inside, inside.parent / "one")
    assert voc.read(inside.parent / "one" / "a.xml").boxes == BLOBS[:1]


def test_grey_photos_are_no_label_images(tmp_path):
    rng = np.random.default_rng(1)
    nuclei = ndimage.gaussian_filter(rng.random((300, 400)), 6)
    nuclei = np.clip((nuclei - nuclei.mean()) * 3000, 0, 255).astype(np.uint8)  # black around
    Image.fromarray(nuclei).save(tmp_path / "a.png")
    tifffile.imwrite(tmp_path / "b.tif", rng.integers(0, 65535, (300, 400), dtype=np.uint16))
    tifffile.imwrite(tmp_path / "c.tif", nuclei.astype(np.uint16) * 16)
    assert not any(masks.mine(path) for path in tmp_path.iterdir())
    with pytest.raises(CellCountError, match="no labels that are known"):
        import_labels(tmp_path, tmp_path / "to")


def test_a_label_image_of_another_size(inside):
    Image.fromarray(two_blobs(1, 2)[:, :150]).save(inside / "a_cp_masks.png")
    with pytest.raises(CellCountError, match="has 150 × 100 pixels, but upright it has 200 × 100"):
        boxes(inside)


def test_numpys_own_array(inside):
    np.save(inside / "a_masks.npy", two_blobs(1, 2).astype(np.int64))
    assert boxes(inside) == BLOBS


def claimed(shape):
    """NumPy's header of an array with that shape, and none of its data."""
    file = io.BytesIO()
    header = {"descr": "<u2", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (claimed((10**6, 10**6)), "cut short or damaged|more than 200 million"),
        (claimed((100, 200)), "cut short or damaged"),
        (b"\x93NUMPY", "cut short or damaged"),
        (np.zeros((3, 5, 5), np.uint8), "several channels or layers"),
        (np.full((5, 5), 0.5), "not one layer of whole numbers"),
    ],
)
def test_arrays_that_cannot_be_label_images(inside, content, says):
    path = inside / "a_masks.npy"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.save(path, content)
    with pytest.raises(CellCountError, match=rf"a_masks\.npy is no complete .*({says})"):
        import_labels(path, inside.parent / "to", "masks")


def test_a_cut_tiff(inside):
    path = inside / "a_masks.tif"
    tifffile.imwrite(path, np.arange(20_000, dtype=np.uint16).reshape(HEIGHT, WIDTH))
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(CellCountError, match=r"a_masks\.tif .*cut short or damaged"):
        import_labels(path, inside.parent / "to", "masks")


def seg(pickled):
    """Numpy's file of an object, which is this pickle."""
    file = io.BytesIO()
    header = {"descr": "|O", "fortran_order": False, "shape": ()}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue() + pickled


class Runs:
    """A pickle of it runs a command of the shell when it is loaded as usual."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        import os

        return os.system, (f"touch {self.path}",)


def test_a_pickle_that_runs_a_program_is_refused_and_not_run(inside):
    np.save(inside / "a_seg.npy", {"masks": two_blobs(1, 2), "more": Runs(inside / "run")})
    with pytest.raises(CellCountError, match=r"a_seg\.npy .*system, which is not run"):
        boxes(inside)
    assert not (inside / "run").exists()
    np.load(inside / "a_seg.npy", allow_pickle=True)
    assert (inside / "run").exists(), "if it were loaded as usual"


HUGE = struct.pack("<Q", 1 << 36)


@pytest.mark.parametrize(
    "pickled",
    [
        pickle.dumps({"no": "masks"}),
        pickle.dumps(np.array({"masks": np.array([["a", "b"]], object)}, object)),
        pickle.dumps(np.array({"masks": np.zeros((3, 4, 5), np.uint8)}, object)),
        pickle.dumps(np.array({"masks": np.zeros((4, 5), np.float32)}, object)),
        b"\x80\x05\x96" + HUGE + b".",  # BYTEARRAY8
        b"\x80\x04\x8e" + HUGE + b".",  # BINBYTES8
        b"\x80\x04\x95" + HUGE + b".",  # FRAME
        b"\x80\x04Nr\xff\xff\xff\x7f.",  # LONG_BINPUT
        b"\x80\x04" + b"}" * 1_000_000 + b".",
        b"\x80\x04(" * 90_000 + b"t" * 90_000 + b".",
        b"cnumpy\ndtype\n(S'O8'\ntR(I3\nS'|'\nNNNI-1\nI-1\nI63\ntb.",
        b"",
    ],
)
def test_hostile_and_damaged_pickles_end_in_a_sentence(inside, pickled):
    import resource

    (inside / "a_seg.npy").write_bytes(seg(pickled))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CellCountError, match=r"a_seg\.npy is no complete cellpose file"):
        boxes(inside)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # kB


def test_cut_files_of_cellpose(inside):
    np.save(inside / "a_seg.npy", {"masks": two_blobs(1, 2), "flows": [np.zeros((5, 5))]})
    whole = (inside / "a_seg.npy").read_bytes()
    assert boxes(inside) == BLOBS
    for length in range(150, len(whole), 997):
        (inside / "a_seg.npy").write_bytes(whole[:length])
        with pytest.raises(CellCountError, match=r"a_seg\.npy"):
            import_labels(inside, inside.parent / "cut")


@pytest.mark.parametrize("protocol", [3, 4])
def test_pickles_of_all_versions_of_numpy(protocol):
    held = {"masks": np.asfortranarray(two_blobs(1, 2).astype(">u2")), "img": np.zeros((9, 9, 3))}
    pickled = pickle.dumps(np.array(held, object), protocol)
    older = pickled.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    if protocol < 4:  # whose names have no length before them
        np.testing.assert_array_equal(cellpose._masks(seg(older)), two_blobs(1, 2))
    np.testing.assert_array_equal(cellpose._masks(seg(pickled)), two_blobs(1, 2))
