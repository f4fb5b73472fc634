"""VFNet's deformable convolution on the CPU: the bridge's against torchvision's."""

from collections.abc import Callable

from benchmarks.effort import Effort
from benchmarks.interleave import Worker, interleave, ready
from benchmarks.table import Row


def measure(effort: Effort) -> list[Row]:
    """Forward and backward, two photos, 256 channels, 80 × 80: a head of VFNet's at 640 px."""
    size = 20 if effort.quick else 80
    what = f"deformable convolution, 2 × 256 × {size} × {size}, forward and backward"
    with ready(
        ours=Worker(prepare, size=size, ours=True), plain=Worker(prepare, size=size, ours=False)
    ) as ways:
        found = interleave({name: way.run for name, way in ways.items()}, effort.repeats(7))
    answers = zip(found["ours"].answers, found["plain"].answers, strict=True)
    if not all(_agree(*each) for each in answers):
        return [Row(what, against="torchvision", reason="the two convolutions differ")]
    return [Row.of(what, found["ours"], found["plain"], "torchvision", must=2.5, aim=6)]


def prepare(size: int, ours: bool) -> Callable[[], list[float]]:
    """The convolution with random numbers; it answers with the norms of all that it computes."""
    import torch

    if ours:
        import icevision_bridge

        icevision_bridge.apply()
        from mmcv.ops import deform_conv2d

        def convolve(image, offset, weight):
            return deform_conv2d(image, offset, weight, 1, 1)
    else:
        from torchvision.ops import deform_conv2d

        def convolve(image, offset, weight):
            return deform_conv2d(image, offset, weight, padding=1)

    random = torch.Generator().manual_seed(0)

    def draw(*shape: int, spread: float = 1.0) -> torch.Tensor:
        return (torch.randn(shape, generator=random) * spread).requires_grad_()

    given = draw(2, 256, size, size), draw(2, 18, size, size), draw(256, 256, 3, 3, spread=0.02)
    incoming = torch.randn((2, 256, size, size), generator=random)

    def run() -> list[float]:
        result = convolve(*given)
        computed = [result, *torch.autograd.grad(result, given, incoming)]
        return [float(each.detach().norm()) for each in computed]

    return run


def _agree(mine: list[float], theirs: list[float]) -> bool:
    return all(abs(a - b) < 1e-4 * b for a, b in zip(mine, theirs, strict=True))
