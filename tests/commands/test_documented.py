"""Every command is in the docs, and what the docs say to type runs, in a folder such as they mean.

Their links lead somewhere, and the sums of their examples are right.

What would take minutes or open a window is only parsed: ``PARSED`` says what runs it for real.
"""

import argparse
import doctest
import re
import shlex
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
import yaml
from roifile import ImagejRoi

from cellcount.commands import main
from cellcount.counting.count import Count
from cellcount.counting.counter import Counter
from cellcount.counting.engines import cache
from cellcount.counting.table import CountTable
from tests.conftest import ROOT

PAGES = [
    *(ROOT / "README.md", ROOT / "models" / "README.md", ROOT / "data" / "README.md"),
    *sorted((ROOT / "docs").glob("*.md")),
]
MORE_PAGES = [
    *(ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", ROOT / "benchmarks" / "RESULTS.md"),
    ROOT / "icevision_bridge" / "README.md",
]
PARSED = {  # by the command, or by what is asked of it
    "app": "serves until it is stopped: tests/app/test_server.py",
    "--workers": "takes long to begin: tests/counting/test_workers.py",
    "--scheduler": "wants a cluster: tests/counting/test_cluster.py",
    "s3://bucket/plate-7": "wants an object store: tests/photos/test_remote.py",
    "calibrate": "exports another detector: tests/counting/test_trust.py",
    "crossval": "trains: tests/judging/test_crossval.py",
    "label": "opens a window: tests/labelling/test_labelimg_window.py",
    "models": "builds every detector: tests/detector/test_zoo.py",
    "pretrain": "trains: tests/detector/test_pretraining.py",
    "train": "trains: tests/detector/test_finetuning.py",
}
QUICKER = {"--photos 6": "--photos 1 --size 128"}
SUFFIXES = (".png", ".xml")


def _calls():
    """Each call in the pages' blocks, with its page."""
    found = {}
    for page in PAGES:
        for block in re.findall(r"```bash\n(.*?)```", page.read_text(encoding="utf-8"), re.S):
            for line in block.replace("\\\n", " ").splitlines():
                if line.strip().startswith("cellcount "):
                    found.setdefault(" ".join(shlex.split(line, comments=True)), page.name)
    return found


CALLS = _calls()
RUN = [call for call in CALLS if PARSED.keys().isdisjoint(call.split())]


def _commands():
    """The commands' parsers, by name."""
    (group,) = (
        action
        for action in main._parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    return group.choices


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Checkpoints by the names that the docs use: all are the small bundled one."""
    source, folder = ROOT / "models" / "smear.pth", tmp_path_factory.mktemp("models")
    Counter(source)  # is exported, if it has not been
    for name in ("model_checkpoint", "mine", "few", "smear", "cells", "rendered"):
        shutil.copy(source, folder / f"{name}.pth")
        for kept in source.parent.glob(f"{source.name}.*{cache.SUFFIX}"):
            shutil.copy(kept, folder / kept.name.replace(source.name, f"{name}.pth"))
    return folder


@pytest.fixture
def place(models, tmp_path, monkeypatch):
    """A folder with models, photos, labels and a table where the docs have them."""
    monkeypatch.chdir(tmp_path)
    Path("models").symlink_to(models)
    pairs = [one.with_suffix("") for one in sorted((ROOT / "data" / "labeled").glob("*.xml"))]
    for folder, some in (("my/labeled", pairs[:3]), ("my/judge", pairs[3:5]), ("new", pairs[5:7])):
        Path(folder).mkdir(parents=True)
        for pair in some:
            for suffix in SUFFIXES:
                shutil.copy(pair.with_suffix(suffix), folder)
    shutil.copy(pairs[8].with_suffix(".png"), "my/labeled")  # nobody has labelled it yet
    Path("my/not_labeled").mkdir()
    shutil.copy(pairs[7].with_suffix(".png"), "my/not_labeled")
    assert main.main(["export", "new", "exported", "--format", "coco"]) == 0
    with zipfile.ZipFile("downloaded.zip", "w") as archive:
        for file in Path("exported").rglob("*"):
            if file.name != "UNCONFIRMED.txt":
                archive.write(file, file.relative_to("exported"))
    Path("photos").mkdir()
    channels = {"axes": "CYX", "Channel": {"Name": ["DAPI", "GFP"]}}
    pixels = np.random.default_rng(0).integers(0, 255, (2, 128, 128), np.uint8)
    tifffile.imwrite("photos/a.ome.tif", pixels, metadata=channels)
    with CountTable(Path("out/counts.csv"), [], "m", "") as table:
        table.add(Count("a.png", 9, np.empty((0, 4)), np.empty(0), 8, 10, why=()), 0.1)
    triangle = np.array([[20.0, 20], [200, 30], [120, 200]])
    ImagejRoi.frompoints(triangle).tofile("field.roi")


@pytest.mark.parametrize("call", RUN)
def test_documented_call_runs(call, place, capsys):
    for said, quicker in QUICKER.items():
        call = call.replace(said, quicker)
    assert main.main(shlex.split(call)[1:]) == 0, capsys.readouterr()


@pytest.mark.parametrize("call", [call for call in CALLS if call not in RUN])
def test_documented_call_of_a_long_command_is_understood(call):
    assert callable(main._parser().parse_args(shlex.split(call)[1:]).run)


def test_calls_that_are_only_parsed_are_run_elsewhere():
    words = {word for call in CALLS for word in call.split()}
    assert PARSED.keys() <= words | _commands().keys()
    for why in PARSED.values():
        assert (ROOT / why.rsplit(": ", 1)[1]).is_file()


@pytest.mark.parametrize("command", _commands())
def test_every_command_is_documented(command):
    pages = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert re.search(rf"cellcount {command}\b", pages)
    assert _commands()[command].format_help()


def test_options_of_counting_are_documented():
    pages = ("counting.md", "counting-chambers.md")
    page = "\n".join((ROOT / "docs" / name).read_text(encoding="utf-8") for name in pages)
    for command in ("count", "groups"):
        for action in _commands()[command]._actions:
            for option in action.option_strings:
                if option.startswith("--") and option != "--help":
                    assert f"`{option}" in page or f" {option} " in page, option


def _headings(page):
    """The anchors of a page's headings, as GitHub makes them."""
    lines = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


@pytest.mark.parametrize(
    "page", [*PAGES, *MORE_PAGES], ids=lambda page: page.parent.name + page.name
)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in link:
            file, _, anchor = link.partition("#")
            there = page.parent / file if file else page
            assert there.exists(), link
            assert not anchor or anchor in _headings(there), link


def test_sums_in_the_docs_are_right():
    done = [doctest.testfile(str(page), False, encoding="utf-8") for page in PAGES]
    assert sum(one.failed for one in done) == 0
    assert sum(one.attempted for one in done) > 10


def test_the_citation_names_this_version():
    project = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.M)
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["version"] == project[1]
