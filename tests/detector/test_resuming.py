"""A training that is stopped goes on with the epochs that were left."""

import pytest
import torch
from fastai.callback.all import Callback
from fastai.data.core import DataLoaders
from fastai.data.load import DataLoader
from fastai.learner import Learner

from cellcount.detector.resuming import Resumable


class _Stop(Callback):
    """A person who presses Ctrl-C in the middle of an epoch."""

    def __init__(self, epoch):
        self.stop, self.seen, self.rates = epoch, [], []

    def after_batch(self):
        if self.learn.training:
            self.seen.append(self.learn.epoch)
            self.rates.append(self.learn.opt.hypers[0]["lr"])
            if self.learn.epoch == self.stop:
                raise KeyboardInterrupt


def _learner(watch, width=1):
    torch.manual_seed(0)
    x = torch.randn(8, 1)
    data = list(zip(x, 3 * x, strict=True))
    loaders = DataLoaders(DataLoader(data, bs=4), DataLoader(data, bs=4))
    model = torch.nn.Sequential(torch.nn.Linear(1, width), torch.nn.Linear(width, 1))
    return Learner(loaders, model, loss_func=torch.nn.functional.mse_loss, cbs=[watch])


def _fit(learn, epochs, file):
    with learn.no_bar(), learn.no_logging():
        learn.fit_one_cycle(epochs, 0.1, cbs=Resumable(file))


def test_goes_on_where_it_was(tmp_path, capsys):
    file = tmp_path / "kept" / "training.pth"
    with pytest.raises(KeyboardInterrupt):
        _fit(_learner(_Stop(3)), 5, file)
    kept = torch.load(file, weights_only=True)
    assert kept["done"] == 3
    again = _Stop(9)
    _fit(_learner(again), 5, file)
    assert again.seen == [3, 3, 4, 4]
    assert "goes on after 3" in capsys.readouterr().out
    assert not file.exists()
    whole = _Stop(9)
    _fit(_learner(whole), 5, tmp_path / "other.pth")
    assert again.rates == pytest.approx(whole.rates[6:])


def test_fine_tuning_goes_on_though_its_frozen_epoch_comes_again(tmp_path, capsys):
    file = tmp_path / "training.pth"

    def tune(watch):
        learn = _learner(watch)
        learn.splitter = lambda model: [list(part.parameters()) for part in model]
        with learn.no_bar(), learn.no_logging():
            learn.fine_tune(5, 0.1, cbs=Resumable(file))

    with pytest.raises(KeyboardInterrupt):
        tune(_Stop(3))
    again = _Stop(9)
    tune(again)
    assert again.seen == [0, 0, 3, 3, 4, 4]
    assert "goes on after 3" in capsys.readouterr().out
    assert not file.exists()


@pytest.mark.parametrize("change", ["epochs", "model"])
def test_another_training_begins_anew(tmp_path, change, capsys):
    file = tmp_path / "training.pth"
    with pytest.raises(KeyboardInterrupt):
        _fit(_learner(_Stop(2)), 4, file)
    watch = _Stop(99)
    learn = _learner(watch, width=2 if change == "model" else 1)
    _fit(learn, 3 if change == "epochs" else 4, file)
    assert watch.seen[0] == 0
    assert capsys.readouterr().out == ""


def test_what_the_optimizer_has_kept_goes_where_the_weights_are(tmp_path):
    """To a graphics card, for which torch's device without memory stands here."""
    file = tmp_path / "training.pth"
    with pytest.raises(KeyboardInterrupt):
        _fit(_learner(_Stop(3)), 5, file)
    learn, keep = _learner(_Stop(9)), Resumable(file)
    learn.model.to("meta")
    learn.create_opt()
    learn.n_epoch, keep.learn = 5, learn
    keep.before_fit()
    states = [kept for one in learn.opt.state.values() for kept in one.values()]
    assert keep.done == 3
    assert {kept.device.type for kept in states if isinstance(kept, torch.Tensor)} == {"meta"}
