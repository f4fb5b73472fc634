"""icevision_install.sh: the real script, in a project of its own, without network."""

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import packaging
import pytest

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ("requirements.txt", "requirements-apart.txt")
SOURCE_ONLY = {"mmcv", "labelImg"}
# A setuptools that makes of the project, whatever is in it, a package with the command cellcount.
EDITABLE = """
import zipfile
def build_editable(folder, settings=None, metadata=None):
    name = "cellcount-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(folder + "/" + name, "w") as archive:
        for file, text in {
            "METADATA": "Metadata-Version: 2.1\\nName: cellcount\\nVersion: 0.1.0\\n",
            "WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
            "entry_points.txt": "[console_scripts]\\ncellcount = cellcount.commands.main:main\\n",
            "RECORD": "",
        }.items():
            archive.writestr("cellcount-0.1.0.dist-info/" + file, text)
    return name
"""
MODULES = {  # all other packages are empty
    "setuptools": {"setuptools/__init__.py": "", "setuptools/build_meta.py": EDITABLE},
    "torch": {"torch/__init__.py": ""},
    "torchvision": {"torchvision/__init__.py": ""},
    "numpy": {"numpy/__init__.py": ""},
    "packaging": {
        f"packaging/{path.name}": path.read_text()
        for path in Path(packaging.__file__).parent.glob("*.py")
    },
}
# A stand-in for the set-up of mmcv and labelImg. It needs what theirs need: a setuptools of some
# age, and exec() in a function that adds to its locals(), as mmcv's setup.py reads its version.
BACKEND = """
import os, shutil
from importlib.metadata import version
def read_version():
    exec("__version__ = 'read'")
    return locals()["__version__"]
def build_wheel(folder, settings=None, metadata=None):
    with open(os.environ["HOME"] + "/builds", "a") as file:
        print(os.environ["MMCV_WITH_OPS"], version("setuptools"), read_version(), file=file)
    name = next(name for name in os.listdir() if name.endswith(".whl"))
    shutil.copy(name, folder)
    return name
"""


