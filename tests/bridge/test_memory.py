"""A graphics card whose memory runs out, and a training that is stopped, played on the CPU."""

import weakref

import pytest
import torch
from fastai.callback.all import Callback
from fastai.data.core import DataLoaders
from fastai.data.load import DataLoader
from fastai.learner import Learner

import cellcount as cc
from cellcount.detector.recipe import Recipe
from cellcount.errors import CellCountError
from icevision_bridge.errors import BridgeError
from icevision_bridge.memory import enough_memory_or
from tests.conftest import ROOT

FULL = torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")


class Failing(Callback):
    """Raises an error once, in the midst of a batch, as a card does, or a person with Ctrl-C."""

    def __init__(self, error):
        self.error = error

    def after_pred(self):
        if self.error:
            error, self.error = self.error, None
            raise error


def a_learner(*callbacks):
    torch.manual_seed(0)
    x = torch.randn(8, 1)
    loader = DataLoader(list(zip(x, 3 * x, strict=True)), bs=4)
    loaders = DataLoaders(loader, loader, device=torch.device("cpu"))
    model = torch.nn.Linear(1, 1)
    learn = Learner(loaders, model, loss_func=torch.nn.functional.mse_loss, cbs=callbacks)
    learn.remove_cb(learn.progress)
    return learn


def test_a_training_says_what_to_lower_and_can_go_on_with_less():
    learn = a_learner(Failing(FULL))
    with learn.no_logging():
        with pytest.raises(BridgeError, match=r"too little memory .*: lower the batch size"):
            learn.fine_tune(1, 0.1)
        learn.fit(1, 0.1)
    assert learn.recorder.values


def test_what_a_learner_held_when_the_backward_pass_failed_is_freed():
    learn = a_learner()
    seen = []

    def too_large():
        seen.append(weakref.ref(learn.pred))
        raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`")

    learn._backward = too_large
    with learn.no_logging(), pytest.raises(BridgeError, match="too little memory"):
        learn.fit(1, 0.1)
    assert [one() for one in seen] == [None]


def test_other_errors_stay_what_they_are():
    with pytest.raises(RuntimeError, match="shapes differ"):
        a_learner(Failing(RuntimeError("shapes differ"))).fit(1, 0.1)


def test_what_failed_is_freed_though_its_traceback_is_kept():
    seen = []

    def too_large():
        activations = torch.ones(9)
        seen.append(weakref.ref(activations))
        raise FULL

    with pytest.raises(BridgeError, match="less") as kept, enough_memory_or(BridgeError("less")):
        too_large()
    assert kept.tb is not None
    assert seen[0]() is None


@pytest.mark.parametrize("error", [KeyboardInterrupt(), FULL], ids=["stopped", "full"])
def test_a_training_after_a_stopped_one_learns_in_16_bits_and_nothing_else_stays_in_them(error):
    learn = a_learner(Failing(error)).to_bf16()
    before = [one.detach().clone() for one in learn.model.parameters()]
    with learn.no_logging():
        with pytest.raises((KeyboardInterrupt, BridgeError)):
            learn.fit(1, 0.1)
        assert not torch.is_autocast_enabled("cpu")
        losses = []
        for _ in range(4):
            learn.fit(1, 0.1)
            losses.append(learn.recorder.values[-1][1])
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0] - 1
    assert not any(map(torch.equal, before, learn.model.parameters()))


@pytest.mark.usefixtures("short")
def test_what_train_runs_says_what_to_lower(monkeypatch, tmp_path, labelled_photos):
    def one_batch(*_):
        raise FULL

    monkeypatch.setattr(Learner, "_do_one_batch", one_batch)
    photos, recipe = cc.list_photos(labelled_photos)[:2], Recipe(64, 64, steps=1)
    with pytest.raises(BridgeError, match="lower the batch size, or the image size"):
        cc.finetune(labelled_photos, tmp_path / "model.pth", photos=photos, recipe=recipe)
    assert not (tmp_path / "model.pth").exists()


def test_counting_says_what_to_do(monkeypatch):
    from cellcount.counting.engines import dense

    counter = cc.Counter(ROOT / "models/smear.pth", engine="torch")

    def forward(*_):
        raise FULL

    monkeypatch.setattr(dense.DenseNetwork, "forward", forward)
    with pytest.raises(CellCountError, match=r"CUDA_VISIBLE_DEVICES=-1 to count without"):
        counter.count(ROOT / "data/not_labeled/smear-008.png")
