"""Is a folder of labelled photos fit to train on? What is wrong, file by file, and what to do."""

import shlex
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from cellcount.errors import CellCountError
from cellcount.labels.box_checks import check_boxes, taking_part
from cellcount.labels.mending import plan
from cellcount.labels.pairing import Labelled, pair
from cellcount.labels.voc import Finding

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


def ready_to_train(folder: str | Path) -> None:
    """Refuse a folder with errors before the training does so hours later; print what to know.

    Raises:
        CellCountError: lists what must be put right, and says how.
    """
    checked = check(folder)
    refuse_errors(checked)
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
