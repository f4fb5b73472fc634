"""Photos an hour by one process, and by one and two workers, and what the driver itself takes.

``python -m benchmarks.workers [ROUNDS]``, some minutes. The three ways take turns, so that what
else the machine does slows all of them; a time is from the first row to the last.
"""

import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from cellcount.counting.count import Count
from cellcount.counting.counter import Counter
from cellcount.counting.workers import Counted, Crew, Order, processes

_ROOT = Path(__file__).resolve().parents[1]
_PHOTOS, _MANY = 60, 50_000


def photos_an_hour(counter: Counter, photos: Sequence[Path], table: Path, crew: Crew | None) -> int:
    """Count photos anew, as `cellcount count` does."""
    times: list[float] = []

    def timed(order: Order, photos: Sequence[Path]) -> Iterator[Counted]:
        for one in crew(order, photos) if crew else counter._in_turn([*photos], None):
            times.append(time.perf_counter())
            yield one

    counter.count_all(photos, table, anew=True, crew=timed)
    return round(3600 * (len(times) - 1) / (times[-1] - times[0]))


def driver(counter: Counter, folder: Path) -> tuple[float, float]:
    """Milliseconds and kilobytes that a photo of 100 cells costs beside being counted."""
    photos = [folder / f"{number}.png" for number in range(_MANY)]
    for photo in photos:
        photo.touch()

    def pretended(_: Order, photos: Sequence[Path]) -> Iterator[Counted]:
        for photo in photos:
            yield Counted(photo, Count(photo.name, 100, np.ones((100, 4)), np.ones(100)), 0.0)

    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    counter.count_all(photos, folder / "counts.csv", anew=True, crew=pretended)
    took = 1000 * (time.perf_counter() - began) / _MANY
    return took, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / _MANY


def main() -> None:
    """Measure, and print."""
    counter = Counter(_ROOT / "models" / "smear.pth")
    sources = sorted((_ROOT / "data" / "not_labeled").glob("*.png"))
    ways = {"one process": None, "--workers 1": processes(1), "--workers 2": processes(2)}
    found: dict[str, list[int]] = {name: [] for name in ways}
    with tempfile.TemporaryDirectory() as made:
        photos = [Path(made) / f"{number}.png" for number in range(_PHOTOS)]
        for number, photo in enumerate(photos):
            shutil.copy(sources[number % len(sources)], photo)
        for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 3):
            for name, crew in ways.items():
                found[name].append(photos_an_hour(counter, photos, Path(made) / "t.csv", crew))
    for name, numbers in found.items():
        print(f"{name}: {statistics.median(numbers)} photos an hour ({numbers})")
    with tempfile.TemporaryDirectory() as made:
        took, memory = driver(counter, Path(made))
    print(f"driver: {took:.2f} ms and {memory:.1f} KB a photo")


if __name__ == "__main__":
    main()
