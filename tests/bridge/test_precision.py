import traceback
from pathlib import Path

import pytest
import torch
from torch import nn

import cellcount as cc
from cellcount.detector.training import seed_everything
from tests.shared.drawn import drawn

CELLS = [
    [("cell", (8, 8, 40, 40)), ("cell", (60, 60, 110, 110))],
    [("cell", (50, 20, 90, 60)), ("cell", (10, 70, 50, 110))],
]
DETECTORS = [
    ("vfnet", "efficientnet_lite0_fpn"),
    ("vfnet", "resnet50_fpn_mstrain_2x"),
    pytest.param("retinanet", "resnet50_fpn_1x", marks=pytest.mark.slow),
    pytest.param("fcos", "resnet50_caffe_fpn_gn_head", marks=pytest.mark.slow),
    pytest.param("faster_rcnn", "resnet50_fpn_1x", marks=pytest.mark.slow),
]


@pytest.fixture(scope="module")
def ice():
    cc.apply_bridge()
    import icevision.all

    return icevision.all


@pytest.fixture(scope="module")
def photos(ice, tmp_path_factory):
    return drawn(ice, tmp_path_factory.mktemp("photos"), CELLS)


@pytest.fixture
def learner(ice, photos):
    """A function that makes the learner of a detector, always with the same weights."""

    def make(family="vfnet", backbone="efficientnet_lite0_fpn", **loading):
        model_type = getattr(ice.models.mmdet, family)
        seed_everything(0)
        start = getattr(model_type.backbones, backbone)(pretrained=False)
        model = model_type.model(backbone=start, num_classes=2)
        dls = [
            model_type.train_dl(photos, batch_size=2, **loading),
            model_type.valid_dl(photos, batch_size=2),
        ]
        learn = model_type.fastai.learner(
            dls=dls, model=model, metrics=[ice.COCOMetric()], device=torch.device("cpu")
        )
        learn.unfreeze()
        return learn

    return make


def fit(learn):
    """Train for a step and validate; return the two losses and the size of every gradient."""
    from fastai.callback.core import Callback

    sizes = []

    class Gradients(Callback):
        order = 5  # before fastai's mixed precision goes over to the optimiser

        def before_step(self):
            sizes.extend(
                sum(float(one.grad.norm()) for one in group if one.grad is not None)
                for group in self.learn.opt.param_lists
                if any(one.requires_grad for one in group)
            )

    with learn.no_bar(), learn.no_logging(), learn.added_cbs([Gradients()]):
        learn.fit(1, 1e-4)
    return list(learn.recorder.values[-1][:2]), sizes


@pytest.mark.parametrize(("family", "backbone"), DETECTORS)
def test_mixed_precision_learns_as_32_bits_do(learner, family, backbone):
    """bfloat16 has 8 significant bits; a loss in it would be off by more than what is asked."""
    losses, gradients = fit(learner(family, backbone))
    narrow, narrow_gradients = fit(learner(family, backbone).to_bf16())
    assert narrow == pytest.approx(losses, rel=1e-2)
    assert narrow != losses  # 16 bits were used
    assert len(gradients) == len(narrow_gradients) >= 5
    assert all(size > 0 for size in narrow_gradients)
    assert narrow_gradients == pytest.approx(gradients, rel=0.3)


def test_float16_scales_its_loss_and_learns(learner):
    losses, _ = fit(learner())
    narrow, sizes = fit(learner().to_fp16(init_scale=64.0))
    assert narrow == pytest.approx(losses, rel=1e-2)
    assert all(0 < size < float("inf") for size in sizes)


