"""``python -m benchmarks.gpu``: measure a graphics card part by part; or gather its wheels."""

import argparse
import os
import shlex
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

from benchmarks.gpu import wheels
from benchmarks.gpu.page import Page

PARTS = ("operators", "families", "training", "counting", "memory")


def main(arguments: list[str] | None = None) -> int:
    """Measure what a graphics card computes, and how fast; one process a part."""
    given = sys.argv[1:] if arguments is None else arguments
    if given[:1] == ["wheels"]:
        return wheels.main(given[1:])
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=main.__doc__)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)} (all)")
    parser.add_argument(
        "--device", choices=("cuda", "cpu"), default="cuda", help="cpu: a rehearsal"
    )
    parser.add_argument("--quick", action="store_true", help="small and once: does it all run?")
    parser.add_argument("--out", type=Path, default=Path("out/gpu.md"), help="page (out/gpu.md)")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)  # within its own process
    options = parser.parse_args(given)
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"there is no {', '.join(sorted(unknown))}: take of {', '.join(PARTS)}")
    page = Page(options.out)
    if options.part:
        _measure(options.part, page, options.device, options.quick)
        return 0
    environment = {**os.environ, "TQDM_DISABLE": "1"}
    if options.device == "cpu":
        environment["CUDA_VISIBLE_DEVICES"] = "-1"
    elif not _has_card():
        print("PyTorch sees no graphics card here: add --device cpu to rehearse without one.")
        return 1
    page.begin(shlex.join(["python", "-m", "benchmarks.gpu", *given]))
    how = ["--device", options.device, "--out", str(options.out), *["--quick"] * options.quick]
    failed = 0
    for part in options.parts or PARTS:
        start = time.perf_counter()
        command = [sys.executable, "-m", "benchmarks.gpu", "--part", part, *how]
        status = subprocess.run(command, env=environment, check=False).returncode
        failed += status != 0
        ended = f", and ended with status {status}" if status else ""
        page.note(f"That took {time.perf_counter() - start:.0f} s{ended}.")
    return int(failed > 0 or "**" in options.out.read_text(encoding="utf-8"))


def _measure(part: str, page: Page, device: str, quick: bool) -> None:
    from cellcount.detector.bridging import apply_bridge

    apply_bridge()
    import icevision.all  # noqa: F401 - the bridge mends while it is loaded
    import torch

    from benchmarks.gpu.meter import Meter

    import_module(f"benchmarks.gpu.{part}").measure(page, Meter(torch.device(device), quick))


def _has_card() -> bool:
    asked = "import torch; raise SystemExit(not torch.cuda.is_available())"
    return not subprocess.run([sys.executable, "-c", asked], check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
