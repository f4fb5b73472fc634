"""Every detector that IceVision offers for boxes builds, learns, predicts, saves and loads."""

import gc
import math
import re
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from benchmarks.gpu import families
from cellcount.commands import main
from cellcount.detector import zoo
from icevision_bridge.errors import BridgeError
from tests.conftest import ROOT

# Of each family the smallest, and some more, tried by `make test`; `make test-all` tries them all.
QUICK = {
    *(zoo.Entry(*one) for one in {**families.SMALL, **families.MORE}),
    zoo.Entry("mmdet.ssd", "ssdlite_mobilenetv2"),
}
# 200 million parameters, for what CornerNet shows too.
HEAVY = zoo.Entry("mmdet.centripetalnet", "hourglass104_mstest_16x6_210e_coco")
# SSD shrinks a photo until one pixel is left, and says how many it must have.
SIZES = {"ssd300": 320, "ssd512": 512}
# The laptop's detector is an eighth of the size of the next one.
LEAST_PARAMETERS = {"efficientnet_lite0_fpn": 3e5}
# Without suppression, a detector finds as many boxes as it has queries.
QUERIES = {"mmdet.detr": 100, "mmdet.deformable_detr": 300, "mmdet.sparse_rcnn": 100}


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """Untrained, a layer of rectifiers may die by chance: no gradient would reach it."""
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _freed() -> Iterator[None]:
    """Detectors hold themselves in circles: not collected after each, they take 10 GB together."""
    yield
    gc.collect()


def _every() -> list:
    return [
        pytest.param(
            entry,
            id=f"{entry.family}.{entry.backbone}",
            marks=() if entry in QUICK - {HEAVY} else pytest.mark.slow,
        )
        for entry in zoo.entries()
    ]


def _of_each_family() -> list:
    families = {entry.family: entry for entry in zoo.entries() if entry in QUICK}
    heavy = {HEAVY.family, "mmdet.cornernet"}  # checkpoints of 800 MB
    return [
        pytest.param(entry, id=family, marks=pytest.mark.slow if family in heavy else ())
        for family, entry in families.items()
    ]


def test_quick_ones_cover_every_family():
    assert set(zoo.entries()) >= QUICK
    assert {entry.family for entry in QUICK} == set(zoo.FAMILIES)


@pytest.mark.parametrize("entry", _every())
def test_learns_and_predicts(entry):
    trial = zoo.attempt(entry, SIZES.get(entry.backbone, 128))
    assert math.isfinite(trial.loss)
    assert trial.loss > 0
    assert trial.unreached == ()
    assert trial.parameters > LEAST_PARAMETERS.get(entry.backbone, 1e6)
    assert trial.step_seconds > 0
    assert trial.photo_seconds > 0


def test_torchvisions_detectors_are_validated_in_16_bits():
    # At 64 pixels its last map is one pixel, of which torch 2.14's processor code leaves some
    # gradients of a 3 x 3 convolution in bfloat16 unwritten: whatever lay in memory, at times NaN.
    trial = zoo.attempt(zoo.Entry("torchvision.retinanet", "resnet18_fpn"), 128, half=True)
    assert math.isfinite(trial.loss)
    assert trial.taken == 2


def _with_every_box(model):
    """Lower the scores below which a detector hides its boxes, so that random weights show some."""
    for part in model.modules():
        if isinstance(getattr(part, "test_cfg", None), dict):
            for rules in (part.test_cfg, *part.test_cfg.values()):
                if isinstance(rules, dict) and "score_thr" in rules:
                    rules["score_thr"] = 0
        for name in ("score_thresh", "box_score_thresh"):
            if hasattr(part, name):
                setattr(part, name, 0.0)
    return model


def _predicted(model_type, model, dataset):
    (found,) = model_type.predict(_with_every_box(model), dataset, detection_threshold=0.0)
    boxes = [box.xyxy for box in found.pred.detection.bboxes]
    return np.reshape(boxes, (-1, 4)), found.pred.detection.scores, found.pred.detection.label_ids


