"""What the package shows: its few public names, loaded late, and imports that run downward."""

import inspect
import subprocess
import sys

import pytest
from importlinter.cli import lint_imports

import cellcount as cc
from tests.conftest import ROOT


def test_imports_run_downward_only(capsys):
    status = lint_imports(config_filename=str(ROOT / "pyproject.toml"), cache_dir=None)
    assert status == 0, capsys.readouterr().out


def test_import_is_light():
    """Neither the package nor the command line loads torch or a library of 2022."""
    code = (
        "import sys, cellcount as cc, cellcount.commands.main; cc.apply_bridge, cc.labeled; "
        "print(sorted({'torch', 'icevision', 'mmcv', 'matplotlib', 'fastai'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_public_names_are_few_and_say_what_they_are():
    assert len(cc.__all__) <= 20
    for name in cc.__all__:
        assert inspect.getdoc(getattr(cc, name))
    with pytest.raises(AttributeError, match="no attribute 'labels_of'"):
        cc.labels_of  # noqa: B018


def test_no_module_hides_a_public_name():
    """Python sets a submodule's name in the package when it is imported, over anything else."""
    modules = {path.stem for path in (ROOT / "cellcount").iterdir()}
    assert modules.isdisjoint(cc.__all__)
    for name in cc.__all__:
        assert getattr(cc, name) is not None