def wheel(name: str, version: str, folder: Path) -> Path:
    stem = f"{name.replace('-', '_')}-{version}"
    path = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        info = f"{stem}.dist-info"
        members = {
            **MODULES.get(name, {}),
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        for member, text in members.items():
            archive.writestr(member, text)
        record = "".join(f"{member},,\n" for member in [*members, f"{info}/RECORD"])
        archive.writestr(f"{info}/RECORD", record)
    return path


def source(name: str, version: str, folder: Path) -> Path:
    inside = folder / f"{name}-{version}"
    inside.mkdir()
    wheel(name, version, inside)
    (inside / "backend.py").write_text(BACKEND)
    (inside / "PKG-INFO").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (inside / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    path = shutil.make_archive(str(inside), "gztar", folder, inside.name)
    shutil.rmtree(inside)
    return Path(path)


def executable(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/bash\n{text}\n")
    path.chmod(0o755)


class Project:
    """What the script reads, a home and a PATH of its own, and an index of empty packages."""

    def __init__(self, folder: Path) -> None:
        self.root, self.home, self.bin = folder / "a project", folder / "home", folder / "bin"
        self.index = folder / "index"
        package = self.root / "cellcount/setup"
        for made in (package, self.home / ".config/pip", self.bin, self.index):
            made.mkdir(parents=True)
        for name in ("icevision_install.sh", "pyproject.toml", *REQUIREMENTS):
            shutil.copy(ROOT / name, self.root)
        for name in ("__init__.py", "install.py", "packages.py"):
            shutil.copy(ROOT / "cellcount/setup" / name, package)
        (self.root / "cellcount/__init__.py").touch()
        doctor = 'import sys\nprint("the doctor has looked", sys.argv[1:])\n'
        (self.root / "cellcount/__main__.py").write_text(doctor)
        executable(self.bin / "python3", f'exec "{sys.executable}" "$@"')
        (self.home / ".config/pip/pip.conf").write_text(
            f"[global]\nno-index = true\nfind-links = {self.index}\n"
        )
        self.venv = self.root / ".venv"
        self.stamp = self.venv / ".cellcount-installed"

    def fill_index(self) -> None:
        for version in ("79.0.1", "84.0"):
            wheel("setuptools", version, self.index)
        for name in REQUIREMENTS:
            for package, version in re.findall(
                r"^([\w-]+)==(\S+)", (ROOT / name).read_text(), re.M
            ):
                (source if package in SOURCE_ONLY else wheel)(package, version, self.index)

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", self.root / "icevision_install.sh", *arguments],
            cwd=self.home,  # not the project's folder: the script must find that itself
            env={"PATH": f"{self.bin}:/usr/bin:/bin", "HOME": str(self.home), **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def packages(self) -> Path:
        return next(self.venv.glob("lib/python*/site-packages"))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def refused(ran: subprocess.CompletedProcess[str], *said: str) -> None:
    assert ran.returncode != 0
    assert len(ran.stderr.splitlines()) == 1, ran.stderr
    for words in said:
        assert words in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "named"),
    [(["gpu"], "'gpu'"), (["cpu", "0.11.0"], "'0.11.0'"), (["cpu", "master", "x"], "'master x'")],
)
def test_a_wrong_argument_is_named(project: Project, arguments: list[str], named: str) -> None:
    refused(project.run(*arguments), named, "--help")
    assert not project.venv.exists()


def test_the_walkthroughs_cuda11_means_cuda(project: Project) -> None:
    executable(project.bin / "df", "echo head; echo dev 100 90 10 90% /")
    ran = project.run("cuda11")
    refused(ran, "GB of free disk")
    assert "cuda11 means cuda" in ran.stdout


def test_help_names_every_argument(project: Project) -> None:
    ran = project.run("--help")
    assert ran.returncode == 0
    for word in ("auto", "cpu", "cuda", "cuda10", "cuda11", "0.12.0", "master"):
        assert word in ran.stdout


@pytest.mark.parametrize(
    ("answer", "said"), [("echo 3.9", "3.9"), ("echo 3.14", "3.14"), ("exit 127", "missing")]
)
def test_a_python_that_does_not_fit_is_named(project: Project, answer: str, said: str) -> None:
    for name in ("python3", "python3.10", "python3.11", "python3.12", "python3.13"):
        executable(project.bin / name, answer)
    refused(project.run(), "3.10 to 3.13", said)
    assert not project.venv.exists()


def test_a_second_python_that_fits_is_taken(project: Project) -> None:
    executable(project.bin / "python3", "echo 3.14")
    executable(project.bin / "python3.12", f'exec "{sys.executable}" "$@"')
    executable(project.bin / "df", "echo; echo dev 1 1 0 100% /")
    refused(project.run(), "GB of free disk")  # which is looked at once a Python is found


def test_a_missing_venv_module_is_named_with_its_cure(project: Project) -> None:
    executable(
        project.bin / "python3",
        f'[[ "$*" == *ensurepip* ]] && exit 1; exec "{sys.executable}" "$@"',
    )
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    refused(project.run(), f"sudo apt install python{version}-venv")
    assert not project.venv.exists()


def test_an_active_environment_without_a_fitting_python_is_named(project: Project) -> None:
    refused(project.run(VIRTUAL_ENV=str(project.home / "gone")), str(project.home / "gone"))
    assert not project.venv.exists()


def test_a_full_disk_is_said_before_anything_is_made(project: Project) -> None:
    executable(project.bin / "df", "echo head; echo dev 100 90 10 90% /")
    refused(project.run(), "GB of free disk")
    assert not project.venv.exists()


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "{root}/.venv/bin/python"),
        ({"VIRTUAL_ENV": "/a"}, "/a/bin/python"),
        ({"CONDA_PREFIX": "/b"}, "/b/bin/python"),
        ({"COLAB_RELEASE_TAG": "x"}, "{bin}/python3"),
        ({"KAGGLE_KERNEL_RUN_TYPE": "Batch"}, "{bin}/python3"),
        ({"COLAB_RELEASE_TAG": "x", "VIRTUAL_ENV": "/a"}, "/a/bin/python"),
    ],
)
def test_it_installs_where_the_user_works(
    project: Project, environment: dict[str, str], expected: str
) -> None:
    ran = project.run("--which", **environment)
    assert ran.stdout.strip() == expected.format(root=project.root, bin=project.bin)


@pytest.mark.parametrize("target", [["demo"], ["label", "FOLDER=my photos"]])
def test_make_works_in_a_folder_with_a_space_in_its_name(
    project: Project, target: list[str]
) -> None:
    shutil.copy(ROOT / "Makefile", project.root)
    (project.venv / "bin").mkdir(parents=True)
    executable(project.venv / "bin/python", f'exec "{sys.executable}" "$@"')
    (project.root / "cellcount/__main__.py").write_text("import sys\nprint(sys.argv[1:])\n")
    ran = subprocess.run(
        ["make", "--silent", "--old-file=setup", *target],
        cwd=project.root,
        env={"PATH": f"{project.bin}:/usr/bin:/bin", "HOME": str(project.home)},
        capture_output=True,
        text=True,
        check=False,
    )
    said = [target[0], *(one.partition("=")[2] for one in target[1:])]
    assert (ran.stdout, ran.stderr) == (f"{said}\n", "")


def test_master_that_cannot_be_reached_changes_nothing(project: Project) -> None:
    nowhere = "http://127.0.0.1:9"
    refused(project.run("cpu", "master", https_proxy=nowhere), "github.com/airctic/icevision")
    assert not project.venv.exists()


def offer_cpu_builds(project: Project, minor: int) -> str:
    """Puts a page as PyTorch's index has them in the way of urlopen; returns a PYTHONPATH."""
    folder = project.home / "web"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import io, urllib.request as request\n"
        "def urlopen(url, timeout):\n"
        "    assert url.startswith('https://download.pytorch.org/whl/cpu/torch')\n"
        "    name = url.split('/')[5]\n"
        "    file = name + {'torch': '-2.14.1', 'torchvision': '-0.29.1'}[name]\n"
        f"    file += '%2Bcpu-cp3{minor}-cp3{minor}-manylinux_2_28_x86_64.whl'\n"
        "    return io.BytesIO(f'<a href=/whl/cpu/{file}#sha256=00>x</a>'.encode())\n"
        "request.urlopen = urlopen\n"
    )
    return str(folder)


