"""Image sizes that a detector cannot take, refused in one sentence before the first step."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import index
from typing import Any

from icevision_bridge.errors import BridgeError


@dataclass(frozen=True)
class SizeWatch:
    """A forward pre-hook that lets images of the right size pass; see ``watch_size``.

    It is an object and not a closure, so that a model that carries it can be copied and pickled.
    """

    family: str
    multiple: int
    least: int
    exact: tuple[int, int] | None

    def __call__(self, model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Look at the first batch of images (N, C, H, W) among the arguments of ``model``."""
        images = next(_batches((*args, *kwargs.values())), None)
        if images is None:
            return
        height, width = (int(side) for side in images.shape[-2:])
        if self.exact is None:
            wrong = _corrections((height, width), self.multiple, self.least)
            if wrong:
                raise BridgeError(
                    f"{_wish(self.family, self.multiple, self.least)}: take {wrong} "
                    "in the transforms (size=...)."
                )
        elif (height, width) != self.exact:
            high, wide = self.exact
            size = high if high == wide else f"({wide}, {high})"
            raise BridgeError(
                f"{self.family} is built for images {high} pixels high and {wide} wide, but the "
                f"transforms give images {height} high and {width} wide: write size={size} in the "
                "transforms, or build the model for another size."
            )


def watch_size(
    model: Any,
    family: str,
    *,
    multiple: int = 1,
    least: int = 1,
    exact: tuple[int, int] | None = None,
) -> None:
    """Make ``model`` refuse images of a wrong size, in training and in prediction.

    Args:
        model: the ``torch.nn.Module`` whose forward takes the images (N, C, H, W), by position or
            by any name, alone or as the first of a list. Its weights stay as they are.
        family: what the sentence calls the model.
        multiple: both sides must be multiples of it.
        least: the shortest side allowed, in pixels.
        exact: the (height, width) that is the only right one; the rules above are not looked at.
    """
    watch = SizeWatch(family, multiple, least, exact)
    model.register_forward_pre_hook(watch, with_kwargs=True)


def checked_size(
    family: str, img_size: Any, *, multiple: int = 1, least: int = 1
) -> tuple[int, int]:
    """The (height, width) that the argument ``img_size`` of a model names, one side or both.

    Raises:
        BridgeError: it is missing, no whole number of pixels, or a size that does not fit.
    """
    sides = list(img_size) if isinstance(img_size, Iterable) else [img_size, img_size]
    wish = _wish(family, multiple, least)
    example = -(-max(least, 512) // multiple) * multiple
    if img_size is None:
        raise BridgeError(
            f"{wish}: write img_size={example}, or what the transforms have as size=..., in "
            "model(...), or in model_from_checkpoint(...) if the checkpoint does not hold it."
        )
    try:
        height, width = (index(side) for side in sides)
    except (TypeError, ValueError):
        raise BridgeError(
            f"{wish}: take a whole number as {example}, or (height, width), in the place of "
            f"{img_size!r} in model(..., img_size=...)."
        ) from None
    wrong = _corrections((height, width), multiple, least)
    if wrong:
        raise BridgeError(
            f"{wish}: take {wrong} in the transforms (size=...) and in model(..., img_size=...)."
        )
    return height, width


def _wish(family: str, multiple: int, least: int) -> str:
    rules = [f"is a multiple of {multiple}"] if multiple > 1 else []
    rules += [f"is at least {least}"] if least > 1 else []
    return f"{family} wants an image size{' that ' if rules else ''}{' and '.join(rules)}"


def _corrections(sides: tuple[int, int], multiple: int, least: int) -> str:
    """What to write in the place of each wrong side, or an empty text."""
    least = -(-least // multiple) * multiple
    advice = []
    for side in dict.fromkeys(sides):
        below = side // multiple * multiple
        if side < least:
            advice.append(f"{least} in the place of {side}")
        elif below != side:
            advice.append(f"{below} or {below + multiple} in the place of {side}")
    return " and ".join(advice)


def _batches(arguments: Iterable[Any]) -> Iterator[Any]:
    for argument in arguments:
        for value in argument if isinstance(argument, list | tuple) else [argument]:
            if getattr(value, "ndim", 0) == 4:
                yield value
