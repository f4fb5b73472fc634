"""The table of counts as an Excel workbook, for those who do not open CSV."""

import csv
import re
from itertools import chain
from pathlib import Path

from cellcount.counting.table import TEXTS
from cellcount.errors import CellCountError
from cellcount.files import replacing

_LONGEST = 1_048_576  # rows of a sheet
_NUMBER = re.compile(r"\d+(\.\d+)?")


def write_workbook(table: Path, workbook: Path) -> None:
    """Write a table of counts once more, as .xlsx, in the place of an older one.

    Its first row stays in sight, counts are numbers, and all else is text: never a formula.

    Args:
        table: CSV that :class:`cellcount.counting.table.CountTable` has written.
        workbook: to write.

    Raises:
        CellCountError: it cannot be written, or the table is too long.
    """
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    with table.open(newline="", encoding="utf-8-sig") as file:
        if sum(1 for _ in csv.reader(file)) > _LONGEST:
            raise CellCountError(
                f"{table} has more rows than a sheet of Excel holds, {_LONGEST:,}: use the CSV."
            )
    book = Workbook(write_only=True)
    sheet = book.create_sheet("counts")
    sheet.freeze_panes = "A2"

    def cell(column: str, value: str) -> WriteOnlyCell:
        if column not in TEXTS and _NUMBER.fullmatch(value):
            return WriteOnlyCell(sheet, float(value) if "." in value else int(value))
        made = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("", value) or None)
        if value:  # else openpyxl takes "=1" for a formula, and "#N/A" for an error
            made.data_type = "s"
        return made

    with table.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.reader(file)
        columns = next(rows)
        for row in chain([columns], rows):
            sheet.append([cell(*pair) for pair in zip(columns, row, strict=True)])
    try:
        with replacing(workbook) as part:
            book.save(part)
    except OSError as error:
        raise CellCountError(
            f"{workbook} cannot be written ({error.strerror}): close the program that shows it, or "
            f"make room, and give the same command again. {table} holds all counts."
        ) from error