def test_without_cpu_builds_the_larger_package_is_announced(project: Project) -> None:
    free_kilobytes = 5 * 2**20
    executable(project.bin / "df", f"echo head; echo dev 0 0 {free_kilobytes} 0% /")
    ran = project.run("cpu", PYTHONPATH=offer_cpu_builds(project, minor=9))
    refused(ran, "12 GB of free disk")
    assert "the larger one for NVIDIA GPUs is taken" in ran.stdout


def test_on_macos_pytorch_is_one_and_timeout_is_missing(project: Project) -> None:
    tools = ("bash", "awk", "cat", "cksum", "dirname", "find", "grep", "mkdir", "paste", "rm")
    for name in (*tools, "sed", "tail", "test"):
        (project.bin / name).symlink_to(str(shutil.which(name)))
    executable(project.bin / "uname", "echo Darwin")
    executable(project.bin / "df", f"echo head; echo dev 0 0 {4 * 2**20} 0% /")
    for made in ("bin", "lib/python3/site-packages"):
        (project.venv / made).mkdir(parents=True)
    bare = f'[[ "$*" == *pip* ]] || exec "{sys.executable}" -S "$@"'  # -S: no torch is installed
    executable(project.venv / "bin/python", bare)
    ran = project.run(PATH=str(project.bin))
    refused(ran, "5 GB of free disk")
    assert "NVIDIA" not in ran.stdout


def contents(folder: Path) -> dict[Path, int]:
    return {
        path: path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_from_nothing_to_whole_and_back(project: Project) -> None:
    """One environment through its life: each step starts from the one before, to save a minute."""
    project.fill_index()
    for name, version in (("torch", "2.14.1"), ("torchvision", "0.29.1")):
        wheel(name, f"{version}+cpu", project.index)
    late = project.index / "yapf-0.43.0-py3-none-any.whl"
    late.rename(project.home / late.name)
    offered = offer_cpu_builds(project, minor=sys.version_info[1])

    failed = project.run("cpu", PYTHONPATH=offered)
    refused(failed, "step 2", "yapf==0.43.0", "install.log")
    assert (project.packages() / "torch-2.14.1+cpu.dist-info").exists()
    assert not project.stamp.exists()
    assert not (project.venv / ".cellcount-tmp").exists()

    (project.home / late.name).rename(late)
    (project.venv / "mine").touch()
    completed = project.run("cpu")
    assert completed.returncode == 0, completed.stderr
    assert completed.stdout.endswith("the doctor has looked ['doctor', '--brief']\n")
    assert (project.venv / "mine").exists(), "what is there is completed, not thrown away"
    assert (project.home / "builds").read_text() == "0 79.0.1 read\n" * 2

    before = contents(project.venv)
    for arguments in ([], ["cpu"], ["cpu", "0.12.0"]):
        again = project.run(*arguments)
        assert again.returncode == 0
        assert "Everything is installed" in again.stdout
    assert contents(project.venv) == before
    command = project.venv / "bin/cellcount"
    command.unlink()
    assert project.run().returncode == 0
    assert command.exists()

    # A package that is gone comes back; so does one that an interrupted pip left half unpacked. A
    # PyTorch that works is kept, in an active environment as in one that the script made.
    packages = project.packages()
    shutil.rmtree(packages / "yapf-0.43.0.dist-info")
    (packages / "numpy/__init__.py").unlink()
    (packages / "numpy-2.2.6.dist-info/INSTALLER").unlink()
    for old, new in (("torch-2.14.1", "torch-2.5.1"), ("torchvision-0.29.1", "torchvision-0.20.1")):
        info = (packages / f"{old}+cpu.dist-info").rename(packages / f"{new}.dist-info")
        metadata = info / "METADATA"
        metadata.write_text(
            metadata.read_text().replace(old.split("-")[1] + "+cpu", new.split("-")[1])
        )
    repaired = project.run(VIRTUAL_ENV=str(project.venv))
    assert repaired.returncode == 0, repaired.stderr
    assert (packages / "yapf-0.43.0.dist-info").exists()
    assert (packages / "numpy/__init__.py").exists()
    assert "torch==2.5.1 torchvision==0.20.1" in repaired.stdout
    assert [path.name for path in sorted(packages.glob("torch*.dist-info"))] == [
        "torch-2.5.1.dist-info",
        "torchvision-0.20.1.dist-info",
    ]

    # A changed pin is noticed, and until it is followed the environment does not count as whole.
    pins = project.root / "requirements.txt"
    pins.write_text(pins.read_text().replace("yapf==0.43.0", "yapf==0.44.0"))
    refused(project.run(), "yapf==0.44.0")
    assert not project.stamp.exists()