@pytest.mark.parametrize("entry", _of_each_family())
def test_checkpoint_predicts_the_same(entry, icevision, tmp_path):
    from icevision.models.checkpoint import model_from_checkpoint, save_icevision_checkpoint

    torch.manual_seed(0)
    size = SIZES.get(entry.backbone, 128)
    model = zoo.build(entry, size, classes=3)
    picture = np.random.default_rng(0).integers(0, 255, (size, size, 3), dtype=np.uint8)
    dataset = icevision.Dataset.from_images(
        [picture],
        icevision.tfms.A.Adapter([icevision.tfms.A.Normalize()]),
        icevision.ClassMap("ab"),
    )
    boxes, scores, labels = _predicted(entry.model_type, model.eval(), dataset)
    file = tmp_path / "model.pth"
    save_icevision_checkpoint(
        model,
        model_name=entry.family,
        backbone_name=entry.backbone,
        classes=["background", "a", "b"],
        img_size=size,
        filename=str(file),
    )
    loaded = model_from_checkpoint(file)
    assert loaded["model_type"] is entry.model_type
    assert loaded["class_map"].get_classes() == ["background", "a", "b"]
    again = _predicted(loaded["model_type"], loaded["model"], dataset)
    assert len(scores) > 0
    np.testing.assert_allclose(again[0], boxes, atol=1e-3)
    np.testing.assert_allclose(again[1], scores, atol=1e-5)
    np.testing.assert_array_equal(again[2], labels)
    if entry.family in QUERIES:
        assert zoo._most(model) == QUERIES[entry.family] == len(scores)


@pytest.mark.parametrize(
    "entry",
    [zoo.Entry("ross.efficientdet", "tf_lite0"), zoo.Entry("ultralytics.yolov5", "small")],
    ids=lambda entry: entry.family,
)
def test_checkpoint_without_a_size_asks_for_it(entry, icevision, tmp_path):
    from icevision.models.checkpoint import model_from_checkpoint, save_icevision_checkpoint

    file = tmp_path / "model.pth"
    save_icevision_checkpoint(
        zoo.build(entry, 128),
        model_name=entry.family,
        backbone_name=entry.backbone,
        classes=["cell"],
        filename=str(file),
    )
    with pytest.raises(BridgeError, match=r"img_size=512, .*model_from_checkpoint"):
        model_from_checkpoint(file)
    assert model_from_checkpoint(file, img_size=128)["img_size"] == 128


def _names_of_2021() -> dict[str, tuple[int, ...]]:
    """Names and shapes of VFNet's weights on ResNet-50 in mmdet 2.17, for one class of cells.

    The backbone has torchvision's names, the neck and the head those of mmdet's VFNetHead of 2020.
    """
    from torchvision.models import resnet50

    own = resnet50(weights=None).state_dict().items()
    names = {f"backbone.{k}": tuple(v.shape) for k, v in own if not k.startswith("fc.")}
    for level, channels in enumerate((512, 1024, 2048)):
        names[f"neck.lateral_convs.{level}.conv.weight"] = (256, channels, 1, 1)
        names[f"neck.lateral_convs.{level}.conv.bias"] = (256,)
    for level in range(5):
        names[f"neck.fpn_convs.{level}.conv.weight"] = (256, 256, 3, 3)
        names[f"neck.fpn_convs.{level}.conv.bias"] = (256,)
        names[f"bbox_head.scales.{level}.scale"] = ()
        names[f"bbox_head.scales_refine.{level}.scale"] = ()
    for branch in ("cls", "reg"):
        for layer in range(3):
            names[f"bbox_head.{branch}_convs.{layer}.conv.weight"] = (256, 256, 3, 3)
            names[f"bbox_head.{branch}_convs.{layer}.gn.weight"] = (256,)
            names[f"bbox_head.{branch}_convs.{layer}.gn.bias"] = (256,)
    names["bbox_head.vfnet_reg_conv.conv.weight"] = (256, 256, 3, 3)
    names["bbox_head.vfnet_reg_conv.gn.weight"] = (256,)
    names["bbox_head.vfnet_reg_conv.gn.bias"] = (256,)
    for output, channels in (("reg", 4), ("reg_refine", 4), ("cls", 1)):
        names[f"bbox_head.vfnet_{output}.weight"] = (channels, 256, 3, 3)
        names[f"bbox_head.vfnet_{output}.bias"] = (channels,)
    names["bbox_head.vfnet_reg_refine_dconv.weight"] = (256, 256, 3, 3)
    names["bbox_head.vfnet_cls_dconv.weight"] = (256, 256, 3, 3)
    return names


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_checkpoint_of_the_original_walkthrough_loads(zipped, icevision, tmp_path):
    from icevision.models.checkpoint import model_from_checkpoint

    generator = torch.Generator().manual_seed(0)
    weights = {
        name: torch.rand(shape, generator=generator) * 0.01
        if not name.endswith("num_batches_tracked")
        else torch.tensor(7)
        for name, shape in _names_of_2021().items()
    }
    meta = {
        "icevision_version": "0.12.0",
        "classes": ["background", "Microalgae"],
        "model_name": "mmdet.vfnet",
        "backbone_name": "resnet50_fpn_mstrain_2x",
        "img_size": 640,
        "mmcv_version": "1.3.17",
        "time": "Sat Apr 23 21:14:33 2022",
        "mAP": np.float64(0.42),
    }
    file = tmp_path / "model_checkpoint.pth"
    torch.save({"meta": meta, "state_dict": weights}, file, _use_new_zipfile_serialization=zipped)
    loaded = model_from_checkpoint(file)
    ours = loaded["model"].state_dict()
    assert set(ours) == set(weights)
    assert all(torch.equal(ours[name], value) for name, value in weights.items())
    assert loaded["img_size"] == 640
    assert loaded["class_map"].get_classes() == ["background", "Microalgae"]


