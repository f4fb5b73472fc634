"""Each operator that the bridge lends mmcv: on a device in 32 and 16 bits, against the CPU in 64.

What both are given is rounded to the format of the device first, so that only the computing and the
rounding of its results differ. An error is the largest one of a result, beside its largest value.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from benchmarks.gpu.cases import Case, cases
from benchmarks.gpu.meter import Meter
from benchmarks.gpu.page import Page, told

_FORMATS = (torch.float32, torch.float16, torch.bfloat16)
_HEADS = ("operator", "on", "in", "error", "of gradients", "allowed", "ms, there and back", "")
_BORDERS = "tests/bridge/test_ops_borders.py"


def measure(page: Page, meter: Meter) -> None:
    """Compare all operators, see that no kernel was left out, and run the tests of borders."""
    page.section("Operators against the processor in 64 bits", _HEADS)
    with watched() as called:
        for name, case in cases(meter.quick).items():
            for kind in _FORMATS:
                page.row(
                    name, meter.name, str(kind).removeprefix("torch."), *_row(case, kind, meter)
                )
    missed = sorted(kernels() - called)
    page.note(f"Kernels of the bridge that nothing called: {', '.join(missed) or 'none'}.")
    page.section("Borders, worked out by hand", ("tests", "on", "came to"), texts=3)
    page.row(_BORDERS, meter.name, borders(meter))


def allowed(kind: torch.dtype) -> float:
    """How large an error may be: two roundings of the result, and 1e-4 for sums of many."""
    return max(1e-4, 2 * torch.finfo(kind).eps)


def kernels() -> set[str]:
    """The names of all that the bridge lends mmcv, but those that only tell a version."""
    from icevision_bridge import ops

    return {one.__name__ for one in ops._KERNELS if not one.__name__.startswith("get_")}


def borders(meter: Meter) -> str:
    """Run the tests of what is worked out by hand on the device, in a card's way."""
    asked = [sys.executable, "-m", "pytest", _BORDERS, "--device", meter.device.type]
    ran = subprocess.run(
        [*asked, "-k", "not cpu", "--durations=0", "-p", "no:cacheprovider"],
        capture_output=True,
        text=True,
        check=False,
    )
    failed = [line for line in ran.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    said = "; ".join([*failed, (ran.stdout + ran.stderr).strip().splitlines()[-1]])
    return f"**{said}**" if ran.returncode else said


def errors(case: Case, kind: torch.dtype, device: torch.device) -> tuple[float, float]:
    """The largest error of what an operator gives, and of its gradients."""
    rounded = _rounded(case, kind)
    exact = [one.double() if one.is_floating_point() else one for one in rounded]
    expected, slopes = _computed(case, exact)
    with _as_on_a_card():
        found, found_slopes = _computed(case, [one.to(device) for one in rounded])
    return _error(found, expected), _error(found_slopes, slopes)


def _row(case: Case, kind: torch.dtype, meter: Meter) -> tuple[object, ...]:
    most = allowed(kind)
    try:
        result, slopes = errors(case, kind, meter.device)
        given = [one.to(meter.device) for one in _rounded(case, kind)]
        with _as_on_a_card():
            taken = 1000 * meter.seconds(lambda: _computed(case, given), 5, 2)
    except Exception as error:  # the other operators are worth knowing all the same
        return "", "", most, "", f"**{told(error)}**"
    verdict = "ok" if max(result, slopes) <= most else "**differs**"
    return result, slopes if case.learned else "", most, taken, verdict


def _rounded(case: Case, kind: torch.dtype) -> list[Tensor]:
    return [one.to(kind) if one.is_floating_point() else one for one in case.given]


def _computed(case: Case, given: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """What an operator gives, and the gradients of the sum of it, each part weighed differently."""
    leaves = [one.detach().requires_grad_() for one in given[: case.learned]]
    result = case.run(*leaves, *given[case.learned :])
    results = [result] if isinstance(result, Tensor) else [*result]
    if not leaves:
        return results, []
    (result,) = results
    weights = 1 + torch.arange(result.numel()) % 64 / 64  # which no format rounds
    incoming = weights.view(result.shape).to(result)
    return [result.detach()], [*torch.autograd.grad(result, leaves, incoming)]


def _error(found: list[Tensor], expected: list[Tensor]) -> float:
    """The largest error beside the largest value; infinite if whole numbers differ."""
    if [one.shape for one in found] != [one.shape for one in expected]:
        return torch.inf
    worst = 0.0
    for one, right in zip(found, expected, strict=True):
        if not right.is_floating_point():
            worst = max(worst, 0.0 if torch.equal(one.cpu(), right) else torch.inf)
        elif right.numel():
            far = (one.cpu().double() - right).abs().max() / right.abs().max()
            worst = max(worst, torch.inf if far.isnan() else float(far))
    return worst


@contextmanager
def _as_on_a_card() -> Iterator[None]:
    """Deformable convolutions by the kernel that a card takes, in a rehearsal too."""
    from icevision_bridge.ops import deform, deform_torchvision

    with mock.patch.object(deform, "_way", lambda device: deform_torchvision):
        yield


@contextmanager
def watched() -> Iterator[set[str]]:
    """The names of the bridge's kernels that are called within."""
    called: set[str] = set()
    lent = vars(sys.modules["mmcv._ext"])

    def noted(name: str) -> Callable[..., Any]:
        kernel = lent[name]

        @wraps(kernel)
        def call(*given: Any, **named: Any) -> Any:
            called.add(name)
            return kernel(*given, **named)

        return call

    with mock.patch.dict(lent, {name: noted(name) for name in kernels()}):
        yield called
