"""Rows of a file that a person wrote, and mistakes said by their place."""

from __future__ import annotations

import gzip

import pytest

from pipeline.csv_rows import MAX_LINE_BYTES, rows
from pipeline.errors import CallerError


@pytest.fixture
def file(tmp_path):
    """Write a file and return its path."""

    def file(data: bytes | str):
        path = tmp_path / "words.csv"
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    return file


def test_rows_have_their_cells_by_column_and_their_line(file):
    found = list(rows(file("\ufeffa,b\r\n1, x | y |\r\n\r\n,\"q, 'r'\"\r\n"), ("a",)))
    assert [row.line for row in found] == [2, 4]
    assert (found[0]["a"], found[0].exact("b"), found[0].several("b")) == ("1", " x | y |", ("x", "y"))
    assert (found[1]["b"], "a" in found[1], found[1]["nowhere"]) == ("q, 'r'", False, "")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("b,c\n", r"words\.csv, line 1: there is no column a; the columns are b, c"),
        ("a,a\n", r"line 1: the column a appears twice"),
        ("a,z\n", r"line 1: the column 'z' is not one of a, b"),
        ("a,b\n1\n", r"line 2: has 1 cells where the first line has 2"),
        ("a,b\n1,2,3\n", r"line 2: has 3 cells where the first line has 2"),
        ('a,b\n1,"2\n', r"line 2: is not CSV"),
        (b"a,b\n1,\xff\n", r"line 2: is not UTF-8 from byte 3 on"),
        ("a,b\n1," + "x" * MAX_LINE_BYTES, r"line 2: has over 65,536 bytes; the limit is 65,536"),
        ("", r"is empty; its first line must name the column a"),
    ],
)
def test_a_mistake_is_said_by_its_line(file, data, message):
    with pytest.raises(CallerError, match=message):
        list(rows(file(data), ("a",), ("a", "b")))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_file_may_come_as_spreadsheets_write_it(file, encoding, delimiter):
    path = file(gzip.compress(f"b{delimiter}a\r\n1{delimiter}ä\r\n".encode(encoding)))
    assert [row["a"] for row in rows(path, ("a",))] == ["ä"]


def test_a_mistake_in_a_cell_is_said_by_its_line_and_column(file):
    [row] = rows(file("a\n1\n"), ("a",))
    assert str(row.mistake("a", "too small")) == "words.csv, line 2, column a: too small"


def test_a_file_that_is_not_there_is_the_callers_mistake(tmp_path):
    with pytest.raises(CallerError, match="cannot be read: No such file"):
        list(rows(tmp_path / "nowhere.csv", ("a",)))