def test_swin_starts_from_a_file_put_there_by_hand(icevision, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "checkpoints").mkdir()
    seen = torch.rand(96, 3, 4, 4)
    torch.save(
        {"model": {"patch_embed.proj.weight": seen}},
        tmp_path / "checkpoints" / "swin_tiny_patch4_window7_224.pth",
    )
    vfnet = icevision.models.mmdet.vfnet
    model = vfnet.model(
        backbone=vfnet.backbones.swin_t_p4_w7_fpn_1x_coco(pretrained=True), num_classes=2
    )
    assert torch.equal(model.backbone.patch_embed.projection.weight, seen)


def test_refining_deformable_detr_has_one_stage(icevision):
    backbones = icevision.models.mmdet.deformable_detr.backbones
    stages = {
        name: getattr(backbones, name).config_path.stem
        for name in ("refine_r50_16x2_50e_coco", "twostage_refine_r50_16x2_50e_coco")
    }
    assert stages == {name: f"deformable_detr_{name}" for name in stages}


@pytest.mark.parametrize(
    ("entry", "size", "right"),
    [
        (zoo.Entry("mmdet.yolox", "yolox_tiny_8x8"), 80, "64 or 96 in the place of 80"),
        (zoo.Entry("mmdet.ssd", "ssd300"), 128, "260 in the place of 128"),
    ],
)
def test_size_that_does_not_fit_is_said_before_training(entry, size, right):
    with pytest.raises(BridgeError, match=right):
        zoo.attempt(entry, size)


def test_unknown_family_is_named(capsys):
    assert main.main(["models", "yolov8"]) == 1
    assert "There is no family yolov8" in capsys.readouterr().err


def test_models_of_a_family_are_listed(capsys):
    assert main.main(["models", "vfnet"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert len(rows) == 2 + 12
    assert "| `mmdet.vfnet` | `efficientnet_lite0_fpn` | installed |" in rows
    assert "| `mmdet.vfnet` | `swin_s_p4_w7_fpn_1x_coco` | download, ImageNet |" in rows


def test_table_is_measured_and_put_into_the_page(tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- models -->old<!-- models -->\nafter\n")
    command = ["models", "yolox", "--size", "64", "--out", str(page)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zoo, "entries", lambda _: [zoo.Entry("mmdet.yolox", "yolox_tiny_8x8")])
        assert main.main(command) == 0
    text = page.read_text()
    assert re.search(
        r"\| `yolox_tiny_8x8` \| download \| 5\.0 \| \d+\.\d\d \| \d+\.\d\d \|  \|", text
    )
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text


def test_row_says_why_a_size_does_not_fit(capsys):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zoo, "entries", lambda _: [zoo.Entry("mmdet.yolox", "yolox_tiny_8x8")])
        assert main.main(["models", "yolox", "--size", "80"]) == 0
    assert "64 or 96 in the place of 80" in capsys.readouterr().out


def test_page_without_a_place_for_the_table_is_left_alone(tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text("mine")
    assert main.main(["models", "vfnet", "--out", str(page)]) == 1
    assert "<!-- models -->" in capsys.readouterr().err
    assert page.read_text() == "mine"


def test_the_page_lists_every_model():
    table = (ROOT / "docs" / "models.md").read_text(encoding="utf-8").split("<!-- models -->")[1]
    listed = re.findall(r"^\| `([\w.]+)` \| `(\w+)` \|", table, flags=re.MULTILINE)
    assert [zoo.Entry(*names) for names in listed] == zoo.entries()
