"""Reads what a person says of photos: a CSV with the columns file, expected and, if wanted, acceptable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.csv_rows import rows
from pipeline.errors import CallerError
from tagging_lambda.curate.keyword_lookup import keyword_named
from tagging_lambda.words.labels import photo_groups

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.csv_rows import CsvRow
    from pipeline.keywords import Vocabulary

FILE, EXPECTED, ACCEPTABLE = "file", "expected", "acceptable"


@dataclass(frozen=True, slots=True)
class LabelledFile:
    """A photo and what a person says of it.

    Attributes:
        path: the photo's file.
        expected: ids of which at least one should be said; none where the photo shows no goods.
        right: ids that are no mistake: the expected, the acceptable, and everything above them.
        broader: those of `right` that are only above the others: they name a department, not the thing.
        unjudged: ids below an expected or acceptable one. Labels are coarser than keywords: who labels trousers has not
            said whether they are jeans, so that *jeans* is neither right nor wrong.
        group: what the photo belongs to: a product, a contributor, or itself alone.
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
        """Return the photo of which a person says this; without a group it belongs to nothing else."""
        named = expected | acceptable
        right = right_ids(named, vocabulary)
        below = frozenset[str]().union(*(vocabulary.descendants(keyword_id) for keyword_id in named))
        return cls(path, expected, right, right - named, below - right, group or str(path))


def labels_in(path: Path, folder: Path, vocabulary: Vocabulary) -> tuple[LabelledFile, ...]:
    """Return every row of the file, whose photos lie below the folder.

    Raises:
        CallerError: a row is not as it should be; the message names its line and column.
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
    """Return the keywords named and all above them: who sees a rocking chair sees furniture."""
    return named.union(*(vocabulary.ancestors(keyword_id) for keyword_id in named))


def _ids(row: CsvRow, column: str, vocabulary: Vocabulary) -> frozenset[str]:
    try:
        return frozenset(keyword_named(word, vocabulary) for word in row.several(column))
    except CallerError as error:
        raise row.mistake(column, str(error)) from error
