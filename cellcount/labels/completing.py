"""Put into a Pascal VOC annotation what it lacks and what can be told all the same."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from xml.etree import ElementTree

_DIGITS = "0123456789"
_SIDES: tuple[tuple[str, Callable[[Iterable[float]], float]], ...] = (
    ("xmin", min),
    ("ymin", min),
    ("xmax", max),
    ("ymax", max),
)


def complete(root: ElementTree.Element, stem: str) -> Iterator[str]:
    """Put in name and size of the photo, and a box around each outline; say what was lacking.

    Args:
        root: of the annotation; it is changed.
        stem: of the file, which is that of its photo; a size that nobody knows is 0.
    """
    for tag, known in (("filename", stem), ("size/width", "0"), ("size/height", "0")):
        if not (root.findtext(tag) or "").strip():
            yield f"The annotation has no <{tag}>."
            _child(root, tag).text = known
    for number, item in enumerate(root.iter("object"), start=1):
        outline = item.find("polygon")
        if outline is not None and item.find("bndbox") is None:
            yield f"Box {number} has no <bndbox>, but an outline."
            for side, pick in _SIDES:
                texts = [e.text or "" for e in outline.iter() if e.tag.rstrip(_DIGITS) == side[0]]
                _child(item, f"bndbox/{side}").text = _extreme(texts, pick)


def _child(root: ElementTree.Element, path: str) -> ElementTree.Element:
    """The element at a path, made where it is missing."""
    for tag in path.split("/"):
        found = root.find(tag)
        root = ElementTree.SubElement(root, tag) if found is None else found
    return root


def _extreme(texts: Sequence[str], pick: Callable[[Iterable[float]], float]) -> str:
    """The least or largest of some numbers; a text that is none, for the error to name it."""
    try:
        return str(pick(map(float, texts)))
    except ValueError:
        return "".join(texts[:1])