def test_force_fp32_follows_autocast_and_the_flag(ice):
    from mmcv.runner import force_fp32

    class Head(nn.Module):
        @force_fp32(apply_to=("scores",))
        def loss(self, scores, others, *, factor):
            product = torch.ones(2, 2) @ torch.ones(2, 2)
            return scores[0].dtype, others.dtype, product.dtype, factor

    wide, narrow = torch.float32, torch.bfloat16
    scores, others = [torch.ones(2, dtype=narrow)], torch.ones(2, dtype=narrow)
    head = Head()
    assert head.loss(scores, others, factor=2) == (narrow, narrow, wide, 2)
    with torch.autocast("cpu", dtype=narrow):
        assert head.loss(scores, others, factor=2) == (wide, narrow, wide, 2)
        assert head.loss(others=others, scores=scores, factor=2) == (wide, narrow, wide, 2)
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == narrow  # it is on again


def test_kernels_run_on_a_device_without_autocast():
    from icevision_bridge.ops.precision import is_autocast_on, kernel

    double = kernel(lambda values: values * 2)
    assert not is_autocast_on("meta")
    assert double(torch.ones(3, device="meta")).shape == (3,)


def test_a_step_waits_for_the_device_where_mmdet_asks_it_to(learner, monkeypatch):
    """``item``, ``cpu``, ``numpy`` and ``tolist`` each wait for all that a graphics card has to do.

    VFNet asks for the number of cells and the sum of their overlaps, and fastai for the loss.
    """
    calls = []

    def watched(name):
        method = getattr(torch.Tensor, name)

        def call(self, *args, **kwargs):
            if not learn.training:
                return method(self, *args, **kwargs)
            callers = [
                one for one in traceback.extract_stack()[:-1] if "torch/" not in one.filename
            ]
            calls.append((Path(callers[-1].filename).name, callers[-1].name))
            return method(self, *args, **kwargs)

        monkeypatch.setattr(torch.Tensor, name, call)

    learn = learner()
    for name in ("item", "cpu", "numpy", "tolist"):
        watched(name)
    with learn.no_bar(), learn.no_logging():
        learn.fit(1, 1e-4)
    assert calls.count(("vfnet_head.py", "loss")) == 3
    assert calls.count(("torch_core.py", "_inner")) == 1  # fastai's to_detach, of the loss
    # Once an epoch: fastai's summary of it, and the seed of the loader, which is on the CPU.
    rest = {("learner.py", "_maybe_item"), ("load.py", "__iter__")}
    assert set(calls) == {("vfnet_head.py", "loss"), ("torch_core.py", "_inner"), *rest}


def test_batches_are_pinned_and_copied_beside_the_computation_on_cuda_only(learner, monkeypatch):
    import fastai.data.load as loading
    from icevision.engines.fastai.adapters import convert_dataloaders_to_fastai
    from torch.utils.data import DataLoader

    loaders = [DataLoader([1, 2], num_workers=1, persistent_workers=True, timeout=9)]
    for device, pinned in (("cpu", False), ("cuda:1", True), ("mps", False)):
        loader = convert_dataloaders_to_fastai(loaders, torch.device(device))[0]
        assert (loader.pin_memory, loader.fake_l.pin_memory) == (pinned, pinned)
        assert loader.fake_l.persistent_workers
        assert loader.fake_l.timeout == 9

    copies = []

    def to(self, device, non_blocking=False):
        copies.append((str(device), non_blocking))
        return self

    monkeypatch.setattr(torch.Tensor, "to", to)
    batch = ({"img": torch.ones(1), "gt_bboxes": [torch.ones(1)]}, ["record"])
    for device in ("cpu", torch.device("cuda:0"), "mps"):
        loading.to_device(batch, device)
    assert copies == [("cpu", False)] * 2 + [("cuda:0", True)] * 2 + [("mps", False)] * 2


def test_a_pinned_batch_trains_as_any_other(learner, monkeypatch):
    from torch.utils.data._utils.pin_memory import pin_memory

    learn = learner()
    learn.model.train()
    data, records = learn.dls.train.one_batch()
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self, *_: self.clone())
    pinned, same_records = pin_memory((data, records))
    assert [one.record_id for one in same_records] == [one.record_id for one in records]
    assert pinned["img"] is not data["img"]
    assert learn.model(pinned)["loss"].item() == learn.model(data)["loss"].item()
