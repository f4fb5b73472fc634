"""Every engine against IceVision's own end2end_detect, and where exported detectors are kept."""

import subprocess
import sys

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from cellcount.counting import engines
from cellcount.counting.counter import Counter
from cellcount.counting.engines import cache, intel
from cellcount.counting.engines.fast import FastEngine
from cellcount.counting.engines.plain import PlainEngine
from cellcount.counting.framing import frame
from cellcount.detector.head_start import SHIPPED
from cellcount.errors import CellCountError
from cellcount.photos.reading import list_photos, read_photo
from tests.conftest import ROOT

LEAST = 0.05
wants_openvino = pytest.mark.skipif(not intel.installed(), reason="OpenVINO is not installed")


def assert_same(found, expected):
    """The same boxes to half a pixel, in any order of those whose scores are equal."""
    assert len(found.scores) == len(expected.scores)
    ours = np.column_stack([found.boxes, found.labels * 1e6, found.scores * 500])
    theirs = np.column_stack([expected.boxes, expected.labels * 1e6, expected.scores * 500])
    apart = cdist(ours, theirs, "chebyshev")
    nearest = apart.argmin(1)
    assert sorted(nearest) == list(range(len(nearest)))
    assert (apart.min(1) <= 0.5).all()


def plain(checkpoint):
    from icevision.models.checkpoint import model_from_checkpoint

    return PlainEngine(model_from_checkpoint(str(checkpoint)))


def find(engine, photo, threshold=LEAST):
    return engine.find(engine.prepare(photo), threshold)


@pytest.fixture
def small(icevision, tmp_path, monkeypatch):
    """The shipped detector for images of 384 px, and a cache folder for this test alone."""
    import torch

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    monkeypatch.setattr(engines, "_told", set())
    stored = torch.load(SHIPPED, weights_only=True)
    stored["meta"]["img_size"] = 384
    (tmp_path / "models").mkdir()
    torch.save(stored, tmp_path / "models" / "small.pth")
    return tmp_path / "models" / "small.pth"


@pytest.fixture(scope="module")
def photos():
    """Rendered photos: square, tall, wide, and smaller than what the detector sees."""
    first, second = (read_photo(path) for path in list_photos(ROOT / "data" / "rendered")[:2])
    return [first, second[:, :700], first[300:700], second[100:400, 200:460]]


@wants_openvino
@pytest.mark.parametrize("engine", ["openvino", "torch"])
def test_engines_find_what_icevision_finds(engine, small, photos):
    expected = plain(small)
    found = engines.load(small, engine)
    assert found.name == engine and found.classes == expected.classes
    for photo in photos:
        boxes = find(expected, photo)
        assert len(boxes.scores) > 20
        assert_same(find(found, photo), boxes)
        assert_same(find(found, photo, 0.4), find(expected, photo, 0.4))


def check_real(real_photos, some):
    counter, expected = Counter(SHIPPED), plain(SHIPPED)
    for path in list_photos(real_photos)[some]:
        boxes = find(expected, read_photo(path))
        assert_same(counter.find(path), boxes)
        assert counter.count(path).n == counter.calibration.count(boxes.scores).n


def test_real_photos_have_the_same_boxes_and_counts(icevision, real_photos):
    check_real(real_photos, slice(2))


@pytest.mark.slow
def test_all_real_photos_have_the_same_boxes_and_counts(icevision, real_photos):
    check_real(real_photos, slice(None))


# Every kind of head and backbone that goes through counting.engines.dense; "chosen" if, without
# training, its scores differ enough for the choice of boxes to be nobody's guess.
FAMILIES = [
    pytest.param("vfnet", "resnet50_fpn_mdconv_c3_c5_mstrain_2x", "chosen"),
    pytest.param("fcos", "resnet50_caffe_fpn_gn_head", "chosen"),
    pytest.param("ssd", "ssdlite_mobilenetv2", ""),
    *(
        pytest.param(*one, marks=pytest.mark.slow)
        for one in (
            ("vfnet", "resnet50_fpn_mstrain_2x", "chosen"),
            ("vfnet", "swin_t_p4_w7_fpn_1x_coco", "chosen"),
            ("retinanet", "resnet50_fpn_1x", ""),
            ("fsaf", "r50_fpn_1x_coco", "chosen"),
            ("fcos", "resnet50_caffe_fpn_gn_head_dcn_1x_center_normbbox_centeronreg_giou", ""),
            ("yolof", "yolof_r50_c5_8x8_1x_coco", ""),
        )
    ),
]


