"""Reads wishes from a file: a CSV with the columns decision, keyword, and image or product."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.csv_rows import CsvRow, rows
from pipeline.errors import CallerError
from pipeline.images import ImageRef
from pipeline.messages import checked_product
from pipeline.records import KeywordAction
from tagging_lambda.curate.decide import Wish
from tagging_lambda.curate.keyword_lookup import keyword_named, keyword_once_named

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.keywords import Vocabulary

DECISION, KEYWORD, IMAGE, PRODUCT = "decision", "keyword", "image", "product"


def wishes_in(path: Path, otherwise: KeywordAction, vocabulary: Vocabulary) -> tuple[Wish, ...]:
    """Return every wish of the file, which is read completely before anything is done.

    Args:
        path: the file.
        otherwise: the verdict of a row without one.
        vocabulary: has the keywords' words and ids.

    Raises:
        CallerError: a row is invalid; the message names its line and column.
    """
    wishes = tuple(_wish(row, otherwise, vocabulary) for row in rows(path, (KEYWORD,)))
    if not wishes:
        raise CallerError(f"{path} holds no decision")
    return wishes


def _wish(row: CsvRow, otherwise: KeywordAction, vocabulary: Vocabulary) -> Wish:
    verdict = _verdict(row, otherwise)
    named = keyword_once_named if verdict is KeywordAction.RELEASE else keyword_named
    try:
        keyword_id = named(row[KEYWORD], vocabulary)
    except CallerError as error:
        raise row.mistake(KEYWORD, str(error)) from error
    if (IMAGE in row) == (PRODUCT in row):
        raise row.mistake(IMAGE, "each row names an image or a product, not both")
    column = IMAGE if IMAGE in row else PRODUCT
    try:
        of = ImageRef.parse(row.exact(IMAGE)) if column == IMAGE else checked_product(row.exact(PRODUCT))
    except CallerError as error:
        raise row.mistake(column, str(error)) from error
    return Wish(verdict, keyword_id, of)


def _verdict(row: CsvRow, otherwise: KeywordAction) -> KeywordAction:
    if DECISION not in row:
        return otherwise
    try:
        return KeywordAction(row[DECISION].lower())
    except ValueError:
        known = ", ".join(KeywordAction)
        raise row.mistake(DECISION, f"{row[DECISION]!r} is not one of {known}") from None
