"""The doctor and the comparison of packages, on environments made up for the purpose."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import icevision_bridge
from cellcount.commands import doctor
from cellcount.setup import install, packages
from cellcount.setup.packages import Finding

ROOT = Path(__file__).resolve().parents[2]


class Made:
    """A project with requirements of its own, and packages that consist of metadata alone."""

    def __init__(self, folder: Path) -> None:
        self.root, self.site = folder / "project", folder / "site"
        self.root.mkdir()
        self.site.mkdir()
        self.write("requirements.txt", "")
        self.write("requirements-apart.txt", "")

    def write(self, name: str, text: str) -> None:
        (self.root / name).write_text(text)

    def install(self, name: str, version: str, *needs: str) -> Path:
        info = self.site / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        lines = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {n}" for n in needs)]
        (info / "METADATA").write_text("\n".join(["Metadata-Version: 2.1", *lines, ""]))
        return info


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    """Nothing but made-up packages is installed, and no notebook host is around."""
    for name in ("COLAB_RELEASE_TAG", "KAGGLE_KERNEL_RUN_TYPE", "VIRTUAL_ENV", "CONDA_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    made = Made(tmp_path)
    monkeypatch.setattr(packages, "_ROOT", made.root)
    monkeypatch.setattr(doctor, "_ROOT", made.root)
    import packaging.markers
    import packaging.requirements  # noqa: F401 - before its folder leaves the path

    monkeypatch.setattr(sys, "path", [str(made.site)])
    return made


def faults() -> dict[str, str]:
    return {one.what: one.state for one in packages.compare() if one.level == "fault"}


def test_every_requirement_is_pinned_exactly_and_gives_its_reason() -> None:
    for kind in ("", "-apart", "-dev", "-microscopes"):
        for line in (ROOT / f"requirements{kind}.txt").read_text().splitlines():
            assert not line or line.startswith("#") or re.fullmatch(r"[\w.-]+==[\d.]+  # .+", line)


def test_what_is_missing_or_differs_is_named_with_its_cure(made: Made) -> None:
    made.write("requirements.txt", "# Some\nright==1.0  # a\nother==1.0  # b\n")
    made.write("requirements-apart.txt", "# More\ngone==2.0  # c\n")
    made.install("right", "1.0")
    made.install("other", "1.1")
    assert packages.compare() == [
        Finding("right", "1.0"),
        Finding("other", "1.1, should be 1.0", "fault", "bash icevision_install.sh"),
        Finding("gone", "missing, should be 2.0", "fault", "bash icevision_install.sh"),
    ]
    assert not packages.hold()


def test_a_removed_dependency_of_a_dependency_is_named(made: Made) -> None:
    made.write("requirements.txt", "a==1  # asks for an extra of b\n")
    made.write("requirements-apart.txt", "apart==1  # has a list that cannot hold\n")
    made.install("a", "1", "B_b[x]>=2")
    made.install("b-b", "2", "c; extra == 'x'", "d; extra == 'y'", "e; python_version < '3'", "a")
    made.install("apart", "1", "dataclasses==0.6")
    assert faults() == {"c": "missing, needed by b-b"}
    made.install("c", "1")
    assert packages.hold()


@pytest.mark.parametrize(
    ("version", "right"),
    [("2.14.1+cpu", True), ("2.4.0", True), ("2.10.0+cu128", True), ("2.3.1", False), ("1", False)],
)
def test_a_torch_from_2_4_on_is_kept(made: Made, version: str, right: bool) -> None:
    made.write("requirements.txt", "# PyTorch\ntorch==2.14.1  # a\n")
    made.install("torch", version)
    assert packages.hold() == right


@pytest.mark.parametrize("host", ["COLAB_RELEASE_TAG", "KAGGLE_KERNEL_RUN_TYPE"])
def test_a_hosted_notebook_keeps_common_packages_and_needs_no_desktop(
    made: Made, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    made.write(
        "requirements.txt",
        "# Common\nnumpy==2.2.6  # a\ntqdm==4.70.1  # b\n\n# Desktop\nPyQt5==5.15.11  # c\n",
    )
    made.install("numpy", "2.0.2")
    assert set(faults()) == {"numpy", "tqdm", "PyQt5"}
    assert install.to_install(apart=False) == ["numpy==2.2.6", "tqdm==4.70.1", "PyQt5==5.15.11"]
    monkeypatch.setenv(host, "x")
    assert set(faults()) == {"tqdm"}
    assert install.to_install(apart=False) == ["numpy==2.0.2", "tqdm==4.70.1"]
    monkeypatch.setenv("VIRTUAL_ENV", "/an/environment/of/its/own")
    assert set(faults()) == {"numpy", "tqdm", "PyQt5"}


def test_icevision_from_its_repository_may_have_any_version(made: Made) -> None:
    made.write("requirements-apart.txt", "icevision==0.12.0  # a\n")
    info = made.install("icevision", "0.13.0a1")
    assert not packages.hold()
    (info / "direct_url.json").write_text('{"url": "an archive"}')
    assert packages.hold()


def test_a_packaging_that_is_broken_is_a_finding(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.write("requirements.txt", "a==1  # a\n")
    made.install("a", "1", "b")
    monkeypatch.setitem(sys.modules, "packaging.requirements", None)
    assert list(faults()) == ["packaging"]


def test_the_report_ends_well_or_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sections: dict[str, Callable[[], list[Finding]]] = {
        "One": lambda: [Finding("a", "is there"), Finding("b", "could be there", "note", "get b")],
        "Two": list,
    }
    monkeypatch.setattr(doctor, "_SECTIONS", sections)
    assert doctor.run() == 0
    assert capsys.readouterr().out.splitlines()[-1] == "All is well."
    assert doctor.run(brief=True) == 0
    assert capsys.readouterr().out == "One\n- b  could be there  ->  get b\n\nAll is well.\n"
    sections["Two"] = lambda: [Finding("c", "is gone", "fault", "get c")]
    assert doctor.run() == 1
    assert capsys.readouterr().out.splitlines()[-1] == "To put right: c. get c"


def test_a_bridge_that_fails_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def report(*_: str) -> list[tuple[str, str, bool]]:
        raise RuntimeError("first line\nsecond line")

    monkeypatch.setattr(icevision_bridge, "report", report)
    (finding,) = doctor._bridge()
    assert finding.level == "fault"
    assert "RuntimeError: first line" in finding.state
    assert "second" not in finding.state


def test_windows_does_not_say_how_much_memory_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sysconf")
    (machine,) = (one for one in doctor._machine() if one.what == "Machine")
    assert machine.state == f"{os.cpu_count()} CPU cores"


def test_without_torch_there_is_still_a_report() -> None:
    code = (
        "import sys; sys.modules['torch'] = None; "
        "from cellcount.commands import doctor; doctor.run()"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "Traceback" not in ran.stdout + ran.stderr
    broken = [line for line in ran.stdout.splitlines() if line.startswith("! ")]
    assert any("PyTorch does not import" in line for line in broken)
    assert "IceVision" in ran.stdout.splitlines()[-1]


# As Debian 12 and 13 name them.
@pytest.mark.parametrize(
    ("library", "package"),
    [
        ("libxcb-icccm.so.4", "libxcb-icccm4"),
        ("libxkbcommon-x11.so.0", "libxkbcommon-x11-0"),
        ("libX11.so.6", "libx11-6"),
        ("libX11-xcb.so.1", "libx11-xcb1"),
        ("libGL.so.1", "libgl1"),
        ("libdbus-1.so.3", "libdbus-1-3"),
        ("libgthread-2.0.so.0", "libglib2.0-0"),
    ],
)
def test_a_library_missing_for_labelimg_is_named_with_its_package(
    made: Made, monkeypatch: pytest.MonkeyPatch, library: str, package: str
) -> None:
    made.install("PyQt5-Qt5", "5.15")
    plugin = made.site / "PyQt5/Qt5/plugins/platforms/libqxcb.so"
    plugin.parent.mkdir(parents=True)
    plugin.touch()
    ldd = made.root / "ldd"
    ldd.write_text(
        f"#!/bin/sh\necho '\tlibc.so.6 => /lib/libc.so.6'\necho '\t{library} => not found'"
    )
    ldd.chmod(0o755)
    monkeypatch.setenv("PATH", str(made.root), prepend=":")
    (finding,) = doctor._labelling()
    assert finding.level == "note"
    assert finding.cure == f"sudo apt install {package}"


def test_nothing_is_said_of_labelimg_where_its_window_opens(made: Made) -> None:
    qt = made.install("PyQt5-Qt5", "5.15").parent / "PyQt5/Qt5/plugins/platforms"
    qt.mkdir(parents=True)
    (qt / "libqxcb.so").symlink_to("/bin/sh")
    assert list(doctor._labelling()) == []


@pytest.mark.slow
def test_the_environment_that_was_installed_is_well() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "cellcount", "doctor"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.splitlines()[-1] == "All is well."
    assert "17 labelled ones in data/labeled" in ran.stdout
