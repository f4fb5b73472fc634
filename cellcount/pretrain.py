"""Training on rendered photos alone: the shipped checkpoint, from which a laptop starts.

It shows every photo a few times, turned by any angle (needles have no up), flipped, scaled and
tinted, so that a detector that then sees a dozen real photos has only their look left to learn.
"""

import random
from pathlib import Path
from typing import Any

import numpy as np

from cellcount import bridge
from cellcount.counting import count_threshold, scores_and_labels
from cellcount.errors import CellCountError
from cellcount.origin import provenance
from cellcount.render import render_folder

SHIPPED = Path(__file__).resolve().parents[1] / "models" / "rendered.pth"
_HELD_OUT = 12  # photos that only the threshold is chosen on


def warm_start(model: Any, checkpoint: str | Path = SHIPPED) -> None:
    """Give ``model`` the weights of a detector trained on rendered photos, all that fit.

    Weights that depend on the number of classes are left as they are where the numbers differ.

    Args:
        model: a VFNet on ``efficientnet_lite0_fpn``.
        checkpoint: written by ``pretrain``.

    Raises:
        CellCountError: the file is missing, or made for another model.
    """
    bridge.apply()
    from cellcount.bridge.mmcv import load_weights

    if not Path(checkpoint).is_file():
        raise CellCountError(
            f"{checkpoint} is not there: git checkout -- models brings it back; without this line "
            "the training starts from everyday pictures and takes longer."
        )
    stored = load_weights(str(checkpoint))["state_dict"]
    own = model.state_dict()
    fitting = {
        name: value
        for name, value in stored.items()
        if name in own and value.shape == own[name].shape
    }
    if len(fitting) < len(own) - 2:  # the last layer's weight and bias may differ
        raise CellCountError(
            f"{checkpoint} is for VFNet on efficientnet_lite0_fpn; this model is another: leave "
            "the line out."
        )
    model.load_state_dict(fitting, strict=False)


def pretrain(
    out: str | Path, photos: str | Path, *, number: int, epochs: int, seed: int, size: int = 640
) -> None:
    """Render ``number`` photos into the folder ``photos``, train on them and save ``out``.

    Photos that are there already are used. The meta of the checkpoint holds the threshold that
    counts best on a dozen of them that were set aside.
    """
    bridge.apply()
    import icevision.all as ice
    import torch
    from icevision.models.checkpoint import save_icevision_checkpoint

    photos = Path(photos)
    if not any(photos.glob("*.xml")):
        render_folder(photos, photos=number, seed=seed)
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    parser = ice.parsers.VOCBBoxParser(annotations_dir=photos, images_dir=photos)
    share = _HELD_OUT / len(parser)
    splitter = ice.RandomSplitter([1 - share, share], seed=seed)
    learned, held_out = parser.parse(splitter, show_pbar=False)

    tfms = ice.tfms
    border = {"border_mode": 0, "value": [0, 0, 0]}
    turn = tfms.A.ShiftScaleRotate(rotate_limit=180, scale_limit=0.2, p=0.7, **border)
    varied = tfms.A.aug_tfms(size=size, presize=size + 128, shift_scale_rotate=turn)
    train_tfms = tfms.A.Adapter([tfms.A.VerticalFlip(), *varied, tfms.A.Normalize()])
    valid_tfms = tfms.A.Adapter([*tfms.A.resize_and_pad(size), tfms.A.Normalize()])

    vfnet = ice.models.mmdet.vfnet
    backbone = vfnet.backbones.efficientnet_lite0_fpn(pretrained=True)
    model = vfnet.model(backbone=backbone, num_classes=len(parser.class_map))
    valid_ds = ice.Dataset(held_out, valid_tfms)
    dls = [
        vfnet.train_dl(ice.Dataset(learned, train_tfms), batch_size=1, shuffle=True),
        vfnet.valid_dl(valid_ds, batch_size=1, shuffle=False),
    ]
    metrics = [ice.COCOMetric(metric_type=ice.COCOMetricType.bbox)]
    learn = vfnet.fastai.learner(dls=dls, model=model, metrics=metrics)
    learn.unfreeze()
    learn.fit_one_cycle(epochs, slice(2e-4, 2e-3))

    found = vfnet.predict_from_dl(
        model, vfnet.infer_dl(valid_ds, batch_size=1), show_pbar=False, detection_threshold=0.05
    )
    save_icevision_checkpoint(
        model,
        model_name="mmdet.vfnet",
        backbone_name="efficientnet_lite0_fpn",
        classes=parser.class_map.get_classes(),
        img_size=size,
        filename=str(out),
        meta={**provenance(), "threshold": count_threshold(*scores_and_labels(found))},
    )
