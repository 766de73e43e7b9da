"""Reads a person's labels of photos: a CSV with the columns file, expected and, optionally, acceptable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.csv_rows import CsvRow, rows
from pipeline.errors import CallerError
from tagging_lambda.curate.keyword_lookup import keyword_named
from tagging_lambda.words.labels import photo_groups

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.keywords import Vocabulary

FILE, EXPECTED, ACCEPTABLE = "file", "expected", "acceptable"


@dataclass(frozen=True, slots=True)
class LabelledFile:
    """A photo and a person's labels for it.

    Attributes:
        path: the photo's file.
        expected: ids of which the photo should get at least one; none if it shows no goods.
        right: ids that count as right: the expected, the acceptable, and everything above them.
        broader: those of `right` that are only above others: they name a department, not the thing.
        unjudged: ids below an expected or acceptable one. Labels are coarser than keywords: a label *trousers* does
            not say whether they are jeans, so *jeans* is neither right nor wrong.
        group: the photo's product or contributor, or the photo itself.
    """

    path: Path
    expected: frozenset[str]
    right: frozenset[str]
    broader: frozenset[str] = frozenset()
    unjudged: frozenset[str] = frozenset()
    group: str = ""

    @classmethod
    def of(
        cls, path: Path, expected: frozenset[str], acceptable: frozenset[str], vocabulary: Vocabulary, group: str = ""
    ) -> LabelledFile:
        """Return the photo with these labels; without a group it is its own."""
        named = expected | acceptable
        right = right_ids(named, vocabulary)
        below = frozenset[str]().union(*(vocabulary.descendants(keyword_id) for keyword_id in named))
        return cls(path, expected, right, right - named, below - right, group or str(path))


def labels_in(path: Path, folder: Path, vocabulary: Vocabulary) -> tuple[LabelledFile, ...]:
    """Return every row of the file; photos are below the folder.

    Raises:
        CallerError: a row is invalid; the message names its line and column.
    """
    files: dict[Path, LabelledFile] = {}
    table = list(rows(path, (FILE, EXPECTED)))
    groups = photo_groups(table, len({word for row in table for word in row.several(EXPECTED)}))
    for row, group in zip(table, groups, strict=True):
        photo = folder / row.exact(FILE)
        if photo in files:
            raise row.mistake(FILE, f"{row[FILE]} stands twice")
        if not photo.is_file():
            raise row.mistake(FILE, f"there is no file {photo}")
        expected, acceptable = _ids(row, EXPECTED, vocabulary), _ids(row, ACCEPTABLE, vocabulary)
        files[photo] = LabelledFile.of(photo, expected, acceptable, vocabulary, group)
    if not files:
        raise CallerError(f"{path} names no photo")
    return tuple(files.values())


def right_ids(named: frozenset[str], vocabulary: Vocabulary) -> frozenset[str]:
    """Return the keywords named and all above them: a rocking chair is furniture."""
    return named.union(*(vocabulary.ancestors(keyword_id) for keyword_id in named))


def _ids(row: CsvRow, column: str, vocabulary: Vocabulary) -> frozenset[str]:
    try:
        return frozenset(keyword_named(word, vocabulary) for word in row.several(column))
    except CallerError as error:
        raise row.mistake(column, str(error)) from error
