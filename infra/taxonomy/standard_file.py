"""Reads the files in which Google and Shopify publish their product taxonomies."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import CallerError
from pipeline.standard_ids import ID_FORMS, Standard

SEPARATOR = " > "
_GOOGLE_HEADING = re.compile(r"# Google_Product_Taxonomy_Version: (?P<version>\S+)")
_GOOGLE_LINE = re.compile(r"(?P<id>\d+) - (?P<path>.+)")
_SHOPIFY_HEADING = re.compile(r"# Shopify Product Taxonomy - Categories: (?P<version>\S+)")
_SHOPIFY_LINE = re.compile(r"gid://shopify/TaxonomyCategory/(?P<id>\S+)\s*: (?P<path>.+)")
_GID = "gid://shopify/TaxonomyCategory/"


@dataclass(frozen=True, slots=True)
class StandardFile:
    """One published file: whose it is, its version, and each category's path by its id, such as ``("Shoes",)``."""

    standard: Standard
    version: str
    paths: Mapping[str, tuple[str, ...]]

    @classmethod
    def read(cls, path: Path) -> StandardFile:
        """Return what Google's ``taxonomy-with-ids.*.txt`` or Shopify's ``categories.txt`` or ``.json`` says.

        Raises:
            CallerError: the file cannot be read, is neither of these, or a line of it has not their form.
        """
        try:
            text = path.read_text(encoding="utf-8-sig")
        except OSError as error:
            raise CallerError(f"{path} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise CallerError(f"{path} is not UTF-8 from its byte {error.start + 1:,} on") from error
        if text.lstrip().startswith("{"):
            return cls(*_from_json(path, text))
        return cls(*_from_lines(path, text.splitlines()))


def _from_lines(path: Path, lines: list[str]) -> tuple[Standard, str, dict[str, tuple[str, ...]]]:
    first = lines[0] if lines else ""
    for standard, heading, form in (
        (Standard.GOOGLE, _GOOGLE_HEADING, _GOOGLE_LINE),
        (Standard.SHOPIFY, _SHOPIFY_HEADING, _SHOPIFY_LINE),
    ):
        begun = heading.match(first)
        if begun:
            return standard, begun["version"], dict(_categories(path, lines, standard, form))
    raise CallerError(
        f"{path} is no taxonomy: its first line must be that of Google's taxonomy-with-ids file or of Shopify's "
        "categories.txt; Shopify's categories.json is read as well"
    )


def _categories(
    path: Path, lines: list[str], standard: Standard, form: re.Pattern[str]
) -> Iterable[tuple[str, tuple[str, ...]]]:
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        category = form.fullmatch(line.strip())
        if category is None or not ID_FORMS[standard].fullmatch(category["id"]):
            raise CallerError(f"{path}, line {number:,}: {line.strip()[:80]!r} is not an id and a category")
        yield category["id"], tuple(category["path"].split(SEPARATOR))


def _from_json(path: Path, text: str) -> tuple[Standard, str, dict[str, tuple[str, ...]]]:
    try:
        document: Any = json.loads(text)
        categories = [category for vertical in document["verticals"] for category in vertical["categories"]]
        paths = {
            category["id"].removeprefix(_GID): tuple(category["full_name"].split(SEPARATOR)) for category in categories
        }
        return Standard.SHOPIFY, str(document["version"]), paths
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CallerError(f"{path} is not Shopify's categories.json: {error!r}") from error
