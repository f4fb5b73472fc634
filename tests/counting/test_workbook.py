"""The table as a workbook, read back by openpyxl and looked at as the XML that Excel gets."""

import csv
import re
import zipfile

import openpyxl
import pytest

from cellcount.commands import main
from cellcount.counting import workbook
from cellcount.counting.table import CountTable
from cellcount.counting.workbook import write_workbook
from cellcount.errors import CellCountError
from tests.counting.test_table import MODEL, PHOTOS, a_count


@pytest.fixture
def table(tmp_path):
    with CountTable(tmp_path / "t.csv", ["=a", "b"], "m 0", "") as rows:
        for name in ("=1+1.png", "#N/A", "007", "ä\x07.png"):
            rows.add(a_count(name), 0.25)
        rows.fail("@cut.png", "=It is cut short.")
    return tmp_path / "t.csv"


def test_numbers_are_numbers_and_all_else_is_text(table, tmp_path):
    write_workbook(table, tmp_path / "t.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "t.xlsx").active
    header, *rows = sheet.values
    with table.open(newline="", encoding="utf-8-sig") as file:
        assert [*header] == next(csv.reader(file))
    rows = [dict(zip(header, row, strict=True)) for row in rows]
    assert [row["photo"] for row in rows] == ["'=1+1.png", "#N/A", "007", "ä.png", "'@cut.png"]
    for row in rows[:4]:
        assert (row["count"], row["low"], row["high"], row["tile"]) == (5, 4, 6, 320)
        assert (row["'=a"], row["'=a %"], row["b low"], row["seconds"]) == (4, 80.0, None, 0.25)
    assert (rows[4]["count"], rows[4]["why"]) == (None, "'=It is cut short.")
    assert sheet.freeze_panes == "A2"
    with zipfile.ZipFile(tmp_path / "t.xlsx") as archive:
        content = archive.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in content and not re.search(r't="[ef]"', content)


def test_what_is_no_text_of_ours_is_no_formula_either(tmp_path):
    (tmp_path / "t.csv").write_text("photo,=why,count,low\n=1+1,=cmd,5,=2\n")
    write_workbook(tmp_path / "t.csv", tmp_path / "t.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "t.xlsx").active
    assert [[cell.data_type for cell in row] for row in sheet] == [[*"ssss"], [*"ssns"]]
    assert [cell.value for cell in sheet[2]] == ["=1+1", "=cmd", 5, "=2"]


def test_a_workbook_that_cannot_be_written_is_told(table, tmp_path, monkeypatch):
    (tmp_path / "t.xlsx").mkdir()
    with pytest.raises(CellCountError, match=r"t\.xlsx cannot be written .*t\.csv holds all"):
        write_workbook(table, tmp_path / "t.xlsx")
    monkeypatch.setattr(workbook, "_LONGEST", 5)
    with pytest.raises(CellCountError, match=r"more rows than .* holds, 5: use the CSV"):
        write_workbook(table, tmp_path / "u.xlsx")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t-found.jsonl", "t.csv", "t.xlsx"]


def test_the_csv_beside_the_workbook_makes_the_run_go_on(tmp_path, capsys):
    first, second = sorted(PHOTOS.glob("*.png"))[:2]
    more = ["--out", str(tmp_path / "my.xlsx")]
    assert main.main(["count", str(MODEL), str(first), *more]) == 0
    assert f"The workbook is {tmp_path / 'my.xlsx'}." in capsys.readouterr().out
    before = (tmp_path / "my.csv").read_text("utf-8-sig").splitlines()
    assert main.main(["count", str(MODEL), str(first), str(second), *more]) == 0
    after = (tmp_path / "my.csv").read_text("utf-8-sig").splitlines()
    assert len(before) == 2 and after[:2] == before and len(after) == 3
    sheet = openpyxl.load_workbook(tmp_path / "my.xlsx").active
    assert [row[0] for row in sheet.values] == ["photo", first.name, second.name]
