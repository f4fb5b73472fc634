"""Run by test_bridge.py in a process of its own: the walkthrough as it was published in 2022.

Changed are the bridge's lines and ``pretrained=False``, as no weights are at hand. What a reader
chooses (folder, size, epochs, threshold, file) is chosen so that it takes a minute or two.
"""

import sys

import icevision_bridge

icevision_bridge.apply()

from icevision.all import *
from icevision.models.checkpoint import *

if __name__ == "__main__":  # where processes are spawned, each worker imports this file
    data_dir, checkpoint_path, picture_path = sys.argv[1:]
    image_size = 128

    parser = parsers.VOCBBoxParser(annotations_dir=data_dir, images_dir=data_dir)
    train_records, valid_records = parser.parse()

    train_tfms = tfms.A.Adapter(
        [*tfms.A.aug_tfms(size=image_size, presize=image_size + 128), tfms.A.Normalize()]
    )
    valid_tfms = tfms.A.Adapter([*tfms.A.resize_and_pad(image_size), tfms.A.Normalize()])
    train_ds = Dataset(train_records, train_tfms)
    valid_ds = Dataset(valid_records, valid_tfms)

    model_type = models.mmdet.vfnet
    backbone = model_type.backbones.resnet50_fpn_mstrain_2x
    model = model_type.model(backbone=backbone(pretrained=False), num_classes=len(parser.class_map))

    train_dl = model_type.train_dl(train_ds, batch_size=2, num_workers=4, shuffle=True)
    valid_dl = model_type.valid_dl(valid_ds, batch_size=2, num_workers=4, shuffle=False)

    metrics = [COCOMetric(metric_type=COCOMetricType.bbox)]
    learn = model_type.fastai.learner(dls=[train_dl, valid_dl], model=model, metrics=metrics)
    learn.lr_find()
    learn.fine_tune(1, 1e-4, freeze_epochs=1)

    model_type.show_results(model, valid_ds, detection_threshold=0.5)

    save_icevision_checkpoint(
        model,
        model_name="mmdet.vfnet",
        backbone_name="resnet50_fpn_mstrain_2x",
        classes=parser.class_map.get_classes(),
        img_size=image_size,
        filename=checkpoint_path,
        meta={"icevision_version": "0.12.0"},
    )

    checkpoint_and_model = model_from_checkpoint(checkpoint_path)
    model = checkpoint_and_model["model"]
    model_type = checkpoint_and_model["model_type"]
    class_map = checkpoint_and_model["class_map"]
    img_size = checkpoint_and_model["img_size"]
    valid_tfms = tfms.A.Adapter([*tfms.A.resize_and_pad(img_size), tfms.A.Normalize()])

    img = PIL.Image.open(str(valid_records[0].filepath))
    pred_dict = model_type.end2end_detect(
        img,
        valid_tfms,
        model,
        class_map=class_map,
        detection_threshold=0.0,
        display_label=True,
        display_bbox=True,
        return_img=True,
        font_size=16,
        label_color="#FF59D6",
    )
    assert (pred_dict["width"], pred_dict["height"]) == img.size
    pred_dict["img"].save(picture_path)
