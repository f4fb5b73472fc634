"""Files of every format, cut short or with bytes exchanged: a sentence or boxes, no traceback."""

import warnings

import numpy as np
import pytest

from cellcount.errors import CellCountError
from cellcount.labels.exchange import import_labels
from tests.labels.formats.samples import NAMED, NAMELESS, photo


def cut(content, rng):
    return content[: rng.integers(len(content))]


def exchanged(content, rng):
    damaged = bytearray(content)
    for place in rng.integers(len(damaged), size=rng.integers(1, 6)):
        damaged[place] = rng.integers(256)
    return bytes(damaged)


def other_values(content, rng):
    """Numbers, words and lists of the text in places where others belong."""
    signs = [b"1", b"2", b'"', b"{", b"[", b"null", b"a.png", b"cell", b"-", b"."]
    others = [b"1e999", b"-7", b"", b'"x"', b"[]", b"{}", b"null", b"NaN", b"true", b"\xff"]
    for _ in range(rng.integers(1, 4)):
        content = content.replace(signs[rng.integers(10)], others[rng.integers(10)], 1)
    return content


@pytest.mark.parametrize("damage", [cut, exchanged, other_values])
@pytest.mark.parametrize("make", (*NAMED, *NAMELESS))
def test_damage_ends_in_a_sentence_or_in_labels(tmp_path, make, damage):
    source = tmp_path / "in"
    kept = photo(source)
    make(source)
    files = [path for path in source.rglob("*") if path.is_file() and path != kept]
    sound = {path: path.read_bytes() for path in files}
    told = 0
    for seed in range(25):
        rng = np.random.default_rng([seed, 7])
        hit = files[rng.integers(len(files))]
        hit.write_bytes(damage(sound[hit], rng))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # a user sees no library's warnings either
                import_labels(source, tmp_path / str(seed))
        except CellCountError as error:
            told += 1
            assert len(str(error)) > 20
            assert not (tmp_path / str(seed)).exists()
        hit.write_bytes(sound[hit])
    assert told or damage is not cut, "every cut was taken for a whole file"
