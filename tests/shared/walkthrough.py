"""The walkthrough of 2022 as its notebooks had it; only the bridge's lines are added.

Run by tests/bridge/test_walkthrough.py in a folder with ``data/labeled`` and ``data/not_labeled``,
and there with ``pretrained=False`` and smaller photos.
"""

import icevision_bridge

icevision_bridge.apply()

# train.ipynb
from icevision.all import *

parser = parsers.VOCBBoxParser(annotations_dir="data/labeled", images_dir="data/labeled")
train_records, valid_records = parser.parse()
image_size = 640
train_tfms = tfms.A.Adapter(
    [*tfms.A.aug_tfms(size=image_size, presize=image_size + 128), tfms.A.Normalize()]
)
valid_tfms = tfms.A.Adapter([*tfms.A.resize_and_pad(image_size), tfms.A.Normalize()])
train_ds = Dataset(train_records, train_tfms)
valid_ds = Dataset(valid_records, valid_tfms)
model_type = models.mmdet.vfnet
backbone = model_type.backbones.resnet50_fpn_mstrain_2x
model = model_type.model(backbone=backbone(pretrained=True), num_classes=len(parser.class_map))
train_dl = model_type.train_dl(train_ds, batch_size=2, num_workers=4, shuffle=True)
valid_dl = model_type.valid_dl(valid_ds, batch_size=2, num_workers=4, shuffle=False)
metrics = [COCOMetric(metric_type=COCOMetricType.bbox)]
learn = model_type.fastai.learner(dls=[train_dl, valid_dl], model=model, metrics=metrics)
learn.lr_find()
learn.fine_tune(1, 1e-3, freeze_epochs=1)
model_type.show_results(model, valid_ds, detection_threshold=0.5)

from icevision.models.checkpoint import *

save_icevision_checkpoint(
    model,
    model_name="mmdet.vfnet",
    backbone_name="resnet50_fpn_mstrain_2x",
    img_size=image_size,
    classes=parser.class_map.get_classes(),
    filename="./models/model_checkpoint.pth",
    meta={"icevision_version": "0.12.0"},
)

# inference.ipynb
checkpoint_path = "./models/model_checkpoint.pth"
checkpoint_and_model = model_from_checkpoint(checkpoint_path)
model = checkpoint_and_model["model"]
model_type = checkpoint_and_model["model_type"]
class_map = checkpoint_and_model["class_map"]
img_size = checkpoint_and_model["img_size"]
valid_tfms = tfms.A.Adapter([*tfms.A.resize_and_pad(img_size), tfms.A.Normalize()])

img = PIL.Image.open("data/not_labeled/photo.png")
pred_dict = model_type.end2end_detect(
    img,
    valid_tfms,
    model,
    class_map=class_map,
    detection_threshold=0.5,
    display_label=True,
    display_bbox=True,
    return_img=True,
    font_size=50,
    label_color="#FF59D6",
)
pred_dict["img"]
