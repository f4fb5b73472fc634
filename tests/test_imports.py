"""Imports run as pyproject.toml says."""

from importlinter.cli import lint_imports

from tests.conftest import ROOT


def test_imports_run_downward_only(capsys):
    status = lint_imports(config_filename=str(ROOT / "pyproject.toml"), cache_dir=None)
    assert status == 0, capsys.readouterr().out