def saved(icevision, family, backbone, file, size, *, vary=False):
    """A detector without training, of two classes; ``vary`` makes its scores differ widely."""
    import torch
    from icevision.models.checkpoint import save_icevision_checkpoint

    torch.manual_seed(0)
    model_type = getattr(icevision.models.mmdet, family)
    model = model_type.model(
        backbone=getattr(model_type.backbones, backbone)(pretrained=False), num_classes=3
    )
    if vary:
        with torch.no_grad():
            for module in model.modules():
                if isinstance(module, torch.nn.BatchNorm2d):
                    module.running_mean.normal_(0, 0.1)
                    module.running_var.uniform_(0.5, 2)
            for name, weight in model.bbox_head.named_parameters():
                if "cls" in name and weight.shape[0] in (2, 3, 12, 18) and weight.ndim > 1:
                    weight.mul_(30)
                elif "cls" in name and weight.ndim == 1 and weight.shape[0] in (2,):
                    weight.fill_(-1)
    save_icevision_checkpoint(
        model,
        model_name=f"mmdet.{family}",
        backbone_name=backbone,
        classes=["a", "b"],
        img_size=size,
        filename=str(file),
        meta={"threshold": 0.5},
    )
    return file


@wants_openvino
@pytest.mark.parametrize(("family", "backbone", "chosen"), FAMILIES)
def test_families_find_what_icevision_finds(  # noqa: PLR0917
    family, backbone, chosen, icevision, photos, tmp_path, monkeypatch
):
    from icevision.models.checkpoint import model_from_checkpoint

    from cellcount.counting.engines import dense

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    file = saved(icevision, family, backbone, tmp_path / "model.pth", 128, vary=True)
    loaded = model_from_checkpoint(str(file))
    network = dense.network(loaded)
    pixels = frame(photos[0], 128).pixels[None]
    expected = engines._numpy(network, pixels)
    if chosen:
        engine = FastEngine("torch", dense.recipe(network, loaded), lambda _: expected)
        boxes = find(PlainEngine(loaded), photos[0], 0.1)
        assert len(boxes.scores) > 3
        assert_same(find(engine, photos[0], 0.1), boxes)
    for name in ("torch", "openvino"):
        outputs = engines.load(file, name)._run(pixels)
        assert len(outputs) == len(expected)
        for ours, theirs in zip(outputs, expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-3)


