"""Callbacks for long trainings: how far one is, and going on after a stop with the same call."""

from pathlib import Path
from typing import Any

import torch
from fastai.callback.core import Callback, CancelEpochException

from cellcount.files import replacing


class Progress(Callback):
    """Advances a bar of tqdm by one a step, through whatever fits there are."""

    def __init__(self, bar: Any) -> None:
        self.bar = bar

    def after_batch(self) -> None:
        """A photo has been learned from."""
        if self.learn.training:
            self.bar.update()


class Resumable(Callback):
    """Keeps a training on disk after every epoch; the next one with the same file goes on from it.

    What is kept is taken only if it was a training of as many epochs and steps, at the same rates,
    on a model whose weights have the same names and shapes; anything else begins anew. The file
    goes when the training is done. To be given to ``fine_tune`` or ``fit_one_cycle`` as ``cbs``;
    the epochs in which ``fine_tune`` has most of the model frozen are few, and are not kept.

    Args:
        file: where to keep it.
    """

    order = 90  # after the optimizer and the schedule are set up

    def __init__(self, file: str | Path) -> None:
        self.file, self.done = Path(file), 0

    def before_fit(self) -> None:
        """Take what is kept, if it is of this training."""
        self.done = 0
        if self._frozen or not self.file.is_file():
            return
        # Where the weights are, there the optimizer needs what it has kept of them.
        device = next(self.learn.model.parameters()).device
        kept = torch.load(self.file, map_location=device, weights_only=True)
        if kept["plan"] == self._plan():
            self.learn.model.load_state_dict(kept["model"])
            # The rates are the schedule's to set.
            self.learn.opt.load_state_dict(
                {"state": kept["optimizer"], "hypers": self.learn.opt.hypers}
            )
            self.done = kept["done"]
            print(f"The training that was stopped goes on after {self.done} of its epochs.")

    def before_epoch(self) -> None:
        """Skip what is done."""
        if self.learn.epoch < self.done:
            raise CancelEpochException

    def after_epoch(self) -> None:
        """Keep what there is; a stop while it is written leaves the file before."""
        if self._frozen or self.learn.epoch < self.done:
            return
        self.file.parent.mkdir(parents=True, exist_ok=True)
        state = {
            "plan": self._plan(),
            "model": self.learn.model.state_dict(),
            "optimizer": list(self.learn.opt.state_dict()["state"]),
            "done": self.learn.epoch + 1,
        }
        with replacing(self.file) as part:
            torch.save(state, part)

    def after_fit(self) -> None:
        """The training is done."""
        if not self._frozen:
            self.file.unlink(missing_ok=True)

    @property
    def _frozen(self) -> bool:
        return bool(self.learn.opt.frozen_idx)

    def _plan(self) -> dict[str, Any]:
        shapes = {name: list(one.shape) for name, one in self.learn.model.state_dict().items()}
        return {"epochs": self.learn.n_epoch, "steps": len(self.learn.dls.train), "shapes": shapes}
