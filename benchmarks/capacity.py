"""``python -m benchmarks.capacity OUT FOLDER... --judge FOLDER...``: how large a detector is to be.

Detectors of any cell, each with more of something than the shipped one, are trained on the same
looks for the same time, and count looks that none has seen. Rows are kept in OUT as they come.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.cells import read
from benchmarks.table import markdown, write_between
from cellcount.counting.any_cell import make
from cellcount.counting.counter import Counter
from cellcount.detector.bridging import apply_bridge
from cellcount.detector.recipe import Recipe
from cellcount.detector.training import vfnet
from cellcount.judging.report import judged
from cellcount.labels.confirmed import labelled_photos

_PAGE = Path(__file__).resolve().parents[1] / "docs" / "any-cell.md"
_SKIPPED = 12  # photos that others learn from, and that do not judge there either
_LADDER: dict[str, dict[str, Any]] = {
    "shipped: four stages, 64 channels": {},
    "128 channels": {
        "neck": {"out_channels": 128},
        "bbox_head": {"in_channels": 128, "feat_channels": 128},
    },
    "seven stages": {
        "backbone": {"out_indices": (2, 4, 6)},
        "neck": {"in_channels": [40, 112, 320]},
    },
}
_HEADS = ("detector", "parameters", "epochs", "set", "AP50", "counts off")


def main(arguments: list[str] | None = None) -> None:
    """Train each rung of the ladder, count with it, and write the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.capacity", description=main.__doc__)
    parser.add_argument("out", type=Path, help="folder of checkpoints and rows")
    parser.add_argument("folders", nargs="+", type=Path, help="looks to learn from")
    parser.add_argument("--judge", nargs="+", type=Path, required=True, help="looks to count")
    parser.add_argument("--epochs", type=int, default=6, help="of the shipped one (6)")
    parser.add_argument("--only", type=int, help="a rung: 0 is the shipped one")
    parser.add_argument("--page", type=Path, default=_PAGE, help="page that has the table")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    rows, usual = options.out / "rows.jsonl", 0.0
    for rung, (name, changes) in enumerate(_LADDER.items()):
        backbone = _backbone(rung, changes, options.out)
        step = _seconds_a_step(vfnet(2, False, backbone))
        usual = usual or step
        if options.only not in (None, rung):
            continue
        file = options.out / f"{backbone}.pth"
        epochs = max(1, round(options.epochs * usual / step))
        if not file.is_file():
            make(file, options.folders, epochs=epochs, seed=0, backbone=backbone)
        size = sum(one.numel() for one in vfnet(2, False, backbone).parameters())
        told = {"detector": name, "parameters": size, "epochs": epochs}
        for folder in options.judge:
            asked = {"detector": name, "set": folder.name}
            if not any(asked.items() <= row.items() for row in read(rows)):
                row = told | _counted(file, folder)
                with rows.open("a", encoding="utf-8") as kept:
                    kept.write(json.dumps(row) + "\n")
    table = markdown(_HEADS, [_cells(row) for row in read(rows)], texts=1)
    write_between(options.page, "capacity", table)
    print("\n".join(table))


def _backbone(rung: int, changes: dict[str, Any], folder: Path) -> str:
    """The name among VFNet's backbones of the shipped detector with some changes."""
    apply_bridge()
    from icevision import models

    backbones = models.mmdet.vfnet.backbones
    shipped = getattr(backbones, Recipe.backbone)
    name, file = f"rung_{rung}", folder / f"rung_{rung}.py"
    file.write_text(f"_base_ = {str(shipped.config_path)!r}\nmodel = {changes!r}\n")
    setattr(backbones, name, type(shipped)(config_path=file, weights_url=None))
    return name


def _seconds_a_step(model: Any) -> float:
    """The processor's time for a step on a piece of a photo that shows a cell: the least of ten."""
    meta = {"img_shape": (320, 320, 3), "pad_shape": (320, 320, 3), "scale_factor": np.ones(4)}
    batch = {"img": torch.randn(1, 3, 320, 320), "img_metas": [meta]}
    batch |= {"gt_bboxes": [torch.tensor([[100.0, 100, 150, 150]])]}
    batch |= {"gt_labels": [torch.tensor([0])]}
    times = []
    for _ in range(10):
        began = time.process_time()
        model.train_step(data=batch, optimizer=None)["loss"].backward()
        times.append(time.process_time() - began)
    return min(times)


def _counted(file: Path, folder: Path) -> dict[str, Any]:
    """How right a detector is about photos of a look that it has not seen."""
    result, _ = judged(Counter(file, engine="torch"), labelled_photos(folder)[_SKIPPED:])
    return {"set": folder.name, "ap50": result.ap50, "off": result.counts.share_off}


def _cells(row: dict[str, Any]) -> list[str]:
    return [
        row["detector"],
        f"{row['parameters'] / 1e6:.2f} M",
        str(row["epochs"]),
        row["set"],
        f"{row['ap50']:.2f}",
        f"{row['off']:.0f} %",
    ]


if __name__ == "__main__":
    main()