@wants_openvino
def test_a_kept_export_counts_without_torch(small, photos):
    engines.load(small)
    assert len(list(small.parent.glob("small.pth.*.openvino"))) == 1
    photo = str(list_photos(ROOT / "data" / "rendered")[0])
    program = (
        "import sys; from cellcount.counting.counter import Counter; "
        f"count = Counter({str(small)!r}).count({photo!r});"
        "print(count.n, *{'torch', 'mmdet', 'icevision', 'albumentations'} & set(sys.modules))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    calibration = Counter(small, engine="torch").calibration
    expected = calibration.count(find(plain(small), photos[0]).scores).n
    assert said.stdout.split() == [str(expected)]


@wants_openvino
def test_signals_are_survived_when_counters_have_gone():
    """A child that ends, or Ctrl-C in a notebook, whatever OpenVINO does to the signal stack."""
    program = (
        "import signal, subprocess; from cellcount.counting.counter import Counter\n"
        f"first, second = Counter({str(SHIPPED)!r}), Counter({str(SHIPPED)!r})\n"
        "del first\n"
        "del second\n"
        "signal.signal(signal.SIGCHLD, lambda *_: print('told'))\n"
        "subprocess.run(['true'], check=True)\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert said.stdout == "told\n"


@pytest.mark.parametrize("change", ["a layer less", "another shape"])
def test_a_checkpoint_of_a_detector_built_otherwise_is_refused(tmp_path, change):
    import torch

    stored = torch.load(SHIPPED, weights_only=True)
    name = "bbox_head.vfnet_cls.weight"
    weight = stored["state_dict"].pop(name)
    if change == "another shape":
        stored["state_dict"][name] = weight[:, :-1]
    torch.save(stored, tmp_path / "other.pth")
    with pytest.raises(CellCountError, match="built otherwise"):
        Counter(tmp_path / "other.pth")


def test_a_damaged_export_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    model = tmp_path / "model.pth"
    model.write_bytes(b"weights")
    exported = cache.Exported(b"<?xml?>", bytes(range(256)) * 40, {"levels": [1, 2]})
    file = cache.keep(model, exported)
    assert cache.find(model) == exported
    whole = file.read_bytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :]
    for damaged in (flipped, whole[:middle], b""):
        file.write_bytes(damaged)
        assert cache.find(model) is None
    assert cache.keep(model, exported) == file
    assert cache.find(model) == exported
    assert set(tmp_path.iterdir()) == {model, file}


@wants_openvino
def test_an_export_that_another_version_wrote_is_made_again(small):
    engines.load(small)
    kept = cache.find(small)
    cache.keep(small, kept._replace(network=b"<net/>"))
    assert engines.load(small).name == "openvino"
    assert cache.find(small).network.startswith(b"<?xml")


@wants_openvino
def test_a_changed_checkpoint_is_exported_again(small, photos):
    import torch

    engines.load(small)
    (old,) = small.parent.glob("*.openvino")
    other = small.with_name("small.pth.other")
    other.write_bytes(b"of another checkpoint")
    stored = torch.load(small, weights_only=True)
    stored["state_dict"]["bbox_head.vfnet_cls.bias"] += 1
    torch.save(stored, small)
    found = find(engines.load(small), photos[0])
    (new,) = small.parent.glob("*.openvino")
    assert new != old and other.exists()
    assert_same(found, find(plain(small), photos[0]))


@wants_openvino
def test_a_folder_that_cannot_be_written_to_is_left_alone(small, tmp_path, monkeypatch, capsys):
    def first_folder_is(folder):
        monkeypatch.setattr(cache, "_folders", lambda _: (folder, tmp_path / "caches" / "mine"))

    blocked = tmp_path / "blocked"
    blocked.write_text("a file, where nothing can be put")
    first_folder_is(blocked)
    assert engines.load(small).name == "openvino"
    assert len(list((tmp_path / "caches" / "mine").iterdir())) == 1
    assert cache.find(small) is not None
    assert capsys.readouterr().err == ""

    monkeypatch.setattr(cache, "_folders", lambda _: (blocked, blocked / "deeper"))
    assert engines.load(small).name == "openvino"
    assert "cannot be kept" in capsys.readouterr().err


@wants_openvino
def test_what_cannot_be_exported_is_counted_by_torch_and_said_once(
    icevision, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(engines, "_told", set())
    file = saved(icevision, "yolox", "yolox_tiny_8x8", tmp_path / "model.pth", 128)
    assert Counter(file).engine == "torch"
    assert "mmdet.yolox is no detector that can be exported" in capsys.readouterr().err
    counter = Counter(file)
    assert capsys.readouterr().err == ""
    photo = list_photos(ROOT / "data" / "rendered")[0]
    assert counter.count(photo).n == (counter.find(photo).scores > 0.5).sum()
    with pytest.raises(CellCountError, match="Choose the engine torch"):
        Counter(file, engine="openvino")
    assert not list(tmp_path.glob("*.openvino"))


@wants_openvino
def test_an_export_that_fails_or_differs_is_not_used(small, monkeypatch, capsys):
    compiled = intel.compiled

    def off(*exported):
        run = compiled(*exported)
        return lambda pixels: [output + 0.01 for output in run(pixels)]

    monkeypatch.setattr(intel, "compiled", off)
    assert engines.load(small).name == "torch"
    assert "finds other boxes" in capsys.readouterr().err

    def fail(*_):
        raise RuntimeError("no such operation")

    monkeypatch.setattr(intel, "export", fail)
    assert engines.load(small).name == "torch"
    assert "(no such operation)" in capsys.readouterr().err
    assert cache.find(small) is None


def test_unknown_and_missing_engines_are_told(tmp_path, monkeypatch):
    with pytest.raises(CellCountError, match="auto, openvino, torch"):
        Counter(SHIPPED, engine="onnx")
    monkeypatch.setattr(intel, "installed", lambda: False)
    with pytest.raises(CellCountError, match="not installed"):
        Counter(SHIPPED, engine="openvino")
    assert Counter(SHIPPED).engine == "torch"
    with pytest.raises(CellCountError, match="not there"):
        Counter(tmp_path / "gone.pth")
