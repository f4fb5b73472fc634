"""Photos drawn for a test: rectangles where their labels are, as IceVision's datasets."""

import numpy as np
from PIL import Image


def drawn(ice, folder, photos, size=(128, 128), classes=("cell",)):
    """A dataset of photos of ``size`` (width, height), each a list of (label, box), perhaps empty.

    They are normalised and otherwise as they are.
    """
    width, height = size
    folder.mkdir(parents=True, exist_ok=True)
    records = []
    for number, cells in enumerate(photos):
        photo = np.random.default_rng(number).integers(0, 60, (height, width, 3), dtype=np.uint8)
        for _, (xmin, ymin, xmax, ymax) in cells:
            photo[int(ymin) : int(ymax), int(xmin) : int(xmax)] = 200
        Image.fromarray(photo).save(folder / f"{number}.png")
        record = ice.ObjectDetectionRecord()
        record.set_record_id(number)
        record.set_filepath(folder / f"{number}.png")
        record.set_img_size(ice.ImgSize(width, height), original=True)
        record.detection.set_class_map(ice.ClassMap(list(classes)))
        record.detection.add_labels([label for label, _ in cells])
        record.detection.add_bboxes([ice.BBox.from_xyxy(*box) for _, box in cells])
        records.append(record)
    return ice.Dataset(records, ice.tfms.A.Adapter([ice.tfms.A.Normalize()]))


def boxes(prediction):
    """The boxes of a prediction, (xmin, ymin, xmax, ymax) each, as an array (boxes, 4)."""
    return np.array([box.xyxy for box in prediction.pred.detection.bboxes]).reshape(-1, 4)
