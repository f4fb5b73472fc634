"""VFNet as a laptop trains it: the model, its training and predictions."""

import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from cellcount.calibration.matching import Prediction, predictions
from cellcount.detector.bridging import apply_bridge
from cellcount.detector.head_start import warm_start
from cellcount.detector.recipe import Recipe
from cellcount.detector.varying import transforms

LEAST_SCORE = 0.05  # the detector keeps no box below, neither in calibrating nor in counting


def vfnet(classes: int, pretrained: bool = True, backbone: str = "efficientnet_lite0_fpn") -> Any:
    """VFNet, on the backbone that a laptop can train if no other is named.

    Args:
        classes: number of classes, the background among them.
        pretrained: whether the backbone has its ImageNet weights.
        backbone: its name among VFNet's backbones in IceVision.
    """
    apply_bridge()
    from icevision import models

    family = models.mmdet.vfnet
    chosen = getattr(family.backbones, backbone)(pretrained=pretrained)
    return family.model(backbone=chosen, num_classes=classes)


def learner(model: Any, learned: Sequence[Any], held_out: Sequence[Any], recipe: Recipe) -> Any:
    """fastai's learner for VFNet on records, one photo a step.

    Args:
        model: a VFNet of IceVision's.
        learned: records to train on.
        held_out: records to compute the losses of each epoch on.
        recipe: says how photos are varied and how often each is shown in an epoch.
    """
    import icevision.all as ice

    family = ice.models.mmdet.vfnet
    varied, plain = transforms(recipe)
    shown = list(learned) * recipe.times(len(learned))
    dls = [
        family.train_dl(ice.Dataset(shown, varied), batch_size=1, shuffle=True),
        family.valid_dl(ice.Dataset(list(held_out), plain), batch_size=1, shuffle=False),
    ]
    return family.fastai.learner(dls=dls, model=model)


def trained(
    records: Sequence[Any],
    classes: int,
    recipe: Recipe,
    *,
    seed: int,
    bar: Any = None,
    state: Path | None = None,
) -> Any:
    """The laptop's model, trained on records.

    Args:
        records: all of them are learned from.
        classes: number of classes, the background among them.
        recipe: how.
        seed: of all chance.
        bar: of tqdm, advanced by one a step.
        state: where the training is kept, so that it can be stopped and go on.
    """
    from cellcount.detector.resuming import Progress, Resumable

    seed_everything(seed)
    model = vfnet(classes, backbone=recipe.backbone)
    if recipe.head_start:
        warm_start(model, recipe.head_start)
    learn = learner(model, records, records[:1], recipe)
    callbacks: list[Any] = [] if bar is None else [Progress(bar)]
    if state is not None:
        callbacks.append(Resumable(state))
    with learn.no_bar(), learn.no_logging():
        learn.fine_tune(
            recipe.epochs(len(records)), recipe.rate, freeze_epochs=1, lr_mult=10, cbs=callbacks
        )
    return model


def seconds_a_step(records: Sequence[Any], classes: int, recipe: Recipe) -> float:
    """How long this computer takes to learn from one photo, measured on two after a first."""
    model = vfnet(classes, pretrained=False, backbone=recipe.backbone)
    loader = learner(model, [records[0]] * 3, records[:1], recipe).dls.train
    start = 0.0
    for number, (images, _) in enumerate(islice(loader, 3)):
        start = start or (time.perf_counter() if number else 0.0)
        model.train_step(data=images, optimizer=None)["loss"].backward()
    return (time.perf_counter() - start) / 2


def predict(model: Any, records: Sequence[Any], recipe: Recipe) -> list[Prediction]:
    """Every box that the detector keeps, beside the labels, in pixels of each photo."""
    import icevision.all as ice

    family = ice.models.mmdet.vfnet
    dataset = ice.Dataset(list(records), transforms(recipe)[1])
    return predictions(
        family.predict_from_dl(
            model,
            family.infer_dl(dataset, batch_size=1),
            show_pbar=False,
            detection_threshold=LEAST_SCORE,
        )
    )


def seed_everything(seed: int) -> None:
    """Start the random numbers of Python, NumPy and torch from ``seed``."""
    import random

    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
