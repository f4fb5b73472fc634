"""Is a folder of labelled photos fit to train on? What is wrong, file by file, and what to do."""

import shlex
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from cellcount.errors import CellCountError
from cellcount.labels.box_checks import check_boxes, taking_part
from cellcount.labels.findings import Finding
from cellcount.labels.mending import plan
from cellcount.labels.pairing import Labelled, pair

_LISTED = 20  # findings in one message


@dataclass(frozen=True)
class Checked:
    """The photos of a folder that have labels, and what is wrong with the folder, by file."""

    folder: Path
    labelled: list[Labelled]
    findings: list[Finding]

    @property
    def errors(self) -> list[Finding]:
        """What would stop the training or teach it something wrong."""
        return [finding for finding in self.findings if finding.severity == "error"]

    @property
    def notes(self) -> list[Finding]:
        """What is only worth knowing."""
        return [finding for finding in self.findings if finding.severity == "note"]

    @property
    def good(self) -> list[Labelled]:
        """The labelled photos that nothing is wrong with."""
        bad = {finding.file for finding in self.errors}
        return [one for one in taking_part(self.labelled) if not {one.xml, one.photo} & bad]


def check(folder: str | Path) -> Checked:
    """Read every photo and every XML of the folder, and compare what belongs together.

    Raises:
        CellCountError: there is no such folder, or it holds neither photos nor XML.
    """
    labelled, findings = pair(folder)
    findings += check_boxes(labelled)
    findings.sort(key=lambda finding: (finding.file.name, finding.severity))
    return Checked(Path(folder), labelled, findings)


def ready_to_train(folder: str | Path, *, strict: bool = False) -> None:
    """Look for mistakes before the training meets them hours later; print what to know.

    Args:
        folder: labelled photos.
        strict: refuse the folder for one mistake, instead of going on without its photo.

    Raises:
        CellCountError: lists what must be put right, and says how.
    """
    checked = check(folder)
    _left_out.pop(checked.folder.absolute(), None)  # who asks is told, also for the second time
    leave_out(checked, strict=strict)
    if checked.notes:
        print(_some(checked.notes, _command(checked)))


def refuse_errors(checked: Checked) -> None:
    """Do nothing if nothing is wrong.

    Raises:
        CellCountError: lists what must be put right, and says how.
    """
    if not checked.errors:
        return
    command = _command(checked)
    cure = f"{command} --fix mends what needs no guessing." if plan(checked.labelled) else ""
    raise CellCountError(
        f"{checked.folder} must be put right before it can be used.\n"
        f"{_some(checked.errors, command)}\n{cure}".rstrip()
    )


_left_out: dict[Path, frozenset[Path]] = {}  # of folders: files with errors, without suffixes too


def leave_out(checked: Checked, *, strict: bool = False) -> None:
    """Go on without the photos that have errors, and say so: IceVision will get none of them.

    Raises:
        CellCountError: no photo is left, or there are errors and it is ``strict``.
    """
    if strict or not checked.good:
        refuse_errors(checked)
    folder, files = checked.folder.absolute(), {finding.file for finding in checked.errors}
    bad = frozenset(one.absolute() for file in files for one in (file, file.with_suffix("")))
    if bad and _left_out.get(folder) != bad:  # else it was said
        stems = sorted({file.stem for file in files})
        more = f" and {len(stems) - _LISTED} more" if len(stems) > _LISTED else ""
        total = len({*stems, *(one.xml.stem for one in checked.labelled)})
        print(
            f"Left out, because their labels cannot be used: {len(stems)} of {total} labelled "
            f"photos in {checked.folder}: {', '.join(stems[:_LISTED])}{more}. {_command(checked)} "
            "says why, and with --fix mends what needs no guessing."
        )
    _left_out[folder] = bad


def is_left_out(file: Path) -> bool:
    """Whether a file, or a folder that it is in, was left out for an error."""
    file = file.absolute()
    mine = {file, file.with_suffix(""), *file.parents}
    return any(mine & bad for bad in _left_out.values())


def _command(checked: Checked) -> str:
    return f"python -m cellcount check {shlex.quote(str(checked.folder))}"


def tell(checked: Checked) -> None:
    """Print what is wrong file by file, and last how much is good."""
    by_file = defaultdict(list)
    for finding in checked.findings:
        by_file[finding.file].append(finding)
    for file, findings in by_file.items():
        print(file)
        for finding in findings:
            print(f"  {finding.severity}: {finding.problem} {finding.cure}")
    if mendable := plan(checked.labelled):
        print(f"--fix mends {len(mendable)} of these files, as far as it needs no guessing.")
    boxes = sum(len(one.annotation.boxes) for one in checked.good)
    print(
        f"{len(checked.good)} of {len(checked.labelled)} labelled photos, with {boxes} boxes, are "
        f"good to learn from (errors: {len(checked.errors)}, notes: {len(checked.notes)})."
    )


def _some(findings: list[Finding], command: str) -> str:
    lines = [f"- {finding}" for finding in findings[:_LISTED]]
    if len(findings) > _LISTED:
        lines.append(f"- and {len(findings) - _LISTED} more: {command} lists them all.")
    return "\n".join(lines)
